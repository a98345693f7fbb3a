import type { CallOptions } from '../../shared/results';
import { SITE_NAMES } from '../../shared/sites';
import type { Engine } from './engine';

/** What another thread or process answers; the rest of `Engine` is the client's own. */
export type EngineCalls = Omit<Engine, 'capabilities' | 'dispose'>;

/** An engine whose calls are made on what `remote` gives when they come. What `remote` throws rejects the call. */
export function forwardingEngine(remote: () => EngineCalls, dispose: () => Promise<void>): Engine {
  return {
    capabilities: { sites: SITE_NAMES },
    load: async (params, call) => remote().load(params, plain(call)),
    attribute: async (params, call) => remote().attribute(params, plain(call)),
    patch: async (params, call) => remote().patch(params, plain(call)),
    attention: async (params, call) => remote().attention(params, plain(call)),
    lens: async (params, call) => remote().lens(params, plain(call)),
    intervene: async (params, call) => remote().intervene(params, plain(call)),
    edges: async (params, call) => remote().edges(params, plain(call)),
    patchPaths: async (params, call) => remote().patchPaths(params, plain(call)),
    circuits: async (params, call) => remote().circuits(params, plain(call)),
    predict: async (params, call) => remote().predict(params, plain(call)),
    logits: async (params, call) => remote().logits(params, plain(call)),
    dispose,
  };
}

function plain(call: CallOptions | undefined): CallOptions {
  return { signal: call?.signal, onProgress: call?.onProgress };
}
