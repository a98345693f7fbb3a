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

/** What is done row by row, or element by element, between products. layers.ts and attention.ts say what each computes. */
export interface Rowwise {
  normalise(x: tf.Tensor2D, epsilon: number, held?: tf.Tensor2D): Normalised;
  affine(unit: tf.Tensor2D, norm: Norm): tf.Tensor2D;
  normBackward<T extends tf.Tensor>(dy: T, normalised: Normalised, gain: tf.Tensor1D, frozen: boolean): T;
  activate(x: tf.Tensor2D, activation: Activation): tf.Tensor2D;
  activateBackward(dy: tf.Tensor2D, x: tf.Tensor2D, activation: Activation): tf.Tensor2D;
  softmax<T extends tf.Tensor>(scores: T, mask?: tf.Tensor2D): T;
  softmaxBackward<T extends tf.Tensor>(p: T, dp: T): T;
  /** Σ (other − own) ∘ gradient over the last axis. */
  differenceSums(gradient: tf.Tensor, other: tf.Tensor, own: tf.Tensor): tf.Tensor;
}

/** One kernel for each where the running backend has ours, else tfjs's operations. */
export function rowwise(): Rowwise {
  return tf.getKernel(NORMALISE, tf.getBackend()) ? fused : plain;
}
