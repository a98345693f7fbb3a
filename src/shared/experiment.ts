/**
 * An experiment: prompt pairs + metric + direction + model. As text it is what a person wrote,
 * as token ids it is what the engine runs. The engine never sees text, prompts never sees tensors.
 */

/** denoise: base = corrupted run, clean patched in. noise: base = clean run, corrupted patched in. */
export type Direction = 'denoise' | 'noise';

/** logitDiff: mean logit of the correct answers minus mean logit of the incorrect ones, at the last position. */
export type Metric = 'logitDiff';

export const DIRECTIONS: readonly Direction[] = ['denoise', 'noise'];
export const METRICS: readonly Metric[] = ['logitDiff'];

/** One prompt pair as written. `correct` and `incorrect` are baskets; a single answer is a basket of one. */
export interface TextPair {
  name?: string;
  clean: string;
  corrupted: string;
  correct: string[];
  incorrect: string[];
  /** An answer of several tokens is allowed and stands for its first token. */
  firstToken?: boolean;
  /** Named places by substring ("John", "#2 John" = its second occurrence) or token index (-1 = last). */
  positions?: Record<string, string | number>;
}

export interface TextExperiment {
  /** "bundled", a model id, or a folder. Absent: the setting decides. */
  model?: string;
  /** Absent: the model's default (false for GPT-2). */
  prependBos?: boolean;
  metric: Metric;
  direction: Direction;
  /** Pairs of unequal token counts: only what is defined without positions, at the metric's position. */
  align?: 'end';
  pairs: TextPair[];
}

/** One prompt pair as token ids, BOS included where it is prepended. */
export interface TokenPair {
  clean: number[];
  corrupted: number[];
  correct: number[];
  incorrect: number[];
}

export interface TokenExperiment {
  metric: Metric;
  direction: Direction;
  align?: 'end';
  pairs: TokenPair[];
}

/** First position at which the two token lists differ, or undefined when they are equal. */
export function firstDifference(clean: readonly number[], corrupted: readonly number[]): number | undefined {
  const shorter = Math.min(clean.length, corrupted.length);
  for (let position = 0; position < shorter; position++) {
    if (clean[position] !== corrupted[position]) return position;
  }
  return clean.length === corrupted.length ? undefined : shorter;
}
