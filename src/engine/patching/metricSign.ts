import type { Metric, TokenPair } from '../../shared/experiment';
import { fromEnd, metricPosition } from './metricPositions';

export type MetricSign = 1 | -1;

/**
 * The factor ±1 that makes the metric of pair `one`, as a function of a run, that of pair `other`; undefined where there is none, or
 * where a metric reads more of a pair than its answers and places. Differences between correct and incorrect answers change their
 * sign where those change places.
 */
export function metricSign(metric: Metric, one: TokenPair, other: TokenPair): MetricSign | undefined {
  const back = (pair: TokenPair, position: number): number => fromEnd(pair, position);
  if (back(one, metricPosition(one)) !== back(other, metricPosition(other))) return undefined;
  const same = (a: readonly number[], b: readonly number[]): boolean => sorted(a) === sorted(b);
  const unless = (isSame: boolean): MetricSign | undefined => (isSame ? 1 : undefined);
  switch (typeof metric === 'object' ? metric.activation : metric) {
    case 'neuron':
      return 1;
    case 'attention':
      return unless(back(one, one.source!) === back(other, other.source!));
    case 'logProb':
    case 'prob':
    case 'logitMinusMean':
      return unless(same(one.correct, other.correct));
    case 'logitDiff':
    case 'probDiff':
    case 'directLogit':
      if (same(one.correct, other.correct) && same(one.incorrect, other.incorrect)) return 1;
      return same(one.correct, other.incorrect) && same(one.incorrect, other.correct) ? -1 : undefined;
    default:
      return undefined;
  }
}

function sorted(tokens: readonly number[]): string {
  return [...tokens].sort((a, b) => a - b).join();
}
