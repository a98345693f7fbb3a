import * as tf from '@tensorflow/tfjs-core';
import { filled, isInPlace, valuesInPlace } from './heapValues';

/** Taking rows (slices along the first axis) out of a tensor. What is asked for must be there: otherwise they throw. */

/** Rows `order` of x, in that order; a row may stand several times. */
export function takeRows<T extends tf.Tensor>(x: T, order: readonly number[]): T {
  const [count, ...rest] = x.shape as [number, ...number[]];
  const width = x.size / count;
  for (const row of order) tf.util.assert(row >= 0 && row < count, () => `row ${row} was asked for of ${count}`);
  return filled<T>([order.length, ...rest], (taken) => {
    const values = valuesInPlace(x);
    order.forEach((row, i) => taken.set(values.subarray(row * width, (row + 1) * width), i * width));
  });
}

/** `count` rows of x, [n, width], from row `from` on. */
export function rowsFrom(x: tf.Tensor2D, from: number, count: number): tf.Tensor2D {
  const [all, width] = x.shape;
  tf.util.assert(from >= 0 && count >= 0 && from + count <= all, () => `rows ${from} to ${from + count} were asked for of ${all}`);
  if (count === all) return x;
  // On wasm, tfjs's slice copies all of its input first; elsewhere it is reading the values that does.
  if (!isInPlace()) return tf.slice(x, [from, 0], [count, width]);
  return filled([count, width], (taken) => taken.set(valuesInPlace(x).subarray(from * width, (from + count) * width)));
}

/** `takeRows` of a large table, quick on every backend: tfjs's own gather takes up to 80 ns a number on cpu and wasm, and takeRows would copy the whole table elsewhere. */
export function lookUp(table: tf.Tensor2D, order: readonly number[]): tf.Tensor2D {
  return isInPlace() ? takeRows(table, order) : tf.gather(table, tf.tensor1d([...order], 'int32'));
}

/** x cut into matrices of `rows` rows (the last may have fewer); x is [n, width] and must last as long as they are asked for. */
export function matrices(x: tf.Tensor2D, rows: number): { count: number; at: (index: number) => tf.Tensor2D } {
  const [all] = x.shape;
  return { count: Math.ceil(all / rows), at: (index) => rowsFrom(x, index * rows, Math.min(rows, all - index * rows)) };
}
