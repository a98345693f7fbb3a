import { CircuitError } from '../../shared/errors';
import type { MetricValues, PairGroup } from '../../shared/results';
import type { PatchBatch } from './exactBatches';
import type { PatchJob } from './exactJobs';
import type { Sources } from './exactSources';

/** Milliseconds between two deliveries at least; a batch takes about twice that on a large model. */
const DELIVER_EVERY_MS = 100;

/** Effects of patched things (cells, edges), [thing, pair], as they are measured: finished ones are handed over. */
export class MeasuredTable<T> {
  private readonly pairs: number;
  private readonly effects: Float64Array;
  private readonly base: { clean: Float64Array; corrupted?: Float64Array };
  /** Patches of each thing that are still to be run; undefined before its block begins. */
  private readonly open: (number | undefined)[];
  private readonly finished: number[] = [];
  private delivered = 0;
  private lastDelivery: number;

  /** `groupOf`: the only group of pairs that a thing is measured for; the others' effects stay NaN. `now`: the time in milliseconds. */
  constructor(
    groups: readonly PairGroup[],
    private readonly things: readonly T[],
    groupOf: (thing: T) => number | undefined,
    private readonly handOver: (things: T[], effects: Float32Array) => void,
    private readonly now: () => number,
  ) {
    this.lastDelivery = now();
    this.pairs = groups.reduce((count, group) => count + group.pairs.length, 0);
    this.effects = new Float64Array(things.length * this.pairs).fill(NaN);
    this.base = { clean: new Float64Array(this.pairs) };
    this.open = new Array<number | undefined>(things.length);
    things.forEach((thing, index) => {
      const group = groupOf(thing);
      for (const { pairs } of group === undefined ? groups : [groups[group]!]) for (const pair of pairs) this.effects[index * this.pairs + pair] = 0;
    });
  }

  /** The things that are measured next; those that no batch has are finished already. */
  expect(block: readonly number[], batches: readonly PatchBatch[]): void {
    for (const index of block) this.open[index] = 0;
    for (const { patches } of batches) for (const { cell } of patches) this.open[cell]! += 1;
    this.finished.push(...block.filter((index) => this.open[index] === 0));
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

  /** Hands over what was finished since the last time, unless that was a moment ago. */
  deliver(always: boolean): void {
    const next = this.finished.slice(this.delivered);
    if (next.length === 0 || (!always && this.now() - this.lastDelivery < DELIVER_EVERY_MS)) return;
    const effects = new Float32Array(next.length * this.pairs);
    next.forEach((index, i) => effects.set(this.effects.subarray(index * this.pairs, (index + 1) * this.pairs), i * this.pairs));
    this.delivered = this.finished.length;
    this.lastDelivery = this.now();
    this.handOver(next.map((index) => this.things[index]!), effects);
  }

  result(): { effects: Float32Array; metric: MetricValues<number[]> } {
    const { clean, corrupted } = this.base;
    return { effects: Float32Array.from(this.effects), metric: { clean: Array.from(clean), ...(corrupted && { corrupted: Array.from(corrupted) }) } };
  }
}

/** What a result array can hold; throws `model-invalid` otherwise. */
function finite(value: number): number {
  if (Number.isFinite(Math.fround(value))) return value;
  throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
}
