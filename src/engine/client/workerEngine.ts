import { Worker } from 'node:worker_threads';
import { CircuitError } from '../../shared/errors';
import { connectRpc, PATIENCE_MS, type RpcClient } from '../../shared/rpc';
import { CancelFlags } from './cancelFlags';
import type { Engine } from './engine';
import type { EngineThreadData } from './engineThread';
import { forwardingEngine, type EngineCalls } from './forwardingEngine';

export interface WorkerEngineOptions {
  /** The built engineWorker.js; the wasm files lie in `wasm/` beside it. */
  script: string;
  /** A thread that has not answered a cancelled call after this time is ended. */
  patienceMs?: number;
}

/** JavaScript heap of the thread. Weights and activations are outside of it, in wasm memory. */
const HEAP_MB = 2048;

/**
 * The engine in a worker thread. The thread starts with the first call and again with the next one after it has died;
 * a fresh thread has no model, so callers `load` before each experiment (which costs nothing when it is still loaded).
 * A call that was open when the thread died rejects with `internal`, or `too-big` when it ran out of memory.
 */
export function startWorkerEngine({ script, patienceMs = PATIENCE_MS }: WorkerEngineOptions): Engine {
  let thread: EngineThread | undefined;
  let disposed = false;

  const remote = (): EngineCalls => {
    if (disposed) throw new CircuitError('internal', 'The engine has been disposed.');
    if (!thread?.alive) thread = new EngineThread(script, patienceMs);
    return thread.remote;
  };
  return forwardingEngine(remote, async () => {
    disposed = true;
    await thread?.end(new CircuitError('cancelled', 'The engine was shut down.'));
  });
}

/** One life of the thread. */
class EngineThread {
  alive = true;
  private readonly worker: Worker;
  private readonly client: RpcClient<EngineCalls>;
  private readonly flags = new CancelFlags();

  constructor(script: string, patienceMs: number) {
    const workerData: EngineThreadData = { cancelFlags: this.flags.buffer };
    const worker = new Worker(script, { workerData, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB }, name: 'circuit-explorer engine' });
    this.worker = worker;
    this.client = connectRpc<EngineCalls>(
      {
        post: (message) => worker.postMessage(message),
        onMessage: (listener) => {
          worker.on('message', listener);
          return () => worker.off('message', listener);
        },
      },
      { onCancel: (id) => this.flags.raise(id), hang: { afterMs: patienceMs, end: () => void this.end(hung()) } },
    );
    worker.on('error', (error) => this.died(deathOf(error)));
    worker.on('exit', (code) => this.died(new CircuitError('internal', `The engine stopped unexpectedly (exit code ${code}). It starts again with the next run.`)));
  }

  get remote(): EngineCalls {
    return this.client.remote;
  }

  /** A threaded wasm process does not end by itself: its threads wait for work for ever. */
  async end(reason: CircuitError): Promise<void> {
    this.died(reason);
    await this.worker.terminate();
  }

  private died(reason: CircuitError): void {
    if (!this.alive) return;
    this.alive = false;
    this.client.close(reason);
  }
}

function hung(): CircuitError {
  return new CircuitError('internal', 'The engine hung in a call that was cancelled, and was stopped. It starts again with the next run.');
}

function deathOf(error: unknown): CircuitError {
  if ((error as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new CircuitError('too-big', 'The engine ran out of memory. Try shorter prompts, fewer pairs or a smaller model.', { cause: error });
  }
  // What wasm throws when it traps; its class is lost on the way here.
  if (error instanceof Error && error.name === 'RuntimeError') {
    return new CircuitError('internal', 'The computation crashed, probably for want of memory. The engine starts again with the next run; try shorter prompts or a smaller model.', { cause: error });
  }
  const what = error instanceof Error ? error.message : String(error);
  return new CircuitError('internal', `The engine stopped unexpectedly: ${what}. It starts again with the next run.`, { cause: error });
}
