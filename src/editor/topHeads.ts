import { rankCells } from '../shared/ranking';
import type { Run } from '../shared/run';
import { canNormalise, headScores } from '../shared/views';

/** The strongest heads of a run over all its pairs and positions, in words: "3.1 +0.43, 2.0 −0.12 (normalised)". */
export function topHeads({ manifest, arrays }: Run, count: number): string {
  const unit = canNormalise(manifest) ? 'normalised' : 'raw';
  const ranked = rankCells(headScores(manifest, arrays, 'all', { pair: 'all', unit }));
  const named = ranked.slice(0, count).map(({ row, column, value }) => `${row}.${column} ${signed(value)}`);
  return `${named.join(', ')} (${unit === 'raw' ? 'raw logits' : unit})`;
}

/** With a sign that can be seen, and a real minus. */
export function signed(value: number): string {
  const digits = Math.abs(value).toFixed(2);
  return value < 0 ? `−${digits}` : `+${digits}`;
}
