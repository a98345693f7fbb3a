import { arrayNamed } from '../../src/shared/arrays';
import { CircuitError } from '../../src/shared/errors';
import { budgetsOf, cprCmd, faithfulnessOf } from '../../src/shared/graph/faithfulness';
import { edgesIn, maskOf, maskSize, nodeCount } from '../../src/shared/graph/mask';
import { edgeCount, edgeName, edgeNamed, matrixIndex, nodeName, nodeOfReceiver, receiverAt, senderAt, senderCount, type Edge, type GraphShape } from '../../src/shared/graph/nodes';
import { overlapOf } from '../../src/shared/graph/overlap';
import { selectCircuit, strongestEdges } from '../../src/shared/graph/select';
import { edgeScores, exactEdges, hasEdges, senderScores, shapeOf, withMeasuredPaths } from '../../src/shared/graph/stored';
import { strongestPaths } from '../../src/shared/graph/strongPaths';
import { EDGE_SCORES, type GraphNotes, type StoredCircuit } from '../../src/shared/paths';
import { MOST_EDGES, type DrawnEdge, type DrawnNode, type EdgePositions, type GraphPage, type GraphRequest, type PathsHost } from '../../src/shared/pathsProtocol';
import type { Run } from '../../src/shared/run';
import type { ServedCall } from '../../src/shared/rpc';
import { scaleOf, type ViewOptions } from '../../src/shared/views';
import { sampleRun, type SampleName } from './sampleRuns';
import { placeOfNode, sampleEffects, withSampleEdges } from './samplePaths';

/** Answers for the webview's Paths view as the editor does, from the run that is shown and with effects that are made up. */

export interface PathsParts {
  run(): Run;
  /** Keeps the run; `show`: tells the panel of it, as the editor does once something is kept with a run. */
  keep(run: Run, show: boolean): void;
  answer<T>(method: string, params: unknown, compute: () => T | Promise<T>): Promise<T>;
  /** One step of work of the engine; throws when the call was cancelled. */
  step(call: ServedCall): Promise<void>;
}

export type FakePathsHost = { [K in keyof PathsHost]: (params: Parameters<PathsHost[K]>[0], call: ServedCall) => ReturnType<PathsHost[K]> };

/** Runs of these have their edges from the start. */
const ATTRIBUTED: readonly SampleName[] = ['gpt2', 'single', 'tiny'];
const NOTES = 'graph-notes';
const EDGES_PER_STEP = 4;
const CIRCUIT_STEPS = 3;
const ATTRIBUTION_STEPS = ['Running clean and corrupted', 'Going back through the base run', 'Multiplying senders and receivers'];

