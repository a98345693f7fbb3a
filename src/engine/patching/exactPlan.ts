import type { PatchCell } from '../../shared/results';
import type { SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { siteFloats } from '../model/memory';
import { batchWork, planBatches, planSweeps, ROWS_WORTH_A_BATCH, sequencesAtOnce, type Patch, type PatchBatch } from './exactBatches';
import { checkCells, type Part } from './exactCells';
import { entryNeeds, startOf } from './exactEntry';
import { makeJobs, patchesOf, type PatchJob } from './exactJobs';
import type { Needs } from './exactSources';
import { isSwept } from './exactSweep';
import type { Plan } from './plan';

export interface ExactPlan {
  plan: Plan;
  cells: readonly PatchCell[];
  jobs: readonly PatchJob[];
  /** Indices into the cells; the cells of a block are finished before the next begins. */
  blocks: readonly (readonly number[])[];
  /** Whether what the jobs' base and other runs give is kept until the end. If not, they are run again for every block. */
  keeps: boolean;
  /** Most bytes of one batch's tensors. */
  batchBytes: number;
  /** Rows · layers of all passes. */
  work: number;
}

/** Kept in plain memory at most, however much is free. */
export const MOST_KEPT = 1 << 30;
export const MOST_BATCH = 256 << 20;

/**
 * Decides what is run in what order. Throws `experiment` for a cell that is not there. `free`: bytes that may be filled.
 * Cells go by layer. Where everything fits, the base and other prompts are run once and blocks are as small as they can be
 * without slowing the patches down, so that finished cells come often; else a block is a layer, and the base and other prompts
 * are run once for each.
 */
export function planExact(plan: Plan, cells: readonly PatchCell[], config: Gpt2Config, free: number): ExactPlan {
  checkCells(cells, plan.groups, config);
  const jobs = makeJobs(plan, config);
  const order = cells.map((_, index) => index).sort((a, b) => (cells[a]!.layer ?? 0) - (cells[b]!.layer ?? 0) || a - b);
  const batchBytes = Math.min(MOST_BATCH, free / 4);
  const shape = { plan, cells, jobs, batchBytes };

  const kept = jobs.reduce((sum, job) => sum + sourceBytes(config, job, needsOf({ ...shape, config }, job, order)), 0);
  const keeps = kept <= Math.min(MOST_KEPT, free / 2);
  // Swept cells of different layers join each other; where nothing is kept, a block needs the runs of one layer only.
  const layerOf = keeps && jobs.every(isSwept) ? () => 0 : (index: number): number => cells[index]!.layer ?? 0;
  const blocks = blocksOf({ ...shape, config }, order, layerOf, (job, index) => batchesOf({ ...shape, config }, job, [index]), keeps);
  const own = { ...shape, blocks, keeps };
  return { ...own, work: workOf({ ...own, config }) };
}

type Shape = Pick<ExactPlan, 'cells' | 'batchBytes'> & { config: Gpt2Config };

/** The batches that a block needs of a job. */
export function batchesOf({ cells, batchBytes, config }: Shape, job: PatchJob, block: readonly number[]): PatchBatch[] {
  const patches = patchesOfBlock(cells, job, block);
  const { baseLength: length, latestLayer, chunk: { prefix, tail } } = job;
  const sequences = sequencesAtOnce(config, length, batchBytes);
  if (!isSwept(job)) return planBatches(patches, { length, prefix, tail, latestLayer, sequences });
  return planSweeps(patches, ({ part }) => startOf(part, job), ({ part }) => 1 / sequences(part.layer, startOf(part, job)));
}

function patchesOfBlock(cells: readonly PatchCell[], job: PatchJob, block: readonly number[]): Patch[] {
  return block.flatMap((index) => patchesOf(job, cells[index]!, index));
}

/** What a block needs of a job's base and other runs. */
export function needsOf(shape: Shape, job: PatchJob, block: readonly number[]): Needs {
  if (isSwept(job)) return entryNeeds(job, patchesOfBlock(shape.cells, job, block), shape.config.layers);
  const batches = batchesOf(shape, job, block);
  return {
    layers: new Set(batches.map(({ layer }) => layer)),
    keysAndValues: batches.some(({ start }) => start > job.chunk.prefix),
    other: layersBySite(batches.flatMap(({ patches }) => patches.map(({ part }) => part))),
  };
}

function layersBySite(parts: readonly Part[]): Map<SiteName, Set<number>> {
  const layers = new Map<SiteName, Set<number>>();
  for (const { site, layer } of parts) {
    const own = layers.get(site) ?? new Set<number>();
    layers.set(site, own.add(layer));
  }
  return layers;
}

/** Plain memory that a job's sources take. */
export function sourceBytes(config: Gpt2Config, { pairs, interventions, baseLength, otherLength, chunk: { prefix } }: PatchJob, { layers, keysAndValues, other, base = new Map() }: Needs): number {
  const { dModel } = config;
  const shared = 2 * config.layers * prefix * dModel;
  const stream = (baseLength - prefix) * dModel * (layers.size + (keysAndValues ? 2 * config.layers : 0));
  const length = Math.max(baseLength, otherLength);
  const others = [...other, ...base, ...interventions.map(({ unit }) => [unit.site, new Set([0])] as const)];
  const taken = others.reduce((sum, [site, own]) => sum + own.size * siteFloats(config, site, length - prefix, length), 0);
  return 4 * pairs.length * (shared + stream + taken);
}

/** Of the time that one batch may take, and how many rows, for each job. */
type Load = readonly { share: number; rows: number }[];

/**
 * Cuts the cells (or edges) of each layer, in their order, into blocks (`layerOf` the same for all: whatever their layers). A block ends once it takes as long as one batch may, so
 * that finished cells come often, provided that the batches of every job are worth their fixed cost. Where there is one job that
 * is a batch of whole cells; where pairs differ in length, or in where they differ, as many as all their batches finish together.
 */
export function blocksOf({ jobs, batchBytes, config }: Pick<ExactPlan, 'jobs' | 'batchBytes'> & { config: Gpt2Config }, order: readonly number[], layerOf: (index: number) => number, batchesOf: (job: PatchJob, index: number) => PatchBatch[], endsEarly: boolean): number[][] {
  const limits = jobs.map(({ baseLength }) => sequencesAtOnce(config, baseLength, batchBytes));
  const loadOf = (index: number): Load =>
    jobs.map((job, i) => {
      const batches = batchesOf(job, index);
      return {
        share: batches.reduce((sum, { layer, start, patches }) => sum + patches.length / limits[i]!(layer, start), 0),
        rows: batches.reduce((sum, { start, patches }) => sum + patches.length * (job.baseLength - start), 0),
      };
    });
  const blocks: number[][] = [];
  let load: Load = [];
  for (const index of order) {
    const open = blocks.at(-1);
    const own = endsEarly ? loadOf(index) : [];
    const continues = open !== undefined && layerOf(open[0]!) === layerOf(index) && !isFull(load, own, Math.min(1, FIRST_SHARE * 2 ** (blocks.length - 1)));
    if (continues) open.push(index);
    else blocks.push([index]);
    load = own.map(({ share, rows }, i) => ({ share: share + (continues ? load[i]!.share : 0), rows: rows + (continues ? load[i]!.rows : 0) }));
  }
  return blocks;
}

/** Of the time that a batch may take, the first block takes so much and each next one twice that, so that the first cells come early. */
const FIRST_SHARE = 1 / 8;

function isFull(load: Load, next: Load, most: number): boolean {
  const all = load.reduce((sum, { share }, i) => sum + share + next[i]!.share, 0);
  return all > most && load.every(({ share, rows }, i) => rows === 0 || rows >= ROWS_WORTH_A_BATCH || share + next[i]!.share > 1);
}

function workOf({ plan, jobs, blocks, keeps, ...shape }: Omit<ExactPlan, 'work'> & { config: Gpt2Config }): number {
  const { layers } = shape.config;
  const sources = jobs.reduce((sum, job) => sum + sourceRows(job), 0) * (keeps ? 1 : blocks.length);
  const { other, variant } = plan.experiment;
  const takesMeans = other === 'mean' || variant?.interventions?.some((own) => own.with === 'mean');
  const means = takesMeans ? jobs.reduce((sum, { pairs, chunk }) => sum + pairs.length * chunk.cleanLength, 0) : 0;
  const workOfBatch = (job: PatchJob, batch: PatchBatch): number =>
    isSwept(job) ? batch.patches.reduce((sum, { part }) => sum + (job.baseLength - startOf(part, job)) * (layers - part.layer), 0) : batchWork(batch, job.baseLength, layers);
  const batches = blocks.flatMap((block) => jobs.map((job) => batchesOf(shape, job, block).reduce((sum, batch) => sum + workOfBatch(job, batch), 0)));
  return (sources + means) * layers + batches.reduce((sum, work) => sum + work, 0);
}

/** Rows of a job's own runs, were no two prompts or prefixes alike. */
export function sourceRows({ pairs, baseLength, otherLength, other, resample, interventions, chunk: { prefix, cleanLength } }: PatchJob): number {
  const runs = [baseLength, ...(interventions.length > 0 ? [baseLength] : []), ...(other ? [otherLength] : []), ...(resample ? [cleanLength] : [])];
  return pairs.length * runs.reduce((sum, length) => sum + length - prefix, prefix);
}
