import { cancelled, fromFailure, toFailure, type Failure } from './errors';
import type { CallOptions, Progress } from './results';

/**
 * Remote calls over any message port (worker thread, webview, child process).
 * A boundary is described by one interface whose methods take (params, call) and return a promise;
 * both sides' types follow from it. A throwing handler always answers; progress and cancelling are part of a call.
 */

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the constraint, not a value: method types are kept by inference
export type Method = (params: any, call?: CallOptions) => Promise<unknown>;
export type Methods<T> = { [K in keyof T]: Method };

export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Returns its own undo. */
  onMessage(listener: (message: unknown) => void): () => void;
}

export type Result = { ok: unknown } | { err: Failure };

export type RpcMessage =
  | { rpc: 'request'; id: number; method: string; params: unknown }
  | { rpc: 'response'; id: number; result: Result }
  | { rpc: 'progress'; id: number; progress: Progress }
  | { rpc: 'cancel'; id: number };

export function isRpcMessage(message: unknown): message is RpcMessage {
  if (typeof message !== 'object' || message === null) return false;
  const { rpc, id } = message as { rpc?: unknown; id?: unknown };
  return typeof id === 'number' && (rpc === 'request' || rpc === 'response' || rpc === 'progress' || rpc === 'cancel');
}

/** What a handler is given beside its parameters. */
export interface ServedCall {
  signal: AbortSignal;
  onProgress(progress: Progress): void;
  /** Also true when the cancel message could not be read yet because the handler never yields. */
  isCancelled(): boolean;
}

/** The implementing side of a boundary: the methods of T, with a `ServedCall`. */
export type Handlers<T extends Methods<T>> = {
  [K in keyof T]: (params: Parameters<T[K]>[0], call: ServedCall) => ReturnType<T[K]>;
};

export interface ServeOptions {
  /** A second way to learn of cancelling, for instance a flag in shared memory. */
  isCancelled?: (id: number) => boolean;
  /** Buffers to hand over instead of copying, found in a method's answer. */
  transfer?: (answer: unknown) => ArrayBuffer[];
}

/** Answers calls that arrive at `port`. Returns its undo, which cancels what is under way. */
export function serveRpc<T extends Methods<T>>(port: Port, handlers: Handlers<T>, options: ServeOptions = {}): () => void {
  const running = new Map<number, AbortController>();

  const answer = async (id: number, method: string, params: unknown): Promise<void> => {
    const abort = new AbortController();
    running.set(id, abort);
    const onProgress = (progress: Progress): void => port.post({ rpc: 'progress', id, progress } satisfies RpcMessage);
    let result: Result;
    try {
      if (!Object.prototype.hasOwnProperty.call(handlers, method)) throw new Error(`There is no method "${method}" here.`);
      const handler = handlers[method as keyof T];
      const isCancelled = (): boolean => abort.signal.aborted || options.isCancelled?.(id) === true;
      result = { ok: await handler(params as Parameters<T[keyof T]>[0], { signal: abort.signal, onProgress, isCancelled }) };
    } catch (error) {
      result = { err: toFailure(error) };
    } finally {
      running.delete(id);
    }
    try {
      const transfer = 'ok' in result && options.transfer ? options.transfer(result.ok) : [];
      port.post({ rpc: 'response', id, result } satisfies RpcMessage, transfer);
    } catch (error) {
      // The answer itself cannot travel (not cloneable): the caller must not wait for ever.
      port.post({ rpc: 'response', id, result: { err: toFailure(error) } } satisfies RpcMessage);
    }
  };

  const stop = port.onMessage((message) => {
    if (!isRpcMessage(message)) return;
    if (message.rpc === 'request') void answer(message.id, message.method, message.params);
    else if (message.rpc === 'cancel') running.get(message.id)?.abort();
  });
  return () => {
    stop();
    for (const abort of running.values()) abort.abort();
  };
}

export interface RpcClient<T> {
  remote: T;
  /** Rejects every open call, for instance because the other side died. */
  close(reason: Error): void;
}

export interface ClientOptions {
  /** Told when a call's signal aborts, beside the cancel message: a place to raise a shared flag. */
  onCancel?: (id: number) => void;
  /** A side that has not answered a call this long after it was cancelled hangs: the call rejects with `cancelled`, and `end` should end that side. */
  hang?: { afterMs: number; end: () => void };
}

/** How long a cancelled thread may take to answer: far more than any piece of work between two looks at its flag. */
export const PATIENCE_MS = 10_000;

/** A proxy on which each method of T is a remote call. */
export function connectRpc<T extends Methods<T>>(port: Port, options: ClientOptions = {}): RpcClient<T> {
  interface Open {
    resolve(value: unknown): void;
    reject(error: Error): void;
    onProgress?: (progress: Progress) => void;
    detach(): void;
  }
  const open = new Map<number, Open>();
  // Not from 1: a webview that is loaded anew must not take answers to its former life's calls for those to its own.
  let next = 1 + Math.floor(Math.random() * 2 ** 30);
  let closed: Error | undefined;

  const stop = port.onMessage((message) => {
    if (!isRpcMessage(message)) return;
    const call = open.get(message.id);
    if (!call) return;
    if (message.rpc === 'progress') call.onProgress?.(message.progress);
    if (message.rpc !== 'response') return;
    open.delete(message.id);
    call.detach();
    // Not "has it an ok": a webview's messages travel as JSON, which drops an answer of undefined.
    if ('err' in message.result) call.reject(fromFailure(message.result.err));
    else call.resolve(message.result.ok);
  });

  const invoke = (method: string, params: unknown, { signal, onProgress }: CallOptions = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(closed);
      if (signal?.aborted) return reject(cancelled());
      const id = next++;
      let patience: ReturnType<typeof setTimeout> | undefined;
      const giveUp = (): void => {
        open.delete(id);
        detach();
        reject(cancelled());
        options.hang?.end();
      };
      const cancel = (): void => {
        if (options.hang) patience = setTimeout(giveUp, options.hang.afterMs);
        options.onCancel?.(id);
        port.post({ rpc: 'cancel', id } satisfies RpcMessage);
      };
      const detach = (): void => {
        signal?.removeEventListener('abort', cancel);
        clearTimeout(patience);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      open.set(id, { resolve, reject, onProgress, detach });
      port.post({ rpc: 'request', id, method, params } satisfies RpcMessage);
    });

  const remote = new Proxy({} as T, {
    // No `then`: a remote that is awaited by accident must not look like a promise.
    get: (_target, method) =>
      method === 'then' ? undefined : (params: unknown, call?: CallOptions) => invoke(String(method), params, call),
  });
  const close = (reason: Error): void => {
    closed = reason;
    stop();
    for (const call of open.values()) {
      call.detach();
      call.reject(reason);
    }
    open.clear();
  };
  return { remote, close };
}
