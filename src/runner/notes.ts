import { hasGradient, type Metric, type Other, type TextExperiment } from '../shared/experiment';
import { metricCaveat, metricTitle, metricUnit } from '../shared/metrics';
import type { BackendInfo } from '../shared/results';
import type { RunNote, RunPair } from '../shared/run';
import { canNormalise, meanDifference } from '../shared/views';

/** What a person should know before believing a run. */
export interface Noted {
  experiment: TextExperiment;
  pairs: RunPair[];
  backend: BackendInfo;
  /** Of the prompts and answers as they are written, and of what the model's vocabulary knows of them. */
  texts: RunNote[];
}

/** First what only a forward pass can tell, then what holds for every run of this kind. */
export function notesOf(run: Noted): RunNote[] {
  const { experiment, pairs, backend, texts } = run;
  return [...differenceNotes(experiment, pairs), ...texts, ...metricNotes(experiment), ...gradientNotes(experiment), ...otherNotes(experiment), ...loneMeanNotes(experiment, pairs), ...variantNotes(experiment), ...alignmentNotes(experiment), ...backendNotes(backend)];
}

type Side = 'clean' | 'corrupted';

function meanOf(pairs: readonly RunPair[], side: Side): number {
  return pairs.reduce((sum, { metric }) => sum + (metric[side] ?? 0), 0) / pairs.length;
}

/** The same as the panel writes it, with its sign: "+3.94", "−5.96". */
function mean(pairs: readonly RunPair[], side: Side): string {
  const value = meanOf(pairs, side);
  const digits = Math.abs(value).toFixed(2);
  return Number(digits) === 0 ? digits : `${value < 0 ? '−' : '+'}${digits}`;
}

/** Without a corrupted run a view is divided by the clean metric alone. */
function hasCounterpart(pairs: readonly RunPair[]): boolean {
  return pairs.every(({ metric }) => metric.corrupted !== undefined);
}

/** What the other side is called in a sentence. */
function counterpart({ other }: TextExperiment): string {
  return other === 'resample' ? 'the prompts they are resampled from' : 'the corrupted ones';
}

/** Metrics whose sign says which answer the model prefers. */
function comparesAnswers(metric: Metric, pairs: readonly RunPair[]): boolean {
  return metric === 'logitDiff' || metric === 'probDiff' || (metric === 'continuation' && pairs.every(({ incorrect }) => incorrect.length > 0));
}

function differenceNotes(experiment: TextExperiment, pairs: RunPair[]): RunNote[] {
  const title = metricTitle(experiment.metric);
  if (!canNormalise({ pairs })) {
    const what = hasCounterpart(pairs)
      ? `The mean ${title} is the same after the clean prompts and ${counterpart(experiment)} (${mean(pairs, 'clean')} and ${mean(pairs, 'corrupted')}): there is nothing to attribute, and values are shown in raw ${metricUnit(experiment.metric)} only.`
      : `The mean ${title} after the clean prompts is not positive (${mean(pairs, 'clean')}): no share of it can be taken, and values are shown in raw ${metricUnit(experiment.metric)} only.`;
    return [{ severity: 'warning', message: what }, ...(hasCounterpart(pairs) ? [] : preferenceNotes(experiment, pairs))];
  }
  if (meanDifference({ pairs }) < 0) {
    const message = `The mean ${title} after the clean prompts (${mean(pairs, 'clean')}) is smaller than after ${counterpart(experiment)} (${mean(pairs, 'corrupted')}): normalised values have the opposite sign of raw ones. Are clean and corrupted, or correct and incorrect, swapped?`;
    return [{ severity: 'warning', message }];
  }
  return [...preferenceNotes(experiment, pairs), ...swappedNotes(experiment, pairs)];
}

function preferenceNotes({ metric }: TextExperiment, pairs: RunPair[]): RunNote[] {
  if (!comparesAnswers(metric, pairs) || meanOf(pairs, 'clean') >= 0) return [];
  const message = `The model prefers the incorrect answer after the clean prompts (mean ${metricTitle(metric)} ${mean(pairs, 'clean')}): it does not do this task, so the scores say what moves it, not how it succeeds.`;
  return [{ severity: 'warning', message }];
}

