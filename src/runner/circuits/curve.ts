import { budgetsOf, cprCmd, faithfulnessOf } from '../../shared/graph/faithfulness';
import { maskSize, type EdgeMask } from '../../shared/graph/mask';
import { edgeCount, type GraphShape } from '../../shared/graph/nodes';
import { randomCircuit, seededRandom } from '../../shared/graph/random';
import { selectCircuit } from '../../shared/graph/select';
import type { CircuitCurve, CurvePoint } from '../../shared/pathsProtocol';
import type { CallOptions } from '../../shared/results';
import { evaluateAll, type Evaluate } from './evaluate';

export interface CurveOptions {
  shape: GraphShape;
  scores: Float32Array;
  by: 'top' | 'greedy';
  /** Random circuits at each budget; 0 for none. */
  random: number;
  seed: number;
  /** Shares of the graph's edges; MIB's ten unless said. */
  shares?: readonly number[];
}

/**
 * Faithfulness of pruned circuits over budgets, n = ⌊share · edges⌋ (MIB), with its areas CPR and CMD, beside the random circuits
 * of n edges. Budgets that come to no edge at all are left out and counted.
 */
export async function circuitCurve({ shape, scores, by, random, seed, shares }: CurveOptions, evaluate: Evaluate, call?: CallOptions): Promise<CircuitCurve> {
  const total = edgeCount(shape);
  const draw = seededRandom(seed);
  const { budgets, leftOut } = budgetsOf(shape, shares);
  if (budgets.length === 0) throw new RangeError('no budget comes to an edge');
  const rows = budgets.map(({ share, edges }) => {
    const { mask, chosen } = selectCircuit(shape, scores, { by, edges }, true);
    // There is only one circuit of all edges.
    const drawn = Array.from({ length: edges === total ? Math.min(random, 1) : random }, () => randomCircuit(shape, edges, draw));
    return { share, chosen, mask, drawn };
  });
  const { metrics, full, empty } = await evaluateAll(rows.flatMap(({ mask, drawn }) => [mask, ...drawn]), evaluate, call);
  let next = 0;
  const read = (): number | null => faithfulnessOf({ metric: metrics[next++]!, full, empty });
  const points = rows.map(({ share, chosen, mask, drawn }): CurvePoint => {
    const point = { share, chosen, edges: maskSize(mask), faithfulness: read() };
    const spread = spreadOf(drawn.map(read));
    return { ...point, ...(spread && { random: spread }) };
  });
  return { points, ...cprCmd(points), leftOut, full, empty };
}

export interface RandomBaseline {
  mean: number;
  low: number;
  high: number;
}

/** Faithfulness of random circuits of one size; undefined where full and empty do not differ. */
export async function randomBaseline(shape: GraphShape, edges: number, count: number, seed: number, evaluate: Evaluate, call?: CallOptions): Promise<RandomBaseline | undefined> {
  const draw = seededRandom(seed);
  const masks = Array.from({ length: count }, (): EdgeMask => randomCircuit(shape, edges, draw));
  const { metrics, full, empty } = await evaluateAll(masks, evaluate, call);
  return spreadOf(metrics.map((metric) => faithfulnessOf({ metric, full, empty })));
}

function spreadOf(values: readonly (number | null)[]): RandomBaseline | undefined {
  const known = values.flatMap((value) => value ?? []);
  if (known.length === 0) return undefined;
  return { mean: known.reduce((sum, value) => sum + value, 0) / known.length, low: Math.min(...known), high: Math.max(...known) };
}
