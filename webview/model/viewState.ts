import type { Unit } from '../../src/shared/experiment';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { SortKey } from '../../src/shared/ranking';
import { hasHeads, type SiteName } from '../../src/shared/sites';
import { averagedRun, canNormalise, type HeadPositions, type MapOf, type ViewOptions } from '../../src/shared/views';

/** What the person has chosen in the panel: kept over reloads and reruns, never the numbers. */
export interface ViewState {
  view: ViewName;
  options: ViewOptions;
  headPositions: HeadPositions;
  sites: Record<MapName, SiteName>;
  group: number;
  /** What each map's cells show. */
  values: Record<MapName, Values>;
  /** Columns of the positions map: one per token position, or one per named position, gathered from every pair. */
  columns: 'tokens' | 'roles';
  sort: Record<MapName, MapSort>;
  table: TableState;
  trust: { map: MapName };
  /** How many of the strongest cells "Verify top" takes. */
  top: number;
  selection?: Selection;
  scroll: { page: number; positions: number };
  /** What a view keeps for itself; it checks what it reads from here. */
  own: Partial<Record<ViewName, unknown>>;
}

export type ViewName = 'heatmaps' | 'trust' | 'paths' | 'circuits' | 'attention' | 'logits' | 'neurons';
export const VIEW_NAMES: readonly ViewName[] = ['heatmaps', 'trust', 'paths', 'circuits', 'attention', 'logits', 'neurons'];

export type MapName = 'heads' | 'positions';

export type Values = 'estimate' | 'exact' | 'difference';
export const VALUES: readonly Values[] = ['estimate', 'exact', 'difference'];

export interface MapSort {
  rows: SortKey;
  columns: SortKey;
}

export interface TableState {
  list: MapName;
  column: TableColumn;
  descending: boolean;
  all: boolean;
}

export type TableColumn = 'rank' | 'name' | 'score' | 'share' | 'exact';
export const TABLE_COLUMNS: readonly TableColumn[] = ['rank', 'name', 'score', 'share', 'exact'];

export type Selection =
  | { kind: 'head'; layer: number; head: number }
  | { kind: 'position'; group: number; layer: number; position: number }
  /** A named position, gathered from all pairs that have it. */
  | { kind: 'role'; layer: number; role: string };

export const BY_INDEX: SortKey = { by: 'index' };

export function defaultState(options: ViewOptions): ViewState {
  return {
    view: 'heatmaps',
    options,
    headPositions: 'all',
    sites: { heads: 'z', positions: 'z' },
    group: 0,
    values: { heads: 'estimate', positions: 'estimate' },
    columns: 'tokens',
    sort: { heads: { rows: BY_INDEX, columns: BY_INDEX }, positions: { rows: BY_INDEX, columns: BY_INDEX } },
    table: { list: 'heads', column: 'rank', descending: false, all: false },
    trust: { map: 'heads' },
    top: 10,
    selection: undefined,
    scroll: { page: 0, positions: 0 },
    own: {},
  };
}

type ShapeOfRun = Pick<RunSummary, 'id' | 'model' | 'groups' | 'sites' | 'pairs'>;

/** The views a run has. One that has no estimates, because there is no gradient, has no maps. */
export function viewsOf({ sites }: Pick<RunSummary, 'sites'>): ViewName[] {
  if (sites.length === 0) return ['logits', 'attention'];
  return [...VIEW_NAMES];
}

/** The sites a map can show of a run. Neurons have a view of their own. */
export function sitesOf({ sites }: Pick<RunSummary, 'sites'>, map: MapName): SiteName[] {
  return sites.filter((site) => (map === 'heads' ? hasHeads(site) : site !== 'mlp_post'));
}

/** Names of positions that the file gives, in the order in which they first come up. */
export function rolesOf({ pairs }: Pick<ShapeOfRun, 'pairs'>): string[] {
  return [...new Set(pairs.flatMap(({ positions }) => Object.keys(positions ?? {})))];
}