function swappedNotes(experiment: TextExperiment, pairs: RunPair[]): RunNote[] {
  const swapped = pairs.filter(({ metric }) => metric.corrupted !== undefined && metric.clean < metric.corrupted);
  if (swapped.length === 0) return [];
  const names = swapped.slice(0, 5).map(({ name }) => name);
  const more = swapped.length > names.length ? ` and ${swapped.length - names.length} more` : '';
  const than = experiment.other === 'resample' ? 'the prompt it is resampled from' : 'the corrupted one';
  const message = `In ${swapped.length} of ${pairs.length} pairs the ${metricTitle(experiment.metric)} is smaller after the clean prompt than after ${than}: ${names.join(', ')}${more}.`;
  return [{ severity: 'warning', message }];
}

function metricNotes({ metric }: TextExperiment): RunNote[] {
  const message = metricCaveat(metric);
  return message === undefined ? [] : [{ severity: 'info', message }];
}

function gradientNotes(experiment: TextExperiment): RunNote[] {
  if (hasGradient(experiment)) return [];
  return [{ severity: 'info', message: 'At the clean run the gradient is zero: nothing is attributed. Exact patching measures the effects, and integrated gradients or the direction denoise attribute them.' }];
}

const OTHER_NOTES: Readonly<Partial<Record<Other, string>>> = {
  zero: 'Ablation by zeros: the activation itself is set to 0, on raw weights (TransformerLens, which folds value biases, sets the head to the mean of its biases instead). Normalised values are shares of the mean clean metric.',
  mean: 'Ablation by means: the other side is the mean over the clean prompts of equal length. Normalised values are shares of the mean clean metric.',
  resample: 'Ablation by resampling: the other side of each pair is the clean prompt of the next pair, and normalised values are divided by the difference between the two.',
};

function otherNotes({ other }: TextExperiment): RunNote[] {
  const message = OTHER_NOTES[other ?? 'corrupted'];
  return message === undefined ? [] : [{ severity: 'info', message }];
}

/** A mean over one prompt replaces its activations by themselves. */
function loneMeanNotes({ other, variant }: TextExperiment, pairs: readonly RunPair[]): RunNote[] {
  if (other !== 'mean' && !variant?.interventions?.some((intervention) => intervention.with === 'mean')) return [];
  const alone = pairs.filter(({ clean }) => pairs.filter((pair) => pair.clean.length === clean.length).length === 1);
  if (alone.length === 0) return [];
  const names = alone.slice(0, 5).map(({ name }) => name);
  const more = alone.length > names.length ? ` and ${alone.length - names.length} more` : '';
  const message = `Means are over the clean prompts of equal token counts, and there is only one of its length in ${names.join(', ')}${more}: the mean is that prompt itself. Add pairs of as many tokens, or replace by something else.`;
  return [{ severity: 'warning', message }];
}

function variantNotes({ variant = {} }: TextExperiment): RunNote[] {
  const messages = [
    variant.gradDrop && 'GradDrop gives magnitudes: no value has a sign, and none says whether a part supports the correct answer or the incorrect one.',
    variant.qkFix && 'AtP* with the QK fix: queries and keys are attributed by recomputing the softmax; all other sites are as without it.',
    variant.interventions?.length && `${variant.interventions.length} ${variant.interventions.length === 1 ? 'intervention is' : 'interventions are'} done to the base run before anything is measured or attributed in it.`,
    variant.stopGradient?.length && 'Gradients are stopped at chosen places: effects by way of them are left out, in the attribution only. Exact patching measures all effects.',
  ];
  return messages.flatMap((message): RunNote[] => (typeof message === 'string' ? [{ severity: 'info', message }] : []));
}

function alignmentNotes({ align }: TextExperiment): RunNote[] {
  if (align !== 'end') return [];
  const message = 'Clean and corrupted prompts are aligned at their ends: where their token counts differ, only the last position is computed.';
  return [{ severity: 'info', message }];
}

function backendNotes({ note }: BackendInfo): RunNote[] {
  return note === undefined ? [] : [{ severity: 'info', message: note }];
}
