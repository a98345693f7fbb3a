import type { SiteName } from './sites';

/**
 * An experiment: prompt pairs + metric + direction + variant + model. As text it is what a person wrote,
 * as token ids it is what the engine runs. The engine never sees text, prompts never sees tensors.
 */

/** denoise: base = corrupted run, clean patched in. noise: base = clean run, corrupted patched in. */
export type Direction = 'denoise' | 'noise';
export const DIRECTIONS: readonly Direction[] = ['denoise', 'noise'];

/**
 * What a metric reads off the logits at one position (`at`, by default the last); larger always supports the correct answer.
 *   logitDiff       mean logit of the correct answers − mean logit of the incorrect ones
 *   logProb         log of the summed probability of the correct answers
 *   prob            summed probability of the correct answers
 *   probDiff        summed probability of the correct answers − that of the incorrect ones
 *   logitMinusMean  mean logit of the correct answers − mean of all logits
 *   kl              −KL(p_clean ‖ p) in nats, p_clean being the pair's own clean run; its gradient at the clean run is zero
 *   continuation    Σ log-probabilities of the correct continuation − Σ of the incorrect one (absent: 0), teacher-forced in two runs
 *   promptLogProb   mean log-probability of the clean prompt's own tokens at the positions after `range` (minus the usual loss)
 */
export type LogitMetric = 'logitDiff' | 'logProb' | 'prob' | 'probDiff' | 'logitMinusMean' | 'kl' | 'continuation' | 'promptLogProb';
export const LOGIT_METRICS: readonly LogitMetric[] = ['logitDiff', 'logProb', 'prob', 'probDiff', 'logitMinusMean', 'kl', 'continuation', 'promptLogProb'];

/**
 * A metric that is an activation itself.
 *   attention    pattern[layer, head] from destination `at` to source `source`
 *   neuron       mlp_post[layer, neuron] at `at`
 *   directLogit  what one head (or, without `head`, the MLP) of a layer writes at `at`, read out along correct − incorrect
 *                through the final LayerNorm whose scale is that of the same run and held constant
 */
export type ActivationMetric =
  | { activation: 'attention'; layer: number; head: number }
  | { activation: 'neuron'; layer: number; neuron: number }
  | { activation: 'directLogit'; layer: number; head?: number };

export type Metric = LogitMetric | ActivationMetric;

/** A place in a pair: a name from its `positions`, or a token index of the clean prompt (negative from its end, BOS counted). */
export type Place = string | number;

/** Which activations stand on the other side: those of the corrupted prompt, zeros, the mean over the clean prompts of equal length, or those of the next pair's clean prompt. */
export type Other = 'corrupted' | 'zero' | 'mean' | 'resample';
export const OTHERS: readonly Other[] = ['corrupted', 'zero', 'mean', 'resample'];

/** Whether the other side is a run of its own, in which the metric can be read: not under an ablation by zero or mean. */
export function hasOtherRun(other: Other = 'corrupted'): boolean {
  return other === 'corrupted' || other === 'resample';
}

/**
 * A part of a site. Without `layer` only for embed. Without `head` (`neuron`) all of them; `position` a token index of the clean
 * prompt (negative from its end), 'last' the metric's position, absent all positions; `source` one source position of a
 * pattern or of scores, absent all. For pattern and scores `position` is the destination.
 */
export interface Unit {
  site: SiteName;
  layer?: number;
  head?: number;
  neuron?: number;
  position?: number | 'last';
  source?: number;
}

/** Replaces a part of a site in the base run by the other side's, or by an ablation. */
export interface Intervention {
  unit: Unit;
  with: Other;
}

export type IntegrationRule = 'left' | 'right' | 'midpoint';
export const INTEGRATION_RULES: readonly IntegrationRule[] = ['left', 'right', 'midpoint'];
/** Steps beyond this add nothing but time. */
export const MOST_INTEGRATION_STEPS = 512;

/** How attribution departs from the plain gradient at the base run. Nothing is on unless it is named. */
export interface Variant {
  /** Every LayerNorm's scale 1/σ is held constant in the backward pass. */
  freezeLayerNorm?: boolean;
  /** No gradient flows through attention patterns into queries and keys. */
  freezePattern?: boolean;
  /**
   * The gradient is the mean over inputs embed_base + α(embed_other − embed_base) in `steps` steps:
   * left α = k/m (k = 0…m−1), right α = k/m (k = 1…m), midpoint α = (k+½)/m.
   */
  integrated?: { steps: number; rule: IntegrationRule };
  /** The gradient is the mean of those at the clean and at the corrupted run. */
  bothGradients?: boolean;
  /** AtP*: queries and keys are attributed by recomputing the softmax with the one query or key replaced. Only q and k change. */
  qkFix?: boolean;
  /** AtP*: mean over layers of |effect| with the gradient through that layer (its attn_out and mlp_out) stopped, times L/(L−1). A magnitude without sign. */
  gradDrop?: boolean;
  /** No gradient flows back through these: effects that are mediated by everything but them, and none of their own. */
  stopGradient?: Unit[];
  /** Done to the base run before anything is measured or attributed in it. */
  interventions?: Intervention[];
}

/**
 * False where the gradient is zero by construction, so that attribution says nothing and only exact patching does: of KL at the
 * clean run itself, where it has its extremum.
 */
export function hasGradient({ metric, direction, variant = {} }: Pick<TokenExperiment, 'metric' | 'direction' | 'variant'>): boolean {
  const { integrated, interventions = [] } = variant;
  const leavesBase = integrated !== undefined && !(integrated.rule === 'left' && integrated.steps === 1);
  return metric !== 'kl' || direction === 'denoise' || leavesBase || interventions.length > 0;
}

/** One prompt pair as written. `correct` and `incorrect` are baskets; a single answer is a basket of one. Empty where the metric needs none. */
export interface TextPair {
  name?: string;
  clean: string;
  /** Absent only for what needs no corrupted prompt (`other` zero, mean or resample). */
  corrupted?: string;
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
  /** Where the metric is read; absent: the last position. For `attention` the destination. */
  at?: Place;
  /** For `attention`: the source. */
  source?: Place;
  /** For `promptLogProb`: predictions made at these positions count, both included. Absent: from the first difference to the last but one. */
  range?: [Place, Place];
  direction: Direction;
  /** Absent: corrupted. With the others the base is the clean run, so the direction is noise. */
  other?: Other;
  variant?: Variant;
  /** Pairs of unequal token counts: only what is defined without positions, at the metric's position. */
  align?: 'end';
  pairs: TextPair[];
}

/** One prompt pair as token ids, BOS included where it is prepended. Places are token indices of the clean prompt, not negative. */
export interface TokenPair {
  clean: number[];
  /** Absent where `other` needs none. */
  corrupted?: number[];
  /** For `continuation`: the tokens of the one continuation, in their order. */
  correct: number[];
  incorrect: number[];
  /** Absent: the last position. */
  at?: number;
  source?: number;
  range?: [number, number];
}

export interface TokenExperiment {
  metric: Metric;
  direction: Direction;
  other?: Other;
  variant?: Variant;
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
