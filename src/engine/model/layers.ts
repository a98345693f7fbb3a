import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from './config';
import type { Matrix } from './matrix';
import { matrices } from './rows';
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

export type Normalised = {
  /** (x − mean)/σ, before gain and bias. */
  unit: tf.Tensor2D;
  /** 1/σ, σ = √(mean((x − mean)²) + ε): [rows, 1]. */
  inverse: tf.Tensor2D;
};

/** `held`: another run's 1/σ, to be taken instead of x's own. */
export function normalise(x: tf.Tensor2D, epsilon: number, held?: tf.Tensor2D): Normalised {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const inverse = held ?? (tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)) as tf.Tensor2D);
  return { unit: tf.mul(centred, inverse), inverse };
}

/** LayerNorm's output: unit ∘ gain + bias. */
export function affine({ unit }: Normalised, { gain, bias }: Norm): tf.Tensor2D {
  return tf.add(tf.mul(unit, gain), bias);
}

/**
 * Backward of LayerNorm in full: with g = ∂L/∂y ∘ gain and x̂ = unit,
 * ∂L/∂x = (g − mean g − x̂·mean(g ∘ x̂))/σ; with the scale 1/σ held constant (`frozen`) (g − mean g)/σ. Several dy for the same
 * rows go in one tensor [any, rows, features].
 */
export function normBackward<T extends tf.Tensor>(dy: T, { unit, inverse }: Normalised, gain: tf.Tensor1D, frozen = false): T {
  const g = tf.mul<T>(dy, gain);
  if (frozen) return tf.mul(inverse, tf.sub(g, tf.mean(g, -1, true)));
  const projected = tf.mul(unit, tf.mean(tf.mul(g, unit), -1, true));
  return tf.mul(inverse, tf.sub(tf.sub(g, tf.mean(g, -1, true)), projected));
}

// tanh form of GELU: x·½(1 + tanh(√(2/π)(x + 0.044715x³))) = x·σ(A·x + B·x³); one sigmoid is far quicker than tanh.
const A = 2 * Math.sqrt(2 / Math.PI);
const B = A * 0.044715;
const SQRT_HALF = Math.SQRT1_2;
const NORMAL_DENSITY = 1 / Math.sqrt(2 * Math.PI);

function tanhGate(x: tf.Tensor2D): tf.Tensor2D {
  return tf.sigmoid(tf.mul<tf.Tensor2D>(x, tf.add(tf.mul(tf.square(x), B), A)));
}

/** Φ(x), the normal distribution function. */
function normalGate(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.add(tf.erf(tf.mul(x, SQRT_HALF)), 1), 0.5) as tf.Tensor2D;
}

export function activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  switch (activation) {
    case 'gelu-tanh':
      return tf.mul(x, tanhGate(x));
    case 'gelu':
      return tf.mul(x, normalGate(x));
    case 'relu':
      return tf.relu(x);
  }
}

/** Derivative of the activation at x, element by element. */
export function activationSlope(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
  switch (activation) {
    case 'gelu-tanh': {
      // σ·(1 + x(1 − σ)(A + 3B·x²))
      const gate = tanhGate(x);
      const inner = tf.add(tf.mul(tf.square(x), 3 * B), A);
      return tf.mul(gate, tf.add(tf.mul(tf.mul(x, tf.sub(1, gate)), inner), 1));
    }
    case 'gelu':
      // Φ(x) + x·φ(x)
      return tf.add(normalGate(x), tf.mul(x, tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), NORMAL_DENSITY)));
    case 'relu':
      return tf.step(x) as tf.Tensor2D;
  }
}
