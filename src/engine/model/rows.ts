import * as tf from '@tensorflow/tfjs-core';
import { filled, isInPlace, valuesInPlace } from './heapValues';

/**
 * Taking rows (slices along the first axis) out of a tensor by way of JavaScript. On wasm that is one fast copy, while `slice`
 * copies its whole input at every call and `gather` takes some 100 ns per element.
 */

/** Rows `order` of x, in that order; a row may stand several times. */
export function takeRows<T extends tf.Tensor>(x: T, order: readonly number[]): T {
  const [count, ...rest] = x.shape as [number, ...number[]];
  const width = x.size / count;
  return filled<T>([order.length, ...rest], (taken) => {
    const values = valuesInPlace(x);
    order.forEach((row, i) => taken.set(values.subarray(row * width, (row + 1) * width), i * width));
  });
}

/** `count` rows of x, [n, width], from row `from` on. */
export function rowsFrom(x: tf.Tensor2D, from: number, count: number): tf.Tensor2D {
  const [all, width] = x.shape;
  return count === all ? x : filled([count, width], (taken) => taken.set(valuesInPlace(x).subarray(from * width, (from + count) * width)));
}

/** `takeRows` of a large table, which is copied whole on no backend. */
export function lookUp(table: tf.Tensor2D, order: readonly number[]): tf.Tensor2D {
  return isInPlace() ? takeRows(table, order) : tf.gather(table, tf.tensor1d([...order], 'int32'));
}

/** x cut into matrices of `rows` rows (the last may have fewer); x is [n, width]. Each is made when asked for. */
export function matrices(x: tf.Tensor2D, rows: number): { count: number; at: (index: number) => tf.Tensor2D } {
  const [all, width] = x.shape;
  const values = x.dataSync<'float32'>();
  return {
    count: Math.ceil(all / rows),
    at: (index) => {
      const own = Math.min(rows, all - index * rows);
      return tf.tensor2d(values.subarray(index * rows * width, (index * rows + own) * width), [own, width]);
    },
  };
}
