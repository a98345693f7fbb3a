import { OTHERS, type Other } from '../shared/experiment';
import { edgeCount, isEdge, nodeNamed, type Edge } from '../shared/graph/nodes';
import type { CircuitSelection } from '../shared/graph/select';
import { shapeOf } from '../shared/graph/stored';
import type { ViewRequest } from '../shared/panelProtocol';
import { EDGE_LAYER_NORMS, PATH_MODES, type EdgeMethod, type GraphNotes, type PathMode } from '../shared/paths';
import type { GraphFormat, GraphRequest } from '../shared/pathsProtocol';
import type { Run } from '../shared/run';
import { flag, list, oneOf, readIntegrated } from './changeMessage';
import { checkRunId, indexBelow, objectOf, readViewRequest, refuse, wholeFrom } from './panelMessages';

/** What comes from the Paths view is untrusted, as in panelMessages: each reader returns a value of the type it names, or throws. */

export const GRAPH_FORMATS: readonly GraphFormat[] = ['mib', 'dot', 'mermaid', 'csv'];
const LONGEST_NAME = 100;
const LONGEST_NOTES = 100_000;
const MOST_PATHS = 100;
const MOST_RANDOM = 100;

/** `{ method }`, beside what else is asked. */
export function readEdgeMethodOf(params: unknown, run: Run): EdgeMethod {
  checkRunId(params, run);
  return readEdgeMethod(objectOf(params)['method']);
}

export function readEdgeMethod(value: unknown): EdgeMethod {
  const { integrated, bothGradients, layerNorm } = objectOf(value);
  const method: EdgeMethod = {};
  if (integrated !== undefined) method.integrated = readIntegrated(integrated);
  // What is off is as if it were not there.
  if (bothGradients !== undefined && flag(bothGradients, 'bothGradients')) method.bothGradients = true;
  if (method.integrated && method.bothGradients) return refuse('method', value);
  if (layerNorm !== undefined) method.layerNorm = oneOf(EDGE_LAYER_NORMS, layerNorm, 'layerNorm');
  return method;
}

export function readGraphRequest(params: unknown, run: Run): GraphRequest {
  const { choose, focus, circuit, between, mode } = objectOf(params);
  return {
    ...readViewRequest(params, run),
    choose: readChoose(choose),
    ...(focus !== undefined && { focus: readNodes(focus, run, 'focus') }),
    ...(circuit !== undefined && { circuit: readCircuitIndex(circuit, run) }),
    ...(between !== undefined && { between: readBetween(between, run) }),
    mode: oneOf(PATH_MODES, mode, 'mode'),
  };
}

export function readEdgeRequest(params: unknown, run: Run): ViewRequest & { edge: Edge } {
  return { ...readViewRequest(params, run), edge: readEdge(objectOf(params)['edge'], run) };
}

export function readPathsRequest(params: unknown, run: Run): ViewRequest & { mode: PathMode; edges: Edge[] | { top: number } } {
  const { mode, edges } = objectOf(params);
  const most = edgeCount(shapeOf(run));
  return {
    ...readViewRequest(params, run),
    mode: oneOf(PATH_MODES, mode, 'mode'),
    edges: Array.isArray(edges) ? list(edges, most, 'edges').map((edge) => readEdge(edge, run)) : { top: Math.min(most, wholeFrom(1, objectOf(edges)['top'], 'top')) },
  };
}

export function readSelectionRequest(params: unknown, run: Run): ViewRequest & { selection: CircuitSelection; prune: boolean } {
  return { ...readViewRequest(params, run), ...readSelection(params) };
}

export function readExtraction(params: unknown, run: Run): ReturnType<typeof readSelectionRequest> & { ablation: Other; name: string } {
  const { ablation, name } = objectOf(params);
  return { ...readSelectionRequest(params, run), ablation: oneOf(OTHERS, ablation, 'ablation'), name: readName(name) };
}

export function readCurveRequest(params: unknown, run: Run): ViewRequest & { by: 'top' | 'greedy'; ablation: Other; random: number } {
  const { by, ablation, random } = objectOf(params);
  return {
    ...readViewRequest(params, run),
    by: oneOf(['top', 'greedy'] as const, by, 'by'),
    ablation: oneOf(OTHERS, ablation, 'ablation'),
    random: indexBelow(MOST_RANDOM + 1, random, 'random'),
  };
}

