import { agreementOf } from '../shared/agreement';
import { CircuitError } from '../shared/errors';
import { cellAt, cellKey, exactLookup, exactOf, exactScores, patchSeconds } from '../shared/exact';
import { summaryOf, type Agreement, type AgreementPoint, type CellChoice, type MapRequest, type PanelContent, type PatchCost, type SiteAgreement, type ViewRequest } from '../shared/panelProtocol';
import { rankCells } from '../shared/ranking';
import type { PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import { hasHeads, type SiteName } from '../shared/sites';
import { layerDetail, mapScores, type MapOf, type Matrix, type ViewOptions } from '../shared/views';

/** What the panel draws of a run. Pure: a run in, plain values out. */

export function contentOf(run: Run): PanelContent {
  return { kind: 'run', run: summaryOf(run) };
}

export function mapValues(run: Run, { map, options, values }: Omit<MapRequest, 'runId'>): Matrix {
  return values === 'exact' ? exactScores(run, map, options) : estimates(run, map, options);
}

export function layerDetailOf({ manifest, arrays }: Run, { site, group, layer, options }: ViewRequest & { site: SiteName; group: number; layer: number }): Matrix {
  return found(layerDetail(manifest, arrays, site, group, layer, options), options);
}

/** All pairs, as the metric counts them. */
const WHOLE: ViewOptions = { pair: 'all', unit: 'raw' };

/** The patches that a choice of cells stands for, strongest estimates first where none are named. */
export function cellsOf(run: Run, choice: CellChoice): PatchCell[] {
  if ('units' in choice) return choice.units;
  const { map } = choice;
  if ('cells' in choice) return choice.cells.map(({ row, column }) => cellAt(map, row, column));
  if ('top' in choice) return rankCells(estimates(run, map, choice.options)).slice(0, choice.top).map(({ row, column }) => cellAt(map, row, column));
  return rankCells(estimates(run, map, WHOLE)).map(({ row, column }) => cellAt(map, row, column));
}

export function patchCostOf(run: Run, choice: CellChoice): PatchCost {
  const cells = cellsOf(run, choice);
  const measured = new Set(exactOf(run).cells.map(cellKey));
  const unknown = cells.filter((cell) => !measured.has(cellKey(cell)));
  return { cells: cells.length, known: cells.length - unknown.length, seconds: patchSeconds(run.manifest, unknown) };
}

export function exactEffectsOf(run: Run, { units, options }: Omit<ViewRequest, 'runId'> & { units: readonly PatchCell[] }): { effects: Float32Array } {
  return { effects: Float32Array.from(units, exactLookup(run, options)) };
}

/** Estimate beside truth for every cell of a map that was measured for a pair in view. */
export function agreementOfMap(run: Run, { map, options }: Omit<ViewRequest, 'runId'> & { map: MapOf }): Agreement {
  const points = pointsOf(map, estimates(run, map, options), exactLookup(run, options));
  return { points, summary: agreementOf(points) };
}

function pointsOf(map: MapOf, estimate: Matrix, exactAt: (cell: PatchCell) => number): AgreementPoint[] {
  return Array.from(estimate.values).flatMap((value, i) => {
    const [row, column] = [Math.floor(i / estimate.columns), i % estimate.columns];
    const exact = exactAt(cellAt(map, row, column));
    return Number.isNaN(exact) ? [] : [{ row, column, estimate: value, exact }];
  });
}

/** One row for each map of which something was measured, in the table's order of sites. */
export function agreementTable(run: Run, options: ViewOptions): SiteAgreement[] {
  const { exactSites = [] } = run.manifest;
  const exactAt = exactLookup(run, options);
  const sites = summaryOf(run).sites.filter((site) => exactSites.includes(site));
  return sites.flatMap((site) =>
    mapsOf(run, site).flatMap((map) => {
      const estimate = mapScores(run.manifest, run.arrays, map, options);
      // A length group that shares nothing with the chosen pair has no map.
      if (!estimate) return [];
      const points = pointsOf(map, estimate, exactAt);
      if (points.length === 0) return [];
      return [{ map, measured: points.length, cells: estimate.rows * estimate.columns, summary: agreementOf(points) }];
    }),
  );
}

function mapsOf({ manifest }: Run, site: SiteName): MapOf[] {
  const positions = manifest.groups.map((_, group): MapOf => ({ site, over: 'positions', group }));
  return hasHeads(site) ? [{ site, over: 'all' }, { site, over: 'last' }, ...positions] : positions;
}

function estimates({ manifest, arrays }: Run, map: MapOf, options: ViewOptions): Matrix {
  return found(mapScores(manifest, arrays, map, options), options);
}

function found(matrix: Matrix | undefined, options: ViewOptions): Matrix {
  if (!matrix) throw new CircuitError('internal', `Pair ${options.pair} is not among the pairs of this length.`);
  return matrix;
}
