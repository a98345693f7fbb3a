/** GELU and its gradient, which several threads may share. All float32; `to` never overlaps what is read. */

import { GELU, GELU_BACKWARD, nextPiece, OWN_FIELDS, pieceIsDone } from './jobs';
import { exp4, LANES, loadRest, multiplyAdd, storeRest } from './lanes';
import { runJob } from './work';

/** Values that are one thread's piece of work, some 40 µs. */
const PIECE: i32 = 8192;

/** Fields of a job. */
const X: usize = OWN_FIELDS;
const DY: usize = OWN_FIELDS + 4;
const TO: usize = OWN_FIELDS + 8;
const COUNT: usize = OWN_FIELDS + 12;

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

function forward(x: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, gelu4(v128.load(x)));
    x += 16;
    to += 16;
  }
  if (count) storeRest(to, gelu4(loadRest(x, count, 0)), count);
}

function backward(dy: usize, x: usize, count: i32, to: usize): void {
  for (; count >= LANES; count -= LANES) {
    v128.store(to, f32x4.mul(v128.load(dy), geluSlope4(v128.load(x))));
    dy += 16;
    x += 16;
    to += 16;
  }
  if (count) storeRest(to, f32x4.mul(loadRest(dy, count, 0), geluSlope4(loadRest(x, count, 0))), count);
}

export function workOnGelu(job: usize): void {
  const x = <usize>load<i32>(job, X), to = <usize>load<i32>(job, TO), count = load<i32>(job, COUNT);
  for (let piece = nextPiece(job); piece >= 0; piece = nextPiece(job)) {
    const first = piece * PIECE, at = <usize>first << 2;
    forward(x + at, min(PIECE, count - first), to + at);
    pieceIsDone(job);
  }
}

export function workOnGeluBackward(job: usize): void {
  const dy = <usize>load<i32>(job, DY), x = <usize>load<i32>(job, X), to = <usize>load<i32>(job, TO), count = load<i32>(job, COUNT);
  for (let piece = nextPiece(job); piece >= 0; piece = nextPiece(job)) {
    const first = piece * PIECE, at = <usize>first << 2;
    backward(dy + at, x + at, min(PIECE, count - first), to + at);
    pieceIsDone(job);
  }
}

/** to = GELU(x), the tanh form */
export function gelu(job: usize, shared: bool, x: usize, count: i32, to: usize): void {
  store<i32>(job, <i32>x, X); store<i32>(job, count, COUNT); store<i32>(job, <i32>to, TO);
  runJob(job, 0, GELU, piecesOf(count), shared);
}

/** to = dy ∘ GELU'(x) */
export function geluBackward(job: usize, shared: bool, dy: usize, x: usize, count: i32, to: usize): void {
  store<i32>(job, <i32>dy, DY); store<i32>(job, <i32>x, X); store<i32>(job, count, COUNT); store<i32>(job, <i32>to, TO);
  runJob(job, 0, GELU_BACKWARD, piecesOf(count), shared);
}

function piecesOf(count: i32): i32 {
  return (count + PIECE - 1) / PIECE;
}
