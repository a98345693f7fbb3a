import { copyAcross, copyAlong, transpose4 } from './copies';
import { ACROSS_LANES, ACROSS_ROWS, COLUMNS, HALF_LANES, HALF_ROWS, tileAcross, tileHalf } from './tileNarrow';

/**
 * Products with the transpose of a packed matrix, C[m, n] = A·Bᵀ with B [n, k] in panels of COLUMNS of its columns. Panels are read
 * as they stand: the values of a row of B are spread over a vector, one after the other, and multiplied by as many rows of A
 * as it has lanes. What comes out is C across, a chunk of it at a time, which is small and turned at the end; turning B
 * instead, which is read once, took a fifth of the time.
 */

/** Columns of C that are one thread's piece of work: a multiple of ACROSS_ROWS and of HALF_ROWS. */
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

/** Rows of A that are left for the last panel where they are few enough for the half of its lanes, 0 otherwise. */
function halfRows(m: i32): i32 {
  const rest = m % ACROSS_LANES;
  return HALF_LANES < ACROSS_LANES && rest <= HALF_LANES ? rest : 0;
}

/** Copies panel number `panel` of A to [k][ACROSS_LANES], or [k][HALF_LANES], zeros beyond its borders. */
export function acrossCopy(a: usize, row: usize, transposed: bool, m: i32, k: i32, panel: i32, to: usize): void {
  const first = panel * ACROSS_LANES;
  const deep = deepOf(k);
  const lanes = halfRows(m) > 0 && panel === acrossPanels(m) - 1 ? HALF_LANES : ACROSS_LANES;
  const at = to + <usize>panel * <usize>deep * LANE_BYTES;
  if (transposed) copyAlong(a + (<usize>first << 2), row, k, m - first, at, lanes);
  else copyAcross(a + <usize>first * row, row, k, m - first, at, lanes);
  memory.fill(at + <usize>(k * lanes) * 4, 0, <usize>((deep - k) * lanes) * 4);
}

/** Columns [from, to) of C, at most a chunk. `a` is the copy, `bPanel` the bytes of a panel of B. */
export function acrossColumns(a: usize, b: usize, bPanel: usize, c: usize, bias: usize, m: i32, n: i32, k: i32, from: i32, to: i32, scratch: usize): void {
  const half = halfRows(m);
  const whole = acrossPanels(m) - i32(half > 0);
  const panel = <usize>deepOf(k) * LANE_BYTES;
  for (let first = 0; first < whole; first += LANES_AT_ONCE) {
    const rows = first * ACROSS_LANES;
    acrossPiece(a + <usize>first * panel, ACROSS_LANES, ACROSS_ROWS, min(LANES_AT_ONCE, whole - first), min(m - rows, LANES_AT_ONCE * ACROSS_LANES), b, bPanel, c + <usize>(rows * n) * 4, bias, n, k, from, to, scratch);
  }
  if (half) acrossPiece(a + <usize>whole * panel, HALF_LANES, HALF_ROWS, 1, half, b, bPanel, c + <usize>(whole * ACROSS_LANES * n) * 4, bias, n, k, from, to, scratch);
}

/** The same of `m` rows of A, which are `panels` panels of `lanes` each, in tiles of [tileRows][lanes]. */
function acrossPiece(a: usize, lanes: i32, tileRows: i32, panels: i32, m: i32, b: usize, bPanel: usize, c: usize, bias: usize, n: i32, k: i32, from: i32, to: i32, scratch: usize): void {
  const deep = deepOf(k);
  const laneBytes = <usize>lanes * 4;
  const tiles = (to - from + tileRows - 1) / tileRows;
  const tileBytes = <usize>tileRows * laneBytes;
  begin(scratch, laneBytes, panels, tiles * tileRows, bias ? bias + (<usize>from << 2) : 0, to - from);
  for (let start = 0; start < deep; start += PANELS_AT_ONCE * COLUMNS) {
    const depth = min(PANELS_AT_ONCE * COLUMNS, deep - start);
    for (let tile = 0; tile < tiles; tile++) {
      const first = from + tile * tileRows;
      let rows = b + <usize>(start / COLUMNS) * bPanel + <usize>first * ROW_BYTES;
      let step = bPanel;
      if (first + tileRows > n) {
        copyBorder(rows, step, n - first, tileRows, depth, scratch + BORDER);
        rows = scratch + BORDER;
        step = <usize>tileRows * ROW_BYTES;
      }
      let at = a + <usize>start * laneBytes;
      let target = scratch + <usize>tile * tileBytes;
      for (let panel = 0; panel < panels; panel++) {
        if (lanes === ACROSS_LANES) tileAcross(at, at + <usize>depth * laneBytes, rows, step, target);
        else tileHalf(at, at + <usize>depth * laneBytes, rows, step, target);
        at += <usize>deep * laneBytes;
        target += <usize>tiles * tileBytes;
      }
    }
  }
  for (let panel = 0; panel < panels; panel++) {
    const row = panel * lanes;
    turn(scratch + <usize>(panel * tiles) * tileBytes, laneBytes, to - from, min(lanes, m - row), c + <usize>(row * n + from) * 4, <usize>n << 2);
  }
}

/** Fills C across with the bias of its rows, or zeros. */
function begin(to: usize, laneBytes: usize, panels: i32, rows: i32, bias: usize, biases: i32): void {
  for (let panel = 0; panel < panels; panel++) {
    for (let r = 0; r < rows; r++) {
      const value = f32x4.splat(bias && r < biases ? load<f32>(bias + (<usize>r << 2)) : 0);
      for (let at: usize = 0; at < laneBytes; at += 16) v128.store(to + at, value);
      to += laneBytes;
    }
  }
}

/** The last rows of B, fewer than a tile has, and zeros after them: what stands behind them need not be B's. */
function copyBorder(from: usize, panel: usize, rows: i32, tileRows: i32, depth: i32, to: usize): void {
  for (let start = 0; start < depth; start += COLUMNS) {
    memory.copy(to, from, <usize>rows * ROW_BYTES);
    memory.fill(to + <usize>rows * ROW_BYTES, 0, <usize>(tileRows - rows) * ROW_BYTES);
    from += panel;
    to += <usize>tileRows * ROW_BYTES;
  }
}

/** One panel of C across, [columns][lanes], to `rows` rows of C. */
function turn(from: usize, laneBytes: usize, columns: i32, rows: i32, c: usize, row: usize): void {
  for (let first = 0; first < rows; first += 4) {
    const own = from + (<usize>first << 2);
    const to = c + <usize>first * row;
    let column = 0;
    if (first + 4 <= rows) {
      for (; column + 4 <= columns; column += 4) transpose4(own + <usize>column * laneBytes, laneBytes, to + (<usize>column << 2), row);
    }
    for (; column < columns; column++) {
      for (let r = 0; r < min(4, rows - first); r++) {
        store<f32>(to + <usize>r * row + (<usize>column << 2), load<f32>(own + <usize>column * laneBytes + (<usize>r << 2)));
      }
    }
  }
}
