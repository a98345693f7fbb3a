import type * as tf from '@tensorflow/tfjs-core';

/**
 * Rows of a block, all pairs together: an edge's score is a sum over positions, so any number of them can be contracted at a time.
 * It bounds what receivers hold: ports · rows · dModel floats some times over.
 */
export const ROWS_OF_BLOCK = 64;

/** Positions of a block where scores are wanted by position: each is a row of its own, mostly of zeros. */
export const POSITIONS_APART = 16;

/** Consecutive positions of every sequence of a run, counted from its first that is run. */
export interface PositionBlock {
  first: number;
  positions: number;
}

/** Blocks of the first `positions` positions of `batch` sequences. */
export function positionBlocks(batch: number, positions: number, byPosition: boolean): PositionBlock[] {
  const step = Math.min(byPosition ? POSITIONS_APART : positions, Math.max(1, Math.floor(ROWS_OF_BLOCK / batch)));
  return Array.from({ length: Math.ceil(positions / step) }, (_, i) => ({ first: i * step, positions: Math.min(step, positions - i * step) }));
}

/**
 * The part of a run's tensor that lies in a block: `use` gets, for each sequence, where it begins in `values` (its first position
 * that is known and in the block), at which position of the block, and how many positions there are. `values` are of
 * `batch` sequences of `length` positions, of which the trailing ones are known.
 */
export function eachSequence(values: Float32Array, { width, batch, length }: { width: number; batch: number; length: number }, { first, positions }: PositionBlock, use: (sequence: number, start: number, position: number, count: number) => void): void {
  const known = values.length / width / batch;
  const from = Math.max(first, length - known);
  const count = first + positions - from;
  if (count <= 0) return;
  for (let sequence = 0; sequence < batch; sequence++) use(sequence, (sequence * known + from - (length - known)) * width, from - first, count);
}

/** A tensor's values; the tensor is disposed. Not as the result of `tf.tidy`, which would look for tensors in them, number by number. */
export function taken(x: tf.Tensor): Float32Array {
  const values = x.dataSync<'float32'>();
  x.dispose();
  return values;
}
