import { agreementOf, isTelling, worstEstimates } from '../shared/agreement';
import type { PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import type { SiteName } from '../shared/sites';
import type { ViewOptions } from '../shared/views';
import type { Over } from './arguments';
import { measuredCells, type CellTable, type MeasuredCell } from './cellTables';
import { nestedIn, runJson, shortest, type Nested, type RunJson } from './json';

const WORST = 5;

/** What `patch --json` prints. A promise to scripts: fields are added, never changed. */
export interface PatchJson extends RunJson {
  unit: ViewOptions['unit'];
  sites: PatchedSiteJson[];
}

export interface PatchedSiteJson {
  site: SiteName;
  over: Over;
  /** One per token length where the axes have positions. */
  maps: PatchMapJson[];
  /** Of how many. */
  cells: number;
  measured: number;
  /** Over all maps of the site; figures that are not defined are null. `nonZero`: how many of `count` are not 0 on both sides. */
  agreement: AgreementJson;
  /** Furthest first: estimates too large or of the wrong sign, and estimates too small. */
  worst: { over: EstimateJson[]; under: EstimateJson[] };
}

export interface AgreementJson {
  count: number;
  nonZero: number;
  pearson: number | null;
  spearman: number | null;
  slope: number | null;
}

export interface PatchMapJson {
  axes: string[];
  /** Token count of the clean prompts and indices of the pairs, where the map is of one length. */
  length?: number;
  pairs?: number[];
  /** Of `over: "cells"`. */
  head?: { layer: number; head: number };
  /** Attribution; null where there is no cell, and altogether where there is no attribution of these cells. */
  estimate: Nested;
  /** Null where nothing was measured. */
  exact: Nested;
}

export type EstimateJson = PatchCell & { estimate: number; exact: number };

export function patchJson(run: Run, tables: readonly CellTable[], exact: (cell: PatchCell) => number, view: ViewOptions): PatchJson {
  const sites = [...new Set(tables.map(({ site }) => site))];
  return { ...runJson(run), unit: view.unit, sites: sites.map((site) => siteJson(run, tables.filter((table) => table.site === site), exact)) };
}

function siteJson(run: Run, tables: readonly CellTable[], exact: (cell: PatchCell) => number): PatchedSiteJson {
  const { site, over } = tables[0]!;
  const measured = measuredCells(tables, exact);
  const points = measured.filter(({ estimate }) => !Number.isNaN(estimate));
  const { over: large, under } = worstEstimates(points, WORST);
  return {
    site,
    over,
    maps: tables.map((table) => mapJson(run, table, exact)),
    cells: tables.reduce((sum, { cells }) => sum + cells.filter((cell) => cell).length, 0),
    measured: measured.length,
    agreement: figuresOf(points),
    worst: { over: large.map(estimateJson), under: under.map(estimateJson) },
  };
}

function mapJson({ manifest }: Run, { axes, shape, group, head, cells, estimates }: CellTable, exact: (cell: PatchCell) => number): PatchMapJson {
  const own = group === undefined ? undefined : manifest.groups[group]!;
  return {
    axes,
    ...(own && { length: own.length, pairs: own.pairs }),
    ...(head && { head }),
    estimate: estimates ? nestedIn(shape, estimates.map((value, i) => (cells[i] ? value : NaN))) : null,
    exact: nestedIn(shape, cells.map((cell) => (cell ? Math.fround(exact(cell)) : NaN))),
  };
}

export function figuresOf(points: readonly { estimate: number; exact: number }[]): AgreementJson {
  const { count, pearson, spearman, slope } = agreementOf(points);
  return { count, nonZero: points.filter(isTelling).length, pearson: pearson ?? null, spearman: spearman ?? null, slope: slope ?? null };
}

function estimateJson({ cell, estimate, exact }: MeasuredCell): EstimateJson {
  return { ...cell, estimate: shortest(estimate), exact: shortest(Math.fround(exact)) };
}
