/** All that the program exports. */
export { help, stop } from './help';
export { JOB_BYTES } from './jobs';
export { COLUMNS } from './tileNarrow';
export { copyBytes, multiply, pack, scratchBytes } from './matmul';
export { gelu, geluBackward } from './gelu';
export { softmax } from './softmax';
export { affine, copyRows, cutRows, differenceSums, normalise, normBackward, softmaxBackward, swapMiddle } from './rows';
export * from './elements';
