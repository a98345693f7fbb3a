import * as tf from '@tensorflow/tfjs-core';
import { disposeKeyValues, disposeRun, forward, keysAndValues } from './forward';
import { affine, normalise, normBackward } from './layers';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** Rows (sequences · positions) of one forward pass; bounds its memory. */
const ROWS_AT_ONCE = 256;

/** LN_f of the residual stream: [rows, dModel], what W_U reads. */
export function finalNorm({ config, finalNorm: norm }: Gpt2, x: tf.Tensor2D): tf.Tensor2D {
  return affine(normalise(x, config.layerNormEpsilon), norm);
}

/**
 * Logits of the residual stream x after the last block: [rows, dModel] → [rows, vocabulary], flat. Rows times vocabulary
 * floats are held several times over: give it a few rows at a time.
 */
export function logitsOf(model: Gpt2, x: tf.Tensor2D): Float32Array {
  // The unembedding as left operand: as the right one, transposed, all of it would be copied at every call.
  return tf.tidy(() => tf.transpose(tf.matMul(model.unembedding, tf.transpose(finalNorm(model, x)))).dataSync<'float32'>());
}

/**
 * ∂L/∂LN_f(x) = ∂L/∂logits · W_Uᵀ: [rows, vocabulary] → [rows, dModel]. The first call on wasm packs a second copy of the
 * unembedding, which stays as long as the model does: a second for GPT-2 small, and 20 ms a row instead of 60 ever after.
 */
export function logitsGradient({ unembedding }: Gpt2, slope: tf.Tensor2D): tf.Tensor2D {
  return tf.matMul(slope, unembedding);
}

/**
 * Gradient with respect to the residual stream x [rows, dModel], given that with respect to LN_f(x). `freezeScale` holds
 * 1/σ constant: with g = ∂L/∂LN_f(x) ∘ gain then ∂L/∂x = (g − mean g)/σ.
 */
export function finalNormBackward({ config, finalNorm: { gain } }: Gpt2, dy: tf.Tensor2D, x: tf.Tensor2D, freezeScale: boolean): tf.Tensor2D {
  return normBackward(dy, normalise(x, config.layerNormEpsilon), gain, freezeScale);
}

/** Logits at the last position of each prompt: [prompt][vocabulary]. Prompts may differ in length. Throws `cancelled`. */
export async function lastLogits(model: Gpt2, prompts: readonly (readonly number[])[], work: Work): Promise<Float32Array[]> {
  const logits = new Array<Float32Array>(prompts.length);
  for (const indices of chunksByLength(prompts)) {
    const rows = await lastLogitsOfEqualLength(model, indices.map((index) => prompts[index]!), work);
    indices.forEach((index, row) => (logits[index] = rows[row]!));
  }
  return logits;
}

/** Work of `lastLogits`, in the unit in which the forward pass counts. */
export function logitsWork({ config }: Gpt2, prompts: readonly (readonly number[])[]): number {
  return prompts.reduce((sum, prompt) => sum + prompt.length, 0) * config.layers;
}

/** Only the last position of the last block is wanted, so all but the last token is a prefix run for its keys and values. */
async function lastLogitsOfEqualLength(model: Gpt2, prompts: readonly (readonly number[])[], work: Work): Promise<Float32Array[]> {
  const start = prompts[0]!.length - 1;
  const past = start > 0 ? await keysAndValues(model, prompts.map((prompt) => prompt.slice(0, start)), work, ROWS_AT_ONCE) : undefined;
  try {
    const run = await forward(model, { tokens: prompts.map((prompt) => prompt.slice(start)), start, past }, { sites: [], record: false }, work);
    try {
      work.poll();
      const values = logitsOf(model, run.last);
      return prompts.map((_, row) => values.slice(row * model.config.vocabulary, (row + 1) * model.config.vocabulary));
    } finally {
      disposeRun(run);
    }
  } finally {
    if (past) disposeKeyValues(past);
  }
}

function chunksByLength(prompts: readonly (readonly number[])[]): number[][] {
  const byLength = new Map<number, number[][]>();
  prompts.forEach((prompt, index) => {
    const chunks = byLength.get(prompt.length) ?? [[]];
    byLength.set(prompt.length, chunks);
    const atOnce = Math.max(1, Math.floor(ROWS_AT_ONCE / prompt.length));
    if (chunks.at(-1)!.length >= Math.min(atOnce, 32)) chunks.push([]);
    chunks.at(-1)!.push(index);
  });
  return [...byLength.values()].flat();
}
