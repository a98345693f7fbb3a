import { firstDifference, type LogitMetric, type TokenPair } from '../../../src/shared/experiment';
import type { PlainModel } from './exactOracle';

type Stream = readonly (readonly number[])[];

/**
 * A metric as a function of the residual stream after the last block at a prompt's trailing positions, in double precision,
 * straight from its definition. `scaleOf`: the final LayerNorm keeps the scale it has there.
 */
export function metricOfStream({ config, tensors }: PlainModel, metric: Exclude<LogitMetric, 'continuation'>, pair: TokenPair, stream: Stream, { clean, scaleOf = stream }: { clean: Stream; scaleOf?: Stream }): number {
  const { n_embd: width, vocab_size: vocabulary, layer_norm_epsilon: epsilon } = config;
  const [gain, bias, unembedding] = [tensors.get('ln_f.weight')!.data, tensors.get('ln_f.bias')!.data, tensors.get('wte.weight')!.data];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (x: readonly number[]): number => mean(x.map((value) => (value - mean(x)) ** 2));
  const logits = (of: Stream, position: number, scale: Stream = of): number[] => {
    const row = of.length - (pair.clean.length - position);
    const sigma = Math.sqrt(variance(scale[row]!) + epsilon);
    const centre = mean(of[row]!);
    const normed = of[row]!.map((value, i) => ((value - centre) / sigma) * gain[i]! + bias[i]!);
    return Array.from({ length: vocabulary }, (_, token) => normed.reduce((sum, value, i) => sum + value * unembedding[token * width + i]!, 0));
  };
  const logProbabilities = (values: readonly number[]): number[] => {
    const largest = Math.max(...values);
    const total = largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    return values.map((value) => value - total);
  };
  const at = pair.at ?? pair.clean.length - 1;
  const own = (position = at): number[] => logits(stream, position, scaleOf);
  const sumOf = (basket: readonly number[]): number => {
    const all = logProbabilities(own());
    return [...new Set(basket)].reduce((sum, token) => sum + Math.exp(all[token]!), 0);
  };
  const meanOf = (basket: readonly number[]): number => {
    const all = own();
    return mean(basket.map((token) => all[token]!));
  };
  switch (metric) {
    case 'logitDiff':
      return meanOf(pair.correct) - meanOf(pair.incorrect);
    case 'logProb':
      return Math.log(sumOf(pair.correct));
    case 'prob':
      return sumOf(pair.correct);
    case 'probDiff':
      return sumOf(pair.correct) - sumOf(pair.incorrect);
    case 'logitMinusMean':
      return meanOf(pair.correct) - mean(own());
    case 'kl': {
      const all = logProbabilities(own());
      return -logProbabilities(logits(clean, at)).reduce((sum, value, token) => sum + Math.exp(value) * (value - all[token]!), 0);
    }
    case 'promptLogProb': {
      const [first, last] = pair.range ?? [firstDifference(pair.clean, pair.corrupted!)!, pair.clean.length - 2];
      return mean(Array.from({ length: last - first + 1 }, (_, i) => logProbabilities(own(first + i))[pair.clean[first + i + 1]!]!));
    }
  }
}
