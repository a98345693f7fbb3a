import { exactScores } from '../shared/exact';
import type { Run } from '../shared/run';
import { mapScores, type MapOf, type ViewOptions } from '../shared/views';

/**
 * A map as CSV with a header: layer, head or position, the clean prompts' token there (where they differ, all of them), the
 * estimate, and the exact effect where it was measured. Values in the view's units. Throws RangeError as `mapScores`, and when
 * the map has nothing of the chosen pair.
 */
export function mapCsv(run: Run, map: MapOf, options: ViewOptions): string {
  const estimate = mapScores(run.manifest, run.arrays, map, options);
  if (!estimate) throw new RangeError(`pair ${options.pair} is not among the pairs of this length`);
  const exact = exactScores(run, map, options);
  const tokens = map.over === 'positions' ? tokensOf(run, map.group, options) : undefined;
  const lines = [['layer', estimate.axes[1], ...(tokens ? ['token'] : []), 'estimate', 'exact']];
  for (let row = 0; row < estimate.rows; row++) {
    for (let column = 0; column < estimate.columns; column++) {
      const cell = row * estimate.columns + column;
      const place = tokens ? [String(tokens.first + column), quoted(tokens.texts[column] ?? '')] : [String(column)];
      lines.push([String(row), ...place, numberText(estimate.values[cell]!), numberText(exact.values[cell]!)]);
    }
  }
  return `${lines.map((line) => line.join(',')).join('\r\n')}\r\n`;
}

/** Tokens of the columns of a length group, and the position of the first column. */
function tokensOf({ manifest }: Run, group: number, { pair }: ViewOptions): { first: number; texts: string[] } {
  const { pairs, length, positions } = manifest.groups[group]!;
  const inView = pairs.filter((index) => pair === 'all' || pair === index).map((index) => manifest.pairs[index]!.clean);
  const at = (fromEnd: number): string => [...new Set(inView.map((tokens) => tokens.at(-fromEnd)?.text ?? ''))].join(' | ');
  if (positions === 'last') return { first: length - 1, texts: [at(1)] };
  return { first: 0, texts: Array.from({ length }, (_, position) => at(length - position)) };
}

/** As RFC 4180 wants it: a token may be a comma, a quote or a line end. */
function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The digits that a float32 is sure of; nothing where nothing was measured. */
function numberText(value: number): string {
  return Number.isNaN(value) ? '' : String(Number(value.toPrecision(7)));
}
