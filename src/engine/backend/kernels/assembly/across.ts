import { copyAcross, copyAlong, transpose4 } from './copies';
import { ACROSS_ROWS, COLUMNS, ACROSS_LANES, tileAcross } from './tileNarrow';

/**
 * Products with the transpose of a packed matrix, C[m, n] = A·Bᵀ with B [n, k] in panels of COLUMNS of its columns. Panels are read
 * as they stand: the values of a row of B are spread over a vector, one after the other, and multiplied by as many rows of A
 * as it has lanes. What comes out is C across, a chunk of it at a time, which is small and turned at the end; turning B
 * instead, which is read once, took a fifth of the time.
 */

/** Columns of C that are one thread's piece of work: a multiple of ACROSS_ROWS. */
export const ACROSS_CHUNK: i32 = 48;
/** Panels of B, 128 of the inner dimension: their part of a tile's rows stays in the nearest cache for all rows of A. */
const PANELS_AT_ONCE: i32 = 128 / COLUMNS;
/** Panels of A (ACROSS_LANES of its rows each) whose results are held at a time: 128 rows, 24 kB. */
const LANES_AT_ONCE: i32 = 128 / ACROSS_LANES;

const ROW_BYTES: usize = COLUMNS * 4;
const LANE_BYTES: usize = ACROSS_LANES * 4;
/** In the scratch, after C across: rows of B beside its last ones. */
const BORDER: usize = ACROSS_CHUNK * LANES_AT_ONCE * ACROSS_LANES * 4;

export function acrossPanels(m: i32): i32 {
  return (m + ACROSS_LANES - 1) / ACROSS_LANES;
}

/** Of the inner dimension, rounded up to whole panels of B. */
function deepOf(k: i32): i32 {
  return ((k + COLUMNS - 1) / COLUMNS) * COLUMNS;
}

/** Bytes of the copy of A. */
export function acrossBytes(m: i32, k: i32): i32 {
  return acrossPanels(m) * ACROSS_LANES * deepOf(k) * 4;
}

/** Copies panel number `panel` of A to [k][ACROSS_LANES], zeros beyond its borders. */
export function acrossCopy(a: usize, row: usize, transposed: bool, m: i32, k: i32, panel: i32, to: usize): void {
  const first = panel * ACROSS_LANES;
  const deep = deepOf(k);
  const at = to + <usize>panel * <usize>deep * LANE_BYTES;
  if (transposed) copyAlong(a + (<usize>first << 2), row, k, m - first, at, ACROSS_LANES);
  else copyAcross(a + <usize>first * row, row, k, m - first, at, ACROSS_LANES);
  memory.fill(at + <usize>k * LANE_BYTES, 0, <usize>(deep - k) * LANE_BYTES);
}

/** Columns [from, to) of C, at most a chunk. `a` is the copy, `bPanel` the bytes of a panel of B. */
export function acrossColumns(a: usize, b: usize, bPanel: usize, c: usize, bias: usize, m: i32, n: i32, k: i32, from: i32, to: i32, scratch: usize): void {
  const panels = acrossPanels(m);
  const deep = deepOf(k);
  const tiles = (to - from + ACROSS_ROWS - 1) / ACROSS_ROWS;
  const tileBytes = <usize>ACROSS_ROWS * LANE_BYTES;
  for (let firstPanel = 0; firstPanel < panels; firstPanel += LANES_AT_ONCE) {
    const own = min(LANES_AT_ONCE, panels - firstPanel);
    begin(scratch, own, tiles * ACROSS_ROWS, bias ? bias + (<usize>from << 2) : 0, to - from);
    for (let start = 0; start < deep; start += PANELS_AT_ONCE * COLUMNS) {
      const depth = min(PANELS_AT_ONCE * COLUMNS, deep - start);
      for (let tile = 0; tile < tiles; tile++) {
        const first = from + tile * ACROSS_ROWS;
        let rows = b + <usize>(start / COLUMNS) * bPanel + <usize>first * ROW_BYTES;
        let step = bPanel;
        if (first + ACROSS_ROWS > n) {
          copyBorder(rows, step, n - first, depth, scratch + BORDER);
          rows = scratch + BORDER;
          step = <usize>ACROSS_ROWS * ROW_BYTES;
        }
        let lanes = a + (<usize>firstPanel * <usize>deep + <usize>start) * LANE_BYTES;
        let at = scratch + <usize>tile * tileBytes;
        for (let panel = 0; panel < own; panel++) {
          tileAcross(lanes, lanes + <usize>depth * LANE_BYTES, rows, step, at);
          lanes += <usize>deep * LANE_BYTES;
          at += <usize>tiles * tileBytes;
        }
      }
    }
    for (let panel = 0; panel < own; panel++) {
      turn(scratch + <usize>(panel * tiles) * tileBytes, to - from, min(ACROSS_LANES, m - (firstPanel + panel) * ACROSS_LANES), c + (<usize>((firstPanel + panel) * ACROSS_LANES) * <usize>n + <usize>from) * 4, <usize>n << 2);
    }
  }
}

/** Fills C across with the bias of its rows, or zeros. */
function begin(to: usize, panels: i32, rows: i32, bias: usize, biases: i32): void {
  for (let panel = 0; panel < panels; panel++) {
    for (let r = 0; r < rows; r++) {
      const value = f32x4.splat(bias && r < biases ? load<f32>(bias + (<usize>r << 2)) : 0);
      for (let at: usize = 0; at < LANE_BYTES; at += 16) v128.store(to + at, value);
      to += LANE_BYTES;
    }
  }
}

/** The last rows of B, fewer than ACROSS_ROWS, and zeros after them: what stands behind them need not be B's. */
function copyBorder(from: usize, panel: usize, rows: i32, depth: i32, to: usize): void {
  for (let start = 0; start < depth; start += COLUMNS) {
    memory.copy(to, from, <usize>rows * ROW_BYTES);
    memory.fill(to + <usize>rows * ROW_BYTES, 0, <usize>(ACROSS_ROWS - rows) * ROW_BYTES);
    from += panel;
    to += <usize>ACROSS_ROWS * ROW_BYTES;
  }
}

/** One panel of C across, [columns][ACROSS_LANES], to `rows` rows of C. */
function turn(from: usize, columns: i32, rows: i32, c: usize, row: usize): void {
  for (let first = 0; first < rows; first += 4) {
    const own = from + (<usize>first << 2);
    const to = c + <usize>first * row;
    let column = 0;
    if (first + 4 <= rows) {
      for (; column + 4 <= columns; column += 4) transpose4(own + <usize>column * LANE_BYTES, LANE_BYTES, to + (<usize>column << 2), row);
    }
    for (; column < columns; column++) {
      for (let r = 0; r < min(4, rows - first); r++) {
        store<f32>(to + <usize>r * row + (<usize>column << 2), load<f32>(own + <usize>column * LANE_BYTES + (<usize>r << 2)));
      }
    }
  }
}
