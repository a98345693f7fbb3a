import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** A tensor, and its values in the backend's own memory: what is written there is in the tensor. */
export interface HeapRoom {
  tensor: tf.Tensor;
  /** Good until the backend next allocates: its memory may be another one then. */
  values: Float32Array;
}

/**
 * A float32 tensor to be filled in place, so that what is read from a file is not held a second time on its way.
 * undefined where the backend's memory is not the wasm heap: others keep the array that they are given, or copy it when it is first used.
 */
export function heapRoom(shape: readonly number[]): HeapRoom | undefined {
  if (tf.getBackend() !== 'wasm') return undefined;
  const backend = tf.backend() as BackendWasm;
  const info = backend.makeOutput([...shape], 'float32');
  return { tensor: tf.engine().makeTensorFromTensorInfo(info, backend), values: backend.typedArrayFromHeap(info) as Float32Array };
}
