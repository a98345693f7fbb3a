import { metricTitle } from '../shared/metrics';
import type { RunManifest } from '../shared/run';
import type { ViewOptions } from '../shared/views';

/** What the files for spreadsheets have in common. */

/** Names and values of the columns that say, the same in every line, which experiment it is: metric, direction, other side, variant, model, pair, whether the effect is the pair's own or its share of the mean, and unit. */
export function settingsOf({ experiment, model, pairs }: RunManifest, variant: string, { pair, unit, of }: ViewOptions): [names: string[], values: string[]] {
  const { metric, direction, other = 'corrupted' } = experiment;
  const settings = {
    metric: typeof metric === 'string' ? metric : metricTitle(metric),
    ...{ direction, other, variant },
    model: model.id,
    pair: pair === 'all' ? 'all' : pairs[pair]!.name,
    effect: pair === 'all' ? 'mean' : of === 'pair' ? 'own' : 'share',
    unit,
  };
  return [Object.keys(settings), Object.values(settings).map(quoted)];
}

/** As RFC 4180 wants it. */
export function csvText(lines: readonly (readonly string[])[]): string {
  return `${lines.map((line) => line.join(',')).join('\r\n')}\r\n`;
}

/** A text as one field: a token may be a comma, a quote or a line end. */
export function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The digits that a float32 is sure of; nothing where nothing was measured. */
export function numberText(value: number): string {
  return Number.isNaN(value) ? '' : String(Number(value.toPrecision(7)));
}