export function fakePaths({ run, keep, answer, step }: PathsParts): FakePathsHost {
  const keepCircuit = (circuit: StoredCircuit): void => {
    const { manifest, arrays } = run();
    keep({ arrays, manifest: { ...manifest, circuits: [...(manifest.circuits ?? []), circuit] } }, true);
  };
  const runCircuits = async (call: ServedCall): Promise<void> => {
    for (let done = 0; done < CIRCUIT_STEPS; done++) {
      call.onProgress({ stage: 'Running circuits', fraction: done / CIRCUIT_STEPS, done });
      await step(call);
    }
  };
  const circuitAt = (index: number): StoredCircuit => run().manifest.circuits![index]!;
  const selected = ({ options, selection, prune }: Parameters<PathsHost['selectCircuit']>[0]): ReturnType<typeof selectCircuit> => selectCircuit(shapeOf(run()), edgeScores(run(), options), selection, prune);
  return {
    computePaths: (params, call) =>
      answer('computePaths', params, async () => {
        for (const [index, stage] of ATTRIBUTION_STEPS.entries()) {
          call.onProgress({ stage, fraction: index / ATTRIBUTION_STEPS.length });
          await step(call);
        }
        keep(withSampleEdges(run(), params.method), true);
      }),
    graph: (params) => answer('graph', params, () => graphPage(run(), params)),
    edgePositions: (params) => answer('edgePositions', params, () => edgePositions(run(), params)),
    patchPaths: (params, call) =>
      answer('patchPaths', params, async () => {
        const { edges, mode, options } = params;
        const wanted = Array.isArray(edges) ? edges : strongest(run(), options).slice(0, edges.top);
        const known = exactEdges(run(), mode, options);
        const missing = wanted.filter((edge) => !known.has(matrixIndex(shapeOf(run()), edge)));
        call.onProgress({ stage: 'Loading the model', fraction: 0.1, done: 0 });
        for (let done = 0; done < missing.length; done += EDGES_PER_STEP) {
          await step(call);
          const batch = missing.slice(done, done + EDGES_PER_STEP);
          keep(withMeasuredPaths(run(), { mode, edges: batch, effects: sampleEffects(run(), mode, batch) }), false);
          call.onProgress({ stage: 'Patching paths exactly', fraction: 0.1 + (0.9 * (done + batch.length)) / missing.length, done: done + batch.length });
        }
      }),
    keepGraphNotes: (params) =>
      answer('keepGraphNotes', params, () => {
        const { manifest, arrays } = run();
        sessionStorage.setItem(NOTES, JSON.stringify(params.notes));
        keep({ arrays, manifest: { ...manifest, graph: params.notes } }, false);
      }),
    selectCircuit: (params) =>
      answer('selectCircuit', params, () => {
        const { mask, chosen } = selected(params);
        const shape = shapeOf(run());
        return { edges: maskSize(mask), nodes: nodeCount(shape, mask), chosen, total: edgeCount(shape) };
      }),
    extractCircuit: (params, call) =>
      answer('extractCircuit', params, async () => {
        await runCircuits(call);
        const shape = shapeOf(run());
        const { mask } = selected(params);
        keepCircuit(circuitOf(run(), edgesIn(shape, mask), params.name, params.ablation, `${params.selection.by} ${'edges' in params.selection ? params.selection.edges : params.selection.threshold}`));
      }),
    circuitCurve: (params, call) =>
      answer('circuitCurve', params, async () => {
        await runCircuits(call);
        const shape = shapeOf(run());
        const { budgets, leftOut } = budgetsOf(shape);
        const { full, empty } = ends(run());
        const points = budgets.map(({ share, edges }) => ({ share, chosen: edges, edges, faithfulness: 1 - Math.exp(-40 * share), ...(params.random > 0 && { random: { mean: share ** 2, low: share ** 2 / 2, high: share } }) }));
        return { points, ...cprCmd(points), leftOut, full, empty };
      }),
    circuitMinimality: (params, call) =>
      answer('circuitMinimality', params, async () => {
        await runCircuits(call);
        const shape = shapeOf(run());
        const scores = edgeScores(run(), { pair: 'all', unit: 'raw' });
        return circuitAt(params.circuit).edges.map((name) => ({ edge: edgeNamed(shape, name)!, loss: Math.abs(scores[matrixIndex(shape, edgeNamed(shape, name)!)]!) })).sort((a, b) => b.loss - a.loss);
      }),
    refineCircuit: (params) =>
      answer('refineCircuit', params, () => {
        const shape = shapeOf(run());
        const scores = edgeScores(run(), { pair: 'all', unit: 'raw' });
        const { edges, faithfulness } = circuitAt(params.circuit);
        const kept = edges.map((name) => edgeNamed(shape, name)!).filter((edge) => Math.abs(scores[matrixIndex(shape, edge)]!) >= params.threshold);
        keepCircuit(circuitOf(run(), kept, params.name, faithfulness?.ablation ?? 'corrupted', `ACDC at ${params.threshold}`));
      }),
    circuitStability: (params) => answer('circuitStability', params, () => ({ mean: 0.71, low: 0.58, high: 0.83, samples: 200 })),
    circuitOverlap: (params) =>
      answer('circuitOverlap', params, () => {
        const shape = shapeOf(run());
        const [a, b] = params.circuits.map((index) => maskOf(shape, circuitAt(index).edges.map((name) => edgeNamed(shape, name)!)));
        return overlapOf(a!, b!);
      }),
    removeCircuit: (params) =>
      answer('removeCircuit', params, () => {
        const { manifest, arrays } = run();
        keep({ arrays, manifest: { ...manifest, circuits: manifest.circuits!.filter((_, index) => index !== params.circuit) } }, true);
      }),
    exportGraph: (params) => answer('exportGraph', params, () => undefined),
    importCircuit: (params) => answer('importCircuit', params, () => keepCircuit(circuitOf(run(), strongest(run(), { pair: 'all', unit: 'raw' }).slice(0, 20), 'imported', params.ablation, 'imported from graph.json'))),
  };
}

/** The sample as it was kept: with its edges, where it has them, and what was noted before a reload. */
export function keptSample(name: SampleName): Run {
  const run = sampleRun(name);
  if (!ATTRIBUTED.includes(name)) return run;
  const notes = sessionStorage.getItem(NOTES);
  const { manifest, arrays } = withSampleEdges(run, {});
  return { arrays, manifest: { ...manifest, ...(notes !== null && { graph: JSON.parse(notes) as GraphNotes }) } };
}

function strongest(run: Run, options: ViewOptions): Edge[] {
  return strongestEdges(shapeOf(run), edgeScores(run, options));
}

