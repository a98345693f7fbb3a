/**
 * A tile of 6 × 16 for processors whose vectors have 256 bits, where V8 makes one operation of two neighbouring ones
 * (`wide.ts`): 12 vectors for C, 2 for B and one for A of the 16 there are. It is written so that V8 finds the pairs: each vector
 * is loaded, added to in one loop and stored beside its neighbour, and nothing is decided in between.
 */
export const ROWS: i32 = 6;
export const COLUMNS: i32 = 16;
/** Of a panel at the end, where six would be too many. */
export const SHORT_ROWS: i32 = 4;

/** Adds to a tile of C the product over `depth` of the inner dimension, from copies of A and B. */
export function tile(a: usize, b: usize, depth: i32, c: usize, row: usize): void {
  const c1 = c + row, c2 = c1 + row, c3 = c2 + row, c4 = c3 + row, c5 = c4 + row;
  let c00 = v128.load(c), c01 = v128.load(c, 16), c02 = v128.load(c, 32), c03 = v128.load(c, 48);
  let c10 = v128.load(c1), c11 = v128.load(c1, 16), c12 = v128.load(c1, 32), c13 = v128.load(c1, 48);
  let c20 = v128.load(c2), c21 = v128.load(c2, 16), c22 = v128.load(c2, 32), c23 = v128.load(c2, 48);
  let c30 = v128.load(c3), c31 = v128.load(c3, 16), c32 = v128.load(c3, 32), c33 = v128.load(c3, 48);
  let c40 = v128.load(c4), c41 = v128.load(c4, 16), c42 = v128.load(c4, 32), c43 = v128.load(c4, 48);
  let c50 = v128.load(c5), c51 = v128.load(c5, 16), c52 = v128.load(c5, 32), c53 = v128.load(c5, 48);
  const end = b + (<usize>depth << 6);
  while (b < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    b += 64;
    let x = v128.load32_splat(a);
    c00 = f32x4.relaxed_madd(x, b0, c00); c01 = f32x4.relaxed_madd(x, b1, c01);
    c02 = f32x4.relaxed_madd(x, b2, c02); c03 = f32x4.relaxed_madd(x, b3, c03);
    x = v128.load32_splat(a, 4);
    c10 = f32x4.relaxed_madd(x, b0, c10); c11 = f32x4.relaxed_madd(x, b1, c11);
    c12 = f32x4.relaxed_madd(x, b2, c12); c13 = f32x4.relaxed_madd(x, b3, c13);
    x = v128.load32_splat(a, 8);
    c20 = f32x4.relaxed_madd(x, b0, c20); c21 = f32x4.relaxed_madd(x, b1, c21);
    c22 = f32x4.relaxed_madd(x, b2, c22); c23 = f32x4.relaxed_madd(x, b3, c23);
    x = v128.load32_splat(a, 12);
    c30 = f32x4.relaxed_madd(x, b0, c30); c31 = f32x4.relaxed_madd(x, b1, c31);
    c32 = f32x4.relaxed_madd(x, b2, c32); c33 = f32x4.relaxed_madd(x, b3, c33);
    x = v128.load32_splat(a, 16);
    c40 = f32x4.relaxed_madd(x, b0, c40); c41 = f32x4.relaxed_madd(x, b1, c41);
    c42 = f32x4.relaxed_madd(x, b2, c42); c43 = f32x4.relaxed_madd(x, b3, c43);
    x = v128.load32_splat(a, 20);
    c50 = f32x4.relaxed_madd(x, b0, c50); c51 = f32x4.relaxed_madd(x, b1, c51);
    c52 = f32x4.relaxed_madd(x, b2, c52); c53 = f32x4.relaxed_madd(x, b3, c53);
    a += 24;
  }
  v128.store(c, c00); v128.store(c, c01, 16); v128.store(c, c02, 32); v128.store(c, c03, 48);
  v128.store(c1, c10); v128.store(c1, c11, 16); v128.store(c1, c12, 32); v128.store(c1, c13, 48);
  v128.store(c2, c20); v128.store(c2, c21, 16); v128.store(c2, c22, 32); v128.store(c2, c23, 48);
  v128.store(c3, c30); v128.store(c3, c31, 16); v128.store(c3, c32, 32); v128.store(c3, c33, 48);
  v128.store(c4, c40); v128.store(c4, c41, 16); v128.store(c4, c42, 32); v128.store(c4, c43, 48);
  v128.store(c5, c50); v128.store(c5, c51, 16); v128.store(c5, c52, 32); v128.store(c5, c53, 48);
}

