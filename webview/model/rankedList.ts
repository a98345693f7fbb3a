import type { RankedCell } from '../../src/shared/ranking';
import type { HeatmapModel } from './heatmap';
import type { TableState } from './viewState';

export interface ListRow extends RankedCell {
  /** |value| / Σ |value| over the whole map. */
  share: number;
  /** Undefined where it was not measured. */
  exact?: number;
}

/** Rows of a table twin: the top cells first cut to `most`, then ordered by the chosen column; what was not measured comes last. */
export function listRows(model: HeatmapModel, { column, descending }: Pick<TableState, 'column' | 'descending'>, most: number, exactOf: (row: number, column: number) => number | undefined = () => undefined): ListRow[] {
  const rows = model.ranked.slice(0, most).map((cell) => ({ ...cell, exact: exactOf(cell.row, cell.column), share: model.magnitude > 0 ? Math.abs(cell.value) / model.magnitude : 0 }));
  const sign = descending ? -1 : 1;
  const keyOf = (row: ListRow): number => {
    if (column === 'name') return row.row * model.matrix.columns + row.column;
    if (column === 'score') return row.value;
    if (column === 'share') return row.share;
    if (column === 'exact') return row.exact ?? sign * Infinity;
    return row.rank;
  };
  return rows.sort((a, b) => sign * compare(keyOf(a), keyOf(b)) || a.rank - b.rank);
}

/** The direction a column is first sorted in: numbers that matter when large come largest first. */
export function firstDirection(column: TableState['column']): boolean {
  return column === 'score' || column === 'share' || column === 'exact';
}

/** Infinities are equal to themselves. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
