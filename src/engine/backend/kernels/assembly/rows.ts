/**
 * The row-wise pieces of a block in the wasm backend's own memory, each in one pass over rows that stay in the nearest
 * cache: LayerNorm, softmax and GELU with what their backward passes need, and copies of rows. All float32; rows follow one
 * another without gaps; arguments are addresses in bytes, counts in values. Output never overlaps input.
 *
 * Sums have a fixed order (sixteen of them side by side, joined at the end), so that results are the same at every run.
 */

const LANES: i32 = 4;

// @ts-ignore: decorator
@inline
function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** The `left` (1 to 3) values that are left of a row; the other lanes are `fill`. */
// @ts-ignore: decorator
@inline
function loadRest(at: usize, left: i32, fill: f32): v128 {
  let values = v128.load_lane<f32>(at, f32x4.splat(fill), 0);
  if (left > 1) values = v128.load_lane<f32>(at, values, 1, 4);
  if (left > 2) values = v128.load_lane<f32>(at, values, 2, 8);
  return values;
}

// @ts-ignore: decorator
@inline
function storeRest(at: usize, values: v128, left: i32): void {
  v128.store_lane<f32>(at, values, 0);
  if (left > 1) v128.store_lane<f32>(at, values, 1, 4);
  if (left > 2) v128.store_lane<f32>(at, values, 2, 8);
}

// @ts-ignore: decorator
@inline
function bytes(count: i32): usize {
  return <usize>count << 2;
}

// @ts-ignore: decorator
@inline
function sumOfLanes(a: v128, b: v128, c: v128, d: v128): f32 {
  const sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 2) + (f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 3));
}

/** Σ x */
function sum(x: usize, width: i32): f32 {
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
function scaleAndShift(x: usize, width: i32, scale: f32, shift: f32, to: usize): void {
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

// Beyond these, e^x is 0 and infinity in float32.
const LOWEST: f32 = -104;
const HIGHEST: f32 = 89;
const LOG2_E: f32 = 1.4426950408889634;
// ln 2 in two parts: multiples of the first up to 150 are exact.
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.1219444005469058e-4;
// Added to a small number, leaves its nearest whole number in the lowest bits: 1.5·2^23.
const ROUNDER: f32 = 12582912;
const ROUNDER_BITS: i32 = 0x4b400000;

/**
 * e^x to 1 unit in the last place, subnormal results too; NaN stays NaN. With n the whole number nearest to x/ln 2 and r = x − n·ln 2,
 * |r| ≤ ln 2/2, it is 2^n·e^r, and e^r its Taylor series up to r⁷ (what follows is below 2^-27).
 */
// @ts-ignore: decorator
@inline
function exp4(x: v128): v128 {
  // Unlike min and max, one instruction each; NaN, which is neither lower nor higher, stays.
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(LOWEST)), f32x4.splat(HIGHEST));
  const rounded = multiplyAdd(x, f32x4.splat(LOG2_E), f32x4.splat(ROUNDER));
  const n = f32x4.sub(rounded, f32x4.splat(ROUNDER));
  let r = multiplyAdd(n, f32x4.splat(-LN2_HIGH), x);
  r = multiplyAdd(n, f32x4.splat(-LN2_LOW), r);
  let series = multiplyAdd(r, f32x4.splat(1.0 / 5040.0), f32x4.splat(1.0 / 720.0));
  series = multiplyAdd(series, r, f32x4.splat(1.0 / 120.0));
  series = multiplyAdd(series, r, f32x4.splat(1.0 / 24.0));
  series = multiplyAdd(series, r, f32x4.splat(1.0 / 6.0));
  series = multiplyAdd(series, r, f32x4.splat(0.5));
  series = f32x4.add(multiplyAdd(series, f32x4.mul(r, r), r), f32x4.splat(1));
  // 2^n in two factors, of which each is a normal number where 2^n is not.
  const power = i32x4.sub(rounded, i32x4.splat(ROUNDER_BITS));
  const half = i32x4.shr_s(power, 1);
  return f32x4.mul(f32x4.mul(series, powerOf2(half)), powerOf2(i32x4.sub(power, half)));
}

// @ts-ignore: decorator
@inline
function powerOf2(exponent: v128): v128 {
  return i32x4.shl(i32x4.add(exponent, i32x4.splat(127)), 23);
}

