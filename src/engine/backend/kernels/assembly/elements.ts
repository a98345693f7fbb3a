/**
 * What is done element by element in the wasm backend's own memory. All float32; arguments are addresses in bytes, counts in
 * values. Output never overlaps input.
 */

import { exp4, LANES, loadRest, multiplyAdd, storeRest } from './lanes';

// The tanh form of GELU is x·σ(A·x + B·x³).
const A: f32 = 1.5957691216057308;
const B: f32 = 0.07135481627260025;

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

/** to = a + b */
export function add(a: usize, b: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    to += 16;
  }
  if (count) storeRest(to, f32x4.add(loadRest(a, count, 0), loadRest(b, count, 0)), count);
}

/** to = a − b */
export function subtract(a: usize, b: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, f32x4.sub(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    to += 16;
  }
  if (count) storeRest(to, f32x4.sub(loadRest(a, count, 0), loadRest(b, count, 0)), count);
}

/** to = a ∘ b */
export function multiplyEach(a: usize, b: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, f32x4.mul(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    to += 16;
  }
  if (count) storeRest(to, f32x4.mul(loadRest(a, count, 0), loadRest(b, count, 0)), count);
}

/** to = x times the value at `factor` */
export function scale(x: usize, factor: usize, count: i32, to: usize): void {
  const by = v128.load32_splat(factor);
  for (; count >= LANES; count -= LANES) {
    v128.store(to, f32x4.mul(v128.load(x), by));
    x += 16;
    to += 16;
  }
  if (count) storeRest(to, f32x4.mul(loadRest(x, count, 0), by), count);
}
