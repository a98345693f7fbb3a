import type { AttributeParams, CircuitsParams, EdgesParams, Engine, LoadParams, PatchParams, PathsParams } from '../../../src/engine/client/engine';
import type { TokenizerService } from '../../../src/models/tokenizerService';
import { packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenPair } from '../../../src/shared/experiment';
import { edgesOf, matrixIndex, receiverCount, senderCount, type Edge } from '../../../src/shared/graph/nodes';
import { maskSize } from '../../../src/shared/graph/mask';
import { EDGE_SCORES, edgePositionsName, SENDER_SCORES } from '../../../src/shared/paths';
import type { AttributionResult, CallOptions, MetricValues, ModelInfo, PairGroup, PatchCell, Prediction } from '../../../src/shared/results';
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
  patched: PatchParams[];
  edged: EdgesParams[];
  pathed: PathsParams[];
  ran: CircuitsParams[];
  loads: LoadParams[];
  /** What the next load finds. */
  checkpointHash: string;
}

export interface FakeEngineOptions {
  clean?: number[];
  corrupted?: number[];
  note?: string;
  /** Before each attribution and each patched cell; what it waits for ends when the call is cancelled. */
  gate?: () => Promise<void>;
}

/** The effect that the fake engine measures for a cell and a pair. */
export function effectOf({ layer = 0, head = 0, position = 0 }: PatchCell, pair: number): number {
  return layer + head / 10 + (position === 'last' ? 0.5 : position / 100) + pair / 1000;
}

/** The score that the fake engine gives an edge in a pair; patched exactly it is twice that. */
export function scoreOf({ sender, receiver }: Edge, pair: number): number {
  return (1 + sender) / 10 + receiver / 1000 + pair;
}

