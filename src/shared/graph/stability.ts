import type { EdgeMask } from './mask';
import { receiverCount, senderCount, type GraphShape } from './nodes';
import { jaccard } from './overlap';
import { selectCircuit, type CircuitSelection } from './select';

/** Shares of the samples that lie below `low` and above `high`. */
const TAIL = 0.05;

export interface BootstrapOverlap {
  mean: number;
  low: number;
  high: number;
  samples: number;
}

/**
 * How far a circuit depends on which pairs it was found on: as many pairs as there are, drawn with replacement, select a circuit
 * anew, which overlaps (Jaccard) with that of all pairs. Mean over the samples, and the range of the middle 90 % of them.
 * `perPair` [pair, sender, receiver] are raw scores; the circuit is selected by their mean over the pairs, in whose units a threshold is.
 * One sample at a time, so that others have their turn between them: yields how many there are so far. Throws RangeError.
 */
export function* bootstrapSteps(
  shape: GraphShape,
  perPair: Float32Array,
  selection: CircuitSelection,
  pruned: boolean,
  { samples, random }: { samples: number; random: () => number },
): Generator<number, BootstrapOverlap, void> {
  if (!Number.isSafeInteger(samples) || samples < 1) throw new RangeError(`at least one sample, not ${samples}`);
  const cells = senderCount(shape) * receiverCount(shape);
  const pairs = perPair.length / cells;
  const select = (weights: Uint32Array): EdgeMask => selectCircuit(shape, weightedMean(perPair, weights, cells), selection, pruned).mask;
  const whole = select(new Uint32Array(pairs).fill(1));
  const overlaps = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    const weights = new Uint32Array(pairs);
    for (let i = 0; i < pairs; i++) weights[Math.floor(random() * pairs)]! += 1;
    overlaps[sample] = jaccard(whole, select(weights));
    yield sample + 1;
  }
  overlaps.sort();
  return { mean: overlaps.reduce((sum, overlap) => sum + overlap, 0) / samples, low: quantile(overlaps, TAIL), high: quantile(overlaps, 1 - TAIL), samples };
}

function weightedMean(perPair: Float32Array, weights: Uint32Array, cells: number): Float32Array {
  const sums = new Float64Array(cells);
  weights.forEach((weight, pair) => {
    if (weight === 0) return;
    const start = pair * cells;
    for (let i = 0; i < cells; i++) sums[i]! += weight * perPair[start + i]!;
  });
  return Float32Array.from(sums, (sum) => sum / weights.length);
}

/** Of numbers in rising order, linear between neighbours (numpy's default). */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return below + (above - below) * (place - Math.floor(place));
}
