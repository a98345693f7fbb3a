import { arrayNamed, type ArrayView, type NamedArrays } from './arrays';
import type { RunManifest } from './run';
import { groupArrayName, type PairGroup } from './results';
import { hasHeads, SITES, type SiteName } from './sites';

/**
 * What the heatmaps show, derived from a run's arrays. Pure: the panel, the CLI and the exports all use it.
 *
 * All pairs: the effect on the mean metric, so each pair contributes its raw value divided by the number of pairs.
 * One pair: its share of that mean (the shares of all pairs add up to the whole), or its own effect, as if it were the only pair.
 * Normalised: divided by mean M_clean − mean M_corrupted over all pairs, or by the pair's own M_clean − M_corrupted (0 corrupted
 * … 1 clean); under an ablation by zero or mean, which has no corrupted run, by M_clean (the share of the metric that the ablation
 * takes), where that is positive.
 */
export interface ViewOptions {
  pair: 'all' | number;
  unit: 'normalised' | 'raw';
  /** Of one pair: its share of the mean over all pairs (where nothing is said), or its own effect. */
  of?: 'mean' | 'pair';
}

export type HeadPositions = 'all' | 'last';

/**
 * Which matrix of a site: layer × head, summed over all positions ('all') or at the metric's ('last'), for sites with heads;
 * or layer × position of one length group (heads and neurons summed; embed has one row).
 */
export type MapOf = { site: SiteName; over: HeadPositions } | { site: SiteName; over: 'positions'; group: number };

/** Row-major matrix with named axes. */
export interface Matrix {
  axes: readonly [string, string];
  rows: number;
  columns: number;
  values: Float32Array;
}

/** Below this a mean difference cannot carry a normalised view. */
export const SMALLEST_DENOMINATOR = 1e-3;

type RunNumbers = Pick<RunManifest, 'pairs' | 'groups' | 'model'>;

/** mean M_clean − mean M_corrupted over the pairs, each pair one vote (mean M_clean where nothing is corrupted). Raw units. */
export function meanDifference(run: Pick<RunManifest, 'pairs'>): number {
  const sum = run.pairs.reduce((total, { metric }) => total + metric.clean - (metric.corrupted ?? 0), 0);
  return sum / run.pairs.length;
}

/** Whether there is something to divide by: clean and corrupted differ, or, where nothing is corrupted, the clean metric has a share to take. */
export function canNormalise(run: Pick<RunManifest, 'pairs'>): boolean {
  const difference = meanDifference(run);
  return (isAlone(run) ? difference : Math.abs(difference)) >= SMALLEST_DENOMINATOR;
}

/** Whether there is no corrupted run, so that views are divided by the clean metric alone. */
export function isAlone({ pairs }: { pairs: readonly { metric: { corrupted?: number } }[] }): boolean {
  return pairs.some(({ metric }) => metric.corrupted === undefined);
}

/** The run that a view averages over and divides by: of all its pairs, or of the one whose own effect is shown. */
export function averagedRun<T extends { pairs: readonly unknown[] }>(run: T, { pair, of }: Pick<ViewOptions, 'pair' | 'of'>): T {
  return of === 'pair' && pair !== 'all' ? { ...run, pairs: [run.pairs[pair]] } : run;
}

/** Factor from one pair's raw value to what a view shows. Throws RangeError for a normalised view that cannot be. */
export function scaleOf(run: Pick<RunManifest, 'pairs'>, options: ViewOptions): number {
  const averaged = averagedRun(run, options);
  if (options.unit === 'raw') return 1 / averaged.pairs.length;
  if (!canNormalise(averaged)) throw new RangeError('the metric of clean and corrupted differs too little to divide by');
  return 1 / averaged.pairs.length / meanDifference(averaged);
}

/**
 * The matrix of a map. Undefined when its length group shares nothing with the chosen pair.
 * Throws RangeError for a normalised view that cannot be, a site the run does not hold, and layer × head of a site without heads.
 */
export function mapScores(run: RunNumbers, arrays: NamedArrays, map: MapOf, options: ViewOptions): Matrix | undefined {
  return map.over === 'positions' ? positionScores(run, arrays, map.group, map.site, options) : headScores(run, arrays, map.site, map.over, options);
}

