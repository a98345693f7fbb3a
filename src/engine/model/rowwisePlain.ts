import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from './config';
import type { Rowwise } from './rowwise';

// tanh form of GELU: x·½(1 + tanh(√(2/π)(x + 0.044715x³))) = x·σ(A·x + B·x³); one sigmoid is far quicker than tanh.
const A = 2 * Math.sqrt(2 / Math.PI);
const B = A * 0.044715;
const SQRT_HALF = Math.SQRT1_2;
const NORMAL_DENSITY = 1 / Math.sqrt(2 * Math.PI);

/** By tfjs's operations, on every backend. */
export const plain: Rowwise = {
  normalise: (x, epsilon, held) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const inverse = held ?? (tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)) as tf.Tensor2D);
    return { unit: tf.mul(centred, inverse), inverse };
  },

  affine: (unit, { gain, bias }) => tf.add(tf.mul(unit, gain), bias),

  normBackward: <T extends tf.Tensor>(dy: T, { unit, inverse }: { unit: tf.Tensor2D; inverse: tf.Tensor2D }, gain: tf.Tensor1D, frozen: boolean): T => {
    const g = tf.mul<T>(dy, gain);
    if (frozen) return tf.mul(inverse, tf.sub(g, tf.mean(g, -1, true)));
    const projected = tf.mul(unit, tf.mean(tf.mul(g, unit), -1, true));
    return tf.mul(inverse, tf.sub(tf.sub(g, tf.mean(g, -1, true)), projected));
  },

  activate: (x, activation) => {
    switch (activation) {
      case 'gelu-tanh':
        return tf.mul(x, tanhGate(x));
      case 'gelu':
        return tf.mul(x, normalGate(x));
      case 'relu':
        return tf.relu(x);
    }
  },

  activateBackward: (dy, x, activation) => tf.mul(dy, slope(x, activation)),

  softmax: <T extends tf.Tensor>(scores: T, mask?: tf.Tensor2D): T => tf.softmax(mask ? tf.add<T>(scores, mask) : scores),

  softmaxBackward: <T extends tf.Tensor>(p: T, dp: T): T => tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true))),

  differenceSums: (gradient, other, own) => tf.sum(tf.mul(tf.sub(other, own), gradient), -1),
};

function tanhGate(x: tf.Tensor2D): tf.Tensor2D {
  return tf.sigmoid(tf.mul<tf.Tensor2D>(x, tf.add(tf.mul(tf.square(x), B), A)));
}

/** Φ(x), the normal distribution function. */
function normalGate(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.add(tf.erf(tf.mul(x, SQRT_HALF)), 1), 0.5) as tf.Tensor2D;
}

/** Derivative of the activation at x, element by element. */
function slope(x: tf.Tensor2D, activation: Activation): tf.Tensor2D {
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
