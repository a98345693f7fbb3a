import type * as tf from '@tensorflow/tfjs-core';
import { SITE_NAMES, type SiteName } from '../../shared/sites';
import { disposeKeyValues, disposeRun, forward, keysAndValues, type ForwardOptions, type ForwardRun, type KeyValues } from '../model/forward';
import { KnownRun } from '../model/knownRun';
import { knownRowsOf } from '../model/knownRows';
import { takeRows } from '../model/rows';
import type { RowPath } from '../model/segments';
import type { Change } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { interventionEdit, type EditedBatch, type StandIn } from './edits';
import { sequencesOf, siteValues, type SiteValues } from './exactCopy';
import type { PatchJob, SourcedIntervention } from './exactJobs';
import type { Means } from './means';
import type { PreparedMetric } from './preparedMetric';
import { capturedAt } from './siteTensors';

/** What the patches of one job take from its base run and from its other side. */
export interface Needs {
  /** Layers from which patched runs start: the base run's resid_pre. */
  layers: ReadonlySet<number>;
  /** Whether patched runs start later than the job's own runs, so that they need the base run's keys and values before. */
  keysAndValues: boolean;
  /** Layers of each site that the other side gives. */
  other: ReadonlyMap<SiteName, ReadonlySet<number>>;
  /** Layers of each site that the base run gives beside. */
  base?: ReadonlyMap<SiteName, ReadonlySet<number>>;
}

export function siteKey(site: SiteName, layer: number): string {
  return `${site}.${layer}`;
}

/** Values by `siteKey`, which of their sequences belongs to each row of the job, and the tokens of the prompts they come from. */
interface Side {
  values: ReadonlyMap<string, SiteValues>;
  of: readonly number[];
  length: number;
}

type KeyAndValue = { key: SiteValues; value: SiteValues };

/** Held in plain memory, not in the backend's: rows are taken out of them for every batch, and wasm's heap never shrinks. */
export interface Sources {
  /** Metric of every row in its base run, interventions done to it. */
  base: number[];
  /** In the runs without interventions. */
  clean: number[];
  corrupted?: number[];
  /** The base run's resid_pre by layer. */
  stream: ReadonlyMap<number, SiteValues>;
  /** What else of the base run was asked for, by `siteKey`; sequence i is row i. */
  kept: ReadonlyMap<string, SiteValues>;
  /** Keys and values by layer of the prefix, [distinct prefix, head, position, feature], and which prefix each row has. */
  prefix?: { layers: KeyAndValue[]; of: readonly number[] };
  /** Those of the base run's own positions. */
  own: KeyAndValue[];
  /** What takes the place of patched parts; absent: zeros. */
  replacement?: Side;
  /** What takes the place of a part that is intervened on; undefined: zeros. */
  standInOf(intervention: SourcedIntervention): StandIn | undefined;
}

/**
 * Runs the job's prompts, each distinct one once, and keeps what is needed of them: the other side, other pairs' clean
 * prompts where interventions ask for them, the base prompts as they are, and, if there are interventions, with these.
 * Without interventions what is known of the model's forward passes is not run again.
 */
