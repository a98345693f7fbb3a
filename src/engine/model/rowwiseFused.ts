import * as tf from '@tensorflow/tfjs-core';
import { AFFINE, DIFFERENCE_SUMS, GELU, GELU_BACKWARD, NORM_BACKWARD, NORMALISE, SOFTMAX, SOFTMAX_BACKWARD } from '../backend/kernels/rowKernelNames';
import type { Rowwise } from './rowwise';
import { plain } from './rowwisePlain';

/** By our own kernels, one each. GELU by erf and ReLU, which no GPT-2 has, are tfjs's. */
export const fused: Rowwise = {
  normalise: (x, epsilon, held) => {
    const [unit, inverse = held] = run<tf.Tensor2D[]>(NORMALISE, { x, ...(held && { held }) }, { epsilon });
    return { unit: unit!, inverse: inverse! };
  },

  affine: (unit, { gain, bias }) => run(AFFINE, { unit, gain, bias }),

  normBackward: <T extends tf.Tensor>(dy: T, { unit, inverse }: { unit: tf.Tensor2D; inverse: tf.Tensor2D }, gain: tf.Tensor1D, frozen: boolean): T => run(NORM_BACKWARD, { dy, unit, inverse, gain }, { frozen }),

  activate: (x, activation) => (activation === 'gelu-tanh' ? run(GELU, { x }) : plain.activate(x, activation)),

  activateBackward: (dy, x, activation) => (activation === 'gelu-tanh' ? run(GELU_BACKWARD, { dy, x }) : plain.activateBackward(dy, x, activation)),

  softmax: <T extends tf.Tensor>(scores: T, mask?: tf.Tensor2D): T => run(SOFTMAX, { scores, ...(mask && { mask }) }),

  softmaxBackward: <T extends tf.Tensor>(p: T, dp: T): T => run(SOFTMAX_BACKWARD, { p, dp }),

  differenceSums: (gradient, other, own) => run(DIFFERENCE_SUMS, { gradient, other, own }),
};

function run<T extends tf.Tensor | tf.Tensor[]>(kernel: string, inputs: tf.NamedTensorMap, attrs: Record<string, number | boolean> = {}): T {
  return tf.engine().runKernel(kernel, inputs, attrs) as T;
}
