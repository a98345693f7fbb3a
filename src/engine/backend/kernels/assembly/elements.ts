/**
 * What is done element by element in the wasm backend's own memory. All float32; arguments are addresses in bytes, counts in
 * values. Output never overlaps input.
 */

import { LANES, loadRest, storeRest } from './lanes';

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