/** Answers metrics as told, and effects by `effectOf`, one cell a progress. */
export function fakeEngine(options: FakeEngineOptions = {}): FakeEngine {
  const { clean = [2], corrupted = [-1], note, gate = async () => undefined } = options;
  const backend = { name: 'cpu' as const, threads: 1, note };
  const metricOf = (count: number): MetricValues<number[]> => {
    const of = (values: number[]): number[] => Array.from({ length: count }, (_, i) => values[i] ?? values[0]!);
    return { clean: of(clean), corrupted: of(corrupted) };
  };
  const groupsOf = (pairs: readonly TokenPair[]): PairGroup[] => [{ pairs: pairs.map((_, i) => i), length: pairs[0]!.clean.length, positions: 'all' }];
  const pass = async (call: CallOptions | undefined): Promise<void> => {
    await Promise.race([gate(), aborted(call)]);
    if (call?.signal?.aborted) throw new CircuitError('cancelled', 'Cancelled.');
  };
  const engine: FakeEngine = {
    calls: [],
    attributed: [],
    patched: [],
    edged: [],
    pathed: [],
    ran: [],
    loads: [],
    checkpointHash: MODEL.checkpointHash,
    capabilities: { sites: ['z'] },
    load: async (params, call) => {
      engine.calls.push('load');
      const first = engine.loads.length === 0;
      engine.loads.push(params);
      if (first) call?.onProgress?.({ stage: 'Reading the model', fraction: 1 });
      return { model: { ...MODEL, id: params.id, checkpointHash: engine.checkpointHash }, backend, seconds: first ? 0.5 : 0 };
    },
    attribute: async (params, call) => {
      engine.calls.push('attribute');
      engine.attributed.push(params);
      call?.onProgress?.({ stage: 'Attributing', fraction: 0.5 });
      await pass(call);
      const { pairs } = params.experiment;
      const { length } = pairs[0]!.clean;
      return {
        groups: groupsOf(pairs),
        arrays: packArrays([{ name: 'group0.z', axes: SITES.z.axes, shape: [pairs.length, 2, length, 3], data: new Float32Array(pairs.length * 6 * length).fill(0.5) }]),
        metric: metricOf(pairs.length),
        backend,
        seconds: 0.25,
      } satisfies AttributionResult;
    },
    patch: async (params, call) => {
      engine.calls.push('patch');
      engine.patched.push(params);
      const { cells, experiment } = params;
      const effects = new Float32Array(cells.length * experiment.pairs.length);
      for (const [i, cell] of cells.entries()) {
        await pass(call);
        const own = Float32Array.from(experiment.pairs, (_, pair) => effectOf(cell, pair));
        effects.set(own, i * own.length);
        call?.onProgress?.({ stage: 'Patching', fraction: (i + 1) / cells.length, measured: { cells: [cell], effects: own } });
      }
      return { cells: [...cells], effects, groups: groupsOf(experiment.pairs), metric: metricOf(experiment.pairs.length), backend, seconds: 0.1 };
    },
    attention: async ({ experiment, pair, heads }, call) => {
      engine.calls.push('attention');
      await pass(call);
      const { length } = experiment.pairs[pair]!.clean;
      const arrays = ['clean', 'other', 'attribution'].map((name, at) => ({ name, axes: ['head', 'dest', 'src'], shape: [heads.length, length, length], data: new Float32Array(heads.length * length ** 2).fill(at + pair) }));
      return { heads: [...heads], arrays: packArrays(arrays) };
    },
    lens: async ({ experiment }, call) => {
      engine.calls.push('lens');
      await pass(call);
      return { arrays: packArrays([{ name: 'clean.lens', axes: ['pair', 'depth'], shape: [experiment.pairs.length, 5], data: new Float32Array(experiment.pairs.length * 5) }]) };
    },
    edges: async (params, call) => {
      engine.calls.push('edges');
      engine.edged.push(params);
      await pass(call);
      const { experiment: { pairs }, receivers } = params;
      const cells = senderCount(MODEL) * receiverCount(MODEL);
      const scores = new Float32Array(pairs.length * cells);
      pairs.forEach((_, pair) => edgesOf(MODEL).forEach((edge) => (scores[pair * cells + matrixIndex(MODEL, edge)] = scoreOf(edge, pair))));
      const { length } = pairs[0]!.clean;
      const positions = receivers && { name: edgePositionsName(0), axes: ['pair', 'sender', 'receiver', 'position'], shape: [pairs.length, senderCount(MODEL), receivers.length, length], data: new Float32Array(pairs.length * senderCount(MODEL) * receivers.length * length) };
      const arrays = [
        { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [pairs.length, senderCount(MODEL), receiverCount(MODEL)], data: scores },
        { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [pairs.length, senderCount(MODEL)], data: new Float32Array(pairs.length * senderCount(MODEL)) },
        ...(positions ? [positions] : []),
      ];
      return { groups: groupsOf(pairs), arrays: packArrays(arrays), metric: metricOf(pairs.length), backend, seconds: 0.2 };
    },
    patchPaths: async (params, call) => {
      engine.calls.push('patchPaths');
      engine.pathed.push(params);
      const { edges, mode, experiment: { pairs } } = params;
      const effects = new Float32Array(edges.length * pairs.length);
      for (const [i, edge] of edges.entries()) {
        await pass(call);
        const own = Float32Array.from(pairs, (_, pair) => 2 * scoreOf(edge, pair));
        effects.set(own, i * own.length);
        call?.onProgress?.({ stage: 'Patching paths', fraction: (i + 1) / edges.length, paths: { mode, edges: [edge], effects: own }, done: i + 1 });
      }
      return { mode, edges: [...edges], effects, groups: groupsOf(pairs), metric: metricOf(pairs.length), backend, seconds: 0.1 };
    },
    circuits: async (params, call) => {
      engine.calls.push('circuits');
      engine.ran.push(params);
      await pass(call);
      const { circuits, experiment: { pairs } } = params;
      return { values: circuits.map((mask) => pairs.map((_, pair) => maskSize(mask) + pair)), clean: pairs.map(() => 10), empty: pairs.map(() => -10), backend, seconds: 0.1 };
    },
    intervene: async ({ experiment, top }, call) => {
      engine.calls.push('intervene');
      await pass(call);
      const of = (pick: (pair: TokenPair) => number[] | undefined): Prediction[][] => experiment.pairs.map((pair) => predictionsAfter(pick(pair)!, top));
      const { clean: ofClean, corrupted: ofCorrupted } = metricOf(experiment.pairs.length);
      return {
        metric: { clean: ofClean, corrupted: ofCorrupted },
        patched: ofClean.map((value) => value / 2),
        predictions: { clean: of((pair) => pair.clean), corrupted: of((pair) => pair.corrupted), patched: of((pair) => pair.correct) },
        seconds: 0.1,
      };
    },
    predict: async ({ prompts, top }) => {
      engine.calls.push('predict');
      return prompts.map((prompt) => predictionsAfter(prompt, top));
    },
    logits: async ({ prompts }) => {
      engine.calls.push('logits');
      return prompts.map((prompt) => Float32Array.from({ length: MODEL.vocabulary }, (_, token) => -Math.abs(token - prompt.at(-1)!)));
    },
    dispose: async () => {
      engine.calls.push('dispose');
    },
  };
  return engine;
}

/** The prompt's own last token, then one that no text has. */
function predictionsAfter(prompt: readonly number[], top: number): Prediction[] {
  return [prompt.at(-1)!, 999].slice(0, top).map((token, i) => ({ token, logit: -i, probability: 0.5 / (i + 1) }));
}

function aborted(call: CallOptions | undefined): Promise<void> {
  return new Promise((resolve) => call?.signal?.addEventListener('abort', () => resolve()));
}
