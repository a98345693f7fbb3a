import * as tf from '@tensorflow/tfjs-core';

/**
 * Taking rows (slices along the first axis) out of a tensor by way of JavaScript. On wasm that is one fast copy each way,
 * while `slice` copies its whole input at every call and `gather` takes some 100 ns per element.
 * Not for the token embedding, of which the whole would be copied: there `gather` is right.
 */

/** Rows `order` of x, in that order; a row may stand several times. */
export function takeRows<T extends tf.Tensor>(x: T, order: readonly number[]): T {
  const [count, ...rest] = x.shape as [number, ...number[]];
  const width = x.size / count;
  const values = x.dataSync<'float32'>();
  const taken = new Float32Array(order.length * width);
  order.forEach((row, i) => taken.set(values.subarray(row * width, (row + 1) * width), i * width));
  return tf.tensor(taken, [order.length, ...rest]) as T;
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
