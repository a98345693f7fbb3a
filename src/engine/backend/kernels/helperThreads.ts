import { Worker } from 'node:worker_threads';

export interface HelperWork {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  job: number;
  /** One area per thread. */
  scratch: readonly number[];
}

const START_TIMEOUT_MS = 20_000;

/** As source text, so that it needs no file of its own beside every bundle. It sleeps in `help` until there is work. */
const SCRIPT = `
const { parentPort, workerData } = require('node:worker_threads');
const { module, memory, job, scratch } = workerData;
WebAssembly.instantiate(module, { env: { memory } }).then(({ exports }) => {
  parentPort.postMessage('ready');
  exports.help(job, scratch);
  process.exit();
});
`;

/** Threads that share the wasm memory and help with what takes longest. */
export class HelperThreads {
  private constructor(
    private readonly workers: readonly Worker[],
    private readonly tellThem: () => void,
  ) {}

  get count(): number {
    return this.workers.length;
  }

  /** `tellThem`: makes the threads leave `help`. Rejects when one does not start; the others are ended then. */
  static async start({ scratch, ...shared }: HelperWork, tellThem: () => void): Promise<HelperThreads> {
    const workers = scratch.map((own) => new Worker(SCRIPT, { eval: true, workerData: { ...shared, scratch: own }, execArgv: [] }));
    const threads = new HelperThreads(workers, tellThem);
    try {
      await Promise.all(workers.map(whenReady));
    } catch (error) {
      await threads.stop();
      throw error;
    }
    // They sleep in wasm: a program that has nothing else to do may end.
    for (const worker of workers) worker.unref();
    return threads;
  }

  async stop(): Promise<void> {
    this.tellThem();
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

function whenReady(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`a thread did not start within ${START_TIMEOUT_MS / 1000} s`)), START_TIMEOUT_MS);
    worker.once('message', () => {
      clearTimeout(timer);
      resolve();
    });
    worker.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
