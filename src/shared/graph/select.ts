/** How a circuit is chosen among edges by |score|. `edges` and `threshold` before dangling edges are pruned. */
export type CircuitSelection =
  /** The strongest edges (MIB). */
  | { by: 'top'; edges: number }
  /** Every edge of at least this size, in the scores' units. */
  | { by: 'threshold'; threshold: number }
  /** From the logits up: again and again the strongest edge into a node that is in already (EAP-IG's paper). */
  | { by: 'greedy'; edges: number };