/** The index of a kept circuit. */
export function readCircuit(params: unknown, run: Run): number {
  checkRunId(params, run);
  return readCircuitIndex(objectOf(params)['circuit'], run);
}

export function readRefinement(params: unknown, run: Run): { circuit: number; threshold: number; name: string } {
  const { threshold, name } = objectOf(params);
  return { circuit: readCircuit(params, run), threshold: readThreshold(threshold), name: readName(name) };
}

export function readStabilityRequest(params: unknown, run: Run): { selection: CircuitSelection; prune: boolean } {
  checkRunId(params, run);
  return readSelection(params);
}

export function readTwoCircuits(params: unknown, run: Run): [number, number] {
  checkRunId(params, run);
  const { circuits } = objectOf(params);
  if (!Array.isArray(circuits) || circuits.length !== 2) return refuse('circuits', circuits);
  return [readCircuitIndex(circuits[0], run), readCircuitIndex(circuits[1], run)];
}

export function readGraphExport(params: unknown, run: Run): ViewRequest & { format: GraphFormat; circuit?: number } {
  const { format, circuit } = objectOf(params);
  return { ...readViewRequest(params, run), format: oneOf(GRAPH_FORMATS, format, 'format'), ...(circuit !== undefined && { circuit: readCircuitIndex(circuit, run) }) };
}

export function readAblation(params: unknown, run: Run): Other {
  checkRunId(params, run);
  return oneOf(OTHERS, objectOf(params)['ablation'], 'ablation');
}

export function readGraphNotes(params: unknown, run: Run): GraphNotes {
  checkRunId(params, run);
  const { names, pinned, text } = objectOf(objectOf(params)['notes']);
  const named = Object.entries(objectOf(names)).map(([node, name]): [string, string] => [readNode(node, run, 'names'), readName(name)]);
  if (typeof text !== 'string' || text.length > LONGEST_NOTES) return refuse('text', typeof text);
  return { names: Object.fromEntries(named), pinned: [...new Set(readNodes(pinned, run, 'pinned'))], text };
}

function readSelection(params: unknown): { selection: CircuitSelection; prune: boolean } {
  const { selection, prune } = objectOf(params);
  return { selection: readCircuitSelection(selection), prune: flag(prune, 'prune') };
}

export function readCircuitSelection(value: unknown): CircuitSelection {
  const { by, edges, threshold } = objectOf(value);
  if (by === 'threshold') return { by, threshold: readThreshold(threshold) };
  return { by: oneOf(['top', 'greedy'] as const, by, 'selection'), edges: wholeFrom(1, edges, 'edges') };
}

function readChoose(value: unknown): GraphRequest['choose'] {
  const { top, threshold } = objectOf(value);
  return top === undefined ? { threshold: readThreshold(threshold) } : { top: wholeFrom(0, top, 'top') };
}

function readBetween(value: unknown, run: Run): NonNullable<GraphRequest['between']> {
  const { from, to, paths } = objectOf(value);
  return { from: readNode(from, run, 'from'), to: readNode(to, run, 'to'), paths: Math.min(MOST_PATHS, wholeFrom(1, paths, 'paths')) };
}

function readEdge(value: unknown, run: Run): Edge {
  const { sender, receiver } = objectOf(value);
  const edge = { sender: wholeFrom(0, sender, 'sender'), receiver: wholeFrom(0, receiver, 'receiver') };
  return isEdge(shapeOf(run), edge) ? edge : refuse('edge', value);
}

function readNodes(value: unknown, run: Run, name: string): string[] {
  const { layers, heads } = run.manifest.model;
  return list(value, layers * (heads + 1) + 2, name).map((node) => readNode(node, run, name));
}

function readNode(value: unknown, run: Run, name: string): string {
  return typeof value === 'string' && nodeNamed(shapeOf(run), value) ? value : refuse(name, value);
}

function readCircuitIndex(value: unknown, { manifest: { circuits = [] } }: Run): number {
  return indexBelow(circuits.length, value, 'circuit');
}

function readThreshold(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : refuse('threshold', value);
}

function readName(value: unknown): string {
  const name = typeof value === 'string' ? value.trim() : '';
  return name.length > 0 && name.length <= LONGEST_NAME ? name : refuse('name', value);
}
