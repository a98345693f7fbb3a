import { SMALLEST_DENOMINATOR } from '../views';
import { edgeCount, type GraphShape } from './nodes';

/** Shares of the graph's edges at which MIB measures circuits. */
export const MIB_BUDGETS: readonly number[] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

/** The budgets in edges, n = ⌊share · edges⌋. In small models the first ones round to no edge at all: these are left out. */
export function budgetsOf(shape: GraphShape, shares: readonly number[] = MIB_BUDGETS): { budgets: { share: number; edges: number }[]; leftOut: number } {
  const total = edgeCount(shape);
  const budgets = shares.map((share) => ({ share, edges: Math.floor(share * total) })).filter(({ edges }) => edges > 0);
  return { budgets, leftOut: shares.length - budgets.length };
}

/**
 * (m(C) − m(∅)) / (m(full) − m(∅)), MIB's: 0 for the empty circuit, 1 for one as good as the whole model; above 1 for a better one.
 * Null where full and empty differ by less than a normalised view needs.
 */
export function faithfulnessOf({ metric, full, empty }: { metric: number; full: number; empty: number }): number | null {
  return Math.abs(full - empty) < SMALLEST_DENOMINATOR ? null : (metric - empty) / (full - empty);
}

/**
 * MIB's areas under faithfulness over the share p of edges, by trapezoids on a linear p from the smallest budget on:
 * CPR = ∫ f dp (larger is better), CMD = ∫ |1 − f| dp (smaller is better). Null where a point is, or where there are fewer than two.
 */
export function cprCmd(points: readonly { share: number; faithfulness: number | null }[]): { cpr: number | null; cmd: number | null } {
  const sorted = [...points].sort((a, b) => a.share - b.share);
  if (sorted.length < 2 || sorted.some(({ faithfulness }) => faithfulness === null)) return { cpr: null, cmd: null };
  const area = (heightOf: (faithfulness: number) => number): number =>
    sorted.slice(1).reduce((sum, { share, faithfulness }, i) => {
      const before = sorted[i]!;
      return sum + (share - before.share) * ((heightOf(faithfulness!) + heightOf(before.faithfulness!)) / 2);
    }, 0);
  return { cpr: area((f) => f), cmd: area((f) => Math.abs(1 - f)) };
}
