import * as tf from '@tensorflow/tfjs-core';
import { rowwise } from './rowwise';
import { chunksByLength, withTrailingRun } from './trailing';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** LN_f of the residual stream: [rows, dModel], what W_U reads. `held`: 1/σ of another run, [rows, 1]. */
export function finalNorm({ config, finalNorm: norm }: Gpt2, x: tf.Tensor2D, held?: tf.Tensor2D): tf.Tensor2D {
  return rowwise().affine(rowwise().normalise(x, config.layerNormEpsilon, held).unit, norm);
}

/**
 * Logits of the residual stream x after the last block: [rows, dModel] → [rows, vocabulary], flat. Rows times vocabulary
 * floats are held several times over: give it a few rows at a time. `held` as for `finalNorm`.
 */
export function logitsOf(model: Gpt2, x: tf.Tensor2D, held?: tf.Tensor2D): Float32Array {
  const logits = tf.tidy(() => tf.matMul(finalNorm(model, x, held), model.unembedding, false, true));
  // Not as the result of `tidy`, which would look for tensors in it, number by number.
  const values = logits.dataSync<'float32'>();
  logits.dispose();
  return values;
}

/** ∂L/∂LN_f(x) = ∂L/∂logits · W_Uᵀ: [rows, vocabulary] → [rows, dModel]. */
export function logitsGradient({ unembedding }: Gpt2, slope: tf.Tensor2D): tf.Tensor2D {
  return tf.matMul(slope, unembedding);
}

/**
 * Gradient with respect to the residual stream x [rows, dModel], given that with respect to LN_f(x). `freezeScale` holds
 * 1/σ constant: with g = ∂L/∂LN_f(x) ∘ gain then ∂L/∂x = (g − mean g)/σ.
 */
export function finalNormBackward({ config, finalNorm: { gain } }: Gpt2, dy: tf.Tensor2D, x: tf.Tensor2D, freezeScale: boolean): tf.Tensor2D {
  return rowwise().normBackward(dy, rowwise().normalise(x, config.layerNormEpsilon), gain, freezeScale);
}

/** Logits at the last position of each prompt: [prompt][vocabulary]. Prompts may differ in length. Throws `cancelled`. Work: `sequencesWork`. */
export async function lastLogits(model: Gpt2, prompts: readonly (readonly number[])[], work: Work): Promise<Float32Array[]> {
  const logits = new Array<Float32Array>(prompts.length);
  for (const indices of chunksByLength(prompts)) {
    await withTrailingRun(model, indices.map((index) => prompts[index]!), { sites: [], record: false, tail: 1 }, ({ last }) => {
      work.poll();
      const all = logitsOf(model, last);
      const { vocabulary } = model.config;
      indices.forEach((index, row) => (logits[index] = all.slice(row * vocabulary, (row + 1) * vocabulary)));
    }, work);
  }
  return logits;
}
