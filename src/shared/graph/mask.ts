import { edgesOf, matrixIndex, receiverCount, senderCount, type Edge, type GraphShape } from './nodes';

/** A set of edges as a matrix [sender, receiver], row-major: 1 where the edge is in the set, 0 elsewhere. */
export type EdgeMask = Uint8Array;

export function emptyMask(shape: GraphShape): EdgeMask {
  return new Uint8Array(senderCount(shape) * receiverCount(shape));
}

export function fullMask(shape: GraphShape): EdgeMask {
  return maskOf(shape, edgesOf(shape));
}

export function maskOf(shape: GraphShape, edges: readonly Edge[]): EdgeMask {
  const mask = emptyMask(shape);
  for (const edge of edges) mask[matrixIndex(shape, edge)] = 1;
  return mask;
}

/** By receiver, then by sender. */
export function edgesIn(shape: GraphShape, mask: EdgeMask): Edge[] {
  return edgesOf(shape).filter((edge) => mask[matrixIndex(shape, edge)] === 1);
}

export function maskSize(mask: EdgeMask): number {
  return mask.reduce((count, cell) => count + cell, 0);
}

/** All edges but those of the set. */
export function complementOf(shape: GraphShape, mask: EdgeMask): EdgeMask {
  return maskOf(shape, edgesOf(shape).filter((edge) => mask[matrixIndex(shape, edge)] === 0));
}
