import { hasOtherRun, type Metric, type Other, type TextExperiment } from '../shared/experiment';

/** Which parts of an experiment go together. Pure: for the parser, which knows the places, and for whoever changes an experiment. */

/** What an experiment says beside its pairs. */
export type Settings = Omit<TextExperiment, 'pairs'>;

export interface SettingFault {
  field: keyof Settings;
  /** What it follows from. */
  from: readonly (keyof Settings)[];
  message: string;
}

/** True where the other side is no prompt of the same pair: the base is the clean run. */
export function isAblation(other: Other | undefined): boolean {
  return other !== undefined && other !== 'corrupted';
}

/** The sides whose answers a metric reads. */
export function answersRead(metric: Metric): { correct: boolean; incorrect: boolean } {
  if (typeof metric === 'object') {
    const both = metric.activation === 'directLogit';
    return { correct: both, incorrect: both };
  }
  switch (metric) {
    case 'logitDiff':
    case 'probDiff':
    case 'continuation':
      return { correct: true, incorrect: true };
    case 'logProb':
    case 'prob':
    case 'logitMinusMean':
      return { correct: true, incorrect: false };
    case 'kl':
    case 'promptLogProb':
      return { correct: false, incorrect: false };
  }
}

/** The sides without which there is no metric: a continuation may be measured alone. */
export function answersNeeded(metric: Metric): { correct: boolean; incorrect: boolean } {
  const { correct, incorrect } = answersRead(metric);
  return { correct, incorrect: incorrect && metric !== 'continuation' };
}

export function isAttention(metric: Metric): boolean {
  return typeof metric === 'object' && metric.activation === 'attention';
}

/** False for the metrics that read a stretch of positions of their own. */
export function readsOnePosition(metric: Metric): boolean {
  return metric !== 'continuation' && metric !== 'promptLogProb';
}

/** What is wrong with the settings together; each of them is sound by itself. */
export function settingFaults({ metric, at, source, range, direction, other, variant = {} }: Settings): SettingFault[] {
  const faults: SettingFault[] = [];
  const fault = (field: keyof Settings, from: readonly (keyof Settings)[], message: string): void => void faults.push({ field, from, message });
  const named = typeof metric === 'string' ? metric : metric.activation;
  if (isAblation(other) && direction === 'denoise') {
    fault('direction', ['direction', 'other'], `With "other": "${other}" activations of the clean run are replaced, which is the direction "noise"; write that, or leave "direction" out.`);
  }
  if (at !== undefined && !readsOnePosition(metric)) fault('at', ['at', 'metric'], `The metric "${named}" reads a stretch of positions of its own; leave "at" out.`);
  if (source !== undefined && !isAttention(metric)) fault('source', ['source', 'metric'], `Only the metric { "activation": "attention", … } reads "source"; leave it out, or choose that metric.`);
  if (source === undefined && isAttention(metric)) {
    fault('metric', ['metric', 'source'], 'An attention metric needs "source", the position that the head looks at: the name of one of the pairs\' "positions" or a token index.');
  }
  if (range !== undefined && metric !== 'promptLogProb') fault('range', ['range', 'metric'], `Only the metric "promptLogProb" reads "range"; for one position write "at".`);
  if (variant.bothGradients && !hasOtherRun(other)) {
    fault('variant', ['variant', 'other'], `"bothGradients" averages the gradients of two runs, but with "other": "${other}" there is only the clean one.`);
  }
  if (isAblation(other) && variant.interventions?.some((intervention) => intervention.with === 'corrupted')) {
    fault('variant', ['variant', 'other'], `With "other": "${other}" the corrupted prompts are not run; let the interventions take zero, mean or resample.`);
  }
  return faults;
}

/** Fields that are absent stay as they are. */
export type ExperimentOverrides = Partial<Pick<Settings, 'metric' | 'at' | 'source' | 'range' | 'direction' | 'other' | 'variant' | 'prependBos' | 'align'>>;

/**
 * An experiment with some of its settings changed. Places that a new metric does not read are dropped, and an ablation takes
 * its one direction, unless the change itself says otherwise (which `settingFaults` then finds).
 */
export function changeExperiment<T extends Settings>(experiment: T, change: ExperimentOverrides): T {
  const said = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as ExperimentOverrides;
  const changed: T = { ...experiment, ...said };
  if (said.metric !== undefined) {
    if (said.at === undefined && !readsOnePosition(said.metric)) delete changed.at;
    if (said.source === undefined && !isAttention(said.metric)) delete changed.source;
    if (said.range === undefined && said.metric !== 'promptLogProb') delete changed.range;
  }
  if (said.other !== undefined && said.direction === undefined && isAblation(said.other)) changed.direction = 'noise';
  return changed;
}
