/**
 * Keyboard movement in a grid with headers, in places (as drawn), not indices.
 * −1 is the header row or header column; the corner between them is no place to be.
 */
export interface Place {
  row: number;
  column: number;
}

export interface GridExtent {
  rows: number;
  columns: number;
  /** Rows that PageUp and PageDown jump. */
  page: number;
}

/** Where a key leads, or undefined when it is no movement. Home and End go along the row, with Ctrl to the grid's corners. */
export function move({ row, column }: Place, key: string, ctrl: boolean, { rows, columns, page }: GridExtent): Place | undefined {
  const last = { row: rows - 1, column: columns - 1 };
  switch (key) {
    case 'ArrowLeft':
      return place(row, Math.max(row === -1 ? 0 : -1, column - 1));
    case 'ArrowRight':
      return place(row, Math.min(last.column, column + 1));
    case 'ArrowUp':
      return place(Math.max(column === -1 ? 0 : -1, row - 1), column);
    case 'ArrowDown':
      return place(Math.min(last.row, row + 1), column);
    case 'Home':
      return ctrl ? place(0, 0) : place(row, 0);
    case 'End':
      return ctrl ? place(last.row, last.column) : place(row, last.column);
    case 'PageUp':
      return place(Math.max(Math.min(row, 0), row - page), column);
    case 'PageDown':
      return place(Math.min(last.row, row + page), column);
    default:
      return undefined;
  }
}

function place(row: number, column: number): Place {
  return { row, column };
}

/** Which of `extent` lines of `size` pixels a viewport shows, with `margin` more on both sides. */
export function visibleLines(offset: number, viewport: number, size: number, extent: number, margin: number): { first: number; end: number } {
  const first = Math.max(0, Math.min(extent, Math.floor(offset / size) - margin));
  const end = Math.max(first, Math.min(extent, Math.ceil((offset + viewport) / size) + margin));
  return { first, end };
}
