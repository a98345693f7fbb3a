import { CircuitError } from '../shared/errors';
import { mapExtent } from '../shared/exact';
import { summaryOf, type CellChoice, type MapRequest, type NeuronsRequest, type PanelAction, type PanelState, type ViewRequest } from '../shared/panelProtocol';
import type { PatchCell } from '../shared/results';
import type { Run } from '../shared/run';
import { hasHeads, hasSources, SITE_NAMES, SITES, type SiteName } from '../shared/sites';
import type { MapOf, ViewOptions } from '../shared/views';

/** What comes from the webview is untrusted: each reader returns a value of the type it names, or throws. */

const ACTIONS: readonly PanelAction[] = ['rerun', 'fileSettings', 'retry', 'openSource', 'showLog', 'cancel'];
const LONGEST_COPY = 5_000_000;
/** More than a screen shows, and few enough for one message. */
const MOST_NEURONS = 1000;
const MOST_UNITS = 1000;

export function readAction(params: unknown): PanelAction {
  const { action } = objectOf(params);
  const known = ACTIONS.find((name) => name === action);
  return known ?? refuse('action', action);
}

export function readCopiedText(params: unknown): string {
  const { text } = objectOf(params);
  return typeof text === 'string' && text.length <= LONGEST_COPY ? text : refuse('text', typeof text);
}

/** State that a webview kept over a reload; undefined when there is none or it is not ours. */
export function readPanelState(value: unknown): PanelState | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { runId, view } = value as { runId?: unknown; view?: unknown };
  return typeof runId === 'string' ? { runId, view } : undefined;
}

/** For requests about the run on show and nothing else. */
export function checkRunId(params: unknown, run: Run): void {
  if (objectOf(params)['runId'] !== run.manifest.id) throw new CircuitError('internal', 'The panel asked for a run that it no longer shows.');
}

export function readViewRequest(params: unknown, run: Run): ViewRequest {
  checkRunId(params, run);
  return { runId: run.manifest.id, options: readViewOptions(objectOf(params)['options'], run) };
}

export function readMapRequest(params: unknown, run: Run): MapRequest {
  const { values } = objectOf(params);
  return { ...readMapView(params, run), values: values === 'estimate' || values === 'exact' ? values : refuse('values', values) };
}

/** A view of one map: what the trust view and the export ask for. */
export function readMapView(params: unknown, run: Run): ViewRequest & { map: MapOf } {
  return { ...readViewRequest(params, run), map: readMap(objectOf(params)['map'], run) };
}

export function readLayerDetailRequest(params: unknown, run: Run): ViewRequest & { site: SiteName; group: number; layer: number } {
  const { site, group, layer } = objectOf(params);
  const known = readSite(site, run);
  return {
    ...readViewRequest(params, run),
    site: hasHeads(known) ? known : refuse('site', site),
    group: indexBelow(run.manifest.groups.length, group, 'group'),
    layer: indexBelow(run.manifest.model.layers, layer, 'layer'),
  };
}

export function readNeuronsRequest(params: unknown, run: Run): NeuronsRequest {
  const { from, count, layer, group, position } = objectOf(params);
  if (!summaryOf(run).sites.includes('mlp_post')) refuse('site', 'mlp_post');
  const { groups, model } = run.manifest;
  const inGroup = group === undefined ? undefined : indexBelow(groups.length, group, 'group');
  const length = inGroup === undefined ? 0 : mapExtent(run.manifest, { site: 'mlp_post', over: 'positions', group: inGroup }).columns;
  return {
    ...readViewRequest(params, run),
    from: indexBelow(model.layers * model.dMlp + 1, from, 'from'),
    count: indexBelow(MOST_NEURONS + 1, count, 'count'),
    ...(layer !== undefined && { layer: indexBelow(model.layers, layer, 'layer') }),
    ...(inGroup !== undefined && { group: inGroup }),
    ...(position !== undefined && { position: indexBelow(length, position, 'position') }),
  };
}

/** What `patchCost` and `verify` are asked for. */
export function readCellChoice(params: unknown, run: Run): CellChoice {
  checkRunId(params, run);
  const { map: wanted, top, options, cells, all, units } = objectOf(objectOf(params)['cells']);
  if (units !== undefined) return { units: readUnits(units, run) };
  const map = readMap(wanted, run);
  const { rows, columns } = mapExtent(run.manifest, map);
  if (all === true) return { map, all };
  if (cells === undefined) return { map, options: readViewOptions(options, run), top: Math.min(rows * columns, wholeFrom(1, top, 'top')) };
  if (!Array.isArray(cells) || cells.length > rows * columns) return refuse('cells', cells);
  return {
    map,
    cells: cells.map((cell) => {
      const { row, column } = objectOf(cell);
      return { row: indexBelow(rows, row, 'row'), column: indexBelow(columns, column, 'column') };
    }),
  };
}

