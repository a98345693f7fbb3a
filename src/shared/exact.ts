import { arrayNamed, packArrays, type NamedArrays } from './arrays';
import { hasGradient, hasOtherRun } from './experiment';
import type { MeasuredEffects, PatchCell } from './results';
import type { Run, RunManifest } from './run';
import { SITES, type SiteName } from './sites';
import { scaleOf, type MapOf, type Matrix, type ViewOptions } from './views';

/** Exact effects beside the estimates: which patch a map's cell stands for, and how a run keeps what was measured. */

/** Names of a run's arrays, see `Run`. */
export const EXACT_CELLS = 'exact.cells';
export const EXACT_EFFECTS = 'exact.effects';
/** What each number of a cell says, in their order. */
export const EXACT_FIELDS = ['site', 'group', 'layer', 'head', 'position', 'source', 'neuron'] as const;
const ABSENT = -1;
const LAST = -2;

/** The patch that a map's cell stands for. In a layer × position map all heads (or neurons) of the site are patched together. */
export function cellAt(map: MapOf, row: number, column: number): PatchCell {
  const layer = SITES[map.site].axes.includes('layer') ? { layer: row } : {};
  if (map.over === 'positions') return { site: map.site, group: map.group, ...layer, position: column };
  return { site: map.site, ...layer, head: column, ...(map.over === 'last' && { position: 'last' as const }) };
}

/** A map's extent in a run. */
export function mapExtent({ model, groups }: Pick<RunManifest, 'model' | 'groups'>, map: MapOf): { rows: number; columns: number } {
  const rows = SITES[map.site].axes.includes('layer') ? model.layers : 1;
  if (map.over !== 'positions') return { rows, columns: model.heads };
  const { positions, length } = groups[map.group]!;
  return { rows, columns: positions === 'last' ? 1 : length };
}

/** The same for equal cells, however they were written. */
export function cellKey({ site, group, layer, head, position, source, neuron }: PatchCell): string {
  return [site, group ?? '', layer ?? '', head ?? '', position ?? '', source ?? '', neuron ?? ''].join();
}

/** What a run has measured; no cells where it has not. */
export function exactOf({ manifest, arrays }: Run): MeasuredEffects {
  if (!(EXACT_CELLS in arrays.entries) || !manifest.exactSites) return { cells: [], effects: new Float32Array(0) };
  const { data, shape } = arrayNamed(arrays, EXACT_CELLS);
  const cells = Array.from({ length: shape[0]! }, (_, row) => readCell(data.subarray(row * EXACT_FIELDS.length, (row + 1) * EXACT_FIELDS.length), manifest.exactSites!));
  return { cells, effects: arrayNamed(arrays, EXACT_EFFECTS).data };
}

/** The run with these effects added; a cell that was measured before is replaced. Throws RangeError for a place counted from the end. */
export function withExact(run: Run, measured: MeasuredEffects): Run {
  const pairs = run.manifest.pairs.length;
  const rows = new Map<string, { cell: PatchCell; effects: Float32Array }>();
  for (const { cells, effects } of [exactOf(run), measured]) {
    cells.forEach((cell, i) => rows.set(cellKey(cell), { cell, effects: effects.subarray(i * pairs, (i + 1) * pairs) }));
  }
  const all = [...rows.values()];
  const exactSites = [...new Set(all.map(({ cell }) => cell.site))];
  const cells = new Float32Array(all.length * EXACT_FIELDS.length);
  const effects = new Float32Array(all.length * pairs);
  all.forEach((row, i) => {
    cells.set(writeCell(row.cell, exactSites), i * EXACT_FIELDS.length);
    effects.set(row.effects, i * pairs);
  });
  const kept = Object.keys(run.arrays.entries).filter((name) => name !== EXACT_CELLS && name !== EXACT_EFFECTS);
  const arrays: NamedArrays = packArrays([
    ...kept.map((name) => ({ name, ...arrayNamed(run.arrays, name) })),
    { name: EXACT_CELLS, axes: ['cell', 'field'], shape: [all.length, EXACT_FIELDS.length], data: cells },
    { name: EXACT_EFFECTS, axes: ['cell', 'pair'], shape: [all.length, pairs], data: effects },
  ]);
  return { manifest: { ...run.manifest, exactSites }, arrays };
}

/** Looks up what a cell's exact effect is in a view's units: NaN where nothing was measured for any of the pairs in view. Throws RangeError as `scaleOf`. */
export function exactLookup(run: Run, options: ViewOptions): (cell: PatchCell) => number {
  const scale = scaleOf(run.manifest, options);
  const pairs = run.manifest.pairs.length;
  const { cells, effects } = exactOf(run);
  const rows = new Map(cells.map((cell, i) => [cellKey(cell), i]));
  return (cell) => {
    const row = rows.get(cellKey(cell));
    if (row === undefined) return NaN;
    const own = effects.subarray(row * pairs, (row + 1) * pairs);
    const shown = options.pair === 'all' ? Array.from(own).filter((effect) => !Number.isNaN(effect)) : [own[options.pair]!];
    return shown.length === 0 ? NaN : shown.reduce((sum, effect) => sum + effect, 0) * scale;
  };
}

