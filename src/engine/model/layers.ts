import * as tf from '@tensorflow/tfjs-core';
import type { Matrix } from './matrix';
import { matrices } from './rows';
import type { Linear } from './weights';
import type { Work } from './work';

/**
 * A block's products with its weights, forward and backward. x is [rows, features] with rows = batch · positions, so that each
 * is one two-dimensional matMul.
 */

/** Floating-point operations between two looks at the cancel flag: some 25 ms on two wasm threads. */
const FLOPS_BETWEEN_POLLS = 1e9;
const MIN_ROWS = 64;

/** Applies `f` to blocks of rows, polling before each, and joins the results. `flopsPerRow` sizes the blocks. */
function inRowBlocks(x: tf.Tensor2D, flopsPerRow: number, work: Work, f: (rows: tf.Tensor2D) => tf.Tensor2D): tf.Tensor2D {
  const rows = x.shape[0];
  const step = Math.max(MIN_ROWS, Math.floor(FLOPS_BETWEEN_POLLS / flopsPerRow));
  if (rows <= step) {
    work.poll();
    return f(x);
  }
  const blocks = matrices(x, step);
  const parts = Array.from({ length: blocks.count }, (_, i) => {
    work.poll();
    return tf.tidy(() => f(blocks.at(i)));
  });
  return tf.concat(parts, 0);
}

/** y = x·W + b: [rows, in] → [rows, out]. */
export function linear(x: tf.Tensor2D, { weight, bias }: Linear, work: Work): tf.Tensor2D {
  const flops = 2 * weight.shape[0] * weight.shape[1];
  return inRowBlocks(x, flops, work, (rows) => weight.times(rows, bias));
}

/** ∂L/∂x = ∂L/∂y·Wᵀ: [rows, out] → [rows, in]. */
export function linearBackward(dy: tf.Tensor2D, weight: Matrix, work: Work): tf.Tensor2D {
  const flops = 2 * weight.shape[0] * weight.shape[1];
  return inRowBlocks(dy, flops, work, (rows) => weight.transposedTimes(rows));
}
