import { nodeOrder, type EdgeEnds } from './pathText';
import type { GraphShape } from '../../src/shared/graph/nodes';

/**
 * Walking the graph by arrow keys. From a node, up and down lead onto its strongest output and input edge, left and right to its
 * neighbours; from an edge, up and down lead to its ends, left and right to the next edge on the same side of the node it was reached from.
 */
export type Place = { node: string } | { edge: number; /** The end one came from. */ via: 'from' | 'to' };

export interface Walkable {
  shape: GraphShape;
  /** Any order. */
  nodes: readonly string[];
  /** Strongest first. */
  edges: readonly EdgeEnds[];
}

/** Where a key leads; undefined for a key that is no movement. Stays where there is no way on. */
export function walk(graph: Walkable, place: Place | undefined, key: string): Place | undefined {
  const ordered = [...graph.nodes].sort((a, b) => nodeOrder(graph.shape, a) - nodeOrder(graph.shape, b));
  const [first, last] = [ordered[0], ordered.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  if (key === 'Home') return { node: first };
  if (key === 'End') return { node: last };
  if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'].includes(key)) return undefined;
  if (!place || !isThere(graph, place)) return { node: last };
  return 'node' in place ? fromNode(graph, ordered, place, key) : fromEdge(graph, place, key);
}

export function isThere({ nodes, edges }: { nodes: readonly string[]; edges: readonly unknown[] }, place: Place): boolean {
  return 'node' in place ? nodes.includes(place.node) : place.edge < edges.length;
}

function fromNode({ edges }: Walkable, ordered: readonly string[], place: { node: string }, key: string): Place {
  if (key === 'ArrowUp') {
    const edge = edges.findIndex(({ from }) => from === place.node);
    return edge === -1 ? place : { edge, via: 'from' };
  }
  if (key === 'ArrowDown') {
    const edge = edges.findIndex(({ to }) => to === place.node);
    return edge === -1 ? place : { edge, via: 'to' };
  }
  const at = ordered.indexOf(place.node) + (key === 'ArrowLeft' ? -1 : 1);
  return { node: ordered[Math.max(0, Math.min(ordered.length - 1, at))]! };
}

function fromEdge({ edges }: Walkable, place: { edge: number; via: 'from' | 'to' }, key: string): Place {
  const own = edges[place.edge]!;
  if (key === 'ArrowUp') return { node: own.to };
  if (key === 'ArrowDown') return { node: own.from };
  const siblings = edges.flatMap((edge, index) => (edge[place.via] === own[place.via] ? [index] : []));
  const at = siblings.indexOf(place.edge) + (key === 'ArrowLeft' ? -1 : 1);
  return { ...place, edge: siblings[Math.max(0, Math.min(siblings.length - 1, at))]! };
}
