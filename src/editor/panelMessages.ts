import { CircuitError } from '../shared/errors';
import type { PanelAction, PanelState, ViewRequest } from '../shared/panelProtocol';
import type { Run } from '../shared/run';
import { SITE_NAMES, type SiteName } from '../shared/sites';
import type { ViewOptions } from '../shared/views';

/** What comes from the webview is untrusted: each reader returns a value of the type it names, or throws. */

const ACTIONS: readonly PanelAction[] = ['rerun', 'openSource', 'showLog', 'cancel'];
const LONGEST_COPY = 5_000_000;

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

export function readViewRequest(params: unknown, run: Run): ViewRequest {
  const { runId, options } = objectOf(params);
  if (runId !== run.manifest.id) throw new CircuitError('internal', 'The panel asked for a run that it no longer shows.');
  return { runId: run.manifest.id, options: readViewOptions(options, run) };
}

export function readPositionMapRequest(params: unknown, run: Run): ViewRequest & { group: number; site: SiteName } {
  const { group, site } = objectOf(params);
  const known = SITE_NAMES.find((name) => name === site) ?? refuse('site', site);
  return { ...readViewRequest(params, run), group: indexBelow(run.manifest.groups.length, group, 'group'), site: known };
}

export function readLayerDetailRequest(params: unknown, run: Run): ViewRequest & { group: number; layer: number } {
  const { group, layer } = objectOf(params);
  return {
    ...readViewRequest(params, run),
    group: indexBelow(run.manifest.groups.length, group, 'group'),
    layer: indexBelow(run.manifest.model.layers, layer, 'layer'),
  };
}

function readViewOptions(value: unknown, run: Run): ViewOptions {
  const { pair, unit } = objectOf(value);
  return {
    pair: pair === 'all' ? 'all' : indexBelow(run.manifest.pairs.length, pair, 'pair'),
    unit: unit === 'normalised' || unit === 'raw' ? unit : refuse('unit', unit),
  };
}

function indexBelow(extent: number, value: unknown, name: string): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < extent ? value : refuse(name, value);
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : refuse('parameters', value);
}

function refuse(name: string, value: unknown): never {
  throw new CircuitError('internal', `The panel sent an unusable ${name}: ${JSON.stringify(value)?.slice(0, 80)}`);
}
