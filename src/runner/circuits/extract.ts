import { edgesIn, type EdgeMask } from '../../shared/graph/mask';
import { edgeName, type GraphShape } from '../../shared/graph/nodes';
import { selectCircuit, type CircuitSelection } from '../../shared/graph/select';
import { edgeMethodWords } from '../../shared/graph/methodWords';
import type { CircuitFaithfulness, EdgeMethod, StoredCircuit } from '../../shared/paths';
import type { CallOptions } from '../../shared/results';
import { plural } from '../../shared/text';
import { measureCircuit, type Evaluate } from './evaluate';

export interface Extraction {
  shape: GraphShape;
  /** [sender, receiver], in the units in which the selection's threshold is meant. */
  scores: Float32Array;
  method: EdgeMethod;
  selection: CircuitSelection;
  prune: boolean;
  ablation: CircuitFaithfulness['ablation'];
  name: string;
  createdAt: Date;
}

export interface Extracted {
  circuit: StoredCircuit;
  mask: EdgeMask;
  /** Edges before dangling ones were pruned. */
  chosen: number;
}

/** Selects a circuit, prunes it, and runs it and its complement. */
export async function extractCircuit(extraction: Extraction, evaluate: Evaluate, call?: CallOptions): Promise<Extracted> {
  const { shape, scores, method, selection, prune, ablation, name, createdAt } = extraction;
  const { mask, chosen } = selectCircuit(shape, scores, selection, prune);
  const circuit = storedCircuit(shape, mask, { name, origin: originOf(selection, method, prune), createdAt }, await measureCircuit(shape, mask, ablation, evaluate, call));
  return { circuit, mask, chosen };
}

/** A circuit in the form in which a run keeps it. */
export function storedCircuit(shape: GraphShape, mask: EdgeMask, { name, origin, createdAt }: { name: string; origin: string; createdAt: Date }, faithfulness?: CircuitFaithfulness): StoredCircuit {
  return { name, edges: edgesIn(shape, mask).map((edge) => edgeName(shape, edge)), origin, createdAt: createdAt.toISOString(), ...(faithfulness && { faithfulness }) };
}

/** What is wrong with a selection that leaves no edge, of this many that were chosen, and what to do. */
export function emptyWords(chosen: number): string {
  if (chosen === 0) return 'No edge is that strong: lower the threshold.';
  return `Nothing of what was chosen (${plural(chosen, 'edge')}) lies on a way from the input to the logits: choose more, or do not prune.`;
}

/** "top 40 of EAP-IG (5 steps, left), LayerNorm in full, pruned". */
export function originOf(selection: CircuitSelection, method: EdgeMethod, prune: boolean): string {
  const chosen = selection.by === 'threshold' ? `edges of at least ${selection.threshold}` : selection.by === 'greedy' ? `greedily ${selection.edges}` : `top ${selection.edges}`;
  return `${chosen} of ${edgeMethodWords(method)}${prune ? ', pruned' : ''}`;
}
