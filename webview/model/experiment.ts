import type { Direction, LogitMetric, Metric, Other, Unit, Variant } from '../../src/shared/experiment';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { plural } from './format';

/** The words for what a run measured, and how. */

interface MetricWords {
  short: string;
  words: string;
  unit: string;
  /** What to know before trusting an attribution of it. */
  caveat?: string;
}

const METRIC_WORDS: Record<LogitMetric, MetricWords> = {
  logitDiff: { short: 'logit difference', words: 'correct − incorrect', unit: 'logits' },
  logProb: { short: 'log-probability', words: 'of the correct answer', unit: 'nats', caveat: 'Also moved by whatever changes the other tokens’ logits.' },
  prob: {
    short: 'probability',
    words: 'of the correct answer',
    unit: 'probability',
    caveat: 'Probabilities saturate: near 0 or 1 their gradient vanishes, so attribution misses parts that exact patching finds, and they are not linear in the logits.',
  },
  probDiff: { short: 'probability difference', words: 'correct − incorrect', unit: 'probability', caveat: 'Probabilities saturate: near 0 or 1 their gradient vanishes.' },
  logitMinusMean: { short: 'logit minus mean', words: 'correct − mean of all logits', unit: 'logits' },
  kl: {
    short: 'KL to clean',
    words: '−KL(clean ‖ run)',
    unit: 'nats',
    caveat: 'Its gradient at the clean run is exactly zero: attribution says nothing when noising. Exact patching works in both directions.',
  },
  continuation: { short: 'continuation', words: 'Σ log-probabilities, correct − incorrect', unit: 'nats' },
  promptLogProb: { short: 'prompt log-probability', words: 'mean over a range of positions', unit: 'nats' },
};

export function metricWords(metric: Metric): MetricWords {
  if (typeof metric === 'string') return METRIC_WORDS[metric];
  switch (metric.activation) {
    case 'attention':
      return { short: `attention of L${metric.layer}H${metric.head}`, words: 'from one position to another', unit: 'attention' };
    case 'neuron':
      return { short: `neuron L${metric.layer}N${metric.neuron}`, words: 'its activation', unit: 'activation' };
    case 'directLogit':
      return { short: `direct logits of ${metric.head === undefined ? `MLP ${metric.layer}` : `L${metric.layer}H${metric.head}`}`, words: 'correct − incorrect', unit: 'logits' };
  }
}

/** Where the metric is read. */
export function metricPlace({ metric, pairs }: Pick<RunSummary, 'metric' | 'pairs'>): string {
  if (metric === 'continuation' || metric === 'promptLogProb') return '';
  const places = [...new Set(pairs.map(({ at }) => at))];
  const [place] = places;
  if (places.length > 1) return 'at each pair’s own position';
  return place === undefined ? 'at the last position' : `at position ${place}`;
}

export const OTHER_WORDS: Record<Other, { short: string; patched: string; explained: string }> = {
  corrupted: { short: 'corrupted prompt', patched: 'corrupted', explained: 'the corrupted prompt’s activations' },
  zero: { short: 'zero ablation', patched: 'zeros', explained: 'zeros' },
  mean: { short: 'mean ablation', patched: 'means', explained: 'the mean over the clean prompts of equal length' },
  resample: { short: 'resample ablation', patched: 'another pair’s clean run', explained: 'the next pair’s clean prompt' },
};

/** "clean patched into corrupted", "zeros patched into clean". */
export function directionWords({ direction, other }: { direction: Direction; other: Other }): string {
  if (other !== 'corrupted') return `${OTHER_WORDS[other].patched} patched into clean`;
  return direction === 'denoise' ? 'clean patched into corrupted' : 'corrupted patched into clean';
}

/** Every departure from the plain gradient, by name. */
export function variantWords(variant: Variant): string[] {
  const { integrated, stopGradient = [], interventions = [] } = variant;
  return [
    variant.freezeLayerNorm && 'LayerNorm frozen',
    variant.freezePattern && 'patterns frozen',
    integrated && `integrated gradients, ${plural(integrated.steps, 'step')} (${integrated.rule})`,
    variant.bothGradients && 'clean and corrupted gradients averaged',
    variant.qkFix && 'AtP* QK fix',
    variant.gradDrop && 'AtP* GradDrop (magnitudes)',
    stopGradient.length > 0 && `gradient stopped at ${plural(stopGradient.length, 'part')}`,
    interventions.length > 0 && plural(interventions.length, 'intervention'),
  ].filter((words) => words !== undefined && words !== false);
}

/** L9H6 (z), L3 at position 5 (resid_pre). */
export function unitWords({ site, layer, head, neuron, position, source }: Unit): string {
  const part = [layer === undefined ? '' : `L${layer}`, head === undefined ? '' : `H${head}`, neuron === undefined ? '' : `N${neuron}`].join('');
  const place = position === undefined ? '' : position === 'last' ? ' at the metric’s position' : ` at position ${position}`;
  return `${part}${place}${source === undefined ? '' : ` from position ${source}`} (${site})`.trim();
}
