import { exactScores } from '../shared/exact';
import type { Run } from '../shared/run';
import { tokenColumns } from '../shared/tokenColumns';
import { variantWords } from '../shared/variants';
import { mapScores, type MapOf, type ViewOptions } from '../shared/views';
import { csvText, numberText, quoted, settingsOf } from './csv';

/**
 * A map as CSV with a header: layer, head or position, the clean prompts' token there (where they differ, all of them), the
 * estimate, and the exact effect where it was measured. Values in the view's units. Then, the same in every line, which experiment
 * they are of: metric, direction, other side, variant, model, pair, whether the effect is its own or its share of the mean, and unit. Throws RangeError as `mapScores`, and when
 * the map has nothing of the chosen pair.
 */
export function mapCsv(run: Run, map: MapOf, options: ViewOptions): string {
  const estimate = mapScores(run.manifest, run.arrays, map, options);
  if (!estimate) throw new RangeError(`pair ${options.pair} is not among the pairs of this length`);
  const exact = exactScores(run, map, options);
  const places = map.over === 'positions' ? placesOf(run, map.group, options) : undefined;
  const variant = variantWords(run.manifest.experiment).join(' + ');
  const [names, settings] = settingsOf(run.manifest, variant === '' ? 'plain gradient' : variant, options);
  const lines = [['layer', estimate.axes[1], ...(places ? ['token'] : []), 'estimate', 'exact', ...names]];
  for (let row = 0; row < estimate.rows; row++) {
    for (let column = 0; column < estimate.columns; column++) {
      const cell = row * estimate.columns + column;
      const place = places ? [String(places[column]!.position), quoted(places[column]!.text)] : [String(column)];
      lines.push([String(row), ...place, numberText(estimate.values[cell]!), numberText(exact.values[cell]!), ...settings]);
    }
  }
  return csvText(lines);
}

/** The position of a column, and every clean text there. */
function placesOf({ manifest }: Run, group: number, { pair }: ViewOptions): { position: number; text: string }[] {
  const { length, positions } = manifest.groups[group]!;
  return tokenColumns({ ...manifest.experiment, pairs: manifest.pairs }, manifest.groups[group]!, pair).map(({ position, clean }) => ({
    position: positions === 'last' ? length - 1 : position,
    text: clean.map(({ text }) => text).join(' | '),
  }));
}
