import * as tf from '@tensorflow/tfjs-core';
import { NORMALISE } from '../backend/kernels/rowKernelNames';
import type { Activation } from './config';
import { fused } from './rowwiseFused';
import { plain } from './rowwisePlain';
import type { Norm } from './weights';

export type Normalised = {
  /** (x − mean)/σ, before gain and bias. */
  unit: tf.Tensor2D;
  /** 1/σ, σ = √(mean((x − mean)²) + ε): [rows, 1]. */
  inverse: tf.Tensor2D;
};

/** What is done row by row, or element by element, between products. x is [rows, features] with rows = batch · positions. */
export interface Rowwise {
  /** `held`: another run's 1/σ, to be taken instead of x's own. */
  normalise(x: tf.Tensor2D, epsilon: number, held?: tf.Tensor2D): Normalised;
  /** LayerNorm's output: unit ∘ gain + bias. */
  affine(unit: tf.Tensor2D, norm: Norm): tf.Tensor2D;
  /**
   * Backward of LayerNorm in full: with g = ∂L/∂y ∘ gain and x̂ = unit,
   * ∂L/∂x = (g − mean g − x̂·mean(g ∘ x̂))/σ; with the scale 1/σ held constant (`frozen`) (g − mean g)/σ. Several dy for the same
   * rows go in one tensor [any, rows, features].
   */
  normBackward<T extends tf.Tensor>(dy: T, normalised: Normalised, gain: tf.Tensor1D, frozen: boolean): T;
  /** The MLP's activation, element by element. */
  activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D;
  /** ∂L/∂x = ∂L/∂y ∘ the activation's derivative at x. */
  activateBackward(dy: tf.Tensor2D, x: tf.Tensor2D, activation: Activation): tf.Tensor2D;
  /** Over the last axis, of scores + mask: [any, queries, positions]. */
  softmax<T extends tf.Tensor>(scores: T, mask?: tf.Tensor2D): T;
  /** ∂L/∂scores = p ∘ (∂L/∂p − Σ ∂L/∂p ∘ p). */
  softmaxBackward<T extends tf.Tensor>(p: T, dp: T): T;
  /** Σ (other − own) ∘ gradient over the last axis. */
  differenceSums(gradient: tf.Tensor, other: tf.Tensor, own: tf.Tensor): tf.Tensor;
}

/** One kernel for each where the running backend has ours, else tfjs's operations. */
export function rowwise(): Rowwise {
  return tf.getKernel(NORMALISE, tf.getBackend()) ? fused : plain;
}
