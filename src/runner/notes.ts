import type { TextExperiment } from '../shared/experiment';
import type { BackendInfo } from '../shared/results';
import type { RunNote, RunPair } from '../shared/run';
import { canNormalise, meanDifference } from '../shared/views';

/** Mean of several pairs' logit differences. */
function meanOf(pairs: readonly RunPair[], which: 'clean' | 'corrupted'): number {
  return pairs.reduce((sum, { metric }) => sum + (metric[which] ?? 0), 0) / pairs.length;
}

/** The same as the panel writes it, with its sign: "+3.94", "−5.96". */
function mean(pairs: readonly RunPair[], which: 'clean' | 'corrupted'): string {
  const value = meanOf(pairs, which);
  const digits = Math.abs(value).toFixed(2);
  return Number(digits) === 0 ? digits : `${value < 0 ? '−' : '+'}${digits}`;
}

/** What a person should know before believing a run: only a forward pass can tell. `vocabulary`: what the model's vocabulary says about the texts. */
export function notesOf(run: { experiment: TextExperiment; pairs: RunPair[]; backend: BackendInfo; vocabulary: RunNote[] }): RunNote[] {
  const { experiment, pairs, backend, vocabulary } = run;
  return [...differenceNotes(pairs), ...vocabulary, ...alignmentNotes(experiment), ...backendNotes(backend)];
}

function differenceNotes(pairs: RunPair[]): RunNote[] {
  if (!canNormalise({ pairs })) {
    const message = `The mean logit difference is the same after the clean and the corrupted prompts (${mean(pairs, 'clean')} and ${mean(pairs, 'corrupted')}): there is nothing to attribute, and values are shown in raw logits only.`;
    return [{ severity: 'warning', message }];
  }
  if (meanDifference({ pairs }) < 0) {
    const message = `The model prefers the correct answer less after the clean prompts (mean logit difference ${mean(pairs, 'clean')}) than after the corrupted ones (${mean(pairs, 'corrupted')}): normalised values have the opposite sign of raw ones. Are clean and corrupted, or correct and incorrect, swapped?`;
    return [{ severity: 'warning', message }];
  }
  return [...preferenceNotes(pairs), ...swappedNotes(pairs)];
}

function preferenceNotes(pairs: RunPair[]): RunNote[] {
  if (meanOf(pairs, 'clean') >= 0) return [];
  const message = `The model prefers the incorrect answer after the clean prompts (mean logit difference ${mean(pairs, 'clean')}): it does not do this task, so the scores say what moves it, not how it succeeds.`;
  return [{ severity: 'warning', message }];
}

function swappedNotes(pairs: RunPair[]): RunNote[] {
  const swapped = pairs.filter(({ metric }) => metric.corrupted !== undefined && metric.clean < metric.corrupted);
  if (swapped.length === 0) return [];
  const names = swapped.slice(0, 5).map(({ name }) => name);
  const more = swapped.length > names.length ? ` and ${swapped.length - names.length} more` : '';
  const message = `In ${swapped.length} of ${pairs.length} pairs the model prefers the correct answer less after the clean prompt than after the corrupted one: ${names.join(', ')}${more}.`;
  return [{ severity: 'warning', message }];
}

function alignmentNotes({ align }: TextExperiment): RunNote[] {
  if (align !== 'end') return [];
  const message = 'Clean and corrupted prompts are aligned at their ends: where their token counts differ, only the last position is computed.';
  return [{ severity: 'info', message }];
}

function backendNotes({ note }: BackendInfo): RunNote[] {
  return note === undefined ? [] : [{ severity: 'info', message: note }];
}