/** Single parts whose exact effects are asked for. */
export function readUnitsView(params: unknown, run: Run): ViewRequest & { units: PatchCell[] } {
  return { ...readViewRequest(params, run), units: readUnits(objectOf(params)['units'], run) };
}

function readUnits(value: unknown, run: Run): PatchCell[] {
  if (!Array.isArray(value) || value.length > MOST_UNITS) return refuse('units', value);
  return value.map((unit) => readUnit(unit, run));
}

/** Places are counted from the start, and of a length group. */
function readUnit(value: unknown, { manifest: { groups, model } }: Run): PatchCell {
  const { site, group, layer, head, neuron, position, source } = objectOf(value);
  const name = SITE_NAMES.find((known) => known === site) ?? refuse('site', site);
  const { axes } = SITES[name];
  const unit: PatchCell = {
    site: name,
    ...(axes.includes('layer') && { layer: indexBelow(model.layers, layer, 'layer') }),
    ...(head !== undefined && { head: axes.includes('head') ? indexBelow(model.heads, head, 'head') : refuse('head', head) }),
    ...(neuron !== undefined && { neuron: axes.includes('neuron') ? indexBelow(model.dMlp, neuron, 'neuron') : refuse('neuron', neuron) }),
  };
  if (group === undefined) return position === undefined && source === undefined ? unit : refuse('group', group);
  const own = indexBelow(groups.length, group, 'group');
  const { positions, length } = groups[own]!;
  const extent = positions === 'last' ? 1 : length;
  return {
    ...unit,
    group: own,
    ...(position !== undefined && { position: indexBelow(extent, position, 'position') }),
    ...(source !== undefined && { source: hasSources(name) && positions === 'all' ? indexBelow(extent, source, 'source') : refuse('source', source) }),
  };
}

export function readAttentionRequest(params: unknown, run: Run): { pair: number; layer: number; heads: number[] } {
  checkRunId(params, run);
  const { pair, layer, heads } = objectOf(params);
  const { pairs, model } = run.manifest;
  if (!Array.isArray(heads) || heads.length === 0 || heads.length > model.heads) return refuse('heads', heads);
  return {
    pair: indexBelow(pairs.length, pair, 'pair'),
    layer: indexBelow(model.layers, layer, 'layer'),
    heads: heads.map((head) => indexBelow(model.heads, head, 'head')),
  };
}

export function readPair(params: unknown, run: Run): number {
  checkRunId(params, run);
  return indexBelow(run.manifest.pairs.length, objectOf(params)['pair'], 'pair');
}

function readMap(value: unknown, run: Run): MapOf {
  const { site, over, group } = objectOf(value);
  const known = readSite(site, run);
  if (over === 'positions') return { site: known, over, group: indexBelow(run.manifest.groups.length, group, 'group') };
  if (over !== 'all' && over !== 'last') return refuse('map', over);
  return hasHeads(known) ? { site: known, over } : refuse('site', site);
}

function readSite(value: unknown, run: Run): SiteName {
  return summaryOf(run).sites.find((name) => name === value) ?? refuse('site', value);
}

function readViewOptions(value: unknown, run: Run): ViewOptions {
  const { pair, unit, of } = objectOf(value);
  return {
    pair: pair === 'all' ? 'all' : indexBelow(run.manifest.pairs.length, pair, 'pair'),
    unit: unit === 'normalised' || unit === 'raw' ? unit : refuse('unit', unit),
    ...(of !== undefined && { of: of === 'mean' || of === 'pair' ? of : refuse('of', of) }),
  };
}

export function indexBelow(extent: number, value: unknown, name: string): number {
  const index = wholeFrom(0, value, name);
  return index < extent ? index : refuse(name, value);
}

export function wholeFrom(least: number, value: unknown, name: string): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least ? value : refuse(name, value);
}

export function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : refuse('parameters', value);
}

export function refuse(name: string, value: unknown): never {
  throw new CircuitError('internal', `The panel sent an unusable ${name}: ${JSON.stringify(value)?.slice(0, 80)}`);
}
