import * as tf from '@tensorflow/tfjs-core';
import type { LogitMetric, Metric, TokenPair } from '../../shared/experiment';
import { klDivergence, logSumExp, writeProbabilities } from '../model/distribution';
import { finalNormBackward, logitsGradient, logitsOf } from '../model/logits';
import { takeRows } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { fromEnd, metricPosition, metricTail, rangeOf, rowFromEnd } from './metricPositions';
import type { MetricRun, PreparedMetric } from './preparedMetric';

const METRICS = ['logProb', 'prob', 'probDiff', 'kl', 'promptLogProb'] as const satisfies readonly LogitMetric[];
export type DistributionMetric = (typeof METRICS)[number];

export function isDistributionMetric(metric: Metric): metric is DistributionMetric {
  return (METRICS as readonly Metric[]).includes(metric);
}

/** Floats: some 8 MB. */
export const LOGITS_AT_ONCE = 2 ** 21;

/**
 * Metrics of the whole next-token distribution p = softmax(logits). With C, I the sets of correct and incorrect tokens (a
 * token counts once, however often it is named), p(C) = Σ_{c ∈ C} p_c, and ∂/∂logit_v:
 *   logProb        log p(C)                                    [v ∈ C]·p_v/p(C) − p_v
 *   prob           p(C)                                        p_v·([v ∈ C] − p(C))
 *   probDiff       p(C) − p(I)                                 p_v·([v ∈ C] − [v ∈ I] − p(C) + p(I))
 *   kl             −Σ_v p_clean,v·(log p_clean,v − log p_v)    p_clean,v − p_v
 *   promptLogProb  mean over range of log p_t(next token)      ([v = next] − p_v)/positions
 * all in nats. Logits are made for some rows at a time, so that the vocabulary's width never multiplies many of them.
 */
export function prepareDistribution(model: Gpt2, metric: DistributionMetric, pairs: readonly TokenPair[], work: Work): PreparedMetric {
  const readings = pairs.map((pair) => readingsOf(metric, pair));
  const cleanLogits = new Map<number, Float32Array>();
  const terms = pairs.map((pair, index) => termsOf(metric, pair, () => cleanLogits.get(index)!));
  const { vocabulary } = model.config;

  /** Every row that the entries read, some at a time: `use` gets their residual stream and logits, [row, token]. */
  const eachChunk = (run: MetricRun, pairOf: readonly number[], sequenceOf: readonly number[] | undefined, use: (rows: readonly Row[], x: tf.Tensor2D, logits: Float32Array) => void): void => {
    const positions = run.last.shape[0] / run.batch;
    const all = pairOf.flatMap((pair, entry) => readings[pair]!.map((back, reading) => ({ entry, pair, reading, row: rowFromEnd(positions, sequenceOf?.[entry] ?? entry, back) })));
    const step = Math.max(1, Math.floor(LOGITS_AT_ONCE / vocabulary));
    for (let start = 0; start < all.length; start += step) {
      work.poll();
      const rows = all.slice(start, start + step);
      tf.tidy(() => {
        const order = rows.map(({ row }) => row);
        const x = takeRows(run.last, order);
        use(rows, x, logitsOf(model, x, run.finalScale && takeRows(run.finalScale, order)));
      });
    }
  };
  const logitsOfRow = (logits: Float32Array, i: number): Float32Array => logits.subarray(i * vocabulary, (i + 1) * vocabulary);

  return {
    tail: Math.max(...pairs.map((pair) => metricTail(metric, pair))),
    reads: [],
    needsClean: metric === 'kl',
    setClean: (run, pairOf, sequenceOf) => {
      if (metric !== 'kl') return;
      eachChunk(run, pairOf, sequenceOf, (rows, _x, logits) => rows.forEach(({ pair }, i) => cleanLogits.set(pair, logitsOfRow(logits, i).slice())));
    },
    values: (run, pairOf, sequenceOf) => {
      const values = pairOf.map(() => 0);
      eachChunk(run, pairOf, sequenceOf, (rows, _x, logits) => {
        rows.forEach(({ entry, pair, reading }, i) => (values[entry]! += terms[pair]!.value(logitsOfRow(logits, i), reading)));
      });
      return values;
    },
    gradient: (run, pairOf, { freezeLayerNorm = false } = {}) => {
      const count = run.last.shape[0];
      const width = model.config.dModel;
      const final = new Float32Array(count * width);
      eachChunk(run, pairOf, undefined, (rows, x, logits) => {
        const slope = new Float32Array(rows.length * vocabulary);
        rows.forEach(({ pair, reading }, i) => terms[pair]!.gradient(logitsOfRow(logits, i), reading, logitsOfRow(slope, i)));
        const dy = logitsGradient(model, tf.tensor2d(slope, [rows.length, vocabulary]));
        const dx = finalNormBackward(model, dy, x, freezeLayerNorm).dataSync<'float32'>();
        rows.forEach(({ row }, i) => final.set(dx.subarray(i * width, (i + 1) * width), row * width));
      });
      return { final: tf.tensor2d(final, [count, width]) };
    },
    dispose: () => cleanLogits.clear(),
  };
}

