import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { heapRoom } from './heapRoom';

/**
 * Values of float32 tensors without a copy in plain memory: `dataSync` copies out of the wasm heap and `tf.tensor` into it,
 * each time with fresh memory in between.
 */

/** Whether `valuesInPlace` is free of copies. */
export function isInPlace(): boolean {
  return tf.getBackend() === 'wasm' || tf.getBackend() === 'cpu';
}

/** A tensor's values where they stand, to be read only, and only until the backend next allocates. */
export function valuesInPlace(x: tf.Tensor): Float32Array {
  return tf.getBackend() === 'wasm' ? ((tf.backend() as BackendWasm).typedArrayFromHeap(x) as Float32Array) : x.dataSync<'float32'>();
}

/** A tensor whose values `fill` writes: all of them, and without making a tensor on the way. */
export function filled<T extends tf.Tensor>(shape: readonly number[], fill: (values: Float32Array) => void): T {
  const room = heapRoom(shape);
  const values = room?.values ?? new Float32Array(tf.util.sizeFromShape([...shape]));
  try {
    fill(values);
  } catch (error) {
    room?.tensor.dispose();
    throw error;
  }
  return (room?.tensor ?? tf.tensor(values, [...shape])) as T;
}
