import { CircuitError } from '../shared/errors';
import { maskOf, nodeCount, maskSize, type EdgeMask } from '../shared/graph/mask';
import { edgeAt, edgeCount, edgeNamed, matrixIndex, nodeName, nodeNamed, nodeOfReceiver, receiverAt, senderAt, senderIndex, type Edge, type GraphNode, type GraphShape } from '../shared/graph/nodes';
import { rankedIndices, selectCircuit, strongestEdges, type CircuitSelection } from '../shared/graph/select';
import { edgeScores, exactEdges, hasEdges, senderScores, shapeOf } from '../shared/graph/stored';
import { strongestPathsAmong } from '../shared/graph/strongPaths';
import { edgePositionsName, type EdgeMethod, type EdgeResult, type PathMode } from '../shared/paths';
import { MOST_EDGES, type DrawnEdge, type DrawnNode, type EdgePositions, type GraphPage, type GraphRequest, type SelectedCircuit } from '../shared/pathsProtocol';
import { arrayNamed } from '../shared/arrays';
import { overlapOf } from '../shared/graph/overlap';
import type { Run } from '../shared/run';
import { scaleOf, type ViewOptions } from '../shared/views';
import { nodeColumns } from './nodeColumns';

/** What the Paths view draws of a run. Pure: a run in, plain values out. */

interface Ranked {
  scores: Float32Array;
  /** Matrix indices of all edges by falling |score|. */
  order: Uint32Array;
}

/** Pages of the graph. The last ranking is kept, so that moving the threshold does not rank again. Pure but for that. */
export class GraphPages {
  private last?: { runId: string; method: EdgeMethod; question: string; ranked: Ranked };

  page(run: Run, request: Omit<GraphRequest, 'runId'>): GraphPage {
    return graphPage(run, request, this.rankedIn(run, request.options));
  }

  private rankedIn(run: Run, options: ViewOptions): Ranked {
    checkEdges(run);
    const { id: runId, paths } = run.manifest;
    const question = JSON.stringify([options.pair, options.unit, options.of]);
    const { last } = this;
    // The method's object is another one when the edges were attributed again.
    if (last && last.runId === runId && last.method === paths!.method && last.question === question) return last.ranked;
    const ranked = rankEdges(run, options);
    this.last = { runId, method: paths!.method, question, ranked };
    return ranked;
  }
}

export function rankEdges(run: Run, options: ViewOptions): Ranked {
  const scores = edgeScores(run, options);
  return { scores, order: rankedIndices(shapeOf(run), scores) };
}

/**
 * Edges by falling |score|: those of a circuit (all of them, otherwise without exact zeros) and into or out of the nodes in focus,
 * and of these the strongest or all down to a threshold, or instead the edges of the strongest paths between two nodes.
 */
export function graphPage(run: Run, request: Omit<GraphRequest, 'runId'>, ranked: Ranked): GraphPage {
  const { options, mode, between } = request;
  const shape = shapeOf(run);
  const { scores, order } = ranked;
  const { indices, count, paths } = between ? alongPaths(run, request, between, ranked) : chosen(run, request, ranked);
  const exact = exactEdges(run, mode, options);
  const edges = Array.from(indices, (index): DrawnEdge => {
    const measured = exact.get(index);
    return { ...edgeAt(shape, index), score: scores[index]!, ...(measured !== undefined && !Number.isNaN(measured) && { exact: measured }) };
  });
  const { nodes, columns } = drawnNodes(run, options, edges);
  return {
    ...{ edges, nodes, columns, count },
    total: edgeCount(shape),
    weakest: Math.abs(edges.at(-1)?.score ?? 0),
    strongest: Math.abs(scores[order[0]!]!),
    ...(paths && { paths }),
  };
}

interface Choice {
  /** At most MOST_EDGES, strongest first. */
  indices: number[];
  count: number;
  paths?: GraphPage['paths'];
}

function chosen(run: Run, { choose, focus, circuit }: Omit<GraphRequest, 'runId'>, { scores, order }: Ranked): Choice {
  const shape = shapeOf(run);
  const mask = circuit === undefined ? undefined : circuitMask(run, circuit);
  const isInFocus = focusOf(shape, focus);
  const indices: number[] = [];
  let count = 0;
  for (const index of order) {
    const size = Math.abs(scores[index]!);
    if ('top' in choose ? count === choose.top : size < choose.threshold) break;
    if (mask ? mask[index] !== 1 : size === 0) continue;
    if (!isInFocus(edgeAt(shape, index))) continue;
    if (indices.length < MOST_EDGES) indices.push(index);
    count++;
  }
  return { indices, count };
}

function alongPaths(run: Run, { circuit }: Omit<GraphRequest, 'runId'>, { from, to, paths: wanted }: NonNullable<GraphRequest['between']>, { scores, order }: Ranked): Choice {
  const shape = shapeOf(run);
  const mask = circuit === undefined ? undefined : circuitMask(run, circuit);
  const paths = strongestPathsAmong(shape, scores, mask ? order.filter((index) => mask[index] === 1) : order, from, to, wanted);
  const onPaths = [...new Set(paths.flatMap(({ edges }) => edges.map((edge) => matrixIndex(shape, edge))))];
  const indices = onPaths.sort((a, b) => Math.abs(scores[b]!) - Math.abs(scores[a]!) || a - b);
  return { indices: indices.slice(0, MOST_EDGES), count: indices.length, paths: paths.map(({ nodes, strength }) => ({ nodes, strength })) };
}

