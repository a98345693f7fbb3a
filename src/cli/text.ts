import { metricTitle, metricUnit } from '../shared/metrics';
import { normalisedWords, OTHER_WORDS, otherSide } from '../shared/otherSide';
import type { Run, RunManifest } from '../shared/run';
import { plural } from '../shared/text';
import { variantWords } from '../shared/variants';
import type { ViewOptions } from '../shared/views';

/** Parts of what is printed for people. */

const DIGITS = 4;

export function signed(value: number): string {
  const rounded = Number(value.toFixed(DIGITS));
  return `${rounded < 0 ? '-' : '+'}${Math.abs(rounded).toFixed(DIGITS)}`;
}

/** What a score is measured in. */
export function unitTitle({ experiment, pairs }: Pick<RunManifest, 'experiment' | 'pairs'>, unit: ViewOptions['unit']): string {
  return unit === 'raw' ? metricUnit(experiment.metric) : normalisedWords({ ...experiment, pairs });
}

/** Columns padded to their widest cell: those of `texts` to the left, everything else to the right. */
export function alignedTable(titles: string[], rows: string[][], texts: readonly string[] = ['token']): string {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: string[]): string =>
    row.map((cell, column) => (texts.includes(titles[column]!) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ').trimEnd();
  return [titles, ...rows].map((row) => `  ${line(row)}`).join('\n');
}

/** The run's title, model, settings and notes. */
export function facts({ manifest }: Run): string {
  const { model, backend, pairs, experiment, timings } = manifest;
  const corrupted = pairs.every(({ metric }) => metric.corrupted !== undefined) ? `, ${otherSide(experiment)} ${signed(mean(manifest, 'corrupted'))}` : '';
  const { other = 'corrupted' } = experiment;
  const settings = [plural(pairs.length, 'pair'), experiment.direction, ...(other === 'corrupted' ? [] : [OTHER_WORDS[other].name]), manifest.prependBos ? 'with BOS' : 'no BOS'];
  const variant = variantWords(experiment);
  const lines = [
    manifest.title,
    `  ${model.id}: ${model.layers} layers of ${model.heads} heads, d_model ${model.dModel}`,
    `  ${settings.join(', ')}, ${metricTitle(experiment.metric)}: clean ${signed(mean(manifest, 'clean'))}${corrupted}`,
    ...(variant.length > 0 ? [`  Variant: ${variant.join('; ')}`] : []),
    `  ${backend.name}, ${plural(backend.threads, 'thread')}, load ${timings.load.toFixed(2)} s, run ${timings.run.toFixed(2)} s`,
    ...manifest.notes.map(({ message }) => `  Note: ${message}`),
  ];
  return lines.join('\n');
}

function mean({ pairs }: RunManifest, side: 'clean' | 'corrupted'): number {
  return pairs.reduce((sum, { metric }) => sum + metric[side]!, 0) / pairs.length;
}

/** A token as it is, its spaces in sight. */
export function tokenText(text: string | undefined): string {
  return JSON.stringify(text ?? '');
}
