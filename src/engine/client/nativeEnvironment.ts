import os from 'node:os';

/** TensorFlow reads its number of threads here, once, when its library is loaded. */
export const THREADS_VARIABLE = 'TF_NUM_INTRAOP_THREADS';

/**
 * Environment of a native backend's process: libraries read theirs when they are loaded, and a thread's own `process.env` does not
 * reach them. What a person has set stays. `threads`: 0 for all cores up to two, else one less than there are.
 */
export function nativeEnvironment(threads: number, own: NodeJS.ProcessEnv = process.env, cores = os.availableParallelism()): NodeJS.ProcessEnv {
  return {
    // Warnings and errors only.
    TF_CPP_MIN_LOG_LEVEL: '1',
    // Or TensorFlow takes all of the GPU's memory at once.
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    ...own,
    [THREADS_VARIABLE]: String(threads || (cores <= 2 ? cores : cores - 1)),
    TF_NUM_INTEROP_THREADS: '1',
    // VS Code's own executable is Node only when it is told so.
    ELECTRON_RUN_AS_NODE: '1',
  };
}
