import { metricUnit } from '../shared/metrics';
import { rankCells } from '../shared/ranking';
import { groupArrayName } from '../shared/results';
import type { Run } from '../shared/run';
import { canNormalise, headScores } from '../shared/views';

/** The strongest heads of a run over all its pairs and positions, in words: "3.1 +0.43, 2.0 −0.12 (normalised)". Undefined where it has none. */
export function topHeads({ manifest, arrays }: Run, count: number): string | undefined {
  if (!(groupArrayName(0, 'z') in arrays.entries)) return undefined;
  const unit = canNormalise(manifest) ? 'normalised' : 'raw';
  const ranked = rankCells(headScores(manifest, arrays, 'z', 'all', { pair: 'all', unit }));
  const named = ranked.slice(0, count).map(({ row, column, value }) => `${row}.${column} ${signed(value)}`);
  return `${named.join(', ')} (${unit === 'raw' ? `raw ${metricUnit(manifest.experiment.metric)}` : unit})`;
}

/** With a sign that can be seen, and a real minus. */
export function signed(value: number): string {
  const digits = Math.abs(value).toFixed(2);
  return value < 0 ? `−${digits}` : `+${digits}`;
}
