import type { Matrix } from './views';

/** A cell of a matrix with its value. */
export interface RankedCell {
  row: number;
  column: number;
  value: number;
  /** 1 = largest |value|. */
  rank: number;
}

/** All cells by falling |value|; ties keep row-major order, so the order is the same everywhere. */
export function rankCells(matrix: Matrix): RankedCell[] {
  return Array.from(matrix.values, (value, index) => ({ index, value }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.index - b.index)
    .map(({ index, value }, place) => ({ row: Math.floor(index / matrix.columns), column: index % matrix.columns, value, rank: place + 1 }));
}

/** How an axis is ordered: by index, by its total, by its strongest cell, or by one row or column of the other axis. */
export type SortKey = { by: 'index' } | { by: 'total' } | { by: 'strongest' } | { by: 'line'; line: number };

/**
 * The order in which an axis is drawn: indices of its rows (or columns), largest first for all keys but `index`.
 * `total` sorts by the signed sum, `strongest` by the largest |value|, `line` by the signed value in that line of the other axis.
 */
export function sortAxis(matrix: Matrix, axis: 'rows' | 'columns', key: SortKey): number[] {
  const extent = axis === 'rows' ? matrix.rows : matrix.columns;
  const other = axis === 'rows' ? matrix.columns : matrix.rows;
  const indices = Array.from({ length: extent }, (_, index) => index);
  if (key.by === 'index') return indices;
  const at = (index: number, line: number): number =>
    axis === 'rows' ? matrix.values[index * matrix.columns + line]! : matrix.values[line * matrix.columns + index]!;
  const scoreOf = (index: number): number => {
    if (key.by === 'line') return at(index, key.line);
    let score = 0;
    for (let line = 0; line < other; line++) {
      score = key.by === 'total' ? score + at(index, line) : Math.max(score, Math.abs(at(index, line)));
    }
    return score;
  };
  const scores = indices.map(scoreOf);
  return indices.sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** Largest |value|, the end of a colour scale centred at zero. */
export function largestMagnitude(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
