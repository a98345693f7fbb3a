import * as tf from '@tensorflow/tfjs-core';
import type { TokenPair } from '../../shared/experiment';
import { finalNorm, finalNormBackward } from '../model/logits';
import { takeRows } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import { fromEnd, metricPosition, metricTail, rowFromEnd } from './metricPositions';
import type { MetricRun, PreparedMetric } from './preparedMetric';

/**
 * Metrics that are linear in the logits: M = direction · LN_f(x) with x the final residual stream at the metric's position.
 *   logitDiff       direction = mean over correct of W_U[:, token] − mean over incorrect of W_U[:, token]
 *   logitMinusMean  direction = mean over correct of W_U[:, token] − mean over the vocabulary
 * Only the answers' columns of W_U are touched, and the mean column, which is computed once per model.
 */
export function prepareLinear(model: Gpt2, metric: 'logitDiff' | 'logitMinusMean', pairs: readonly TokenPair[]): PreparedMetric {
  const directions = metric === 'logitDiff' ? logitDiffDirections(model, pairs) : logitMinusMeanDirections(model, pairs);
  const backs = pairs.map((pair) => fromEnd(pair, metricPosition(pair)));
  const rowsOf = (run: MetricRun, pairOf: readonly number[], sequenceOf?: readonly number[]): number[] =>
    pairOf.map((pair, i) => rowFromEnd(run.last.shape[0] / run.batch, sequenceOf?.[i] ?? i, backs[pair]!));
  return {
    tail: Math.max(...pairs.map((pair) => metricTail(metric, pair))),
    reads: [],
    needsClean: false,
    setClean: () => undefined,
    values: (run, pairOf, sequenceOf) =>
      tf.tidy(() => {
        const rows = rowsOf(run, pairOf, sequenceOf);
        const x = finalNorm(model, takeRows(run.last, rows), run.finalScale && takeRows(run.finalScale, rows));
        return Array.from(tf.sum(tf.mul(x, takeRows(directions, pairOf)), -1).dataSync<'float32'>());
      }),
    gradient: (run, pairOf, { freezeLayerNorm = false } = {}) => ({
      final: tf.tidy(() => {
        const rows = rowsOf(run, pairOf);
        const own = finalNormBackward(model, takeRows(directions, pairOf), takeRows(run.last, rows), freezeLayerNorm);
        return placeRows(own, rows, run.last.shape[0]);
      }),
    }),
    dispose: () => directions.dispose(),
  };
}

/** Rows put among zeros: row i of x becomes row rows[i] of `count`. Rows that meet are added. */
export function placeRows(x: tf.Tensor2D, rows: readonly number[], count: number): tf.Tensor2D {
  if (rows.length === count && rows.every((row, i) => row === i)) return x;
  const width = x.shape[1];
  const values = x.dataSync<'float32'>();
  const placed = new Float32Array(count * width);
  rows.forEach((row, i) => {
    for (let j = 0; j < width; j++) placed[row * width + j]! += values[i * width + j]!;
  });
  return tf.tensor2d(placed, [count, width]);
}

/** mean over correct of W_U[:, token] − mean over incorrect of W_U[:, token], one row per pair: [pair, dModel]. The caller disposes it. */
export function logitDiffDirections(model: Gpt2, pairs: readonly Pick<TokenPair, 'correct' | 'incorrect'>[]): tf.Tensor2D {
  return tf.tidy(() => tf.sub(meanColumns(model, pairs.map(({ correct }) => correct)), meanColumns(model, pairs.map(({ incorrect }) => incorrect))));
}

function logitMinusMeanDirections(model: Gpt2, pairs: readonly TokenPair[]): tf.Tensor2D {
  return tf.tidy(() => tf.sub(meanColumns(model, pairs.map(({ correct }) => correct)), tf.tensor1d(meanUnembedding(model))));
}

/** The mean of the unembeddings of each basket's tokens: [basket, dModel]. */
function meanColumns(model: Gpt2, baskets: readonly (readonly number[])[]): tf.Tensor2D {
  const tokens = [...new Set(baskets.flat())];
  const columnOf = new Map(tokens.map((token, column) => [token, column]));
  const shares = new Float32Array(baskets.length * tokens.length);
  baskets.forEach((basket, row) => {
    for (const token of basket) shares[row * tokens.length + columnOf.get(token)!]! += 1 / basket.length;
  });
  const columns = tf.gather(model.unembedding, tf.tensor1d(tokens, 'int32'));
  return tf.matMul(tf.tensor2d(shares, [baskets.length, tokens.length]), columns);
}

const meanUnembeddings = new WeakMap<tf.Tensor, Float32Array>();

/** Mean over the vocabulary of W_U's columns, summed in double precision: tens of thousands of terms that nearly cancel. */
function meanUnembedding({ unembedding, config: { vocabulary, dModel } }: Gpt2): Float32Array {
  let mean = meanUnembeddings.get(unembedding);
  if (!mean) {
    const values = unembedding.dataSync<'float32'>();
    const sums = new Float64Array(dModel);
    for (let token = 0; token < vocabulary; token++) {
      const row = token * dModel;
      for (let i = 0; i < dModel; i++) sums[i]! += values[row + i]!;
    }
    mean = Float32Array.from(sums, (sum) => sum / vocabulary);
    meanUnembeddings.set(unembedding, mean);
  }
  return mean;
}
