/**
 * The model as a graph (EAP, Syed et al. 2023; names and order as in EAP-IG's code): components read the residual stream and
 * add to it. Senders are the start of the stream, heads (what they add, hence W_O applied) and MLPs; receivers are every head's
 * query, key and value input apart, MLP inputs, and the logits. An edge is what one sender's output carries into one receiver's
 * input. Output biases of attention belong to no sender.
 *
 *   sender    0 input; 1 + l(H+1) + h head l.h; 1 + l(H+1) + H MLP l                       1 + L(H+1) of them
 *   receiver  l(3H+1) + {q 0, k 1, v 2}·H + h; l(3H+1) + 3H MLP l; L(3H+1) logits           L(3H+1) + 1 of them
 */
export interface GraphShape {
  layers: number;
  heads: number;
}

export type Port = 'q' | 'k' | 'v';
export const PORTS: readonly Port[] = ['q', 'k', 'v'];

export type GraphNode = { kind: 'input' } | { kind: 'head'; layer: number; head: number } | { kind: 'mlp'; layer: number } | { kind: 'logits' };

export type Sender = Exclude<GraphNode, { kind: 'logits' }>;
export type Receiver = { kind: 'head'; layer: number; head: number; port: Port } | { kind: 'mlp'; layer: number } | { kind: 'logits' };

/** By the indices of its ends. */
export interface Edge {
  sender: number;
  receiver: number;
}

export function senderCount({ layers, heads }: GraphShape): number {
  return 1 + layers * (heads + 1);
}

export function receiverCount({ layers, heads }: GraphShape): number {
  return layers * (3 * heads + 1) + 1;
}

export function senderAt({ heads }: GraphShape, index: number): Sender {
  if (index === 0) return { kind: 'input' };
  const layer = Math.floor((index - 1) / (heads + 1));
  const head = (index - 1) % (heads + 1);
  return head === heads ? { kind: 'mlp', layer } : { kind: 'head', layer, head };
}

export function senderIndex({ heads }: GraphShape, sender: Sender): number {
  if (sender.kind === 'input') return 0;
  return 1 + sender.layer * (heads + 1) + (sender.kind === 'mlp' ? heads : sender.head);
}

export function receiverAt({ layers, heads }: GraphShape, index: number): Receiver {
  const layer = Math.floor(index / (3 * heads + 1));
  if (layer === layers) return { kind: 'logits' };
  const place = index % (3 * heads + 1);
  return place === 3 * heads ? { kind: 'mlp', layer } : { kind: 'head', layer, head: place % heads, port: PORTS[Math.floor(place / heads)]! };
}

export function receiverIndex({ layers, heads }: GraphShape, receiver: Receiver): number {
  if (receiver.kind === 'logits') return layers * (3 * heads + 1);
  return receiver.layer * (3 * heads + 1) + (receiver.kind === 'mlp' ? 3 * heads : PORTS.indexOf(receiver.port) * heads + receiver.head);
}

/** How many senders a receiver has: they are the first ones. Same-layer heads reach their layer's MLP, nothing reaches its own layer's heads. */
export function sendersInto(shape: GraphShape, receiver: number): number {
  const own = receiverAt(shape, receiver);
  if (own.kind === 'logits') return senderCount(shape);
  return 1 + own.layer * (shape.heads + 1) + (own.kind === 'mlp' ? shape.heads : 0);
}

export function isEdge(shape: GraphShape, { sender, receiver }: Edge): boolean {
  const isIndex = (index: number, count: number): boolean => Number.isInteger(index) && index >= 0 && index < count;
  return isIndex(receiver, receiverCount(shape)) && isIndex(sender, sendersInto(shape, receiver));
}

/** GPT-2 small: 32,491. */
export function edgeCount(shape: GraphShape): number {
  let count = 0;
  for (let receiver = 0; receiver < receiverCount(shape); receiver++) count += sendersInto(shape, receiver);
  return count;
}

/** Every edge, by receiver, then by sender. */
export function edgesOf(shape: GraphShape): Edge[] {
  return Array.from(edgeIndices(shape), (index) => edgeAt(shape, index));
}

