import { multiplyAdd } from './lanes';

/**
 * A tile of 4 × 8: its 8 vectors are as many as the latency of a fused multiply-add needs and few enough that V8 11 and 12
 * spill none. It has no smaller one for the last rows; tileWide.ts, which the build puts in this file's place, has.
 */
export const ROWS: i32 = 4;
export const COLUMNS: i32 = 8;
export const SHORT_ROWS: i32 = ROWS;

/** Adds to a tile of C the product over `depth` of the inner dimension, from copies of A and B. */
export function tile(a: usize, b: usize, depth: i32, c: usize, row: usize): void {
  const c1 = c + row, c2 = c1 + row, c3 = c2 + row;
  let c00 = v128.load(c), c01 = v128.load(c, 16);
  let c10 = v128.load(c1), c11 = v128.load(c1, 16);
  let c20 = v128.load(c2), c21 = v128.load(c2, 16);
  let c30 = v128.load(c3), c31 = v128.load(c3, 16);
  const end = b + (<usize>depth << 5);
  while (b < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    b += 32;
    let x = v128.load32_splat(a);
    c00 = multiplyAdd(x, b0, c00); c01 = multiplyAdd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = multiplyAdd(x, b0, c10); c11 = multiplyAdd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = multiplyAdd(x, b0, c20); c21 = multiplyAdd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = multiplyAdd(x, b0, c30); c31 = multiplyAdd(x, b1, c31);
    a += 16;
  }
  v128.store(c, c00); v128.store(c, c01, 16);
  v128.store(c1, c10); v128.store(c1, c11, 16);
  v128.store(c2, c20); v128.store(c2, c21, 16);
  v128.store(c3, c30); v128.store(c3, c31, 16);
}

export { tile as tileShort };

/** One row of a panel of B. */
// @ts-ignore: decorator
@inline
export function copyColumns(from: usize, to: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
}

/** Rows of B and of A in a tile of C across. */
export const ACROSS_ROWS: i32 = 4;
export const ACROSS_LANES: i32 = 8;
export const HALF_ROWS: i32 = ACROSS_ROWS;
export const HALF_LANES: i32 = ACROSS_LANES;

/**
 * Adds to a tile of C across, [ACROSS_ROWS][ACROSS_LANES], the product of rows of a packed matrix, `step` bytes from panel to panel, and
 * ACROSS_LANES rows of A, copied to [inner][ACROSS_LANES] from `lanes` to `end`.
 */
export function tileAcross(lanes: usize, end: usize, rows: usize, step: usize, c: usize): void {
  let c00 = v128.load(c), c01 = v128.load(c, 16);
  let c10 = v128.load(c, 32), c11 = v128.load(c, 48);
  let c20 = v128.load(c, 64), c21 = v128.load(c, 80);
  let c30 = v128.load(c, 96), c31 = v128.load(c, 112);
  while (lanes < end) {
    const panelEnd = lanes + 256;
    while (lanes < panelEnd) {
      const a0 = v128.load(lanes), a1 = v128.load(lanes, 16);
      lanes += 32;
      let x = v128.load32_splat(rows);
      c00 = multiplyAdd(x, a0, c00); c01 = multiplyAdd(x, a1, c01);
      x = v128.load32_splat(rows, 32);
      c10 = multiplyAdd(x, a0, c10); c11 = multiplyAdd(x, a1, c11);
      x = v128.load32_splat(rows, 64);
      c20 = multiplyAdd(x, a0, c20); c21 = multiplyAdd(x, a1, c21);
      x = v128.load32_splat(rows, 96);
      c30 = multiplyAdd(x, a0, c30); c31 = multiplyAdd(x, a1, c31);
      rows += 4;
    }
    rows += step - 32;
  }
  v128.store(c, c00); v128.store(c, c01, 16);
  v128.store(c, c10, 32); v128.store(c, c11, 48);
  v128.store(c, c20, 64); v128.store(c, c21, 80);
  v128.store(c, c30, 96); v128.store(c, c31, 112);
}

export { tileAcross as tileHalf };
