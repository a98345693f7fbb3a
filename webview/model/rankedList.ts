import type { RankedCell } from '../../src/shared/ranking';
import type { HeatmapModel } from './heatmap';
import type { TableState } from './viewState';

export interface ListRow extends RankedCell {
  /** |value| / Σ |value| over the whole map. */
  share: number;
}

/** Rows of a table twin: the top cells first cut to `most`, then ordered by the chosen column. */
export function listRows(model: HeatmapModel, { column, descending }: Pick<TableState, 'column' | 'descending'>, most: number): ListRow[] {
  const rows = model.ranked.slice(0, most).map((cell) => ({ ...cell, share: model.magnitude > 0 ? Math.abs(cell.value) / model.magnitude : 0 }));
  const keyOf = (row: ListRow): number => {
    if (column === 'name') return row.row * model.matrix.columns + row.column;
    if (column === 'score') return row.value;
    if (column === 'share') return row.share;
    return row.rank;
  };
  const sign = descending ? -1 : 1;
  return rows.sort((a, b) => sign * (keyOf(a) - keyOf(b)) || a.rank - b.rank);
}

/** The direction a column is first sorted in: numbers that matter when large come largest first. */
export function firstDirection(column: TableState['column']): boolean {
  return column === 'score' || column === 'share';
}
