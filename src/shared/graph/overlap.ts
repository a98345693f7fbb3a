import type { EdgeMask } from './mask';

/** How many edges two circuits share, how many are in either, and the ratio of the two (Jaccard), which is 1 for two empty ones. */
export function overlapOf(a: EdgeMask, b: EdgeMask): { shared: number; either: number; jaccard: number } {
  if (a.length !== b.length) throw new RangeError(`circuits of different models: ${a.length} and ${b.length} cells`);
  let [shared, either] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    shared += a[i]! & b[i]!;
    either += a[i]! | b[i]!;
  }
  return { shared, either, jaccard: either === 0 ? 1 : shared / either };
}

/** |A ∩ B| / |A ∪ B|, see `overlapOf`. */
export function jaccard(a: EdgeMask, b: EdgeMask): number {
  return overlapOf(a, b).jaccard;
}
