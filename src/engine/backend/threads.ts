import os from 'node:os';
// The default import is Node's own module object, on which emscripten's glue will find what is put there.
import workerThreads from 'node:worker_threads';

export const MOST_THREADS = 8;

/** All cores up to two, else one less than there are: the editor wants one too. */
export function defaultThreads(cores = os.availableParallelism()): number {
  return Math.min(MOST_THREADS, cores <= 2 ? cores : cores - 1);
}

/**
 * Starts tfjs's threaded build without its threads. We want that build for its memory, which our own threads can share
 * (kernels/). Its glue would make eight workers that sleep for ever, from URLs that Node cannot load (tfjs#3830): here it
 * gets stand-ins that say they are ready and never run. With one XNNPACK thread, none is ever asked to.
 */
export async function withoutPthreads<T>(start: () => Promise<T>): Promise<T> {
  const { Worker } = workerThreads;
  const globals = globalThis as { Worker?: unknown };
  const before = globals.Worker;
  (workerThreads as { Worker: unknown }).Worker = StandIn;
  try {
    return await start();
  } finally {
    workerThreads.Worker = Worker;
    // The glue also makes its Worker a global, which nobody else should mistake for a browser's.
    if (before === undefined) delete globals.Worker;
    else globals.Worker = before;
  }
}

/** What emscripten's glue asks of a worker while it starts. */
class StandIn {
  onmessage?: (event: { data: unknown }) => void;

  postMessage({ cmd }: { cmd?: string }): void {
    if (cmd !== 'load') throw new Error(`tfjs's threaded build wanted to ${cmd} a thread, though it was started with one`);
    queueMicrotask(() => this.onmessage?.({ data: { cmd: 'loaded' } }));
  }

  on(): void {}
  ref(): void {}
  unref(): void {}
  terminate(): void {}
}

/** Runs `start`, in which one wasm program is instantiated, and says which memories it brought or was given. */
export async function withMemories<T>(start: () => Promise<T>): Promise<{ result: T; memories: WebAssembly.Memory[] }> {
  const { instantiate } = WebAssembly;
  const memories: WebAssembly.Memory[] = [];
  const collect = (values: object | undefined): void => {
    for (const value of Object.values(values ?? {})) if (value instanceof WebAssembly.Memory) memories.push(value);
  };
  WebAssembly.instantiate = (async (program: BufferSource, imports?: WebAssembly.Imports) => {
    for (const module of Object.values(imports ?? {})) collect(module);
    const made = await instantiate(program, imports);
    collect(made.instance.exports);
    return made;
  }) as typeof WebAssembly.instantiate;
  try {
    return { result: await start(), memories };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}