/** Row `row` of the run's last residual stream is reading number `reading` of entry `entry`, which is for pair `pair`. */
interface Row {
  entry: number;
  pair: number;
  reading: number;
  row: number;
}

/** Positions that are read, counted from the end. */
function readingsOf(metric: DistributionMetric, pair: TokenPair): number[] {
  if (metric !== 'promptLogProb') return [fromEnd(pair, metricPosition(pair))];
  const [first, last] = rangeOf(pair);
  return Array.from({ length: last - first + 1 }, (_, i) => fromEnd(pair, first + i));
}

/** What one reading adds to the metric, and the derivative of that with respect to the reading's logits. */
interface Terms {
  value(logits: Float32Array, reading: number): number;
  gradient(logits: Float32Array, reading: number, into: Float32Array): void;
}

function termsOf(metric: DistributionMetric, { clean, correct, incorrect, ...rest }: TokenPair, cleanLogits: () => Float32Array): Terms {
  switch (metric) {
    case 'logProb':
      return logProbability(() => [...new Set(correct)], 1);
    case 'prob':
      return probabilities(new Set(correct), new Set());
    case 'probDiff':
      return probabilities(new Set(correct), new Set(incorrect));
    case 'kl':
      return {
        value: (logits) => -klDivergence(cleanLogits(), logits),
        gradient: (logits, _reading, into) => {
          const reference = cleanLogits();
          const [totalOfReference, total] = [logSumExp(reference), logSumExp(logits)];
          for (let i = 0; i < logits.length; i++) into[i] = Math.exp(reference[i]! - totalOfReference) - Math.exp(logits[i]! - total);
        },
      };
    case 'promptLogProb': {
      const [first, last] = rangeOf({ clean, correct, incorrect, ...rest });
      return logProbability((reading) => [clean[first + reading + 1]!], 1 / (last - first + 1));
    }
  }
}

/** scale · log of the summed probability of tokens. */
function logProbability(tokensOf: (reading: number) => number[], scale: number): Terms {
  return {
    value: (logits, reading) => scale * (logSumExp(logits, tokensOf(reading)) - logSumExp(logits)),
    gradient: (logits, reading, into) => {
      const tokens = tokensOf(reading);
      const own = logSumExp(logits, tokens);
      writeProbabilities(logits, logSumExp(logits), -scale, into);
      // In double precision before it is stored: for a probability near 1 the two nearly cancel.
      const total = logSumExp(logits);
      for (const token of tokens) into[token] = scale * (Math.exp(logits[token]! - own) - Math.exp(logits[token]! - total));
    },
  };
}

/** Summed probability of the correct tokens − that of the incorrect ones. */
function probabilities(correct: ReadonlySet<number>, incorrect: ReadonlySet<number>): Terms {
  const difference = (logits: Float32Array, total: number): number => {
    let sum = 0;
    for (const token of correct) sum += Math.exp(logits[token]! - total);
    for (const token of incorrect) sum -= Math.exp(logits[token]! - total);
    return sum;
  };
  return {
    value: (logits) => difference(logits, logSumExp(logits)),
    gradient: (logits, _reading, into) => {
      const total = logSumExp(logits);
      const all = difference(logits, total);
      writeProbabilities(logits, total, -all, into);
      for (const token of new Set([...correct, ...incorrect])) {
        const own = (correct.has(token) ? 1 : 0) - (incorrect.has(token) ? 1 : 0);
        into[token] = Math.exp(logits[token]! - total) * (own - all);
      }
    },
  };
}
