import os from 'node:os';
import path from 'node:path';
import { readFileSync } from 'node:fs';
// The default import is Node's own module object, on which emscripten's glue will find what is put there.
import workerThreads from 'node:worker_threads';

/** emscripten makes this many pool workers, whatever it is asked. */
export const LARGEST_POOL = 8;

/** All cores up to two, else one less than there are: the editor wants one too. */
export function defaultThreads(cores = os.availableParallelism()): number {
  return Math.min(LARGEST_POOL, cores <= 2 ? cores : cores - 1);
}

const SCRIPT = 'tfjs-backend-wasm-threaded-simd.js';
const WORKER_SCRIPT = 'tfjs-backend-wasm-threaded-simd.worker.js';
const START_TIMEOUT_MS = 20_000;

/**
 * Starts something that makes emscripten pthreads, in Node. tfjs gives its glue a `blob:` URL for the thread's script and
 * a Blob for the program, and Node's Worker can load neither (tfjs#3830); here both come from the package's own files in
 * `folder`, as source text and as a path. Also, the C++ side takes at most half of the cores it sees, so twice as many
 * are shown to it meanwhile. Both replacements end with the start; on failure the threads made so far are ended.
 */
export async function withPthreads<T>(folder: string, threads: number, start: () => Promise<T>): Promise<T> {
  const source = threadSource(path.join(folder, WORKER_SCRIPT));
  const program = path.join(folder, SCRIPT);
  const made: workerThreads.Worker[] = [];
  const { Worker } = workerThreads;
  const { cpus } = os;

  class Pthread extends Worker {
    constructor(script: string | URL, options?: workerThreads.WorkerOptions) {
      const isPthread = String(script).startsWith('blob:');
      super(isPthread ? source : script, isPthread ? { eval: true } : options);
      if (isPthread) made.push(this);
    }

    override postMessage(message: unknown, transfer?: readonly workerThreads.Transferable[]): void {
      const isLoad = typeof message === 'object' && message !== null && (message as { cmd?: unknown }).cmd === 'load';
      super.postMessage(isLoad ? { ...message, urlOrBlob: program } : message, transfer);
    }
  }

  const globals = globalThis as { Worker?: unknown };
  const before = globals.Worker;
  workerThreads.Worker = Pthread;
  os.cpus = () => Array.from({ length: 2 * threads }, () => cpus()[0]!);
  try {
    return await inTime(start());
  } catch (error) {
    await Promise.all(made.map((worker) => worker.terminate()));
    throw error;
  } finally {
    workerThreads.Worker = Worker;
    os.cpus = cpus;
    // The glue also makes its Worker a global, which nobody else should mistake for a browser's.
    if (before === undefined) delete globals.Worker;
    else globals.Worker = before;
  }
}

/** The thread's script: the package ships it as a module that exports it as one template string. */
function threadSource(file: string): string {
  const match = /wasmWorkerContents\s*=\s*`([\s\S]*)`/.exec(readFileSync(file, 'utf8'));
  if (!match) throw new Error(`${file} is not the thread script that was expected`);
  // As a template literal it is `…+"\n")…`: evaluated, the escape would break the string it stands in.
  return match[1]!;
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the threads did not start within ${START_TIMEOUT_MS / 1000} s`)), START_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
