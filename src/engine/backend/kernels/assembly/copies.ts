/** Copies between the orders in which matrices stand. */

/** Four rows of four, transposed: column i of `from` goes to `to + i * step`. */
// @ts-ignore: decorator
@inline
export function transpose4(from: usize, row: usize, to: usize, step: usize): void {
  const x0 = v128.load(from), x1 = v128.load(from + row), x2 = v128.load(from + 2 * row), x3 = v128.load(from + 3 * row);
  const low01 = i32x4.shuffle(x0, x1, 0, 4, 1, 5), low23 = i32x4.shuffle(x2, x3, 0, 4, 1, 5);
  const high01 = i32x4.shuffle(x0, x1, 2, 6, 3, 7), high23 = i32x4.shuffle(x2, x3, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(low01, low23, 0, 2));
  v128.store(to + step, i64x2.shuffle(low01, low23, 1, 3));
  v128.store(to + 2 * step, i64x2.shuffle(high01, high23, 0, 2));
  v128.store(to + 3 * step, i64x2.shuffle(high01, high23, 1, 3));
}

/** Two rows of four, transposed, likewise. */
// @ts-ignore: decorator
@inline
function transpose2(from: usize, row: usize, to: usize, step: usize): void {
  const x0 = v128.load(from), x1 = v128.load(from + row);
  const low = i32x4.shuffle(x0, x1, 0, 4, 1, 5), high = i32x4.shuffle(x0, x1, 2, 6, 3, 7);
  v128.store64_lane(to, low, 0);
  v128.store64_lane(to + step, low, 1);
  v128.store64_lane(to + 2 * step, high, 0);
  v128.store64_lane(to + 3 * step, high, 1);
}

/** `width` rows (an even number), each contiguous over `depth`, to [depth][width]; rows from `rows` on become zeros. */
export function copyAcross(from: usize, row: usize, depth: i32, rows: i32, to: usize, width: i32): void {
  const step = <usize>width << 2;
  for (let first = 0; first < width; ) {
    const count = first + 4 <= width ? 4 : 2;
    const own = from + <usize>first * row;
    const target = to + (<usize>first << 2);
    let i = 0;
    if (first + count <= rows) {
      if (count === 4) for (; i + 4 <= depth; i += 4) transpose4(own + (<usize>i << 2), row, target + <usize>i * step, step);
      else for (; i + 4 <= depth; i += 4) transpose2(own + (<usize>i << 2), row, target + <usize>i * step, step);
    }
    for (; i < depth; i++) {
      for (let r = 0; r < count; r++) {
        store<f32>(target + <usize>i * step + (<usize>r << 2), first + r < rows ? load<f32>(own + <usize>r * row + (<usize>i << 2)) : 0);
      }
    }
    first += count;
  }
}

/** `width` columns (an even number) of `depth` rows to [depth][width]; columns from `columns` on become zeros. */
export function copyAlong(from: usize, row: usize, depth: i32, columns: i32, to: usize, width: i32): void {
  const step = <usize>width << 2;
  for (let i = 0; i < depth; i++) {
    if (columns >= width) {
      let at: usize = 0;
      for (; at + 16 <= step; at += 16) v128.store(to + at, v128.load(from + at));
      if (at < step) store<i64>(to + at, load<i64>(from + at));
    } else {
      for (let j = 0; j < width; j++) store<f32>(to + (<usize>j << 2), j < columns ? load<f32>(from + (<usize>j << 2)) : 0);
    }
    from += row;
    to += step;
  }
}
