import { rankCells } from '../shared/ranking';
import { cellAt, mapExtent } from '../shared/exact';
import { groupArrayName, type PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import { hasHeads, type SiteName } from '../shared/sites';
import { layerDetail, mapScores, neuronScores, type MapOf, type ViewOptions } from '../shared/views';
import type { Over } from './arguments';

/** One table of cells that can be patched: of a site, over some axes. Row-major; undefined where there is no cell. */
export interface CellTable {
  site: SiteName;
  over: Over;
  axes: string[];
  shape: number[];
  /** Index of the length group, where the axes have positions. */
  group?: number;
  /** The head whose cells these are. */
  head?: { layer: number; head: number };
  cells: (PatchCell | undefined)[];
  /** In a view's units; absent where the run has no attribution of these cells. */
  estimates?: Float32Array;
}

/** What a site is patched over unless it is said. */
export function defaultOver(site: SiteName): Over {
  return site === 'mlp_post' ? 'neurons' : hasHeads(site) ? 'all' : 'positions';
}

/** The tables of one site, one per length group where they have positions. Those of `cells` have no estimates yet. */
export function cellTables(run: Run, site: SiteName, over: Over, view: ViewOptions, head?: { layer: number; head: number }): CellTable[] {
  const { manifest } = run;
  const groups = manifest.groups.map((_, group) => group);
  const has = groupArrayName(0, site) in run.arrays.entries;
  switch (over) {
    case 'all':
    case 'last':
      return [mapTable(run, { site, over }, has, view)];
    case 'positions':
      return groups.map((group) => mapTable(run, { site, over, group }, has, view));
    case 'by-position':
      return groups.map((group) => headTable(run, site, group, has, view));
    case 'neurons':
      return [neuronTable(run, has, view)];
    case 'cells':
      return groups.map((group) => sourceTable(run, site, group, head!));
  }
}

/** The cells to patch: all, or the strongest over all tables by |estimate|. */
export function chosenCells(tables: readonly CellTable[], top: number | 'all'): PatchCell[] {
  if (top === 'all') return tables.flatMap(({ cells }) => cells.flatMap((cell) => cell ?? []));
  const candidates = tables.flatMap(({ cells, estimates }) => cells.flatMap((cell, i) => (cell ? [{ cell, estimate: Math.abs(estimates![i]!) }] : [])));
  return candidates
    .sort((a, b) => b.estimate - a.estimate)
    .slice(0, top)
    .map(({ cell }) => cell);
}

function mapTable(run: Run, map: MapOf, has: boolean, view: ViewOptions): CellTable {
  const { rows, columns } = mapExtent(run.manifest, map);
  const estimates = has ? mapScores(run.manifest, run.arrays, map, view)?.values : undefined;
  return {
    site: map.site,
    over: map.over,
    axes: ['layer', map.over === 'positions' ? 'position' : 'head'],
    shape: [rows, columns],
    ...(map.over === 'positions' && { group: map.group }),
    cells: Array.from({ length: rows * columns }, (_, i) => cellAt(map, Math.floor(i / columns), i % columns)),
    ...(estimates && { estimates }),
  };
}

function headTable(run: Run, site: SiteName, group: number, has: boolean, view: ViewOptions): CellTable {
  const { layers, heads } = run.manifest.model;
  const positions = positionsOf(run, group);
  const shape = [layers, positions, heads];
  const layersOf = Array.from({ length: layers }, (_, layer) => layer);
  const estimates = has ? Float32Array.from(layersOf.flatMap((layer) => Array.from(layerDetail(run.manifest, run.arrays, site, group, layer, view)!.values))) : undefined;
  const cells = layersOf.flatMap((layer) =>
    Array.from({ length: positions * heads }, (_, i): PatchCell => ({ site, group, layer, position: Math.floor(i / heads), head: i % heads })),
  );
  return { site, over: 'by-position', axes: ['layer', 'position', 'head'], shape, group, cells, ...(estimates && { estimates }) };
}

function neuronTable(run: Run, has: boolean, view: ViewOptions): CellTable {
  const { layers, dMlp } = run.manifest.model;
  const cells = Array.from({ length: layers * dMlp }, (_, i): PatchCell => ({ site: 'mlp_post', layer: Math.floor(i / dMlp), neuron: i % dMlp }));
  return { site: 'mlp_post', over: 'neurons', axes: ['layer', 'neuron'], shape: [layers, dMlp], cells, ...(has && { estimates: neuronScores(run.manifest, run.arrays, view).values }) };
}

function sourceTable(run: Run, site: SiteName, group: number, { layer, head }: { layer: number; head: number }): CellTable {
  const length = positionsOf(run, group);
  // No head looks ahead.
  const cells = Array.from({ length: length * length }, (_, i): PatchCell | undefined => {
    const [position, source] = [Math.floor(i / length), i % length];
    return source > position ? undefined : { site, group, layer, head, position, source };
  });
  return { site, over: 'cells', axes: ['dest', 'src'], shape: [length, length], group, head: { layer, head }, cells };
}

function positionsOf({ manifest }: Run, group: number): number {
  const { positions, length } = manifest.groups[group]!;
  return positions === 'last' ? 1 : length;
}

/** Cells that were measured, with both values, by falling |exact|. */
export interface MeasuredCell {
  cell: PatchCell;
  estimate: number;
  exact: number;
}

export function measuredCells(tables: readonly CellTable[], exact: (cell: PatchCell) => number): MeasuredCell[] {
  const all = tables.flatMap(({ cells, estimates }) => cells.flatMap((cell, i) => (cell ? [{ cell, estimate: estimates?.[i] ?? NaN, exact: exact(cell) }] : [])));
  const measured = all.filter((cell) => !Number.isNaN(cell.exact));
  const order = rankCells({ axes: ['cell', ''], rows: measured.length, columns: 1, values: Float32Array.from(measured, (cell) => cell.exact) });
  return order.map(({ row }) => measured[row]!);
}