/** The cell of a map's matrix that is selected, if it is one of that map's. */
export function selectedIn({ selection, group }: Pick<ViewState, 'selection' | 'group'>, map: MapName): { row: number; column: number } | undefined {
  if (selection?.kind === 'head') return map === 'heads' ? { row: selection.layer, column: selection.head } : undefined;
  return selection?.kind === 'position' && map === 'positions' && selection.group === group ? { row: selection.layer, column: selection.position } : undefined;
}

/** The selection that a cell of a map stands for. */
export function selectionOf({ group }: Pick<ViewState, 'group'>, map: MapName, { row, column }: { row: number; column: number }): Selection {
  return map === 'heads' ? { kind: 'head', layer: row, head: column } : { kind: 'position', group, layer: row, position: column };
}

/** The part of the model that is selected, where it is one and the same for all pairs. */
export function selectedUnit({ groups }: Pick<RunSummary, 'groups'>, { selection, sites, headPositions }: Pick<ViewState, 'selection' | 'sites' | 'headPositions'>): Unit | undefined {
  if (selection?.kind === 'head') return { site: sites.heads, layer: selection.layer, head: selection.head, ...(headPositions === 'last' && { position: 'last' as const }) };
  if (selection?.kind !== 'position') return undefined;
  const layer = sites.positions === 'embed' ? {} : { layer: selection.layer };
  const { positions } = groups[selection.group]!;
  if (positions === 'last') return { site: sites.positions, ...layer, position: 'last' };
  return groups.length === 1 ? { site: sites.positions, ...layer, position: selection.position } : undefined;
}

/** The matrix that a map of the panel shows. */
export function mapOf({ sites, headPositions, group }: Pick<ViewState, 'sites' | 'headPositions' | 'group'>, name: MapName): MapOf {
  return name === 'heads' ? { site: sites.heads, over: headPositions } : { site: sites.positions, over: 'positions', group };
}

/**
 * The state a run is shown with: what was stored, as far as it is well-formed and means something for this run.
 * With another run than the stored one (a rerun), the pair and the selection go and the rest stays.
 */
export function stateFor(run: ShapeOfRun, fallback: ViewOptions, stored?: { runId: string; view?: unknown }): ViewState {
  const state = defaultState(fallback);
  const view = record(stored?.view);
  const sameRun = stored?.runId === run.id;

  const options = record(view.options);
  const { pair } = options;
  if (sameRun && typeof pair === 'number' && isIndex(pair, run.pairs.length)) state.options = { ...state.options, pair, of: options.of === 'mean' ? 'mean' : 'pair' };
  else if (options.pair === 'all') state.options = { ...state.options, pair: 'all' };
  if (options.unit === 'raw' || options.unit === 'normalised') state.options = { ...state.options, unit: options.unit };
  state.options = withinReach(run, state.options);

  if (view.headPositions === 'all' || view.headPositions === 'last') state.headPositions = view.headPositions;
  state.view = viewsOf(run).find((name) => name === view.view) ?? viewsOf(run)[0]!;
  for (const name of ['heads', 'positions'] as const) {
    const sites = sitesOf(run, name);
    state.sites[name] = sites.find((site) => site === record(view.sites)[name]) ?? sites[0] ?? 'z';
    state.values[name] = VALUES.find((values) => values === record(view.values)[name]) ?? 'estimate';
  }
  if (view.columns === 'roles' && rolesOf(run).length > 0) state.columns = 'roles';
  if (record(view.trust).map === 'positions') state.trust.map = 'positions';
  if (isIndex(view.top, 100_000) && view.top > 0) state.top = view.top;
  if (isIndex(view.group, run.groups.length)) state.group = view.group;
  state.group = groupOf(run, state.options.pair) ?? state.group;

  const sort = record(view.sort);
  const { layers, heads } = run.model;
  state.sort = {
    heads: { rows: sortKey(record(sort.heads).rows, heads), columns: sortKey(record(sort.heads).columns, layers) },
    positions: {
      rows: sortKey(record(sort.positions).rows, columnsOf(run, state.group)),
      columns: sortKey(record(sort.positions).columns, layers),
    },
  };

  const table = record(view.table);
  if (table.list === 'heads' || table.list === 'positions') state.table.list = table.list;
  state.table.column = TABLE_COLUMNS.find((column) => column === table.column) ?? 'rank';
  state.table.descending = table.descending === true;
  state.table.all = table.all === true;

  if (sameRun) state.selection = selectionFor(run, record(view.selection));
  const scroll = record(view.scroll);
  if (sameRun && typeof scroll.page === 'number') state.scroll.page = scroll.page;
  if (sameRun && typeof scroll.positions === 'number') state.scroll.positions = scroll.positions;
  state.own = record(view.own);
  return state;
}

