import { emptyMask, type EdgeMask } from '../../../../src/shared/graph/mask';
import { edgeIndices, edgeNamed, matrixIndex, type GraphShape } from '../../../../src/shared/graph/nodes';
import { seededRandom } from '../../../../src/shared/graph/random';

export const GPT2_SMALL: GraphShape = { layers: 12, heads: 12 };
export const SMALL: GraphShape = { layers: 2, heads: 2 };

/** Of every edge a score of either sign; with `steps`, of so few sizes that many are equal and some are 0. */
export function sampleScores(shape: GraphShape, seed: number, steps?: number): Float32Array {
  const random = seededRandom(seed);
  const scores = new Float32Array(emptyMask(shape).length);
  for (const index of edgeIndices(shape)) {
    const score = 2 * random() - 1;
    scores[index] = steps === undefined ? score : Math.round(score * steps) / steps;
  }
  return scores;
}

export function sampleMask(shape: GraphShape, seed: number, share: number): EdgeMask {
  const random = seededRandom(seed);
  const mask = emptyMask(shape);
  for (const index of edgeIndices(shape)) mask[index] = random() < share ? 1 : 0;
  return mask;
}

export function maskNamed(shape: GraphShape, ...names: string[]): EdgeMask {
  const mask = emptyMask(shape);
  for (const name of names) mask[indexNamed(shape, name)] = 1;
  return mask;
}

export function indexNamed(shape: GraphShape, name: string): number {
  const edge = edgeNamed(shape, name);
  if (!edge) throw new RangeError(`no edge ${name}`);
  return matrixIndex(shape, edge);
}
