import type { Edge, GraphShape, Receiver, Sender } from '../../shared/graph/nodes';
import { receiverAt, senderAt } from '../../shared/graph/nodes';
import type { SiteName } from '../../shared/sites';
import type { Patch } from './exactBatches';
import type { Part } from './exactCells';
import type { PatchJob } from './exactJobs';
import { siteKey } from './exactSources';

/** An edge with its ends. */
export interface PathEdge extends Edge {
  from: Sender;
  to: Receiver;
}

export function pathEdge(shape: GraphShape, { sender, receiver }: Edge): PathEdge {
  return { sender, receiver, from: senderAt(shape, sender), to: receiverAt(shape, receiver) };
}

/** A tensor of the residual stream's width in one layer. */
export interface StreamPlace {
  site: SiteName;
  layer: number;
}

export function placeKey({ site, layer }: StreamPlace): string {
  return siteKey(site, layer);
}

/** Where a sender's output is found: of a head its z, which W_O takes into the residual stream. */
export function outputOf(from: Sender): StreamPlace {
  switch (from.kind) {
    case 'input':
      return { site: 'embed', layer: 0 };
    case 'head':
      return { site: 'z', layer: from.layer };
    case 'mlp':
      return { site: 'mlp_out', layer: from.layer };
  }
}

/** The residual stream that a receiver reads. */
export function inputOf(to: Receiver, layers: number): StreamPlace {
  switch (to.kind) {
    case 'head':
      return { site: 'resid_pre', layer: to.layer };
    case 'mlp':
      return { site: 'resid_mid', layer: to.layer };
    case 'logits':
      return { site: 'resid_post', layer: layers - 1 };
  }
}

/**
 * What is replaced in the base run for an edge and a pair: a head's queries, keys or values; for an MLP the residual stream
 * after it, and for the logits that after the last block. resid_pre of the layer after the last one stands for the latter. None
 * where the edge certainly changes nothing: the effect is exactly 0.
 */
export function patchesOfEdge(job: PatchJob, edge: PathEdge, index: number, layers: number): Patch[] {
  return job.pairs.flatMap((_, row) => {
    if (job.weights[row] === 0) return [];
    const first = changedPositions(job, row, edge, layers)[0];
    if (first === undefined) return [];
    const { to } = edge;
    const place = to.kind === 'head' ? { site: to.port, layer: to.layer, head: to.head } : { site: 'resid_pre' as const, layer: to.kind === 'mlp' ? to.layer + 1 : layers };
    const part: Part = { ...place, first, end: promptEnd(job), shift: 0 };
    return [{ cell: index, row, part }];
  });
}

/** Tokens that a continuation appends are run with it, but are no part of what is patched. */
function promptEnd({ baseLength, appended }: Pick<PatchJob, 'baseLength' | 'appended'>): number {
  return baseLength - appended;
}

/** Whether the sender's output at a position can be another one on the other side. Both are the same before the first difference; the input is wherever the tokens are. */
export function differsAt(job: PatchJob, row: number, from: Sender, position: number): boolean {
  if (position < job.same[row]! || position >= promptEnd(job)) return false;
  return from.kind !== 'input' || !job.other || job.base[row]![position] !== job.other[row]![position];
}

/** Positions of the receiver's input that the edge changes and that reach the metric, ascending. */
function changedPositions(job: PatchJob, row: number, { from, to }: PathEdge, layers: number): number[] {
  const { stream } = job.sights[row]!;
  // What is read there reaches no other position any more.
  const isLast = to.kind === 'logits' || (to.layer === layers - 1 && (to.kind === 'mlp' || to.port === 'q'));
  const candidates = isLast ? stream : Array.from({ length: (stream.at(-1) ?? -1) + 1 }, (_, position) => position);
  // The first position attends to itself alone, whatever it asks for.
  const isIdle = (position: number): boolean => to.kind === 'head' && to.port === 'q' && position === 0;
  return candidates.filter((position) => differsAt(job, row, from, position) && !isIdle(position));
}