/** The same with SHORT_ROWS of A: a panel of six would be filled up with zeros. */
export function tileShort(a: usize, b: usize, depth: i32, c: usize, row: usize): void {
  const c1 = c + row, c2 = c1 + row, c3 = c2 + row;
  let c00 = v128.load(c), c01 = v128.load(c, 16), c02 = v128.load(c, 32), c03 = v128.load(c, 48);
  let c10 = v128.load(c1), c11 = v128.load(c1, 16), c12 = v128.load(c1, 32), c13 = v128.load(c1, 48);
  let c20 = v128.load(c2), c21 = v128.load(c2, 16), c22 = v128.load(c2, 32), c23 = v128.load(c2, 48);
  let c30 = v128.load(c3), c31 = v128.load(c3, 16), c32 = v128.load(c3, 32), c33 = v128.load(c3, 48);
  const end = b + (<usize>depth << 6);
  while (b < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    b += 64;
    let x = v128.load32_splat(a);
    c00 = f32x4.relaxed_madd(x, b0, c00); c01 = f32x4.relaxed_madd(x, b1, c01);
    c02 = f32x4.relaxed_madd(x, b2, c02); c03 = f32x4.relaxed_madd(x, b3, c03);
    x = v128.load32_splat(a, 4);
    c10 = f32x4.relaxed_madd(x, b0, c10); c11 = f32x4.relaxed_madd(x, b1, c11);
    c12 = f32x4.relaxed_madd(x, b2, c12); c13 = f32x4.relaxed_madd(x, b3, c13);
    x = v128.load32_splat(a, 8);
    c20 = f32x4.relaxed_madd(x, b0, c20); c21 = f32x4.relaxed_madd(x, b1, c21);
    c22 = f32x4.relaxed_madd(x, b2, c22); c23 = f32x4.relaxed_madd(x, b3, c23);
    x = v128.load32_splat(a, 12);
    c30 = f32x4.relaxed_madd(x, b0, c30); c31 = f32x4.relaxed_madd(x, b1, c31);
    c32 = f32x4.relaxed_madd(x, b2, c32); c33 = f32x4.relaxed_madd(x, b3, c33);
    a += 16;
  }
  v128.store(c, c00); v128.store(c, c01, 16); v128.store(c, c02, 32); v128.store(c, c03, 48);
  v128.store(c1, c10); v128.store(c1, c11, 16); v128.store(c1, c12, 32); v128.store(c1, c13, 48);
  v128.store(c2, c20); v128.store(c2, c21, 16); v128.store(c2, c22, 32); v128.store(c2, c23, 48);
  v128.store(c3, c30); v128.store(c3, c31, 16); v128.store(c3, c32, 32); v128.store(c3, c33, 48);
}

