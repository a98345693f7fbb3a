import type { LogitMetric, Metric } from './experiment';

/** Metrics in words. The same on the panel, in the terminal and in notes. */

const TITLES: Readonly<Record<LogitMetric, string>> = {
  logitDiff: 'logit difference',
  logProb: 'log-probability',
  prob: 'probability',
  probDiff: 'probability difference',
  logitMinusMean: 'logit minus mean logit',
  kl: 'negative KL divergence from clean',
  continuation: 'log-probability of the continuation',
  promptLogProb: 'log-probability of the prompt',
};

/** In the middle of a sentence: "logit difference", "attention of head 5.1". */
export function metricTitle(metric: Metric): string {
  if (typeof metric === 'string') return TITLES[metric];
  switch (metric.activation) {
    case 'attention':
      return `attention of head ${metric.layer}.${metric.head}`;
    case 'neuron':
      return `neuron ${metric.layer}.${metric.neuron}`;
    case 'directLogit':
      return `direct logit attribution of ${metric.head === undefined ? `MLP ${metric.layer}` : `head ${metric.layer}.${metric.head}`}`;
  }
}

/** What a raw value is counted in: "logits", "nats". */
export function metricUnit(metric: Metric): string {
  if (typeof metric !== 'string') return metric.activation === 'directLogit' ? 'logits' : metric.activation === 'attention' ? 'attention' : 'activation';
  switch (metric) {
    case 'logitDiff':
    case 'logitMinusMean':
      return 'logits';
    case 'prob':
    case 'probDiff':
      return 'probability';
    default:
      return 'nats';
  }
}
