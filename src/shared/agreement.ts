/** How well an estimate agrees with the truth. Pure; checked against scipy. */

export interface AgreementSummary {
  count: number;
  /** Pearson's r; absent with fewer than two points or where one side does not vary. */
  pearson?: number;
  /** Spearman's ρ, ties with their mean rank; absent as Pearson's. */
  spearman?: number;
  /** Least-squares slope of estimate on exact (scipy.stats.linregress(exact, estimate)); absent where exact does not vary. */
  slope?: number;
}

export function agreementOf(points: readonly { estimate: number; exact: number }[]): AgreementSummary {
  const exact = points.map((point) => point.exact);
  const estimate = points.map((point) => point.estimate);
  const spread = covariance(exact, exact);
  return {
    count: points.length,
    pearson: correlation(exact, estimate),
    spearman: correlation(meanRanks(exact), meanRanks(estimate)),
    slope: spread > 0 ? covariance(exact, estimate) / spread : undefined,
  };
}

/** Below this many points coefficients say little: a few strong cells settle them. */
export const FEW_POINTS = 10;

/** Whether there is something to agree on: where both sides are exactly 0 (before the first difference, behind the metric) they agree by construction. */
export function isTelling({ estimate, exact }: { estimate: number; exact: number }): boolean {
  return estimate !== 0 || exact !== 0;
}

/** Whether an estimate points the other way than what was measured. */
export function isWrongSign({ estimate, exact }: { estimate: number; exact: number }): boolean {
  return estimate * exact < 0;
}

/** The points that are furthest from exact: estimates that are too large in magnitude or of the wrong sign ('over'), and too small ones ('under'); furthest first. */
export function worstEstimates<T extends { estimate: number; exact: number }>(points: readonly T[], count: number): { over: T[]; under: T[] } {
  const byMiss = [...points].sort((a, b) => Math.abs(b.estimate - b.exact) - Math.abs(a.estimate - a.exact));
  const isOver = (point: T): boolean => Math.abs(point.estimate) > Math.abs(point.exact) || isWrongSign(point);
  const missed = byMiss.filter(({ estimate, exact }) => estimate !== exact);
  return { over: missed.filter(isOver).slice(0, count), under: missed.filter((point) => !isOver(point)).slice(0, count) };
}

function correlation(a: readonly number[], b: readonly number[]): number | undefined {
  const scale = Math.sqrt(covariance(a, a) * covariance(b, b));
  return scale > 0 ? covariance(a, b) / scale : undefined;
}

function covariance(a: readonly number[], b: readonly number[]): number {
  if (a.length < 2) return 0;
  const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [meanOf(a), meanOf(b)];
  return a.reduce((sum, value, i) => sum + (value - meanA) * (b[i]! - meanB), 0) / (a.length - 1);
}

/** Ranks from 1; equal values share the mean of their ranks. */
function meanRanks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}
