/** All that the program exports. */
export * from './matmul';
export * from './rows';
export * from './elements';