/** The matrix indices of every edge, by receiver, then by sender: what loops over the whole graph run through, without an object for each edge. */
export function edgeIndices(shape: GraphShape): Uint32Array {
  const indices = new Uint32Array(edgeCount(shape));
  const receivers = receiverCount(shape);
  let next = 0;
  for (let receiver = 0; receiver < receivers; receiver++) {
    const senders = sendersInto(shape, receiver);
    for (let sender = 0; sender < senders; sender++) indices[next++] = sender * receivers + receiver;
  }
  return indices;
}

/** Where an edge's number stands in a matrix [sender, receiver], row-major; cells of what is no edge hold 0. */
export function matrixIndex(shape: GraphShape, { sender, receiver }: Edge): number {
  return sender * receiverCount(shape) + receiver;
}

/** The edge whose number stands there. */
export function edgeAt(shape: GraphShape, index: number): Edge {
  const receivers = receiverCount(shape);
  return { sender: Math.floor(index / receivers), receiver: index % receivers };
}

/** The sender that is the node of a receiver; undefined for the logits, which send nothing. */
export function senderOfReceiver(shape: GraphShape, receiver: number): number | undefined {
  const node = nodeOfReceiver(receiverAt(shape, receiver));
  return node.kind === 'logits' ? undefined : senderIndex(shape, node as Sender);
}

/** The receivers of a sender's node: a head's query, key and value, an MLP's one, none of the input. */
export function receiversOfSender(shape: GraphShape, sender: number): number[] {
  const node = senderAt(shape, sender);
  if (node.kind === 'input') return [];
  if (node.kind === 'mlp') return [receiverIndex(shape, node)];
  return PORTS.map((port) => receiverIndex(shape, { ...node, port }));
}

/** The node that a receiver belongs to. */
export function nodeOfReceiver(receiver: Receiver): GraphNode {
  return receiver.kind === 'head' ? { kind: 'head', layer: receiver.layer, head: receiver.head } : receiver;
}

/** `input`, `a5.h1`, `m3`, `logits`, as EAP-IG names them. */
export function nodeName(node: GraphNode): string {
  switch (node.kind) {
    case 'head':
      return `a${node.layer}.h${node.head}`;
    case 'mlp':
      return `m${node.layer}`;
    default:
      return node.kind;
  }
}

/** `a5.h5->a8.h6<v>`, `input->m0`, `a9.h9->logits`. */
export function edgeName(shape: GraphShape, { sender, receiver }: Edge): string {
  const to = receiverAt(shape, receiver);
  return `${nodeName(senderAt(shape, sender))}->${nodeName(nodeOfReceiver(to))}${to.kind === 'head' ? `<${to.port}>` : ''}`;
}

/** Undefined for what names no node of this shape. */
export function nodeNamed({ layers, heads }: GraphShape, name: string): GraphNode | undefined {
  if (name === 'input' || name === 'logits') return { kind: name };
  // Each node has one name: not a05.h1.
  const match = /^(?:a(0|[1-9]\d*)\.h(0|[1-9]\d*)|m(0|[1-9]\d*))$/.exec(name);
  if (!match) return undefined;
  const layer = Number(match[1] ?? match[3]);
  if (layer >= layers) return undefined;
  if (match[2] === undefined) return { kind: 'mlp', layer };
  return Number(match[2]) < heads ? { kind: 'head', layer, head: Number(match[2]) } : undefined;
}

/** Undefined for what names no edge of this shape: unknown nodes, a missing or superfluous port, an edge that would run backwards. */
export function edgeNamed(shape: GraphShape, name: string): Edge | undefined {
  const match = /^([^<>-]+)->([^<>-]+)(?:<([qkv])>)?$/.exec(name);
  if (!match) return undefined;
  const [from, to] = [nodeNamed(shape, match[1]!), nodeNamed(shape, match[2]!)];
  if (!from || !to || from.kind === 'logits' || to.kind === 'input' || (to.kind === 'head') !== (match[3] !== undefined)) return undefined;
  const receiver = to.kind === 'head' ? { ...to, port: match[3] as Port } : to;
  const edge = { sender: senderIndex(shape, from), receiver: receiverIndex(shape, receiver) };
  return isEdge(shape, edge) ? edge : undefined;
}
