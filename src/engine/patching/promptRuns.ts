import type { Direction } from '../../shared/experiment';
import { hasOtherRun } from '../../shared/experiment';
import { disposeKeyValues, forward, keysAndValues, type Batch, type ForwardOptions, type ForwardRun, type KeyValues } from '../model/forward';
import { KnownRun } from '../model/knownRun';
import { knownRowsOf, type Asked } from '../model/knownRows';
import { takeRows } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { nextPair, type Chunk, type Plan } from './plan';
import { shareRuns, type SequencePlace, type SharedRuns } from './sharing';

/** What a pair's prompts are run for. `unchanged`: the base prompts without the interventions. */
export type Role = 'base' | 'unchanged' | 'other' | 'resample';

/** What is captured of a run that has to be computed; one of known rows gives everything. */
type Captures = Pick<ForwardOptions, 'sites' | 'capturesIn' | 'record'>;

/** The runs of a chunk's prompts. Run 0 is that of the base prompts, in the order of the pairs. */
export interface PromptRuns {
  /** Runs, that of the base included. */
  count: number;
  /** One of the runs, as the prompts are; the caller disposes it. */
  run(index: number, captures: Captures): Promise<ForwardRun>;
  /** The base prompts, to be run again or with interventions. */
  readonly batch: Batch;
  /** Where the prompts of a role are found, pair by pair. */
  placesOf(role: Role): SequencePlace[] | undefined;
}

/**
 * Hands out the runs of a chunk's prompts: from what is known of the model's forward passes, which is completed by what is not,
 * or, where that takes more memory than may be kept, each distinct prompt and prefix of the chunk run once. Throws `cancelled`.
 */
export async function withPromptRuns<T>(model: Gpt2, plan: Plan, chunk: Chunk, direction: Direction, work: Work, use: (runs: PromptRuns) => Promise<T>): Promise<T> {
  const roles = rolesOf(plan, chunk, direction);
  const later = plan.chunks.slice(plan.chunks.indexOf(chunk) + 1);
  const ahead = (plan.chunks.includes(chunk) ? later : []).map((own) => [...rolesOf(plan, own, direction).values()].flatMap((prompts) => askedOf(own, prompts)));
  const paths = await knownRowsOf(model)?.rows([...roles.values()].map((prompts) => askedOf(chunk, prompts)), ahead, work);
  if (!paths) return withSharedRuns(model, chunk, roles, work, use);

  const names = [...roles.keys()];
  const size = chunk.pairs.length;
  const runOf = (index: number): KnownRun => new KnownRun(model, paths.slice(index * size, (index + 1) * size), { start: chunk.prefix, tail: chunk.tail }, work);
  const tokens = roles.get('base')!.map((prompt) => prompt.slice(chunk.prefix));
  let past: KeyValues[] | undefined;
  const batch: Batch = {
    tokens,
    start: chunk.prefix,
    get past() {
      return chunk.prefix === 0 ? undefined : (past ??= runOf(0).past());
    },
  };
  try {
    return await use({
      count: names.length,
      run: (index) => Promise.resolve(runOf(index)),
      batch,
      placesOf: (role) => (roles.has(role) ? chunk.pairs.map((_, sequence) => ({ run: names.indexOf(role), sequence })) : undefined),
    });
  } finally {
    if (past) disposeKeyValues(past);
  }
}

function askedOf({ prefix, tail }: Chunk, prompts: readonly (readonly number[])[]): Asked[] {
  return prompts.map((tokens) => ({ tokens, start: prefix, tail }));
}

/** The prompts of each role, pair by pair; the base first. */
function rolesOf(plan: Plan, chunk: Chunk, direction: Direction): Map<Role, readonly (readonly number[])[]> {
  const { pairs, other } = plan.branches[chunk.branch]!.experiment;
  const interventions = plan.experiment.variant?.interventions ?? [];
  const clean = chunk.pairs.map((index) => pairs[index]!.clean);
  const corrupted = chunk.pairs.map((index) => pairs[index]!.corrupted ?? []);
  const [base, counterpart] = direction === 'denoise' ? [corrupted, clean] : [clean, corrupted];
  const roles = new Map<Role, readonly (readonly number[])[]>([['base', base]]);
  if (interventions.length > 0) roles.set('unchanged', base);
  if (hasOtherRun(other)) roles.set('other', counterpart);
  if (interventions.some((own) => own.with === 'resample')) roles.set('resample', chunk.pairs.map((index) => pairs[nextPair(index, plan.groups)]!.clean));
  return roles;
}

async function withSharedRuns<T>(model: Gpt2, chunk: Chunk, roles: ReadonlyMap<Role, readonly (readonly number[])[]>, work: Work, use: (runs: PromptRuns) => Promise<T>): Promise<T> {
  const others = [...roles].filter(([name]) => name !== 'base');
  const shared = shareRuns(roles.get('base')!, others.map(([, prompts]) => prompts), chunk.prefix, roles.has('unchanged'));
  return withPrefix(model, shared, (past) => {
    const batchOf = (index: number): Batch => ({ tokens: shared.runs[index]!.tokens, start: chunk.prefix, past: past(shared.runs[index]!.prefix) });
    const batch = batchOf(0);
    return use({
      count: shared.runs.length,
      run: (index, captures) => forward(model, index === 0 ? batch : batchOf(index), { ...captures, tail: chunk.tail }, work),
      batch,
      placesOf: (role) => shared.places[others.findIndex(([name]) => name === role)],
    });
  }, work);
}

/** Runs the shared prefixes, each once, and hands out their keys and values in the order asked for; frees them afterwards. */
async function withPrefix<T>(model: Gpt2, { prefixes }: SharedRuns, use: (past: (order: readonly number[]) => KeyValues[] | undefined) => Promise<T>, work: Work): Promise<T> {
  if (prefixes[0]!.length === 0) return use(() => undefined);
  const known = await keysAndValues(model, prefixes, work);
  const made: KeyValues[] = [];
  try {
    return await use((order) => {
      if (order.length === prefixes.length && order.every((index, row) => index === row)) return known;
      const all = known.map(({ key, value }) => ({ key: takeRows(key, order), value: takeRows(value, order) }));
      made.push(...all);
      return all;
    });
  } finally {
    disposeKeyValues(known);
    disposeKeyValues(made);
  }
}