/** What the editor answers to `graph`. */
export function graphPage(run: Run, { options, choose, focus, circuit, between, mode }: GraphRequest): GraphPage {
  if (!hasEdges(run)) throw new CircuitError('experiment', 'The edges of this run are not attributed yet.');
  const shape = shapeOf(run);
  const scores = edgeScores(run, options);
  const exact = exactEdges(run, mode, options);
  const scoreOf = (edge: Edge): number => scores[matrixIndex(shape, edge)]!;
  const all = strongestEdges(shape, scores);
  const inCircuit = circuit === undefined ? undefined : new Set(run.manifest.circuits![circuit]!.edges);
  const wanted = all.filter((edge) => (!focus || touches(shape, edge, focus)) && (!inCircuit || inCircuit.has(edgeName(shape, edge))));
  const chosen = 'top' in choose ? wanted.slice(0, choose.top) : wanted.filter((edge) => Math.abs(scoreOf(edge)) >= choose.threshold);
  const paths = between && strongestPaths(shape, wanted.map((edge) => ({ ...edge, score: scoreOf(edge) })), between.from, between.to, between.paths);
  const onPaths = paths && [...new Map(paths.flatMap(({ edges }) => edges).map((edge) => [matrixIndex(shape, edge), edge])).values()].sort((a, b) => Math.abs(scoreOf(b)) - Math.abs(scoreOf(a)));
  const sent = (onPaths ?? chosen).slice(0, MOST_EDGES);
  const roles = rolesInOrder(run);
  return {
    edges: sent.map((edge): DrawnEdge => ({ sender: edge.sender, receiver: edge.receiver, score: scoreOf(edge), ...(exact.has(matrixIndex(shape, edge)) && { exact: exact.get(matrixIndex(shape, edge))! }) })),
    nodes: nodesOf(run, shape, sent, roles, options),
    columns: roles,
    count: (onPaths ?? chosen).length,
    total: edgeCount(shape),
    weakest: sent.length === 0 ? 0 : Math.abs(scoreOf(sent.at(-1)!)),
    strongest: Math.abs(scoreOf(all[0]!)),
    ...(paths && { paths: paths.map(({ nodes, strength }) => ({ nodes, strength })) }),
  };
}

function touches(shape: GraphShape, { sender, receiver }: Edge, nodes: readonly string[]): boolean {
  return nodes.includes(nodeName(senderAt(shape, sender))) || nodes.includes(nodeName(nodeOfReceiver(receiverAt(shape, receiver))));
}

function rolesInOrder({ manifest: { pairs } }: Run): string[] {
  const [{ positions }] = pairs as [Run['manifest']['pairs'][number]];
  return positions ? Object.entries(positions).sort(([, a], [, b]) => a - b).map(([role]) => role) : ['0', '1', '2'];
}

function nodesOf(run: Run, shape: GraphShape, edges: readonly Edge[], roles: readonly string[], options: ViewOptions): DrawnNode[] {
  const own = senderScores(run, options);
  const nodes = new Map<string, DrawnNode>();
  for (const { sender, receiver } of edges) {
    const to = receiverAt(shape, receiver);
    const toIndex = to.kind === 'logits' ? 'logits' : Array.from({ length: senderCount(shape) }, (_, index) => index).find((index) => nodeName(senderAt(shape, index)) === nodeName(nodeOfReceiver(to)))!;
    for (const index of [sender, toIndex] as const) {
      const name = index === 'logits' ? 'logits' : nodeName(senderAt(shape, index));
      if (!nodes.has(name)) nodes.set(name, { name, score: index === 'logits' ? 1 : own[index]!, column: placeOfNode(roles, shape, index) });
    }
  }
  return [...nodes.values()];
}

/** The edge's score shared out over the positions from the first difference on. */
function edgePositions(run: Run, { edge, options }: Parameters<PathsHost['edgePositions']>[0]): EdgePositions[] {
  const shape = shapeOf(run);
  const { data } = arrayNamed(run.arrays, EDGE_SCORES);
  const extent = data.length / run.manifest.pairs.length;
  const scale = scaleOf(run.manifest, options);
  return run.manifest.groups.flatMap(({ pairs, length }, group) => {
    const shown = pairs.filter((pair) => options.pair === 'all' || options.pair === pair);
    if (shown.length === 0) return [];
    const scores = Array.from({ length }, () => 0);
    for (const pair of shown) {
      const first = run.manifest.pairs[pair]!.differsAt ?? 0;
      const value = data[pair * extent + matrixIndex(shape, edge)]! * scale;
      scores[first]! += value * 0.25;
      scores[length - 1]! += value * 0.75;
    }
    return [{ group, scores }];
  });
}

function ends({ manifest: { pairs } }: Run): { full: number; empty: number } {
  const mean = (side: 'clean' | 'corrupted'): number => pairs.reduce((sum, { metric }) => sum + (metric[side] ?? 0), 0) / pairs.length;
  return { full: mean('clean'), empty: mean('corrupted') };
}

function circuitOf(run: Run, edges: readonly Edge[], name: string, ablation: NonNullable<StoredCircuit['faithfulness']>['ablation'], origin: string): StoredCircuit {
  const shape = shapeOf(run);
  const { full, empty } = ends(run);
  const metric = empty + (full - empty) * (1 - Math.exp((-60 * edges.length) / edgeCount(shape)));
  return { name, edges: edges.map((edge) => edgeName(shape, edge)), origin, createdAt: '2026-11-21T12:30:00.000Z', faithfulness: { ablation, metric, full, empty, value: faithfulnessOf({ metric, full, empty }), knockedOut: 0.12 } };
}
