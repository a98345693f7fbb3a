import { nodeNamed, type GraphShape, type Port } from '../../src/shared/graph/nodes';
import type { Matrix } from '../../src/shared/views';
import type { DrawnGraph } from './drawnGraph';
import { nodeOrder } from './pathText';

/** The drawn edges between heads as a matrix, sender × receiver. */
export interface EdgeMatrix {
  /** NaN where no edge is drawn. */
  matrix: Matrix;
  senders: string[];
  receivers: string[];
  /** Indices of the edges that a cell (row-major) is the sum of, strongest first. */
  edges: number[][];
}

/** Of the heads that have such edges; `port`: into one of a head's inputs, or the sum over all three. */
export function edgeMatrix(shape: GraphShape, { page, ends }: Pick<DrawnGraph, 'page' | 'ends'>, port: Port | 'all'): EdgeMatrix {
  const isHead = (name: string): boolean => nodeNamed(shape, name)?.kind === 'head';
  const drawn = ends.flatMap((edge, index) => (isHead(edge.from) && isHead(edge.to) && (port === 'all' || edge.port === port) ? [{ ...edge, index }] : []));
  const inOrder = (names: readonly string[]): string[] => [...new Set(names)].sort((a, b) => nodeOrder(shape, a) - nodeOrder(shape, b));
  const senders = inOrder(drawn.map(({ from }) => from));
  const receivers = inOrder(drawn.map(({ to }) => to));
  const edges: number[][] = Array.from({ length: senders.length * receivers.length }, () => []);
  for (const { from, to, index } of drawn) edges[senders.indexOf(from) * receivers.length + receivers.indexOf(to)]!.push(index);
  const values = Float32Array.from(edges, (cell) => (cell.length === 0 ? NaN : cell.reduce((sum, index) => sum + page.edges[index]!.score, 0)));
  return { matrix: { axes: ['sender', 'receiver'], rows: senders.length, columns: receivers.length, values }, senders, receivers, edges };
}