/** to = e^x */
export function exp(x: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, exp4(v128.load(x)));
    x += 16;
    to += 16;
  }
  if (count) storeRest(to, exp4(loadRest(x, count, 0)), count);
}

// The tanh form of GELU is x·σ(A·x + B·x³).
const A: f32 = 1.5957691216057308;
const B: f32 = 0.07135481282553705;

/** A·x + B·x³, given x² */
// @ts-ignore: decorator
@inline
function geluInner(x: v128, square: v128): v128 {
  return f32x4.mul(x, multiplyAdd(square, f32x4.splat(B), f32x4.splat(A)));
}

// @ts-ignore: decorator
@inline
function gelu4(x: v128): v128 {
  const power = exp4(f32x4.neg(geluInner(x, f32x4.mul(x, x))));
  return f32x4.div(x, f32x4.add(f32x4.splat(1), power));
}

/** σ + x·σ(1 − σ)(A + 3B·x²), with neither σ nor 1 − σ as a difference: they are 1/(1 + p) and p/(1 + p) with p = e^−|Ax + Bx³|, or the other way round. */
// @ts-ignore: decorator
@inline
function geluSlope4(x: v128): v128 {
  const square = f32x4.mul(x, x);
  const inner = geluInner(x, square);
  const power = exp4(f32x4.neg(f32x4.abs(inner)));
  const larger = f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), power));
  const smaller = f32x4.mul(power, larger);
  const sigma = v128.bitselect(smaller, larger, f32x4.lt(inner, f32x4.splat(0)));
  const slopeOfInner = multiplyAdd(square, f32x4.splat(3 * B), f32x4.splat(A));
  return multiplyAdd(f32x4.mul(f32x4.mul(larger, smaller), x), slopeOfInner, sigma);
}

/** to = GELU(x), the tanh form */
export function gelu(x: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, gelu4(v128.load(x)));
    x += 16;
    to += 16;
  }
  if (count) storeRest(to, gelu4(loadRest(x, count, 0)), count);
}

/** to = dy ∘ GELU'(x) */
export function geluBackward(dy: usize, x: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, f32x4.mul(v128.load(dy), geluSlope4(v128.load(x))));
    dy += 16;
    x += 16;
    to += 16;
  }
  if (count) storeRest(to, f32x4.mul(loadRest(dy, count, 0), geluSlope4(loadRest(x, count, 0))), count);
}

/** to = x + mask if there is one; returns the largest. */
function withMask(x: usize, mask: usize, width: i32, to: usize): f32 {
  let largest = f32x4.splat(-Infinity);
  let left = width;
  for (; left >= LANES; left -= LANES) {
    let values = v128.load(x);
    if (mask) {
      values = f32x4.add(values, v128.load(mask));
      mask += 16;
    }
    largest = f32x4.pmax(largest, values);
    v128.store(to, values);
    x += 16;
    to += 16;
  }
  if (left) {
    let values = loadRest(x, left, -Infinity);
    if (mask) values = f32x4.add(values, loadRest(mask, left, 0));
    largest = f32x4.pmax(largest, values);
    storeRest(to, values, left);
  }
  return max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/** to = softmax(x + mask) of each row. `mask`: 0, or the address of `masks` rows, which `rows` have once or several times. */
export function softmax(x: usize, rows: i32, width: i32, mask: usize, masks: i32, to: usize): void {
  const row = bytes(width);
  for (let r = 0; r < rows; r++) {
    const largest = f32x4.splat(withMask(x, mask ? mask + <usize>(r % masks) * row : 0, width, to));
    let at = to;
    let left = width;
    for (; left >= LANES; left -= LANES) {
      v128.store(at, exp4(f32x4.sub(v128.load(at), largest)));
      at += 16;
    }
    if (left) storeRest(at, exp4(f32x4.sub(loadRest(at, left, 0), largest)), left);
    scaleAndShift(to, width, 1 / sum(to, width), 0, to);
    x += row;
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
export function gatherRows(from: usize, numbers: usize, count: i32, width: i32, to: usize): void {
  for (let i = 0; i < count; i++) {
    copyRow(from + <usize>load<i32>(numbers + bytes(i)) * bytes(width), width, to);
    to += bytes(width);
  }
}
