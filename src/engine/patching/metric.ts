import * as tf from '@tensorflow/tfjs-core';
import { finalNorm } from '../model/logits';
import type { Gpt2 } from '../model/weights';

export interface Answers {
  correct: readonly number[];
  incorrect: readonly number[];
}

/**
 * The logit difference as a read-out of the normalised final residual stream, one row per pair: [pair, dModel],
 *   direction = mean over correct of W_U[:, token] − mean over incorrect of W_U[:, token].
 * Only these columns of W_U are ever touched. The caller disposes it.
 */
export function logitDiffDirections(model: Gpt2, pairs: readonly Answers[]): tf.Tensor2D {
  const tokens = [...new Set(pairs.flatMap(({ correct, incorrect }) => [...correct, ...incorrect]))];
  const columnOf = new Map(tokens.map((token, column) => [token, column]));
  const shares = new Float32Array(pairs.length * tokens.length);
  pairs.forEach(({ correct, incorrect }, row) => {
    for (const token of correct) shares[row * tokens.length + columnOf.get(token)!]! += 1 / correct.length;
    for (const token of incorrect) shares[row * tokens.length + columnOf.get(token)!]! -= 1 / incorrect.length;
  });
  return tf.tidy(() => {
    const columns = tf.gather(model.unembedding, tf.tensor1d(tokens, 'int32'));
    return tf.matMul(tf.tensor2d(shares, [pairs.length, tokens.length]), columns);
  });
}

/** Logit difference of each row, in raw logits: direction · LN_f(last). */
export function logitDiffs(model: Gpt2, last: tf.Tensor2D, directions: tf.Tensor2D): number[] {
  return tf.tidy(() => Array.from(tf.sum(tf.mul(finalNorm(model, last), directions), -1).dataSync<'float32'>()));
}
