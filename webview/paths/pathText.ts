import { PORTS, nodeName, nodeNamed, nodeOfReceiver, receiverAt, senderAt, type Edge, type GraphNode, type GraphShape, type Port } from '../../src/shared/graph/nodes';
import type { DrawnEdge } from '../../src/shared/pathsProtocol';
import { headName } from '../model/describe';
import { formatScore } from '../model/format';

/** Nodes and edges of the graph in words. */

export function nodeTitle(node: GraphNode): string {
  switch (node.kind) {
    case 'head':
      return headName(node.layer, node.head);
    case 'mlp':
      return `MLP ${node.layer}`;
    case 'input':
      return 'Input';
    case 'logits':
      return 'Logits';
  }
}

/** By the name that the host knows it by: `a5.h1` is L5H1. */
export function titleOf(shape: GraphShape, name: string): string {
  const node = nodeNamed(shape, name);
  return node ? nodeTitle(node) : name;
}

/** "L9H6 (name mover)" */
export function titleWithName(shape: GraphShape, name: string, names: Readonly<Record<string, string>>): string {
  const given = names[name];
  return given === undefined ? titleOf(shape, name) : `${titleOf(shape, name)} (${given})`;
}

/** The two nodes of an edge as the host names them, and the input port where the receiver is a head. */
export interface EdgeEnds {
  from: string;
  to: string;
  port?: Port;
}

export function edgeEnds(shape: GraphShape, { sender, receiver }: Edge): EdgeEnds {
  const to = receiverAt(shape, receiver);
  return { from: nodeName(senderAt(shape, sender)), to: nodeName(nodeOfReceiver(to)), ...(to.kind === 'head' && { port: to.port }) };
}

const PORT_WORDS: Record<Port, string> = { q: 'query', k: 'key', v: 'value' };

export function portWords(port: Port): string {
  return PORT_WORDS[port];
}

/** "L5H5 → L8H6 v" */
export function edgeTitle(shape: GraphShape, edge: Edge): string {
  const { from, to, port } = edgeEnds(shape, edge);
  return `${titleOf(shape, from)} → ${titleOf(shape, to)}${port ? ` ${port}` : ''}`;
}

/** For the live region: "L5H5 into the value input of L8H6, +0.12, rank 3 of the drawn, exact +0.10". */
export function edgeSentence(shape: GraphShape, edge: DrawnEdge, rank: number): string {
  const { from, to, port } = edgeEnds(shape, edge);
  const into = port ? `the ${portWords(port)} input of ${titleOf(shape, to)}` : titleOf(shape, to);
  const exact = edge.exact === undefined ? 'not measured' : `exact ${formatScore(edge.exact)}`;
  return `${titleOf(shape, from)} into ${into}, ${formatScore(edge.score)}, rank ${rank} of the drawn, ${exact}`;
}

/** |estimate − exact|; undefined where nothing was measured. */
export function edgeError({ score, exact }: Pick<DrawnEdge, 'score' | 'exact'>): number | undefined {
  return exact === undefined ? undefined : Math.abs(score - exact);
}

const thousands = new Intl.NumberFormat('en-US');

export function countText(count: number): string {
  return thousands.format(count);
}

/** "42 of 32,491 edges", and what is not drawn. */
export function edgeCountText(drawn: number, count: number, total: number): string {
  if (count > drawn) return `${countText(count)} of ${countText(total)} edges; the ${countText(drawn)} strongest are drawn`;
  return `${countText(count)} of ${countText(total)} edges`;
}

/** Nodes in the order of the model: input, heads and MLP of each layer, logits. */
export function nodeOrder(shape: GraphShape, name: string): number {
  const node = nodeNamed(shape, name);
  if (!node || node.kind === 'input') return 0;
  if (node.kind === 'logits') return Infinity;
  return 1 + node.layer * (shape.heads + 1) + (node.kind === 'mlp' ? shape.heads : node.head);
}

export function portOrder(port: Port | undefined): number {
  return port ? PORTS.indexOf(port) : -1;
}
