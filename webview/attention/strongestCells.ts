import { valueOf, type PatternCell, type PatternKind, type PatternMatrix } from './patterns';

/** The table twin of some heads' matrices: their cells as rows, one column of numbers per matrix. */

export interface CellRow extends PatternCell {
  head: number;
  /** By kind; absent where a head's matrices have none of that kind. */
  values: Partial<Record<PatternKind, number>>;
}

export interface CellOrder {
  by: 'head' | 'dest' | 'src' | PatternKind;
  descending: boolean;
}

/** The `most` strongest cells of all heads by |value| in `strength`, then in the order asked for, numbers again by magnitude. */
export function strongestCells(heads: readonly { head: number; matrices: readonly PatternMatrix[] }[], strength: PatternKind, order: CellOrder, most: number): CellRow[] {
  const rows: CellRow[] = [];
  for (const { head, matrices } of heads) {
    const ranked = matrices.find(({ kind }) => kind === strength);
    if (!ranked) continue;
    for (const cell of topCells(ranked, most)) rows.push({ head, ...cell, values: Object.fromEntries(matrices.map((matrix) => [matrix.kind, valueOf(matrix, cell)])) });
  }
  const sizeOf = (row: CellRow): number => Math.abs(row.values[strength] ?? 0);
  rows.sort((a, b) => sizeOf(b) - sizeOf(a) || a.head - b.head || a.dest - b.dest || a.src - b.src);
  const kept = rows.slice(0, most);
  const { by, descending } = order;
  const keyOf = (row: CellRow): number => (by === 'head' || by === 'dest' || by === 'src' ? row[by] : Math.abs(row.values[by] ?? 0));
  const sign = descending ? -1 : 1;
  // Sorting is stable: what is equal stays in order of strength.
  return kept.sort((a, b) => sign * (keyOf(a) - keyOf(b)));
}

/** The `most` largest magnitudes of the causal triangle, largest first; in one pass, for a long prompt has half a million cells. */
function topCells({ values, tokens }: PatternMatrix, most: number): PatternCell[] {
  const count = tokens.length;
  const kept: { cell: PatternCell; size: number }[] = [];
  for (let dest = 0; dest < count; dest++) {
    for (let src = 0; src <= dest; src++) {
      const size = Math.abs(values[dest * count + src]!);
      if (kept.length === most && size <= kept[most - 1]!.size) continue;
      const place = kept.findIndex((other) => size > other.size);
      kept.splice(place === -1 ? kept.length : place, 0, { cell: { dest, src }, size });
      if (kept.length > most) kept.pop();
    }
  }
  return kept.map(({ cell }) => cell);
}
