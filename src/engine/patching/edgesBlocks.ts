import type * as tf from '@tensorflow/tfjs-core';

/**
 * Rows (pair · position) that are contracted at a time: an edge's score is a sum over rows, so any number of them can be. It bounds
 * what receivers hold: ports · rows · dModel floats some times over.
 */
export const ROWS_OF_BLOCK = 64;

export interface RowBlock {
  first: number;
  count: number;
}

export function rowBlocks(rows: number): RowBlock[] {
  return Array.from({ length: Math.ceil(rows / ROWS_OF_BLOCK) }, (_, i) => ({ first: i * ROWS_OF_BLOCK, count: Math.min(ROWS_OF_BLOCK, rows - i * ROWS_OF_BLOCK) }));
}

/** Sequences that are run, and the rows of which edges are made: the first `positions` of each pair, those of a continuation left out. */
export interface EdgeRows {
  pairs: number;
  /** Positions of each sequence that are run. */
  length: number;
  positions: number;
}

/** Which row of what a run gave for `sequences` of `length` positions, of which the `known` trailing ones were computed, is this row of sequence `sequence`; −1 for none. */
export function runRow({ length }: EdgeRows, known: number, sequence: number, position: number): number {
  const own = position - (length - known);
  return own < 0 ? -1 : sequence * known + own;
}

/** A tensor's values; the tensor is disposed. Not as the result of `tf.tidy`, which would look for tensors in them, number by number. */
export function taken(x: tf.Tensor): Float32Array {
  const values = x.dataSync<'float32'>();
  x.dispose();
  return values;
}
