import { CircuitError } from '../../shared/errors';
import type { PairGroup, PatchCell, PatchResult } from '../../shared/results';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { PatchBatch } from './exactBatches';
import type { PatchJob } from './exactJobs';
import { batchesOf, needsOf, type ExactPlan } from './exactPlan';
import { Pasts, runBatch } from './exactRun';
import { runSources, type Sources } from './exactSources';
import { GroupMeans } from './groupMeans';
import { prepareMetric } from './metric';
import type { PreparedMetric } from './preparedMetric';

/**
 * Exact activation patching (formulas B.3): for every cell and pair, a forward pass of the base prompt (corrupted when
 * denoising, clean when noising) in which the cell's part of a site is replaced by the other side's values,
 *   effect = M_patched − M_base when denoising, M_base − M_patched when noising, in the metric's raw units.
 * A cell without a position replaces all positions of the prompt at once, without a head all heads.
 * What a patch cannot change is not run again: layers below it, positions before it, the prefix that both prompts share.
 * A patch that reaches nothing of the metric, or that replaces values by the same ones because the prompts are the same that
 * far, has an effect of exactly 0. Of the experiment's variant only the interventions count, which are done to the base run
 * and to every patched one; the rest concerns gradients.
 * Finished cells are handed over as they come, also those of a call that is cancelled or fails later.
 * Throws `cancelled`, and `model-invalid` as soon as a result is not finite, which is not handed over.
 */
export async function patchExactly(model: Gpt2, plan: ExactPlan, work: Work): Promise<Omit<PatchResult, 'backend' | 'seconds'>> {
  const { cells, blocks, keeps } = plan;
  const shape = { ...plan, config: model.config };
  const table = new Table(plan.plan.groups, cells, work);
  const means = new GroupMeans(model, plan.plan, cells.map(({ site, layer = 0 }) => ({ site, layer })));
  const runs = plan.jobs.map((job) => new JobRun(model, job, means, work));
  const all = cells.map((_, index) => index);
  work.begin('Patching');
  try {
    for (const block of blocks.length > 0 ? blocks : [[]]) {
      const batches = runs.map(({ job }) => batchesOf(shape, job, block));
      table.expect(block, batches.flat());
      for (const [index, run] of runs.entries()) {
        const own = batches[index]!;
        if (!run.sources && (own.length > 0 || !run.isMeasured)) {
          const isFirst = !run.isMeasured;
          const sources = await run.start(needsOf(shape, run.job, keeps ? all : block));
          if (isFirst) table.addMetric(run.job, sources);
        }
        for (const batch of own) table.add(run.job, batch, await run.effects(batch));
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
class JobRun {
  sources?: Sources;
  isMeasured = false;
  private metric?: PreparedMetric;
  private readonly pasts = new Pasts();

  constructor(
    private readonly model: Gpt2,
    readonly job: PatchJob,
    private readonly means: GroupMeans,
    private readonly work: Work,
  ) {}

  /** Runs base and other prompts. */
  async start(needs: ReturnType<typeof needsOf>): Promise<Sources> {
    this.metric ??= prepareMetric(this.model, this.job.experiment, this.job.pairs, this.work);
    const { branch, group } = this.job.chunk;
    const means = await this.means.get(branch, group, this.work);
    this.sources = await runSources(this.model, this.job, this.metric, means, needs, this.work);
    this.isMeasured = true;
    return this.sources;
  }

  /** M_patched − M_base of each patch, with the sign that makes support of the correct answer positive. */
  async effects(batch: PatchBatch): Promise<number[]> {
    const values = await runBatch(this.model, this.job, this.sources!, batch, this.pasts, this.metric!, this.work);
    const { weights, cleanIsBase } = this.job;
    return batch.patches.map(({ row }, i) => (cleanIsBase ? -1 : 1) * weights[row]! * (values[i]! - this.sources!.base[row]!));
  }

  forget(): void {
    this.sources = undefined;
    this.pasts.dispose();
  }

  dispose(): void {
    this.forget();
    this.metric?.dispose();
  }
}

/** Milliseconds between two deliveries at least; a batch takes about twice that on a large model. */
const DELIVER_EVERY_MS = 100;

/** What has been measured. */
class Table {
  private readonly pairs: number;
  private readonly effects: Float64Array;
  private readonly base: { clean: Float64Array; corrupted?: Float64Array };
  /** Patches of each cell that are still to be run; undefined before its block begins. */
  private readonly open: (number | undefined)[];
  private readonly finished: number[] = [];
  private delivered = 0;
  private lastDelivery = performance.now();

  constructor(
    private readonly groups: readonly PairGroup[],
    private readonly cells: readonly PatchCell[],
    private readonly work: Work,
  ) {
    this.pairs = groups.reduce((count, group) => count + group.pairs.length, 0);
    this.effects = new Float64Array(cells.length * this.pairs).fill(NaN);
    this.base = { clean: new Float64Array(this.pairs) };
    this.open = new Array<number | undefined>(cells.length);
    cells.forEach(({ group }, cell) => {
      for (const { pairs } of group === undefined ? groups : [groups[group]!]) for (const pair of pairs) this.effects[cell * this.pairs + pair] = 0;
    });
  }

  /** The cells that are measured next; those that no batch has are finished already. */
  expect(block: readonly number[], batches: readonly PatchBatch[]): void {
    for (const cell of block) this.open[cell] = 0;
    for (const { patches } of batches) for (const { cell } of patches) this.open[cell]! += 1;
    this.finished.push(...block.filter((cell) => this.open[cell] === 0));
  }

  /** Once for each job: branches add up. */
  addMetric({ chunk, weights }: PatchJob, { clean, corrupted }: Sources): void {
    const add = (into: Float64Array, values: readonly number[]): void => chunk.pairs.forEach((pair, row) => {
      into[pair] = finite(into[pair]! + weights[row]! * values[row]!);
    });
    add(this.base.clean, clean);
    if (corrupted) add((this.base.corrupted ??= new Float64Array(this.pairs)), corrupted);
  }

  add({ chunk }: PatchJob, { patches }: PatchBatch, effects: readonly number[]): void {
    patches.forEach(({ cell, row }, i) => {
      const index = cell * this.pairs + chunk.pairs[row]!;
      this.effects[index] = finite(this.effects[index]! + effects[i]!);
      if (--this.open[cell]! === 0) this.finished.push(cell);
    });
    this.deliver(false);
  }

  /** Hands over the cells that were finished since the last time, unless that was a moment ago. */
  deliver(now: boolean): void {
    const next = this.finished.slice(this.delivered);
    if (next.length === 0 || (!now && performance.now() - this.lastDelivery < DELIVER_EVERY_MS)) return;
    const effects = new Float32Array(next.length * this.pairs);
    next.forEach((cell, i) => effects.set(this.effects.subarray(cell * this.pairs, (cell + 1) * this.pairs), i * this.pairs));
    this.delivered = this.finished.length;
    this.lastDelivery = performance.now();
    this.work.deliver({ cells: next.map((cell) => this.cells[cell]!), effects });
  }

  result(): Omit<PatchResult, 'backend' | 'seconds'> {
    const { clean, corrupted } = this.base;
    return {
      groups: [...this.groups],
      cells: [...this.cells],
      effects: Float32Array.from(this.effects),
      metric: { clean: Array.from(clean), ...(corrupted && { corrupted: Array.from(corrupted) }) },
    };
  }
}

/** What a result array can hold; throws `model-invalid` otherwise. */
function finite(value: number): number {
  if (Number.isFinite(Math.fround(value))) return value;
  throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
}
