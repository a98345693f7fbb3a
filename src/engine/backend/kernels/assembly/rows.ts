/**
 * The row-wise pieces of a block in the wasm backend's own memory, each in one pass over rows that stay in the nearest
 * cache: LayerNorm with what its backward pass needs, softmax's backward pass, and copies of rows. All float32; rows follow one
 * another without gaps; arguments are addresses in bytes, counts in values. Output never overlaps input.
 *
 * Sums have a fixed order (sixteen of them side by side, joined at the end), so that results are the same at every run.
 */

import { bytes, LANES, loadRest, multiplyAdd, storeRest, sumOfLanes } from './lanes';

/** Σ x */
export function sum(x: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  let left = width;
  for (; left >= 4 * LANES; left -= 4 * LANES) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    s2 = f32x4.add(s2, v128.load(x, 32));
    s3 = f32x4.add(s3, v128.load(x, 48));
    x += 64;
  }
  for (; left >= LANES; left -= LANES) {
    s0 = f32x4.add(s0, v128.load(x));
    x += 16;
  }
  if (left) s1 = f32x4.add(s1, loadRest(x, left, 0));
  return sumOfLanes(s0, s1, s2, s3);
}

/** Σ x ∘ y */
function dot(x: usize, y: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  let left = width;
  for (; left >= 4 * LANES; left -= 4 * LANES) {
    s0 = multiplyAdd(v128.load(x), v128.load(y), s0);
    s1 = multiplyAdd(v128.load(x, 16), v128.load(y, 16), s1);
    s2 = multiplyAdd(v128.load(x, 32), v128.load(y, 32), s2);
    s3 = multiplyAdd(v128.load(x, 48), v128.load(y, 48), s3);
    x += 64;
    y += 64;
  }
  for (; left >= LANES; left -= LANES) {
    s0 = multiplyAdd(v128.load(x), v128.load(y), s0);
    x += 16;
    y += 16;
  }
  if (left) s1 = multiplyAdd(loadRest(x, left, 0), loadRest(y, left, 0), s1);
  return sumOfLanes(s0, s1, s2, s3);
}

/** to = x·scale + shift; `to` may be x. */
export function scaleAndShift(x: usize, width: i32, scale: f32, shift: f32, to: usize): void {
  const by = f32x4.splat(scale), plus = f32x4.splat(shift);
  let left = width;
  for (; left >= LANES; left -= LANES) {
    v128.store(to, f32x4.add(f32x4.mul(v128.load(x), by), plus));
    x += 16;
    to += 16;
  }
  if (left) storeRest(to, f32x4.add(f32x4.mul(loadRest(x, left, 0), by), plus), left);
}

/** unit = (x − mean)·inverse for each row, inverse = 1/√(mean((x − mean)²) + ε); `held`: address of inverses to be taken instead, else 0. */
export function normalise(x: usize, rows: i32, width: i32, epsilon: f64, held: usize, unit: usize, inverse: usize): void {
  const row = bytes(width);
  for (let r = 0; r < rows; r++) {
    const mean = <f32>(<f64>sum(x, width) / <f64>width);
    scaleAndShift(x, width, 1, -mean, unit);
    let scale: f32;
    if (held) {
      scale = load<f32>(held + bytes(r));
    } else {
      scale = <f32>(1 / sqrt(<f64>dot(unit, unit, width) / <f64>width + epsilon));
      store<f32>(inverse + bytes(r), scale);
    }
    scaleAndShift(unit, width, scale, 0, unit);
    x += row;
    unit += row;
  }
}

/** to = unit ∘ gain + bias */
export function affine(unit: usize, rows: i32, width: i32, gain: usize, bias: usize, to: usize): void {
  for (let r = 0; r < rows; r++) {
    let at: usize = 0;
    let left = width;
    for (; left >= LANES; left -= LANES) {
      v128.store(to + at, f32x4.add(f32x4.mul(v128.load(unit + at), v128.load(gain + at)), v128.load(bias + at)));
      at += 16;
    }
    if (left) storeRest(to + at, f32x4.add(f32x4.mul(loadRest(unit + at, left, 0), loadRest(gain + at, left, 0)), loadRest(bias + at, left, 0)), left);
    unit += bytes(width);
    to += bytes(width);
  }
}

/**
 * Backward of LayerNorm, with g = dy ∘ gain: to = (g − mean g − unit·mean(g ∘ unit))·inverse, without the last term if `frozen`.
 * The `rows` of dy are those of `units` rows of unit and inverse, once or several times.
 */
