import type * as tf from '@tensorflow/tfjs-core';
import type { ForwardRun } from '../model/forward';
import { takeRows } from '../model/rows';

/**
 * Rows of a block, all pairs together: an edge's score is a sum over positions, so any number of them can be contracted at a time.
 * It bounds what receivers hold in the backend: ports · rows · dModel floats some times over.
 */
export const ROWS_OF_BLOCK = 64;

/** Consecutive positions of every sequence of a run, counted from its first that is run. */
export interface PositionBlock {
  first: number;
  positions: number;
}

/** Blocks of the first `positions` positions of `batch` sequences. */
export function positionBlocks(batch: number, positions: number): PositionBlock[] {
  const step = Math.max(1, Math.floor(ROWS_OF_BLOCK / batch));
  return Array.from({ length: Math.ceil(positions / step) }, (_, i) => ({ first: i * step, positions: Math.min(step, positions - i * step) }));
}

/** The block's rows of a run's tensor: [batch · length, width] → [batch · positions, width]. Inside `tf.tidy`. */
export function rowsOfBlock(x: tf.Tensor2D, { batch, length }: Pick<ForwardRun, 'batch' | 'length'>, { first, positions }: PositionBlock): tf.Tensor2D {
  if (positions === length) return x;
  return takeRows(x, Array.from({ length: batch * positions }, (_, i) => Math.floor(i / positions) * length + first + (i % positions)));
}
