import { edgeCount, edgeName, nodeName, nodeOfReceiver, receiverAt, senderAt, type Edge, type GraphShape, type Port } from '../shared/graph/nodes';
import { shapeOf } from '../shared/graph/stored';
import type { EdgeMethod } from '../shared/paths';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import { modeFlag } from './graphArguments';
import { runJson, shortest, type RunJson } from './json';
import { figuresOf, type AgreementJson } from './patchJson';
import type { Listing, PositionScores } from './paths';

/** What `paths --json` prints. Fields are added, never changed. */
export interface PathsJson extends RunJson {
  unit: ViewOptions['unit'];
  /** How the edges were attributed: neither `integrated` nor `bothGradients` is EAP. */
  method: EdgeMethod & { layerNorm: NonNullable<EdgeMethod['layerNorm']> };
  /** Edges of the whole graph, and how many of them the flags choose and are not exactly 0. */
  total: number;
  chosen: number;
  /** How `exact` was measured: direct, direct-frozen or through-mlps. */
  exact?: string;
  /** Strongest first; named ones in the order in which they were named. */
  edges: EdgeJson[];
  /** Nodes by falling size of their own attribution. */
  nodes: { node: string; score: number }[];
  /** Over the listed edges, with `exact`. */
  agreement?: AgreementJson;
  /** With --by-position: one list per token length, of the one edge. */
  positions?: { length: number; pairs: number[]; axes: ['position']; values: number[] }[];
}

export interface EdgeJson {
  /** As EAP-IG names it: `a5.h5->a8.h6<v>`. */
  edge: string;
  from: string;
  to: string;
  /** Of a head: which of its inputs. */
  port?: Port;
  score: number;
  exact?: number;
}

export function pathsJson(run: Run, { view, edges, of, senders, exact }: Listing, top: number, { positions }: { positions?: PositionScores[] } = {}): PathsJson {
  const shape = shapeOf(run);
  const points = edges.flatMap(({ score, exact: effect }) => (effect === undefined ? [] : [{ estimate: score, exact: effect }]));
  const { groups } = run.manifest;
  return {
    ...runJson(run),
    unit: view.unit,
    method: methodJson(run.manifest.paths!.method),
    total: edgeCount(shape),
    chosen: of,
    ...(exact && { exact: modeFlag(exact) }),
    edges: edges.map(({ edge, score, exact: effect }) => ({ ...edgeJson(shape, edge), score: shortest(score), ...(effect !== undefined && { exact: shortest(Math.fround(effect)) }) })),
    nodes: rankedSenders(senders).slice(0, top).map((sender) => ({ node: nodeName(senderAt(shape, sender)), score: shortest(senders[sender]!) })),
    ...(exact && { agreement: figuresOf(points) }),
    ...(positions && { positions: positions.map(({ group, scores }) => ({ length: groups[group]!.length, pairs: groups[group]!.pairs, axes: ['position'], values: scores.map((score) => shortest(Math.fround(score))) })) }),
  };
}

export function methodJson(method: EdgeMethod): PathsJson['method'] {
  return { ...method, layerNorm: method.layerNorm ?? 'full' };
}

export function edgeJson(shape: GraphShape, edge: Edge): Pick<EdgeJson, 'edge' | 'from' | 'to' | 'port'> {
  const to = receiverAt(shape, edge.receiver);
  return { edge: edgeName(shape, edge), from: nodeName(senderAt(shape, edge.sender)), to: nodeName(nodeOfReceiver(to)), ...(to.kind === 'head' && { port: to.port }) };
}

/** Senders by falling |score|, ties by index, exact zeros left out. */
export function rankedSenders(senders: Float32Array): number[] {
  return Array.from(senders.keys())
    .filter((sender) => senders[sender] !== 0)
    .sort((a, b) => Math.abs(senders[b]!) - Math.abs(senders[a]!) || a - b);
}