/** The length group of one pair; undefined for all pairs, which leave the choice to the person. */
export function groupOf(run: Pick<RunSummary, 'groups'>, pair: ViewOptions['pair']): number | undefined {
  if (pair === 'all') return undefined;
  const group = run.groups.findIndex(({ pairs }) => pairs.includes(pair));
  return group === -1 ? undefined : group;
}

/** In raw units where there is nothing to divide by. */
export function withinReach(run: Pick<RunSummary, 'pairs'>, options: ViewOptions): ViewOptions {
  return canNormalise(averagedRun(run, options)) ? options : { ...options, unit: 'raw' };
}

/** Choosing another pair takes the positions map to its length group. */
export function choosingPair(run: Pick<RunSummary, 'groups' | 'pairs'>, state: ViewState, pair: ViewOptions['pair']): Partial<ViewState> {
  const { unit, of = 'pair' } = state.options;
  return { options: withinReach(run, { pair, unit, ...(pair !== 'all' && { of }) }), ...goingToGroup(state, groupOf(run, pair) ?? state.group) };
}

/** Going to another length group: a column it does not have can neither sort it nor stay selected. */
export function goingToGroup({ group: before, sort, selection }: ViewState, group: number): Partial<ViewState> {
  if (group === before) return {};
  return {
    group,
    sort: { ...sort, positions: { ...sort.positions, rows: sort.positions.rows.by === 'line' ? BY_INDEX : sort.positions.rows } },
    selection: selection?.kind === 'position' ? undefined : selection,
  };
}

export function columnsOf(run: Pick<RunSummary, 'groups'>, group: number): number {
  const { length, positions } = run.groups[group]!;
  return positions === 'last' ? 1 : length;
}

/** `by: line` names a row or column of the other axis; one that is not there means no sorting. */
export function sortKey(value: unknown, lines: number): SortKey {
  const { by, line } = record(value);
  if (by === 'total' || by === 'strongest') return { by };
  if (by === 'line' && isIndex(line, lines)) return { by, line };
  return BY_INDEX;
}

/** Clicking a header: sort the other axis by this line, or, when it already is, go back to the index. */
export function toggleLine(current: SortKey, line: number): SortKey {
  return current.by === 'line' && current.line === line ? BY_INDEX : { by: 'line', line };
}

export function isSorted({ rows, columns }: MapSort): boolean {
  return rows.by !== 'index' || columns.by !== 'index';
}

export function sameSelection(a: Selection | undefined, b: Selection | undefined): boolean {
  if (!a || !b) return a === b;
  if (a.kind === 'head') return b.kind === 'head' && a.layer === b.layer && a.head === b.head;
  if (a.kind === 'role') return b.kind === 'role' && a.layer === b.layer && a.role === b.role;
  return b.kind === 'position' && a.group === b.group && a.layer === b.layer && a.position === b.position;
}

function selectionFor(run: ShapeOfRun, { kind, layer, head, group, position, role }: Record<string, unknown>): Selection | undefined {
  if (!isIndex(layer, run.model.layers)) return undefined;
  if (kind === 'head' && isIndex(head, run.model.heads)) return { kind, layer, head };
  if (kind === 'position' && isIndex(group, run.groups.length) && isIndex(position, columnsOf(run, group))) return { kind, group, layer, position };
  if (kind === 'role' && typeof role === 'string' && rolesOf(run).includes(role)) return { kind, layer, role };
  return undefined;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isIndex(value: unknown, extent: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < extent;
}