export async function runSources(model: Gpt2, job: PatchJob, metric: PreparedMetric, means: Means | undefined, needs: Needs, work: Work): Promise<Sources> {
  const { experiment, interventions, chunk, cleanIsBase } = job;
  const roles = { base: new Distinct(job.base), other: new Distinct(job.other ?? []), resample: new Distinct(job.resample ?? []) };
  const prefixes = new Distinct([]);
  const prefixOf = (tokens: readonly number[]): number => prefixes.place(tokens.slice(0, chunk.prefix));
  const basePrefix = job.base.map(prefixOf);
  const sidePrefix = { other: roles.other.all.map(prefixOf), resample: roles.resample.all.map(prefixOf) };
  const paths = interventions.length === 0 ? await knownPaths(model, [job.base, ...(job.other ? [job.other] : [])], chunk, work) : undefined;
  const known = chunk.prefix === 0 ? undefined : paths ? prefixesOf(model, prefixes.all, paths, chunk, work) : await keysAndValues(model, prefixes.all, work);
  try {
    const run = async <T>(tokens: readonly (readonly number[])[], prefixes: readonly number[], change: Change, use: (run: ForwardRun) => T): Promise<T> => {
      if (paths) {
        const found = new KnownRun(model, tokens.map((prompt) => paths.get(prompt.join())!), { start: chunk.prefix, tail: chunk.tail }, work);
        try {
          shown(found, change);
          return use(found);
        } finally {
          found.dispose();
        }
      }
      const past = known?.map(({ key, value }) => ({ key: takeRows(key, prefixes), value: takeRows(value, prefixes) }));
      try {
        const batch = { tokens: tokens.map((prompt) => prompt.slice(chunk.prefix)), start: chunk.prefix, past };
        const found = await forward(model, batch, { ...captures(metric), tail: chunk.tail, edit: change }, work);
        try {
          return use(found);
        } finally {
          disposeRun(found);
        }
      } finally {
        if (past) disposeKeyValues(past);
      }
    };
    const rows = job.pairs.map((_, row) => row);
    const measure = (found: ForwardRun, isClean: boolean, of?: readonly number[]): number[] => {
      if (isClean) metric.setClean(found, rows, of);
      return metric.values(found, rows, of);
    };

    const sideValues = { other: new Map<string, SiteValues>(), resample: new Map<string, SiteValues>() };
    /** Keeps what patches and interventions take from another prompt. `of`: the sequences that hold its prompts. */
    const keepSide = (role: 'other' | 'resample', batch: number, length: number, of?: readonly number[]): Change => (site, layer) => {
      const isNeeded = (role === 'other' && needs.other.get(site)?.has(layer) === true) || interventions.some((own) => own.from === role && own.unit.site === site && (own.unit.layer ?? 0) === layer);
      return isNeeded ? keeping(site, batch, length, (found) => sideValues[role].set(siteKey(site, layer), found), of) : undefined;
    };
    /** These values, and the metric there. */
    const runSide = async (role: 'other' | 'resample', length: number): Promise<{ side: Side; metric: number[] } | undefined> => {
      const prompts = roles[role];
      if (prompts.all.length === 0) return undefined;
      const found = await run(prompts.all, sidePrefix[role], keepSide(role, prompts.all.length, length), (own) => (role === 'other' ? measure(own, !cleanIsBase, prompts.of) : []));
      return { side: { values: sideValues[role], of: prompts.of, length }, metric: found };
    };

    const stream = new Map<number, SiteValues>();
    const own: KeyAndValue[] = [];
    const kept = new Map<string, SiteValues>();
    /** Keeps what patched runs continue. `of`: the sequence of each row. */
    const keepBase = (batch: number, of?: readonly number[]): Change => (site, layer) => {
      const puts: ((values: SiteValues) => void)[] = [];
      if (site === 'resid_pre' && needs.layers.has(layer)) puts.push((values) => stream.set(layer, values));
      if (needs.keysAndValues && site === 'k') puts.push((key) => (own[layer] = { ...own[layer]!, key }));
      if (needs.keysAndValues && site === 'v') puts.push((value) => (own[layer] = { ...own[layer]!, value }));
      if (needs.base?.get(site)?.has(layer)) puts.push((values) => kept.set(siteKey(site, layer), values));
      return puts.length === 0 ? undefined : keeping(site, batch, job.baseLength, (values) => puts.forEach((put) => put(values)), of);
    };
    /** The base run, which patched runs continue. */
    const runBase = (edit: Change | undefined): Promise<number[]> => {
      const harvest = keepBase(rows.length);
      return run(job.base, basePrefix, edit ? oneAfterTheOther(edit, harvest) : harvest, (found) => measure(found, cleanIsBase && !edit));
    };
    const runUnchanged = (): Promise<number[]> =>
      interventions.length === 0 ? runBase(undefined) : run(job.base, basePrefix, () => undefined, (found) => measure(found, cleanIsBase));
    /** Base and other side as one batch. */
    const runTogether = (both: Distinct): Promise<{ unchanged: number[]; other: Awaited<ReturnType<typeof runSide>> }> => {
      const [ofBase, ofOther] = [both.of.slice(0, rows.length), both.of.slice(rows.length)];
      const count = both.all.length;
      const harvest = oneAfterTheOther(keepBase(count, ofBase), keepSide('other', count, job.otherLength, ofOther));
      return run(both.all, both.all.map(prefixOf), harvest, (found) => {
        const base = (): number[] => measure(found, cleanIsBase, ofBase);
        const first = cleanIsBase ? base() : undefined;
        const metric = measure(found, !cleanIsBase, roles.other.of.map((prompt) => ofOther[prompt]!));
        return { unchanged: first ?? base(), other: { side: { values: sideValues.other, of: roles.other.of, length: job.otherLength }, metric } };
      });
    };

    // A metric may compare with the clean run, so that one comes first.
    const both = !paths && areRunTogether(job) ? new Distinct([...job.base, ...roles.other.all]) : undefined;
    const together = both && (await runTogether(both));
    const unchangedFirst = !together && cleanIsBase ? await runUnchanged() : undefined;
    const other = together ? together.other : await runSide('other', job.otherLength);
    const unchanged = together?.unchanged ?? unchangedFirst ?? (await runUnchanged());
    const resample = await runSide('resample', chunk.cleanLength);
    const mean = means && sideOfMeans(job, means, needs);
    const sides = { other: other?.side, resample: resample?.side, mean, zero: undefined };
    const standInOf = ({ from, unit }: SourcedIntervention): StandIn | undefined => {
      const side = sides[from];
      return side && { length: side.length, of: (row) => ({ values: side.values.get(siteKey(unit.site, unit.layer ?? 0))!, sequence: side.of[row]! }) };
    };
    const edit = interventions.length > 0 ? interventionEdit(interventions, editedBatch(job, model.config, rows), standInOf) : undefined;
    const base = edit ? await runBase(edit) : unchanged;
    return {
      base,
      ...(cleanIsBase ? { clean: unchanged, corrupted: other?.metric } : { clean: other!.metric, corrupted: unchanged }),
      stream,
      kept,
      own,
      prefix: known && { layers: known.map(inMemory), of: basePrefix },
      // Means are also taken for interventions.
      replacement: experiment.other === 'mean' ? mean : other?.side,
      standInOf,
    };
  } finally {
    if (known) disposeKeyValues(known);
  }
}