function focusOf(shape: GraphShape, focus: readonly string[] | undefined): (edge: Edge) => boolean {
  if (!focus) return () => true;
  const names = new Set(focus);
  const senders = new Set<number>();
  for (const name of names) {
    const node = nodeNamed(shape, name);
    if (node && node.kind !== 'logits') senders.add(senderIndex(shape, node));
  }
  return ({ sender, receiver }) => senders.has(sender) || names.has(nodeName(nodeOfReceiver(receiverAt(shape, receiver))));
}

/** The ends of these edges, in the order of the forward pass. */
function drawnNodes(run: Run, options: ViewOptions, edges: readonly Edge[]): Pick<GraphPage, 'nodes' | 'columns'> {
  const shape = shapeOf(run);
  const byName = new Map<string, GraphNode>();
  for (const { sender, receiver } of edges) {
    for (const node of [senderAt(shape, sender), nodeOfReceiver(receiverAt(shape, receiver))]) byName.set(nodeName(node), node);
  }
  const placeOf = (node: GraphNode): number => (node.kind === 'logits' ? Infinity : senderIndex(shape, node));
  const found = [...byName.values()].sort((a, b) => placeOf(a) - placeOf(b));
  const scores = senderScores(run, options);
  const { columns, of } = nodeColumns(run, options, found);
  const nodes = found.map((node, i): DrawnNode => ({ name: nodeName(node), score: node.kind === 'logits' ? wholeDifference(run, options) : scores[senderIndex(shape, node)]!, column: of[i]! }));
  return { nodes, columns };
}

/** What the metric differs by between clean and corrupted (where nothing is corrupted: the clean metric), in the view's units. */
function wholeDifference({ manifest }: Run, options: ViewOptions): number {
  const shown = options.pair === 'all' ? manifest.pairs : [manifest.pairs[options.pair]!];
  return shown.reduce((sum, { metric }) => sum + metric.clean - (metric.corrupted ?? 0), 0) * scaleOf(manifest, options);
}

/** One edge by position, of each length group with pairs in view, from attribution of the edges into its receiver alone. */
export function edgePositionsOf(run: Run, { edge, options }: { edge: Edge; options: ViewOptions }, { arrays }: Pick<EdgeResult, 'arrays'>): EdgePositions[] {
  const scale = scaleOf(run.manifest, options);
  return run.manifest.groups.flatMap(({ pairs }, group) => {
    const { data, shape } = arrayNamed(arrays, edgePositionsName(group));
    const [, senders, , positions] = shape as [number, number, number, number];
    const rows = pairs.flatMap((pair, row) => (options.pair === 'all' || options.pair === pair ? [row] : []));
    if (rows.length === 0) return [];
    const at = (row: number, position: number): number => data[(row * senders + edge.sender) * positions + position]!;
    const scores = Array.from({ length: positions }, (_, position) => rows.reduce((sum, row) => sum + at(row, position), 0) * scale);
    return [{ group, scores }];
  });
}

/** What a selection would choose. */
export function selectedCircuit(run: Run, { options, selection, prune }: { options: ViewOptions; selection: CircuitSelection; prune: boolean }): SelectedCircuit {
  checkEdges(run);
  const shape = shapeOf(run);
  const { mask, chosen: before } = selectCircuit(shape, edgeScores(run, options), selection, prune);
  return { edges: maskSize(mask), nodes: nodeCount(shape, mask), chosen: before, total: edgeCount(shape) };
}

/** The edges to patch: those named, or the strongest of the view. */
export function edgesToPatch(run: Run, { edges, options }: { edges: Edge[] | { top: number }; options: ViewOptions; mode: PathMode }): Edge[] {
  if (Array.isArray(edges)) return edges;
  checkEdges(run);
  return strongestEdges(shapeOf(run), edgeScores(run, options)).slice(0, edges.top);
}

/** A kept circuit as a set of edges. Throws `run-file` where one of its edges is none of the run's model. */
export function circuitMask(run: Run, circuit: number): EdgeMask {
  const shape = shapeOf(run);
  const { name, edges } = run.manifest.circuits![circuit]!;
  return maskOf(
    shape,
    edges.map((edge) => {
      const found = edgeNamed(shape, edge);
      if (!found) throw new CircuitError('run-file', `The circuit “${name}” has an edge that this model has not: ${edge}. Remove the circuit and extract it again.`);
      return found;
    }),
  );
}

export function overlapOfCircuits(run: Run, [one, other]: [number, number]): { shared: number; either: number; jaccard: number } {
  return overlapOf(circuitMask(run, one), circuitMask(run, other));
}

export function checkEdges(run: Run): void {
  if (!hasEdges(run)) throw new CircuitError('experiment', 'The edges of this run are not attributed yet: attribute them first.');
}
