import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** tfjs's own products, taken before our backend replaces them. */
const STOCK = ['BatchMatMul', '_FusedMatMul'].map((name) => tf.getKernel(name, 'wasm'));

/** Puts them back on the running wasm backend. */
export function useStockKernels(): void {
  for (const config of STOCK) {
    tf.unregisterKernel(config.kernelName, 'wasm');
    tf.registerKernel(config);
    config.setupFunc?.(tf.backend());
  }
}
