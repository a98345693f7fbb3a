import { faithfulnessOf } from '../../shared/graph/faithfulness';
import { edgesIn, type EdgeMask } from '../../shared/graph/mask';
import { matrixIndex, type Edge, type GraphShape } from '../../shared/graph/nodes';
import type { CallOptions } from '../../shared/results';
import { evaluateAll, type Evaluate } from './evaluate';

export interface EdgeLoss {
  edge: Edge;
  /** Faithfulness of the circuit − faithfulness without the edge: positive where the edge serves. Null where full and empty do not differ. */
  loss: number | null;
}

/** Runs the circuit once without each of its edges; strongest loss first. */
export async function minimality(shape: GraphShape, mask: EdgeMask, evaluate: Evaluate, call?: CallOptions): Promise<EdgeLoss[]> {
  const edges = edgesIn(shape, mask);
  if (edges.length === 0) return [];
  const { metrics, full, empty } = await evaluateAll([mask, ...edges.map((edge) => without(shape, mask, edge))], evaluate, call);
  const [whole, ...rest] = metrics.map((metric) => faithfulnessOf({ metric, full, empty }));
  const losses = edges.map((edge, i): EdgeLoss => ({ edge, loss: lossOf(whole!, rest[i]!) }));
  return losses.sort((a, b) => (b.loss ?? 0) - (a.loss ?? 0));
}

/** The circuit without one of its edges. */
export function without(shape: GraphShape, mask: EdgeMask, edge: Edge): EdgeMask {
  const smaller = Uint8Array.from(mask);
  smaller[matrixIndex(shape, edge)] = 0;
  return smaller;
}

function lossOf(whole: number | null, without: number | null): number | null {
  return whole === null || without === null ? null : whole - without;
}
