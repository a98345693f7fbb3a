import { firstDifference, hasOtherRun, type Intervention, type TokenExperiment, type TokenPair } from '../../shared/experiment';
import type { PairGroup, PatchCell } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { sourceOf, type ValueSource } from './edits';
import type { Patch } from './exactBatches';
import { partOf, type Part } from './exactCells';
import { reaches, sightOf, type Sight } from './exactReach';
import { nextPair, type Chunk, type Plan } from './plan';

/** Where the values of an intervention come from. */
export interface SourcedIntervention extends Intervention {
  from: ValueSource;
}

/** One chunk of one branch: pairs whose base and other prompts are run together. Indices into its pairs are "rows". */
export interface PatchJob {
  chunk: Chunk;
  /** The experiment that is run: of the branch. */
  experiment: TokenExperiment;
  /** The group of the pairs, in tokens of the experiment's own prompts. */
  group: PairGroup;
  /** The pairs as the branch has them. */
  pairs: readonly TokenPair[];
  /** Per row: effects and metric are multiplied by this before the branches are added up. */
  weights: readonly number[];
  /** Per row: the base prompt. */
  base: readonly number[][];
  /** The other side's; absent: zeros or a mean take its place. */
  other?: readonly number[][];
  /** The next pair's clean prompt, where an intervention asks for it. */
  resample?: readonly number[][];
  interventions: readonly SourcedIntervention[];
  baseLength: number;
  otherLength: number;
  /** Tokens that the branch appends to every prompt. */
  appended: number;
  cleanIsBase: boolean;
  /** A patched run starts at this layer at the latest: the metric reads an activation of it. */
  latestLayer: number;
  /** Per row: before this position both sides are the same. */
  same: readonly number[];
  sights: readonly Sight[];
}

export function makeJobs({ experiment: { variant }, groups, branches, chunks }: Plan, config: Gpt2Config): PatchJob[] {
  return chunks.map((chunk): PatchJob => {
    const { experiment, weights, appended } = branches[chunk.branch]!;
    const { metric, direction, other } = experiment;
    const pairs = chunk.pairs.map((index) => experiment.pairs[index]!);
    const cleanIsBase = direction === 'noise';
    const clean = pairs.map((pair) => pair.clean);
    const corrupted = hasOtherRun(other) ? pairs.map((pair) => pair.corrupted!) : undefined;
    const baseLength = cleanIsBase ? chunk.cleanLength : chunk.corruptedLength;
    const interventions = (variant?.interventions ?? []).map((own): SourcedIntervention => ({ ...own, from: sourceOf(own, other) }));
    const shape = { pairs, cleanIsBase, base: cleanIsBase ? clean : corrupted!, other: cleanIsBase ? corrupted : clean };
    return {
      ...shape,
      chunk,
      experiment,
      interventions,
      ...(interventions.some(({ from }) => from === 'resample') && { resample: chunk.pairs.map((index) => experiment.pairs[nextPair(index, groups)]!.clean) }),
      group: groups[chunk.group]!,
      weights: chunk.pairs.map((index) => weights[index]!),
      baseLength,
      otherLength: cleanIsBase ? chunk.corruptedLength : chunk.cleanLength,
      appended,
      latestLayer: typeof metric === 'object' ? metric.layer : config.layers - 1,
      same: sameUntil(shape, interventions.length > 0),
      sights: pairs.map((pair) => sightOf(metric, pair, config.layers, baseLength)),
    };
  });
}

/** Per row: the position before which both sides are the same. Interventions make the base run differ from its prompt's. */
function sameUntil({ base, other }: Pick<PatchJob, 'base' | 'other'>, isChanged: boolean): number[] {
  return base.map((tokens, row) => {
    const others = other?.[row];
    if (!others || others.length !== tokens.length || isChanged) return 0;
    return firstDifference(tokens, others) ?? tokens.length;
  });
}

/** The patches of a cell that a job has to run: of its pairs in the cell's group, where the replaced part differs and reaches the metric. */
export function patchesOf(job: PatchJob, cell: PatchCell, index: number): Patch[] {
  if (cell.group !== undefined && cell.group !== job.chunk.group) return [];
  return job.pairs.flatMap((pair, row) => {
    const whole = partOf(cell, job, pair);
    const part = { ...whole, first: Math.max(whole.first, job.same[row]!) };
    const matters = job.weights[row] !== 0 && reaches(part, job.sights[row]!) && !replacesSameTokens(job, row, part);
    return matters ? [{ cell: index, row, part }] : [];
  });
}

/** Before layer 0 the two sides are the same wherever their tokens are. */
function replacesSameTokens({ base, other, interventions }: PatchJob, row: number, { site, layer, first, end, shift }: Part): boolean {
  if (!other || shift !== 0 || layer > 0 || (site !== 'embed' && site !== 'resid_pre') || interventions.length > 0) return false;
  return base[row]!.slice(first, end).every((token, i) => token === other[row]![first + i]);
}