/** The map of exact effects in a view's units, NaN where nothing was measured for any of the pairs in view. */
export function exactScores(run: Run, map: MapOf, options: ViewOptions): Matrix {
  const { rows, columns } = mapExtent(run.manifest, map);
  const exact = exactLookup(run, options);
  const values = Float32Array.from({ length: rows * columns }, (_, i) => exact(cellAt(map, Math.floor(i / columns), i % columns)));
  return { axes: map.over === 'positions' ? ['layer', 'position'] : ['layer', 'head'], rows, columns, values };
}

/**
 * Rough seconds for patching these cells exactly: the base and the other side once, and for every cell a forward pass of its
 * group's pairs from its layer and position on. Positions before the first difference cost nothing.
 */
export function patchSeconds(run: Pick<RunManifest, 'model' | 'timings' | 'pairs' | 'groups' | 'experiment'>, cells: readonly PatchCell[]): number {
  if (cells.length === 0) return 0;
  const { model: { layers }, timings, groups, experiment } = run;
  const rowsOf = (cell: Pick<PatchCell, 'group' | 'position'>): number => groups.reduce((sum, _, group) => sum + (cell.group === undefined || cell.group === group ? patchedRows(run, group, cell.position) : 0), 0);
  const all = rowsOf({});
  const passes = cells.reduce((sum, { layer = 0, ...cell }) => sum + (rowsOf(cell) / all) * ((layers - layer) / layers), sidesOf(experiment));
  return (timings.run / passesOf(experiment, layers)) * passes;
}

function sidesOf({ other }: RunManifest['experiment']): number {
  return hasOtherRun(other) ? 2 : 1;
}

/** Forward passes over its pairs that a run takes as long as; a backward pass takes two. */
function passesOf(experiment: RunManifest['experiment'], layers: number): number {
  const { integrated, gradDrop, bothGradients } = experiment.variant ?? {};
  if (!hasGradient(experiment)) return sidesOf(experiment);
  const gradient = integrated ? 3 * integrated.steps : gradDrop ? 2 * layers : 2;
  return (sidesOf(experiment) + gradient) * (bothGradients ? 2 : 1);
}

/** Positions that are run for a patch of a group's pairs. */
function patchedRows({ pairs, groups }: Pick<RunManifest, 'pairs' | 'groups'>, group: number, position: PatchCell['position']): number {
  const { pairs: own, length, positions } = groups[group]!;
  return own.reduce((sum, index) => {
    const { differsAt: shared = 0, at = length - 1 } = pairs[index]!;
    const first = positions === 'last' ? shared : position === 'last' ? at : (position ?? shared);
    return sum + (first < shared ? 0 : length - first);
  }, 0);
}

/** What is wrong with a run's exact cells, whose shape is sound: a number that stands for nothing; undefined when nothing is. */
export function exactFault({ manifest: { exactSites, groups, model }, arrays }: Run): string | undefined {
  if (!exactSites) return undefined;
  const { data } = arrayNamed(arrays, EXACT_CELLS);
  for (let start = 0; start < data.length; start += EXACT_FIELDS.length) {
    const row = data.subarray(start, start + EXACT_FIELDS.length);
    const ends: Record<(typeof EXACT_FIELDS)[number], number> = {
      site: exactSites.length,
      group: groups.length,
      layer: model.layers,
      head: model.heads,
      position: model.context,
      source: model.context,
      neuron: model.dMlp,
    };
    for (const [i, field] of EXACT_FIELDS.entries()) {
      const least = field === 'site' ? 0 : field === 'position' ? LAST : ABSENT;
      const value = row[i]!;
      if (!Number.isInteger(value) || value < least || value >= ends[field]) return `the ${field} of exact cell ${start / EXACT_FIELDS.length} is ${value}`;
    }
  }
  return undefined;
}

function writeCell(cell: PatchCell, sites: readonly SiteName[]): number[] {
  return EXACT_FIELDS.map((field) => {
    if (field === 'site') return sites.indexOf(cell.site);
    const value = cell[field];
    // Negative numbers stand for what has none: a position counted from the end would be read as another.
    if (typeof value === 'number' && value < 0) throw new RangeError(`a cell's ${field} is counted from 0, not ${value}`);
    return value === undefined ? ABSENT : value === 'last' ? LAST : value;
  });
}

function readCell(values: Float32Array, sites: readonly SiteName[]): PatchCell {
  const cell: PatchCell = { site: sites[values[0]!]! };
  EXACT_FIELDS.forEach((field, i) => {
    const value = values[i]!;
    if (field === 'site' || value === ABSENT) return;
    if (field === 'position') cell.position = value === LAST ? 'last' : value;
    else cell[field] = value;
  });
  return cell;
}
