import type * as tf from '@tensorflow/tfjs-core';

/**
 * Two kernels that a backend may have beside tfjs's own: a matrix [rows, columns] packed to [panels, rows, columns of a panel] (assembly/matmul.ts),
 * and rows times such a matrix or its transpose.
 */
export const PACK_MATRIX = 'CircuitExplorerPackMatrix';
export const PACKED_MATMUL = 'CircuitExplorerPackedMatMul';

export interface PackedProduct {
  inputs: { x: tf.TensorInfo; weight: tf.TensorInfo; bias?: tf.TensorInfo };
  /** `columns`: of the matrix as it was before it was packed. */
  attrs: { columns: number; transposed: boolean };
}