export function normBackward(dy: usize, rows: i32, width: i32, unit: usize, inverse: usize, units: i32, gain: usize, frozen: bool, to: usize): void {
  const row = bytes(width);
  for (let r = 0; r < rows; r++) {
    const own = unit + <usize>(r % units) * row;
    let at: usize = 0;
    let left = width;
    for (; left >= LANES; left -= LANES) {
      v128.store(to + at, f32x4.mul(v128.load(dy + at), v128.load(gain + at)));
      at += 16;
    }
    if (left) storeRest(to + at, f32x4.mul(loadRest(dy + at, left, 0), loadRest(gain + at, left, 0)), left);

    const mean = f32x4.splat(<f32>(<f64>sum(to, width) / <f64>width));
    const projected = f32x4.splat(frozen ? 0 : <f32>(<f64>dot(to, own, width) / <f64>width));
    const scale = f32x4.splat(load<f32>(inverse + bytes(r % units)));
    at = 0;
    left = width;
    for (; left >= LANES; left -= LANES) {
      const centred = f32x4.sub(v128.load(to + at), mean);
      v128.store(to + at, f32x4.mul(f32x4.sub(centred, f32x4.mul(v128.load(own + at), projected)), scale));
      at += 16;
    }
    if (left) {
      const centred = f32x4.sub(loadRest(to + at, left, 0), mean);
      storeRest(to + at, f32x4.mul(f32x4.sub(centred, f32x4.mul(loadRest(own + at, left, 0), projected)), scale), left);
    }
    dy += row;
    to += row;
  }
}

/** to = p ∘ (dp − Σ dp ∘ p) of each row */
export function softmaxBackward(p: usize, dp: usize, rows: i32, width: i32, to: usize): void {
  for (let r = 0; r < rows; r++) {
    const mean = f32x4.splat(dot(dp, p, width));
    let left = width;
    for (; left >= LANES; left -= LANES) {
      v128.store(to, f32x4.mul(v128.load(p), f32x4.sub(v128.load(dp), mean)));
      p += 16;
      dp += 16;
      to += 16;
    }
    if (left) {
      storeRest(to, f32x4.mul(loadRest(p, left, 0), f32x4.sub(loadRest(dp, left, 0), mean)), left);
      p += bytes(left);
      dp += bytes(left);
      to += bytes(left);
    }
  }
}

/** to = Σ (other − own) ∘ gradient of each row: one value a row. */
export function differenceSums(gradient: usize, other: usize, own: usize, rows: i32, width: i32, to: usize): void {
  for (let r = 0; r < rows; r++) {
    let s0 = f32x4.splat(0), s1 = s0;
    let left = width;
    for (; left >= 2 * LANES; left -= 2 * LANES) {
      s0 = multiplyAdd(f32x4.sub(v128.load(other), v128.load(own)), v128.load(gradient), s0);
      s1 = multiplyAdd(f32x4.sub(v128.load(other, 16), v128.load(own, 16)), v128.load(gradient, 16), s1);
      gradient += 32;
      other += 32;
      own += 32;
    }
    let rest: f32 = 0;
    for (; left > 0; left--) {
      rest += (load<f32>(other) - load<f32>(own)) * load<f32>(gradient);
      gradient += 4;
      other += 4;
      own += 4;
    }
    store<f32>(to + bytes(r), sumOfLanes(s0, s1, f32x4.splat(0), f32x4.splat(0)) + rest);
  }
}

// @ts-ignore: decorator
@inline
function copyRow(from: usize, width: i32, to: usize): void {
  let left = width;
  for (; left >= LANES; left -= LANES) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 16;
  }
  if (left) storeRest(to, loadRest(from, left, 0), left);
}

/** [outer, a, b, width] → [outer, b, a, width] */
export function swapMiddle(from: usize, outer: i32, a: i32, b: i32, width: i32, to: usize): void {
  const row = bytes(width);
  for (let item = 0; item < outer; item++) {
    for (let j = 0; j < b; j++) {
      let source = from + <usize>j * row;
      for (let i = 0; i < a; i++) {
        copyRow(source, width, to);
        source += <usize>b * row;
        to += row;
      }
    }
    from += <usize>a * <usize>b * row;
  }
}

/** The rows of `from` with these numbers (int32). */
export function copyRows(from: usize, numbers: usize, count: i32, width: i32, to: usize): void {
  for (let i = 0; i < count; i++) {
    copyRow(from + <usize>load<i32>(numbers + bytes(i)) * bytes(width), width, to);
    to += bytes(width);
  }
}

/** Values `first` to `first + count` of each row. */
export function cutRows(from: usize, rows: i32, width: i32, first: i32, count: i32, to: usize): void {
  from += bytes(first);
  for (let r = 0; r < rows; r++) {
    copyRow(from, count, to);
    from += bytes(width);
    to += bytes(count);
  }
}
