import { emptyMask, type EdgeMask } from './mask';
import { edgeIndices, type GraphShape } from './nodes';

/** Of what is drawn at random, unless another is asked for: the same everywhere, so that a figure can be had again. */
export const SEED = 0;

/** Numbers in [0, 1) that a seed determines (mulberry32): what is drawn with them can be drawn again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A circuit of this many edges, every such set equally likely. It is not pruned: most of its edges dangle, as those of a random
 * circuit do, and pruning would leave a smaller one. Throws RangeError for more edges than there are.
 */
export function randomCircuit(shape: GraphShape, edges: number, random: () => number): EdgeMask {
  const indices = edgeIndices(shape);
  if (!Number.isSafeInteger(edges) || edges < 0 || edges > indices.length) throw new RangeError(`there are ${indices.length} edges, not ${edges}`);
  const mask = emptyMask(shape);
  // The first steps of a Fisher–Yates shuffle.
  for (let i = 0; i < edges; i++) {
    const drawn = i + Math.floor(random() * (indices.length - i));
    [indices[i], indices[drawn]] = [indices[drawn]!, indices[i]!];
    mask[indices[i]!] = 1;
  }
  return mask;
}
