import { edgeNamed, nodeNamed, PORTS, type Port } from '../../src/shared/graph/nodes';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { PATH_MODES, type PathMode } from '../../src/shared/paths';
import { MOST_EDGES, type GraphRequest } from '../../src/shared/pathsProtocol';
import type { ViewState } from '../model/viewState';

/** What the paths view keeps for itself over reloads. */
export interface PathsChoice {
  choose: GraphRequest['choose'];
  /** The way of nodes that were focused, one after the other; the last is on show. Empty: the whole graph. */
  focus: string[];
  form: 'graph' | 'matrix';
  /** Which input of the heads the matrix shows; all: their sum. */
  port: Port | 'all';
  mode: PathMode;
  between?: { from: string; to: string; paths: number };
  /** Only the edges of this kept circuit, by its key. */
  circuit?: string;
  /** The selected edge, as `edgeName` writes it. */
  edge?: string;
  /** Absent: the whole graph is in sight. */
  zoom?: Zoom;
  order: { by: EdgeColumn; descending: boolean };
  /** How many of the strongest edges "Verify top" takes. */
  verify: number;
}

export interface Zoom {
  k: number;
  x: number;
  y: number;
}

export type EdgeColumn = 'rank' | 'from' | 'to' | 'port' | 'score' | 'exact' | 'error';
export const EDGE_COLUMNS: readonly EdgeColumn[] = ['rank', 'from', 'to', 'port', 'score', 'exact', 'error'];

export const DEFAULT_TOP = 40;
export const MOST_PATHS = 20;
const DEFAULT_VERIFY = 10;

/** What was kept, as far as it means something for this run. */
export function pathsChoice(run: Pick<RunSummary, 'model'>, { own }: Pick<ViewState, 'own'>): PathsChoice {
  const kept = record(own.paths);
  const isNode = (name: unknown): name is string => typeof name === 'string' && nodeNamed(run.model, name) !== undefined;
  const order = record(kept.order);
  const between = record(kept.between);
  return {
    choose: chosen(kept.choose),
    focus: Array.isArray(kept.focus) && kept.focus.every(isNode) ? kept.focus : [],
    form: kept.form === 'matrix' ? 'matrix' : 'graph',
    port: PORTS.find((port) => port === kept.port) ?? 'all',
    mode: PATH_MODES.find((mode) => mode === kept.mode) ?? 'direct',
    ...(isNode(between.from) && isNode(between.to) && isCount(between.paths, MOST_PATHS) && { between: { from: between.from, to: between.to, paths: between.paths } }),
    ...(typeof kept.circuit === 'string' && { circuit: kept.circuit }),
    ...(typeof kept.edge === 'string' && edgeNamed(run.model, kept.edge) && { edge: kept.edge }),
    ...(isZoom(kept.zoom) && { zoom: { k: kept.zoom.k, x: kept.zoom.x, y: kept.zoom.y } }),
    order: { by: EDGE_COLUMNS.find((column) => column === order.by) ?? 'rank', descending: order.descending === true },
    verify: isCount(kept.verify, MOST_EDGES) ? kept.verify : DEFAULT_VERIFY,
  };
}

/** What shows all edges of a kept circuit, as many as are drawn at once, and nothing else. */
export function showingCircuit(run: Pick<RunSummary, 'model'>, state: Pick<ViewState, 'own'>, circuit: string, edges: number): PathsChoice {
  const { form, port, mode, order, verify } = pathsChoice(run, state);
  return { form, port, mode, order, verify, circuit, choose: { top: Math.max(1, Math.min(MOST_EDGES, edges)) }, focus: [] };
}

function chosen(value: unknown): PathsChoice['choose'] {
  const { top, threshold } = record(value);
  if (isCount(top, MOST_EDGES)) return { top };
  if (typeof threshold === 'number' && threshold > 0 && Number.isFinite(threshold)) return { threshold };
  return { top: DEFAULT_TOP };
}

/** Going to a node: a node that one has come by already is gone back to. */
export function focusOn(trail: readonly string[], name: string): string[] {
  const at = trail.indexOf(name);
  return at === -1 ? [...trail, name] : trail.slice(0, at + 1);
}

function isZoom(value: unknown): value is Zoom {
  const { k, x, y } = record(value);
  return [k, x, y].every((part) => typeof part === 'number' && Number.isFinite(part)) && (k as number) > 0;
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
