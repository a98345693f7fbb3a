import { arrayNamed, type NamedArrays } from './arrays';
import type { Matrix, ViewOptions } from './views';

/** What the residual stream says of the answers, read out along correct − incorrect: see LensResult. One pair's, or the mean of all. */
export interface Readout {
  /** By depth: before layer 0, then after each attention and each MLP. */
  lens: number[];
  heads: Matrix;
  mlp: number[];
  embed: number;
  position: number;
  bias: number;
}

export type ReadoutSide = 'clean' | 'corrupted';

/** Undefined for a side that the run does not have. */
export function readoutOf(arrays: NamedArrays, side: ReadoutSide, pair: ViewOptions['pair']): Readout | undefined {
  if (!(`${side}.lens` in arrays.entries)) return undefined;
  const read = (name: string): { values: Float32Array; shape: readonly number[] } => {
    const { data, shape } = arrayNamed(arrays, `${side}.${name}`);
    return { values: overPairs(data, shape[0]!, pair), shape: shape.slice(1) };
  };
  const heads = read('heads');
  return {
    lens: Array.from(read('lens').values),
    heads: { axes: ['layer', 'head'], rows: heads.shape[0]!, columns: heads.shape[1]!, values: heads.values },
    mlp: Array.from(read('mlp').values),
    embed: read('embed').values[0]!,
    position: read('position').values[0]!,
    bias: read('bias').values[0]!,
  };
}

/** One pair's block, or the mean of all blocks. */
function overPairs(data: Float32Array, pairs: number, pair: ViewOptions['pair']): Float32Array {
  const size = data.length / pairs;
  if (pair !== 'all') return data.slice(pair * size, (pair + 1) * size);
  return Float32Array.from({ length: size }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < pairs; row++) sum += data[row * size + i]!;
    return sum / pairs;
  });
}

/** Depth 0 is before layer 0; then two per layer. */
export function depthName(depth: number): string {
  if (depth === 0) return 'before layer 0';
  const layer = Math.floor((depth - 1) / 2);
  return depth % 2 === 1 ? `after attention of layer ${layer}` : `after MLP of layer ${layer}`;
}
