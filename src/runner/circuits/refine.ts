import { CircuitError } from '../../shared/errors';
import { edgesIn, type EdgeMask } from '../../shared/graph/mask';
import { senderOfReceiver, type Edge, type GraphShape } from '../../shared/graph/nodes';
import { prune } from '../../shared/graph/prune';
import type { CallOptions } from '../../shared/results';
import { evaluateAll, partOf, type Evaluate } from './evaluate';
import { without } from './minimality';

export interface Refined {
  /** What is left, dangling edges pruned. */
  mask: EdgeMask;
  removed: number;
  /** How many of the edges had to be tried in a run of the model. */
  tried: number;
}

/**
 * ACDC (Conmy et al. 2023) on a circuit that is selected already: receivers from the logits down, of each the edges into it,
 * latest sender first; an edge is removed when the mean metric falls by less than `threshold` (raw units) without it, and the
 * next edge is judged against the metric as it then is. One run of the model per edge, one after the other by definition.
 * Edges into a node that nothing leads out of any more carry nothing and are removed without a run.
 */
export async function refine(shape: GraphShape, mask: EdgeMask, threshold: number, evaluate: Evaluate, call: CallOptions = {}): Promise<Refined> {
  const edges = edgesIn(shape, mask).sort((a, b) => b.receiver - a.receiver || b.sender - a.sender);
  if (edges.length === 0) return { mask, removed: 0, tried: 0 };
  let current = mask;
  let metric = (await evaluateAll([mask], evaluate, partOf(call, 0, 0, 0))).metrics[0]!;
  let tried = 0;
  for (const [i, edge] of edges.entries()) {
    if (call.signal?.aborted) throw new CircuitError('cancelled', 'Cancelled.');
    const smaller = without(shape, current, edge);
    if (!isHeard(shape, current, edge)) {
      current = smaller;
      continue;
    }
    tried++;
    const next = (await evaluateAll([smaller], evaluate, partOf(call, i / edges.length, 1 / edges.length, i))).metrics[0]!;
    if (metric - next >= threshold) continue;
    [current, metric] = [smaller, next];
  }
  const left = edgesIn(shape, current).length;
  return { mask: prune(shape, current), removed: edges.length - left, tried };
}

/** Whether something leads on from the node that the edge leads into. */
function isHeard(shape: GraphShape, mask: EdgeMask, { receiver }: Edge): boolean {
  const node = senderOfReceiver(shape, receiver);
  return node === undefined || edgesIn(shape, mask).some(({ sender }) => sender === node);
}
