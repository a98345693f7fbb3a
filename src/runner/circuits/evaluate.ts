import { CircuitError } from '../../shared/errors';
import { faithfulnessOf } from '../../shared/graph/faithfulness';
import { complementOf, type EdgeMask } from '../../shared/graph/mask';
import type { GraphShape } from '../../shared/graph/nodes';
import type { CircuitFaithfulness, CircuitMetrics } from '../../shared/paths';
import type { CallOptions } from '../../shared/results';

/** Runs circuits on the pairs of an experiment, with one ablation: the runner's `circuits`, with a run in it. */
export type Evaluate = (masks: EdgeMask[], call?: CallOptions) => Promise<CircuitMetrics>;

/** Masks of a large model are megabytes each: so many go to the engine at a time. */
const AT_A_TIME = 128;

/** Circuits by their mean metric over the pairs, each pair one vote. Raw units. */
export interface Evaluated {
  metrics: number[];
  full: number;
  empty: number;
}

/**
 * Runs any number of circuits, some at a time; progress is over all of them and counts those that are `done`.
 * Throws what `evaluate` throws, `cancelled` between two parts, and `internal` for a metric that is no number.
 */
export async function evaluateAll(masks: readonly EdgeMask[], evaluate: Evaluate, call: CallOptions = {}): Promise<Evaluated> {
  if (masks.length === 0) throw new RangeError('there is no circuit to run');
  const metrics: number[] = [];
  let ends = { full: 0, empty: 0 };
  for (let start = 0; start < masks.length; start += AT_A_TIME) {
    if (call.signal?.aborted) throw new CircuitError('cancelled', 'Cancelled.');
    const part = masks.slice(start, start + AT_A_TIME);
    const { values, clean, empty } = await evaluate(part, partOf(call, start / masks.length, part.length / masks.length, start));
    metrics.push(...values.map(meanOf));
    ends = { full: meanOf(clean), empty: meanOf(empty) };
  }
  return { metrics, ...ends };
}

/** The share of a call's progress that one part of it has. */
export function partOf({ signal, onProgress }: CallOptions, start: number, share: number, done: number): CallOptions {
  return { signal, onProgress: (progress) => onProgress?.({ ...progress, fraction: start + share * progress.fraction, done: done + (progress.done ?? 0) }) };
}

function meanOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (!Number.isFinite(mean)) throw new CircuitError('internal', `The metric of a circuit is ${mean}, not a number. Please report this with the prompt file.`);
  return mean;
}

/** Faithfulness of one circuit, and of what is left when it is knocked out (completeness: 0 when nothing outside does its work). */
export async function measureCircuit(shape: GraphShape, mask: EdgeMask, ablation: CircuitFaithfulness['ablation'], evaluate: Evaluate, call?: CallOptions): Promise<CircuitFaithfulness> {
  const { metrics, full, empty } = await evaluateAll([mask, complementOf(shape, mask)], evaluate, call);
  const [metric, left] = metrics as [number, number];
  return { ablation, metric, full, empty, value: faithfulnessOf({ metric, full, empty }), knockedOut: faithfulnessOf({ metric: left, full, empty }) };
}
