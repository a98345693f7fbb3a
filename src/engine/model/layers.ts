import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from './config';
import type { Matrix } from './matrix';
import { matrices } from './rows';
import { rowwise, type Normalised } from './rowwise';
import type { Linear, Norm } from './weights';
import type { Work } from './work';

/**
 * The row-wise pieces of a block, forward and backward. x is [rows, features] with rows = batch · positions, so that every
 * product with a weight is one two-dimensional matMul.
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

export type { Normalised };

/** `held`: another run's 1/σ, to be taken instead of x's own. */
export function normalise(x: tf.Tensor2D, epsilon: number, held?: tf.Tensor2D): Normalised {
  return rowwise().normalise(x, epsilon, held);
}

/** LayerNorm's output: unit ∘ gain + bias. */
export function affine({ unit }: Normalised, norm: Norm): tf.Tensor2D {
  return rowwise().affine(unit, norm);
}

/**
 * Backward of LayerNorm in full: with g = ∂L/∂y ∘ gain and x̂ = unit,
 * ∂L/∂x = (g − mean g − x̂·mean(g ∘ x̂))/σ; with the scale 1/σ held constant (`frozen`) (g − mean g)/σ. Several dy for the same
 * rows go in one tensor [any, rows, features].
 */
export function normBackward<T extends tf.Tensor>(dy: T, normalised: Normalised, gain: tf.Tensor1D, frozen = false): T {
  return rowwise().normBackward(dy, normalised, gain, frozen);
}

/** The MLP's activation, element by element. */
export function activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  return rowwise().activate(x, activation);
}

/** ∂L/∂x = ∂L/∂y ∘ the activation's derivative at x. */
export function activateBackward(dy: tf.Tensor2D, x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  return rowwise().activateBackward(dy, x, activation);
}
