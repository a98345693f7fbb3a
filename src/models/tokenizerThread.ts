import { Worker } from 'node:worker_threads';
import { CircuitError } from '../shared/errors';
import { connectRpc, PATIENCE_MS, type Port, type RpcClient } from '../shared/rpc';
import type { TokenizerService } from './tokenizerService';

/** A tokenizer thread; started at the first call, and again at the next call after it died. */
export interface TokenizerThread extends TokenizerService {
  /** Ends the thread; open and later calls reject. */
  dispose(): Promise<void>;
}

/** Serves tokenizers from a thread of their own, so that hovers and diagnostics answer while the engine computes. `script`: the built tokenizerWorker.js. A thread that hangs (a tokenizer.json may hold a pattern without end) is ended `patienceMs` after a call to it was cancelled. */
export function startTokenizerThread(script: string, patienceMs = PATIENCE_MS): TokenizerThread {
  let running: { worker: Worker; client: RpcClient<TokenizerService> } | undefined;
  let disposed = false;

  const start = (): RpcClient<TokenizerService> => {
    const worker = new Worker(script);
    const end = (): void => {
      if (running === thread) running = undefined;
      void worker.terminate();
    };
    const client = connectRpc<TokenizerService>(portOf(worker), { hang: { afterMs: patienceMs, end } });
    const thread = { worker, client };
    let cause: unknown;
    worker.on('error', (error) => (cause = error));
    worker.on('exit', () => {
      if (running === thread) running = undefined;
      client.close(disposed ? ended() : new CircuitError('internal', 'The tokenizer thread stopped unexpectedly; it starts again with the next request.', { cause }));
    });
    running = thread;
    return client;
  };

  const remote = (): TokenizerService => {
    if (disposed) throw ended();
    return (running?.client ?? start()).remote;
  };

  return {
    encode: async (params, call) => remote().encode(params, call),
    decode: async (params, call) => remote().decode(params, call),
    info: async (params, call) => remote().info(params, call),
    dispose: async () => {
      disposed = true;
      await running?.worker.terminate();
    },
  };
}

function ended(): CircuitError {
  return new CircuitError('internal', 'The tokenizer thread has been closed.');
}

function portOf(worker: Worker): Port {
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => {
      worker.on('message', listener);
      return () => worker.off('message', listener);
    },
  };
}
