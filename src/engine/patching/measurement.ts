import type { MetricValues } from '../../shared/results';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { PatchBatch } from './exactBatches';
import type { PatchJob } from './exactJobs';
import { Pasts } from './exactRun';
import { runSources, type Needs, type Sources } from './exactSources';
import { GroupMeans, type SitePlace } from './groupMeans';
import { MeasuredTable } from './measuredTable';
import { prepareMetric } from './metric';
import type { Plan } from './plan';
import type { PreparedMetric } from './preparedMetric';

/** What is measured by patched runs, things by things (cells, edges): in which order, and how. */
export interface Measurement<T> {
  plan: Plan;
  jobs: readonly PatchJob[];
  things: readonly T[];
  /** Indices into the things; those of a block are finished before the next begins. */
  blocks: readonly (readonly number[])[];
  /** Whether all jobs' base and other runs are kept for all blocks, or run anew for each block. */
  keeps: boolean;
  /** The only group of pairs that a thing is measured for. */
  groupOf(thing: T): number | undefined;
  /** Where a mean may be the other side. */
  places: readonly SitePlace[];
  /** The batches that a block needs of a job; in its patches `cell` is the thing's index. */
  batchesOf(job: PatchJob, block: readonly number[]): PatchBatch[];
  needsOf(job: PatchJob, block: readonly number[]): Needs;
  /** Measures the batches of a block: gives the metric of every patched run. */
  prepare(run: JobRun, block: readonly number[]): Promise<(batch: PatchBatch) => Promise<number[]>>;
  handOver(things: T[], effects: Float32Array): void;
}

/**
 * Measures block by block. Effects are [thing, pair], M_patched − M_base, times −1 where the base is the clean run. Finished
 * things are handed over as they come, also those of a call that is cancelled or fails later.
 * Throws `cancelled`, and `model-invalid` as soon as a result is not finite, which is not handed over.
 */
export async function measure<T>(model: Gpt2, measurement: Measurement<T>, work: Work): Promise<{ effects: Float32Array; metric: MetricValues<number[]> }> {
  const { plan, things, blocks, keeps } = measurement;
  const table = new MeasuredTable(plan.groups, things, (thing) => measurement.groupOf(thing), (found, effects) => measurement.handOver(found, effects), () => work.now());
  const means = new GroupMeans(model, plan, measurement.places);
  const runs = measurement.jobs.map((job) => new JobRun(model, job, means, work));
  const all = things.map((_, index) => index);
  try {
    for (const block of blocks.length > 0 ? blocks : [[]]) {
      const batches = runs.map(({ job }) => measurement.batchesOf(job, block));
      table.expect(block, batches.flat());
      for (const [index, run] of runs.entries()) {
        const own = batches[index]!;
        if (!run.isStarted && (own.length > 0 || !run.isMeasured)) {
          const isFirst = !run.isMeasured;
          const sources = await run.start(measurement.needsOf(run.job, keeps ? all : block));
          if (isFirst) table.addMetric(run.job, sources);
        }
        if (own.length > 0) {
          const valuesOf = await measurement.prepare(run, block);
          for (const batch of own) table.add(run.job, batch, run.effects(batch, await valuesOf(batch)));
        }
        if (!keeps) run.forget();
      }
    }
    return table.result();
  } finally {
    for (const run of runs) run.dispose();
    means.dispose();
    table.deliver(true);
  }
}

/** One job under way. */
export class JobRun {
  isMeasured = false;
  readonly pasts = new Pasts();
  private held?: Sources;
  private prepared?: PreparedMetric;

  constructor(
    readonly model: Gpt2,
    readonly job: PatchJob,
    private readonly means: GroupMeans,
    readonly work: Work,
  ) {}

  get isStarted(): boolean {
    return this.held !== undefined;
  }

  /** What the job's base and other runs gave; only after `start`. */
  get sources(): Sources {
    return this.held!;
  }

  get metric(): PreparedMetric {
    return (this.prepared ??= prepareMetric(this.model, this.job.experiment, this.job.pairs, this.work));
  }

  /** Runs base and other prompts. */
  async start(needs: Needs): Promise<Sources> {
    const { branch, group } = this.job.chunk;
    const means = await this.means.get(branch, group, this.work);
    this.held = await runSources(this.model, this.job, this.metric, means, needs, this.work);
    this.isMeasured = true;
    return this.held;
  }

  /** M_patched − M_base of each patch, with the sign that makes support of the correct answer positive. */
  effects({ patches }: PatchBatch, values: readonly number[]): number[] {
    const { weights, cleanIsBase } = this.job;
    return patches.map(({ row }, i) => (cleanIsBase ? -1 : 1) * weights[row]! * (values[i]! - this.sources.base[row]!));
  }

  forget(): void {
    this.held = undefined;
    this.pasts.dispose();
  }

  dispose(): void {
    this.forget();
    this.prepared?.dispose();
  }
}
