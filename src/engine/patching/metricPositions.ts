import { firstDifference, type Metric, type TokenPair } from '../../shared/experiment';

/**
 * Where metrics are read. Places of a pair are token indices of its clean prompt; counted from the end of the prompt they
 * hold for the corrupted one too, also where it has another length.
 */

/** The metric's position in the clean prompt: what a unit's position 'last' stands for. */
export function metricPosition({ at, clean }: Pick<TokenPair, 'at' | 'clean'>): number {
  return at ?? clean.length - 1;
}

/** How many positions stand after a position of the clean prompt. */
export function fromEnd({ clean }: Pick<TokenPair, 'clean'>, position: number): number {
  return clean.length - 1 - position;
}

/**
 * The positions whose predictions `promptLogProb` counts, first and last: without a range from the first difference, or the start
 * where there is no corrupted prompt, to the last but one. Empty when the last comes before the first.
 */
export function rangeOf(pair: TokenPair): [number, number] {
  if (pair.range) return pair.range;
  const first = pair.corrupted ? (firstDifference(pair.clean, pair.corrupted) ?? 0) : 0;
  return [first, pair.clean.length - 2];
}

/** Trailing positions of each prompt of the pair that the metric reads: at least 1. Nothing after the first of them can be left out of a run. */
export function metricTail(metric: Metric, pair: TokenPair): number {
  return 1 + fromEnd(pair, metric === 'promptLogProb' ? rangeOf(pair)[0] : metricPosition(pair));
}

/** The row of `run.last`, or of any tensor of [batch · positions] rows, that stands `back` positions before the end of a sequence. */
export function rowFromEnd(positions: number, sequence: number, back: number): number {
  return (sequence + 1) * positions - 1 - back;
}
