import type { LogitMetric, Metric } from './experiment';

/** Metrics in words. The same on the panel, in the terminal and in notes. */

interface MetricWords {
  title: string;
  read: string;
  unit: string;
  caveat?: string;
}

const SATURATES =
  'Probabilities saturate, and the gradient of a probability vanishes near 0 and 1: attribution misses there what exact patching finds. Check what matters by exact patching, or use the log-probability or the logit difference.';

const LOGIT_WORDS: Readonly<Record<LogitMetric, MetricWords>> = {
  logitDiff: { title: 'logit difference', read: 'correct − incorrect', unit: 'logits' },
  logProb: { title: 'log-probability', read: 'of the correct answer', unit: 'nats' },
  prob: { title: 'probability', read: 'of the correct answer', unit: 'probability', caveat: SATURATES },
  probDiff: { title: 'probability difference', read: 'correct − incorrect', unit: 'probability', caveat: SATURATES },
  logitMinusMean: { title: 'logit minus mean logit', read: 'correct − mean of all logits', unit: 'logits' },
  kl: {
    title: 'negative KL to clean',
    read: '−KL(clean ‖ run)',
    unit: 'nats',
    caveat:
      '−KL(clean ‖ run), in nats, is 0 where the clean run’s distribution is met and negative elsewhere. Its gradient at the clean run is exactly zero: under noise attribution says nothing unless gradients are integrated or interventions lead the base run away from it. Exact patching works in both directions.',
  },
  continuation: { title: 'log-probability of the continuation', read: 'sum over its tokens, correct − incorrect', unit: 'nats' },
  promptLogProb: { title: 'log-probability of the prompt', read: 'mean over a range of positions', unit: 'nats' },
};

function wordsOf(metric: Metric): MetricWords {
  if (typeof metric === 'string') return LOGIT_WORDS[metric];
  switch (metric.activation) {
    case 'attention':
      return { title: `attention of head ${metric.layer}.${metric.head}`, read: 'from one position to another', unit: 'attention' };
    case 'neuron':
      return { title: `neuron ${metric.layer}#${metric.neuron}`, read: 'its activation', unit: 'activation' };
    case 'directLogit':
      return {
        title: `direct logit attribution of ${metric.head === undefined ? `MLP ${metric.layer}` : `head ${metric.layer}.${metric.head}`}`,
        read: 'correct − incorrect',
        unit: 'logits',
        caveat:
          'Direct logit attribution is read through the final LayerNorm with the scale of the same run held constant, on raw weights: components are neither centred nor folded as TransformerLens’s are by default.',
      };
  }
}

/** In the middle of a sentence: "logit difference", "attention of head 5.1". */
export function metricTitle(metric: Metric): string {
  return wordsOf(metric).title;
}

/** What is read of the run: "correct − incorrect". */
export function metricRead(metric: Metric): string {
  return wordsOf(metric).read;
}

/** What a raw value is counted in: "logits", "nats". */
export function metricUnit(metric: Metric): string {
  return wordsOf(metric).unit;
}

/** What to know before trusting an attribution of it, in sentences. */
export function metricCaveat(metric: Metric): string | undefined {
  return wordsOf(metric).caveat;
}
