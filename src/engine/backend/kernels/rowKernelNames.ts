/**
 * Kernels that a backend may have beside tfjs's own for the row-wise pieces of a block (assembly/rows.ts, elements.ts, gelu.ts and softmax.ts): a row is what lies
 * along a tensor's last axis. Their inputs and attributes are read in rowKernels.ts.
 */
export const NORMALISE = 'CircuitExplorerNormalise';
export const AFFINE = 'CircuitExplorerAffine';
export const NORM_BACKWARD = 'CircuitExplorerNormBackward';
export const GELU = 'CircuitExplorerGelu';
export const GELU_BACKWARD = 'CircuitExplorerGeluBackward';
export const SOFTMAX = 'CircuitExplorerSoftmax';
export const SOFTMAX_BACKWARD = 'CircuitExplorerSoftmaxBackward';
export const DIFFERENCE_SUMS = 'CircuitExplorerDifferenceSums';
