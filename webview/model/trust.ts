import type { AgreementPoint } from '../../src/shared/panelProtocol';
import { formatScore } from './format';

/** A measured cell of the trust view, with its ranks among the measured ones. */
export interface TrustPoint extends AgreementPoint {
  /** L9H6, L9P14. */
  name: string;
  title: string;
  /** Estimate − exact. */
  miss: number;
  /** By falling magnitude, from 1; ties in the order given. */
  estimateRank: number;
  exactRank: number;
}

export interface PointNames {
  name(row: number, column: number): string;
  title(row: number, column: number): string;
}

/** By falling |estimate|. */
export function trustPoints(points: readonly AgreementPoint[], names: PointNames): TrustPoint[] {
  const ranksBy = (key: 'estimate' | 'exact'): Map<AgreementPoint, number> =>
    new Map([...points].sort((a, b) => Math.abs(b[key]) - Math.abs(a[key])).map((point, place) => [point, place + 1]));
  const [byEstimate, byExact] = [ranksBy('estimate'), ranksBy('exact')];
  return [...byEstimate.keys()].map((point) => ({
    ...point,
    name: names.name(point.row, point.column),
    title: names.title(point.row, point.column),
    miss: point.estimate - point.exact,
    estimateRank: byEstimate.get(point)!,
    exactRank: byExact.get(point)!,
  }));
}

/** One extent for both axes, so that equal effects lie on the diagonal; zero is always in it. */
export function commonDomain(points: readonly Pick<AgreementPoint, 'estimate' | 'exact'>[]): [number, number] {
  const values = points.flatMap(({ estimate, exact }) => [estimate, exact]);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const margin = (high - low) * 0.06 || 1;
  return [low - margin, high + margin];
}

/** A rectangle of the scatter in effects. */
export interface Area {
  exact: [number, number];
  estimate: [number, number];
}

export function pointsIn<T extends Pick<AgreementPoint, 'estimate' | 'exact'>>(points: readonly T[], { exact, estimate }: Area): T[] {
  return points.filter((point) => point.exact >= exact[0] && point.exact <= exact[1] && point.estimate >= estimate[0] && point.estimate <= estimate[1]);
}

export interface RankLine {
  name: string;
  /** From 1; absent where it is not among the strongest of that side. */
  estimate?: number;
  exact?: number;
  /** Its rank on the side where it is not among the strongest. */
  outside?: number;
}

/** The strongest cells by either, with their places on both sides. */
export function rankLines(points: readonly TrustPoint[], most: number): RankLine[] {
  return points
    .filter(({ estimateRank, exactRank }) => Math.min(estimateRank, exactRank) <= most)
    .map(({ name, estimateRank, exactRank }) => {
      const [estimate, exact] = [estimateRank, exactRank].map((rank) => (rank <= most ? rank : undefined));
      return { name, estimate, exact, outside: estimate === undefined ? estimateRank : exact === undefined ? exactRank : undefined };
    });
}

/** A coefficient with three decimals, − for minus, or – where there is none. */
export function formatCoefficient(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(3).replace(/^-(?=0\.000$)/, '').replace('-', '−');
}

/** "L9H6: estimate +0.31, exact +0.18" */
export function pointSentence({ name, estimate, exact }: TrustPoint): string {
  return `${name}: estimate ${formatScore(estimate)}, exact ${formatScore(exact)}`;
}