/** One row of a panel of B. */
// @ts-ignore: decorator
@inline
export function copyColumns(from: usize, to: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

/** Rows of B and of A in a tile of C across. */
export const ACROSS_ROWS: i32 = 6;
export const ACROSS_LANES: i32 = 16;
/** The same at the end of A: half the lanes, and twice the rows of B so that as many vectors are added to. */
export const HALF_ROWS: i32 = 12;
export const HALF_LANES: i32 = 8;

/**
 * Adds to a tile of C across, [ACROSS_ROWS][ACROSS_LANES], the product of rows of a packed matrix, `step` bytes from panel to panel, and
 * ACROSS_LANES rows of A, copied to [inner][ACROSS_LANES] from `lanes` to `end`.
 */
export function tileAcross(lanes: usize, end: usize, rows: usize, step: usize, c: usize): void {
  let c00 = v128.load(c), c01 = v128.load(c, 16), c02 = v128.load(c, 32), c03 = v128.load(c, 48);
  let c10 = v128.load(c, 64), c11 = v128.load(c, 80), c12 = v128.load(c, 96), c13 = v128.load(c, 112);
  let c20 = v128.load(c, 128), c21 = v128.load(c, 144), c22 = v128.load(c, 160), c23 = v128.load(c, 176);
  let c30 = v128.load(c, 192), c31 = v128.load(c, 208), c32 = v128.load(c, 224), c33 = v128.load(c, 240);
  let c40 = v128.load(c, 256), c41 = v128.load(c, 272), c42 = v128.load(c, 288), c43 = v128.load(c, 304);
  let c50 = v128.load(c, 320), c51 = v128.load(c, 336), c52 = v128.load(c, 352), c53 = v128.load(c, 368);
  while (lanes < end) {
    const panelEnd = lanes + 1024;
    while (lanes < panelEnd) {
      const a0 = v128.load(lanes), a1 = v128.load(lanes, 16), a2 = v128.load(lanes, 32), a3 = v128.load(lanes, 48);
      lanes += 64;
      let x = v128.load32_splat(rows);
      c00 = f32x4.relaxed_madd(x, a0, c00); c01 = f32x4.relaxed_madd(x, a1, c01);
      c02 = f32x4.relaxed_madd(x, a2, c02); c03 = f32x4.relaxed_madd(x, a3, c03);
      x = v128.load32_splat(rows, 64);
      c10 = f32x4.relaxed_madd(x, a0, c10); c11 = f32x4.relaxed_madd(x, a1, c11);
      c12 = f32x4.relaxed_madd(x, a2, c12); c13 = f32x4.relaxed_madd(x, a3, c13);
      x = v128.load32_splat(rows, 128);
      c20 = f32x4.relaxed_madd(x, a0, c20); c21 = f32x4.relaxed_madd(x, a1, c21);
      c22 = f32x4.relaxed_madd(x, a2, c22); c23 = f32x4.relaxed_madd(x, a3, c23);
      x = v128.load32_splat(rows, 192);
      c30 = f32x4.relaxed_madd(x, a0, c30); c31 = f32x4.relaxed_madd(x, a1, c31);
      c32 = f32x4.relaxed_madd(x, a2, c32); c33 = f32x4.relaxed_madd(x, a3, c33);
      x = v128.load32_splat(rows, 256);
      c40 = f32x4.relaxed_madd(x, a0, c40); c41 = f32x4.relaxed_madd(x, a1, c41);
      c42 = f32x4.relaxed_madd(x, a2, c42); c43 = f32x4.relaxed_madd(x, a3, c43);
      x = v128.load32_splat(rows, 320);
      c50 = f32x4.relaxed_madd(x, a0, c50); c51 = f32x4.relaxed_madd(x, a1, c51);
      c52 = f32x4.relaxed_madd(x, a2, c52); c53 = f32x4.relaxed_madd(x, a3, c53);
      rows += 4;
    }
    rows += step - 64;
  }
  v128.store(c, c00); v128.store(c, c01, 16); v128.store(c, c02, 32); v128.store(c, c03, 48);
  v128.store(c, c10, 64); v128.store(c, c11, 80); v128.store(c, c12, 96); v128.store(c, c13, 112);
  v128.store(c, c20, 128); v128.store(c, c21, 144); v128.store(c, c22, 160); v128.store(c, c23, 176);
  v128.store(c, c30, 192); v128.store(c, c31, 208); v128.store(c, c32, 224); v128.store(c, c33, 240);
  v128.store(c, c40, 256); v128.store(c, c41, 272); v128.store(c, c42, 288); v128.store(c, c43, 304);
  v128.store(c, c50, 320); v128.store(c, c51, 336); v128.store(c, c52, 352); v128.store(c, c53, 368);
}

/** The same of a tile of [HALF_ROWS][HALF_LANES]: with few rows in A, or for its last ones, half of the lanes would be zeros. */
export function tileHalf(lanes: usize, end: usize, rows: usize, step: usize, c: usize): void {
  let c00 = v128.load(c), c01 = v128.load(c, 16);
  let c10 = v128.load(c, 32), c11 = v128.load(c, 48);
  let c20 = v128.load(c, 64), c21 = v128.load(c, 80);
  let c30 = v128.load(c, 96), c31 = v128.load(c, 112);
  let c40 = v128.load(c, 128), c41 = v128.load(c, 144);
  let c50 = v128.load(c, 160), c51 = v128.load(c, 176);
  let c60 = v128.load(c, 192), c61 = v128.load(c, 208);
  let c70 = v128.load(c, 224), c71 = v128.load(c, 240);
  let c80 = v128.load(c, 256), c81 = v128.load(c, 272);
  let c90 = v128.load(c, 288), c91 = v128.load(c, 304);
  let ca0 = v128.load(c, 320), ca1 = v128.load(c, 336);
  let cb0 = v128.load(c, 352), cb1 = v128.load(c, 368);
  while (lanes < end) {
    const panelEnd = lanes + 512;
    while (lanes < panelEnd) {
      const a0 = v128.load(lanes), a1 = v128.load(lanes, 16);
      lanes += 32;
      let x = v128.load32_splat(rows);
      c00 = f32x4.relaxed_madd(x, a0, c00); c01 = f32x4.relaxed_madd(x, a1, c01);
      x = v128.load32_splat(rows, 64);
      c10 = f32x4.relaxed_madd(x, a0, c10); c11 = f32x4.relaxed_madd(x, a1, c11);
      x = v128.load32_splat(rows, 128);
      c20 = f32x4.relaxed_madd(x, a0, c20); c21 = f32x4.relaxed_madd(x, a1, c21);
      x = v128.load32_splat(rows, 192);
      c30 = f32x4.relaxed_madd(x, a0, c30); c31 = f32x4.relaxed_madd(x, a1, c31);
      x = v128.load32_splat(rows, 256);
      c40 = f32x4.relaxed_madd(x, a0, c40); c41 = f32x4.relaxed_madd(x, a1, c41);
      x = v128.load32_splat(rows, 320);
      c50 = f32x4.relaxed_madd(x, a0, c50); c51 = f32x4.relaxed_madd(x, a1, c51);
      x = v128.load32_splat(rows, 384);
      c60 = f32x4.relaxed_madd(x, a0, c60); c61 = f32x4.relaxed_madd(x, a1, c61);
      x = v128.load32_splat(rows, 448);
      c70 = f32x4.relaxed_madd(x, a0, c70); c71 = f32x4.relaxed_madd(x, a1, c71);
      x = v128.load32_splat(rows, 512);
      c80 = f32x4.relaxed_madd(x, a0, c80); c81 = f32x4.relaxed_madd(x, a1, c81);
      x = v128.load32_splat(rows, 576);
      c90 = f32x4.relaxed_madd(x, a0, c90); c91 = f32x4.relaxed_madd(x, a1, c91);
      x = v128.load32_splat(rows, 640);
      ca0 = f32x4.relaxed_madd(x, a0, ca0); ca1 = f32x4.relaxed_madd(x, a1, ca1);
      x = v128.load32_splat(rows, 704);
      cb0 = f32x4.relaxed_madd(x, a0, cb0); cb1 = f32x4.relaxed_madd(x, a1, cb1);
      rows += 4;
    }
    rows += step - 64;
  }
  v128.store(c, c00); v128.store(c, c01, 16);
  v128.store(c, c10, 32); v128.store(c, c11, 48);
  v128.store(c, c20, 64); v128.store(c, c21, 80);
  v128.store(c, c30, 96); v128.store(c, c31, 112);
  v128.store(c, c40, 128); v128.store(c, c41, 144);
  v128.store(c, c50, 160); v128.store(c, c51, 176);
  v128.store(c, c60, 192); v128.store(c, c61, 208);
  v128.store(c, c70, 224); v128.store(c, c71, 240);
  v128.store(c, c80, 256); v128.store(c, c81, 272);
  v128.store(c, c90, 288); v128.store(c, c91, 304);
  v128.store(c, ca0, 320); v128.store(c, ca1, 336);
  v128.store(c, cb0, 352); v128.store(c, cb1, 368);
}
