import type { AttributeParams, Engine, LoadParams } from '../../../src/engine/client/engine';
import type { TokenizerService } from '../../../src/models/tokenizerService';
import { packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import type { AttributionResult, CallOptions, ModelInfo } from '../../../src/shared/results';
import type { TokenText } from '../../../src/shared/run';
import { SITES } from '../../../src/shared/sites';

export const BOS: TokenText = { id: 0, text: '<|endoftext|>' };

/** Cuts before spaces and capitals and at hyphens; ids in the order in which tokens are first seen. */
export function fakeTokenizer(bos: TokenText | undefined = BOS): TokenizerService & { dispose(): Promise<void>; disposed: boolean } {
  const ids = new Map<string, number>();
  const idOf = (text: string): number => ids.get(text) ?? (ids.set(text, ids.size + 1), ids.size);
  const tokenizer = {
    disposed: false,
    encode: async ({ texts }: { texts: string[] }) =>
      texts.map((text) => {
        const pieces = text.match(/-| ?[A-Z][a-z]*| ?[^A-Z -]+/g) ?? [];
        let at = 0;
        const offsets = pieces.map((piece): [number, number] => [at, (at += piece.length)]);
        return { tokens: pieces.map((piece) => ({ id: idOf(piece), text: piece })), offsets };
      }),
    decode: async ({ ids: wanted }: { ids: number[] }) => wanted.map((id) => ({ id, text: [...ids].find(([, of]) => of === id)?.[0] ?? '⟨E2⟩' })),
    info: async () => ({ vocabulary: 1000, bos, context: MODEL.context }),
    dispose: async () => {
      tokenizer.disposed = true;
    },
  };
  return tokenizer;
}

export const MODEL: ModelInfo = {
  id: 'fake',
  checkpointHash: '00',
  layers: 2,
  heads: 3,
  dModel: 6,
  dHead: 2,
  dMlp: 24,
  vocabulary: 1000,
  context: 16,
  parameters: 1,
  dtype: 'F32',
};

export interface FakeEngine extends Engine {
  calls: string[];
  attributed: AttributeParams[];
  loads: LoadParams[];
}

/** Answers logit differences as told, and waits for `gate` before each attribution, unless it is cancelled. */
export function fakeEngine(options: { clean?: number[]; corrupted?: number[]; note?: string; gate?: () => Promise<void> } = {}): FakeEngine {
  const { clean = [2], corrupted = [-1], note, gate = async () => undefined } = options;
  const backend = { name: 'cpu' as const, threads: 1, note };
  const engine: FakeEngine = {
    calls: [],
    attributed: [],
    loads: [],
    capabilities: { sites: ['z'] },
    load: async (params, call) => {
      engine.calls.push('load');
      const first = engine.loads.length === 0;
      engine.loads.push(params);
      if (first) call?.onProgress?.({ stage: 'Reading the model', fraction: 1 });
      return { model: { ...MODEL, id: params.id }, backend, seconds: first ? 0.5 : 0 };
    },
    attribute: async (params, call) => {
      engine.calls.push('attribute');
      engine.attributed.push(params);
      call?.onProgress?.({ stage: 'Attributing', fraction: 0.5 });
      await Promise.race([gate(), aborted(call)]);
      if (call?.signal?.aborted) throw new CircuitError('cancelled', 'Cancelled.');
      const { pairs } = params.experiment;
      return {
        groups: [{ pairs: pairs.map((_, i) => i), length: pairs[0]!.clean.length, positions: 'all' }],
        arrays: packArrays([{ name: 'group0.z', axes: SITES.z.axes, shape: [pairs.length, 2, 1, 3], data: new Float32Array(pairs.length * 6) }]),
        logitDiff: { clean: pairs.map((_, i) => clean[i] ?? clean[0]!), corrupted: pairs.map((_, i) => corrupted[i] ?? corrupted[0]!) },
        backend,
        seconds: 0.25,
      } satisfies AttributionResult;
    },
    predict: async ({ prompts, top }) => prompts.map((prompt) => [prompt.at(-1)!, 999].slice(0, top).map((token, i) => ({ token, logit: -i, probability: 0.5 / (i + 1) }))),
    logits: async () => [],
    dispose: async () => {
      engine.calls.push('dispose');
    },
  };
  return engine;
}

function aborted(call: CallOptions | undefined): Promise<void> {
  return new Promise((resolve) => call?.signal?.addEventListener('abort', () => resolve()));
}