/** Layer × head scores of a site with heads: summed over all positions, or at the metric's position. */
export function headScores(run: RunNumbers, arrays: NamedArrays, site: SiteName, positions: HeadPositions, options: ViewOptions): Matrix {
  if (!hasHeads(site)) throw new RangeError(`${site} has no heads`);
  const { layers, heads } = run.model;
  const scale = scaleOf(run, options);
  const sums = new Float64Array(layers * heads);
  for (const { pair, values, positionCount } of rowsOf(run, arrays, site, options.pair)) {
    const [first, end] = positions === 'all' ? [0, positionCount] : lastOf(run, pair, positionCount);
    for (let layer = 0; layer < layers; layer++) {
      for (let position = first; position < end; position++) {
        for (let head = 0; head < heads; head++) {
          sums[layer * heads + head]! += values[(layer * positionCount + position) * heads + head]!;
        }
      }
    }
  }
  return { axes: ['layer', 'head'], rows: layers, columns: heads, values: Float32Array.from(sums, (sum) => sum * scale) };
}

/** The metric's position, as a range of one. */
function lastOf({ pairs }: RunNumbers, pair: number, positionCount: number): [number, number] {
  const position = positionCount === 1 ? 0 : (pairs[pair]!.at ?? positionCount - 1);
  return [position, position + 1];
}

/** Layer × position scores of one length group, heads and neurons summed; embed has one row. Undefined when the group shares nothing with the chosen pair. */
export function positionScores(run: RunNumbers, arrays: NamedArrays, group: number, site: SiteName, options: ViewOptions): Matrix | undefined {
  const { layers, heads, dMlp } = run.model;
  const scale = scaleOf(run, options);
  const rows = rowsOf(run, arrays, site, options.pair).filter((row) => row.group === group);
  if (rows.length === 0) return undefined;
  const { positionCount } = rows[0]!;
  const mapRows = SITES[site].axes.includes('layer') ? layers : 1;
  const depth = hasHeads(site) ? heads : SITES[site].axes.includes('neuron') ? dMlp : 1;
  const sums = new Float64Array(mapRows * positionCount);
  for (const { values } of rows) {
    for (let cell = 0; cell < sums.length; cell++) {
      for (let k = 0; k < depth; k++) sums[cell]! += values[cell * depth + k]!;
    }
  }
  return { axes: ['layer', 'position'], rows: mapRows, columns: positionCount, values: Float32Array.from(sums, (sum) => sum * scale) };
}

/** Position × head scores of one site with heads in one layer and length group: what stands behind a cell of either heatmap. */
export function layerDetail(run: RunNumbers, arrays: NamedArrays, site: SiteName, group: number, layer: number, options: ViewOptions): Matrix | undefined {
  const { heads } = run.model;
  const scale = scaleOf(run, options);
  const rows = rowsOf(run, arrays, site, options.pair).filter((row) => row.group === group);
  if (rows.length === 0) return undefined;
  const { positionCount } = rows[0]!;
  const sums = new Float64Array(positionCount * heads);
  for (const { values } of rows) {
    const start = layer * sums.length;
    for (let i = 0; i < sums.length; i++) sums[i]! += values[start + i]!;
  }
  return { axes: ['position', 'head'], rows: positionCount, columns: heads, values: Float32Array.from(sums, (sum) => sum * scale) };
}

/** Layer × neuron scores of mlp_post, summed over all positions: as many as the MLPs are wide. */
export function neuronScores(run: RunNumbers, arrays: NamedArrays, options: ViewOptions): Matrix {
  const { layers, dMlp } = run.model;
  const scale = scaleOf(run, options);
  const sums = new Float64Array(layers * dMlp);
  for (const { values, positionCount } of rowsOf(run, arrays, 'mlp_post', options.pair)) {
    for (let i = 0; i < values.length; i++) sums[Math.floor(i / (positionCount * dMlp)) * dMlp + (i % dMlp)]! += values[i]!;
  }
  return { axes: ['layer', 'neuron'], rows: layers, columns: dMlp, values: Float32Array.from(sums, (sum) => sum * scale) };
}

interface PairRow {
  group: number;
  pair: number;
  positionCount: number;
  /** This pair's block: [layer, position, …]. */
  values: Float32Array;
}

function rowsOf(run: Pick<RunNumbers, 'groups'>, arrays: NamedArrays, site: SiteName, pair: ViewOptions['pair']): PairRow[] {
  return run.groups.flatMap(({ pairs }: PairGroup, group) => {
    const array: ArrayView = arrayNamed(arrays, groupArrayName(group, site));
    const block = array.data.length / pairs.length;
    return pairs.flatMap((index, row) =>
      pair === 'all' || pair === index
        ? [{ group, pair: index, positionCount: array.shape[SITES[site].axes.indexOf('position')]!, values: array.data.subarray(row * block, (row + 1) * block) }]
        : [],
    );
  });
}
