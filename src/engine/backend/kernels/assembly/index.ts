/** All that the program exports. */
export * from './matmul';