/** Where the rows of each prompt are, by its tokens; undefined where they are not kept. */
async function knownPaths(model: Gpt2, roles: readonly (readonly (readonly number[])[])[], { prefix, tail }: PatchJob['chunk'], work: Work): Promise<ReadonlyMap<string, RowPath> | undefined> {
  const paths = await knownRowsOf(model)?.rows(roles.map((prompts) => prompts.map((tokens) => ({ tokens, start: prefix, tail }))), [], work);
  return paths && new Map(roles.flat().map((tokens, i) => [tokens.join(), paths[i]!]));
}

/** Keys and values of prefixes with which known prompts begin. The caller disposes them. */
function prefixesOf(model: Gpt2, prefixes: readonly (readonly number[])[], paths: ReadonlyMap<string, RowPath>, { prefix, tail }: PatchJob['chunk'], work: Work): KeyValues[] {
  const beginning = prefixes.map((tokens) => [...paths].find(([prompt]) => prompt.startsWith(`${tokens.join()},`))![1]);
  return new KnownRun(model, beginning, { start: prefix, tail }, work).past();
}

/** Shows a run's tensors to what reads them off as they pass. */
function shown(run: KnownRun, reading: Change): void {
  reading('embed', 0)?.(run.embed);
  run.layers.forEach((block, layer) => {
    for (const site of SITE_NAMES) if (site !== 'embed') reading(site, layer)?.(capturedAt(run, site, layer));
    block.dispose();
  });
}

/** The batch in which sequence i is of row rows[i]. */
export function editedBatch({ group, baseLength, appended, pairs }: PatchJob, { dHead }: Gpt2['config'], rows: readonly number[]): EditedBatch {
  return { group, baseLength, appended, pairs: rows.map((row) => pairs[row]!), dHead };
}

export function oneAfterTheOther(first: Change, second: Change): Change {
  return (site, layer) => {
    const [one, other] = [first(site, layer), second(site, layer)];
    return one && other ? (value) => other(one(value)) : (one ?? other);
  };
}

/** The means that patches and interventions take: one sequence for all rows. */
function sideOfMeans({ interventions, experiment, pairs, chunk: { cleanLength } }: PatchJob, means: Means, needs: Needs): Side {
  const values = new Map<string, SiteValues>();
  const add = (site: SiteName, layer: number): void => {
    const mean = means.at(site, layer);
    values.set(siteKey(site, layer), siteValues(site, mean.dataSync<'float32'>(), mean.shape, 1, cleanLength));
  };
  if (experiment.other === 'mean') for (const [site, layers] of needs.other) for (const layer of layers) add(site, layer);
  for (const { from, unit } of interventions) if (from === 'mean') add(unit.site, unit.layer ?? 0);
  return { values, of: pairs.map(() => 0), length: cleanLength };
}

/** Up to so many rows a pass costs much the same however few they are. */
const FEW_ROWS = 256;

/** Whether base and other side are one batch: small ones, to which nothing is done that needs one before the other. */
function areRunTogether({ base, other, interventions, baseLength, otherLength, chunk: { prefix } }: PatchJob): boolean {
  return other !== undefined && interventions.length === 0 && baseLength === otherLength && 2 * base.length * (baseLength - prefix) <= FEW_ROWS;
}

/** Reads a site's values off as they pass; with `of` those of these sequences, in this order. */
function keeping(site: SiteName, batch: number, length: number, put: (values: SiteValues) => void, of?: readonly number[]): (value: tf.Tensor) => tf.Tensor {
  return (value) => {
    const all = siteValues(site, value.dataSync<'float32'>(), value.shape, batch, length);
    put(of ? sequencesOf(all, of) : all);
    return value;
  };
}

/** Captures what the metric reads, and only in the layers where it does. */
export function captures({ reads }: PreparedMetric): Pick<ForwardOptions, 'sites' | 'capturesIn' | 'record'> {
  return { sites: reads.map(({ site }) => site), capturesIn: (site, layer) => reads.some((read) => read.site === site && read.layer === layer), record: false };
}

function inMemory({ key, value }: KeyValues): KeyAndValue {
  const of = (x: tf.Tensor4D): SiteValues => ({ data: x.dataSync<'float32'>(), heads: x.shape[1], byHead: true, positions: x.shape[2], width: x.shape[3], first: 0 });
  return { key: of(key), value: of(value) };
}

/** Token lists without repetition, and where each of those given is found. */
class Distinct {
  readonly all: (readonly number[])[] = [];
  readonly of: number[];
  private readonly places = new Map<string, number>();

  constructor(given: readonly (readonly number[])[]) {
    this.of = given.map((tokens) => this.place(tokens));
  }

  place(tokens: readonly number[]): number {
    const key = tokens.join();
    let place = this.places.get(key);
    if (place === undefined) this.places.set(key, (place = this.all.push(tokens) - 1));
    return place;
  }
}
