/** Softmax, which several threads may share. All float32; rows follow one another without gaps; `to` never overlaps what is read. */

import { nextPiece, OWN_FIELDS, pieceIsDone, SOFTMAX } from './jobs';
import { bytes, exp4, LANES, loadRest, storeRest } from './lanes';
import { scaleAndShift, sum } from './rows';
import { runJob } from './work';

/** Values that are one thread's piece of work, some 40 µs; rows are not cut. */
const PIECE: i32 = 8192;

/** Fields of a job. */
const X: usize = OWN_FIELDS;
const ROWS: usize = OWN_FIELDS + 4;
const WIDTH: usize = OWN_FIELDS + 8;
const MASK: usize = OWN_FIELDS + 12;
const MASKS: usize = OWN_FIELDS + 16;
const TO: usize = OWN_FIELDS + 20;

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

function softmaxRows(x: usize, first: i32, rows: i32, width: i32, mask: usize, masks: i32, to: usize): void {
  const row = bytes(width);
  x += <usize>first * row;
  to += <usize>first * row;
  for (let r = first; r < first + rows; r++) {
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

function rowsAtOnce(width: i32): i32 {
  return max(1, PIECE / width);
}

export function workOnSoftmax(job: usize): void {
  const x = <usize>load<i32>(job, X), mask = <usize>load<i32>(job, MASK), to = <usize>load<i32>(job, TO);
  const rows = load<i32>(job, ROWS), width = load<i32>(job, WIDTH), masks = load<i32>(job, MASKS);
  const step = rowsAtOnce(width);
  for (let piece = nextPiece(job); piece >= 0; piece = nextPiece(job)) {
    const first = piece * step;
    softmaxRows(x, first, min(step, rows - first), width, mask, masks, to);
    pieceIsDone(job);
  }
}

/** to = softmax(x + mask) of each row. `mask`: 0, or the address of `masks` rows, which `rows` have once or several times. */
export function softmax(job: usize, shared: bool, x: usize, rows: i32, width: i32, mask: usize, masks: i32, to: usize): void {
  store<i32>(job, <i32>x, X); store<i32>(job, rows, ROWS); store<i32>(job, width, WIDTH);
  store<i32>(job, <i32>mask, MASK); store<i32>(job, masks, MASKS); store<i32>(job, <i32>to, TO);
  const step = rowsAtOnce(width);
  runJob(job, 0, SOFTMAX, (rows + step - 1) / step, shared);
}
