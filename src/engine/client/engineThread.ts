import type { MessagePort } from 'node:worker_threads';
import { serveRpc, type Handlers } from '../../shared/rpc';
import { CancelFlags } from './cancelFlags';
import type { EngineCalls } from './forwardingEngine';
import type { LocalEngine } from './localEngine';

/** Given to the thread when it starts. */
export interface EngineThreadData {
  cancelFlags: SharedArrayBuffer;
  /** Where native backends lie; only in a process of its own. */
  nativeFolder?: string;
}

/**
 * The thread's side: answers calls with an engine of its own. When the wasm module has trapped, its memory cannot be trusted
 * any more: the call is not answered, and `onCrash` should end the thread by that error, to be started afresh by the next call.
 */
export function serveEngine(port: MessagePort, engine: LocalEngine, { cancelFlags }: EngineThreadData, onCrash: (error: Error) => void): void {
  const flags = new CancelFlags(cancelFlags);
  const guarded = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      onCrash(error);
      // An answer would let the caller send its next call into a thread that is about to end.
      return new Promise<never>(() => undefined);
    }
  };
  const handlers: Handlers<EngineCalls> = {
    load: (params, call) => guarded(engine.load(params, call)),
    attribute: (params, call) => guarded(engine.attribute(params, call)),
    patch: (params, call) => guarded(engine.patch(params, call)),
    attention: (params, call) => guarded(engine.attention(params, call)),
    lens: (params, call) => guarded(engine.lens(params, call)),
    intervene: (params, call) => guarded(engine.intervene(params, call)),
    edges: (params, call) => guarded(engine.edges(params, call)),
    patchPaths: (params, call) => guarded(engine.patchPaths(params, call)),
    circuits: (params, call) => guarded(engine.circuits(params, call)),
    predict: (params, call) => guarded(engine.predict(params, call)),
    logits: (params, call) => guarded(engine.logits(params, call)),
  };
  serveRpc<EngineCalls>(
    {
      post: (message, transfer) => port.postMessage(message, transfer as ArrayBuffer[] | undefined),
      onMessage: (listener) => {
        port.on('message', listener);
        return () => port.off('message', listener);
      },
    },
    handlers,
    { isCancelled: (id) => flags.isRaised(id), transfer: buffersOf },
  );
}

/** The large buffers of an answer, each once: arrays, exact effects, or a list of logits. */
function buffersOf(answer: unknown): ArrayBuffer[] {
  const { arrays, effects } = answer as { arrays?: { data?: unknown }; effects?: unknown };
  const found = (Array.isArray(answer) ? (answer as unknown[]) : [arrays?.data, effects]).flatMap((item) => (item instanceof Float32Array ? [item.buffer as ArrayBuffer] : []));
  return [...new Set(found)];
}
