import { edgeAt, edgeIndices, matrixIndex, receiverCount, senderCount, senderOfReceiver, type Edge, type GraphShape } from './nodes';

/** A set of edges as a matrix [sender, receiver], row-major: 1 where the edge is in the set, 0 elsewhere. */
export type EdgeMask = Uint8Array;

export function emptyMask(shape: GraphShape): EdgeMask {
  return new Uint8Array(senderCount(shape) * receiverCount(shape));
}

export function fullMask(shape: GraphShape): EdgeMask {
  return complementOf(shape, emptyMask(shape));
}

export function maskOf(shape: GraphShape, edges: readonly Edge[]): EdgeMask {
  const mask = emptyMask(shape);
  for (const edge of edges) mask[matrixIndex(shape, edge)] = 1;
  return mask;
}

/** By receiver, then by sender. */
export function edgesIn(shape: GraphShape, mask: EdgeMask): Edge[] {
  const edges: Edge[] = [];
  for (const index of edgeIndices(shape)) if (mask[index] === 1) edges.push(edgeAt(shape, index));
  return edges;
}

export function maskSize(mask: EdgeMask): number {
  let count = 0;
  for (const cell of mask) count += cell;
  return count;
}

/** All edges but those of the set. */
export function complementOf(shape: GraphShape, mask: EdgeMask): EdgeMask {
  const complement = emptyMask(shape);
  for (const index of edgeIndices(shape)) complement[index] = mask[index] === 1 ? 0 : 1;
  return complement;
}

/** How many nodes the set's edges touch; a head is one, whichever of its inputs are reached. */
export function nodeCount(shape: GraphShape, mask: EdgeMask): number {
  const nodes = new Set<number>();
  for (const index of edgeIndices(shape)) {
    if (mask[index] !== 1) continue;
    const { sender, receiver } = edgeAt(shape, index);
    nodes.add(sender).add(senderOfReceiver(shape, receiver) ?? senderCount(shape));
  }
  return nodes.size;
}
