/** What works on four values side by side. */

export const LANES: i32 = 4;

// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** The `left` (1 to 3) values that are left of a row; the other lanes are `fill`. */
// @ts-ignore: decorator
@inline
export function loadRest(at: usize, left: i32, fill: f32): v128 {
  let values = v128.load_lane<f32>(at, f32x4.splat(fill), 0);
  if (left > 1) values = v128.load_lane<f32>(at, values, 1, 4);
  if (left > 2) values = v128.load_lane<f32>(at, values, 2, 8);
  return values;
}

// @ts-ignore: decorator
@inline
export function storeRest(at: usize, values: v128, left: i32): void {
  v128.store_lane<f32>(at, values, 0);
  if (left > 1) v128.store_lane<f32>(at, values, 1, 4);
  if (left > 2) v128.store_lane<f32>(at, values, 2, 8);
}

// @ts-ignore: decorator
@inline
export function bytes(count: i32): usize {
  return <usize>count << 2;
}

// @ts-ignore: decorator
@inline
export function sumOfLanes(a: v128, b: v128, c: v128, d: v128): f32 {
  const sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 2) + (f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 3));
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
export function exp4(x: v128): v128 {
  // 0 there, as computed of 0: the smallest numbers take processors a hundred times as long, and masked scores are many.
  const isZero = f32x4.lt(x, f32x4.splat(LOWEST));
  // Unlike min, one instruction; NaN, which is neither lower nor higher, stays.
  x = f32x4.pmin(v128.andnot(x, isZero), f32x4.splat(HIGHEST));
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
  return v128.andnot(f32x4.mul(f32x4.mul(series, powerOf2(half)), powerOf2(i32x4.sub(power, half))), isZero);
}

// @ts-ignore: decorator
@inline
function powerOf2(exponent: v128): v128 {
  return i32x4.shl(i32x4.add(exponent, i32x4.splat(127)), 23);
}
