import type { Run, RunManifest } from './run';
import { groupArrayName, type CallOptions } from './results';
import { SITE_NAMES, type SiteName } from './sites';
import { canNormalise, type HeadPositions, type Matrix, type ViewOptions } from './views';

/** The wire between the panel's host (editor/) and its webview. Each side implements one interface; the other calls it by RPC. */

/** Answered by the host. */
export interface PanelHost {
  /** First call of a webview that has loaded: everything it needs to draw what the panel shows. */
  ready(params: Record<string, never>, call?: CallOptions): Promise<PanelContent>;
  /** The head maps' numbers for other options of the same run. */
  view(params: ViewRequest, call?: CallOptions): Promise<PanelView>;
  /** Layer × position scores of one site in one length group: asked for when drawn, so that no message carries more than one map. */
  positionMap(params: ViewRequest & { group: number; site: SiteName }, call?: CallOptions): Promise<Matrix>;
  /** Position × head scores of one layer in one length group: what stands behind a cell. Asked for only where the chosen pair is in the group. */
  layerDetail(params: ViewRequest & { group: number; layer: number }, call?: CallOptions): Promise<Matrix>;
  /** Buttons of the panel that are commands of the editor. */
  act(params: { action: PanelAction }, call?: CallOptions): Promise<void>;
  /** Copies text by way of the host: the webview may not. */
  copy(params: { text: string }, call?: CallOptions): Promise<void>;
}

/** Answered by the webview. */
export interface PanelWebview {
  /** A run has finished (or was opened) in this panel. A full snapshot, never a difference. */
  show(params: { content: PanelContent }, call?: CallOptions): Promise<void>;
}

export type PanelAction = 'rerun' | 'openSource' | 'showLog' | 'cancel';

export interface ViewRequest {
  runId: string;
  options: ViewOptions;
}

/** UI state kept by the webview over reloads; never the numbers themselves. */
export interface PanelState {
  runId: string;
  view?: unknown;
}

export type PanelContent =
  | { kind: 'empty'; message: string }
  | { kind: 'running'; title: string; stage: string; fraction: number }
  | { kind: 'failed'; title: string; message: string; /** There are prompts to open. */ fromFile: boolean }
  | { kind: 'run'; run: RunSummary; view: PanelView };

/** The manifest without what the panel does not draw. */
export type RunSummary = Pick<
  RunManifest,
  'id' | 'title' | 'createdAt' | 'source' | 'prependBos' | 'model' | 'backend' | 'pairs' | 'groups' | 'timings' | 'notes'
> & {
  direction: RunManifest['experiment']['direction'];
  metric: RunManifest['experiment']['metric'];
  canNormalise: boolean;
  /** Sites the run holds numbers of, in the table's order. */
  sites: SiteName[];
};

export function summaryOf({ manifest, arrays }: Run): RunSummary {
  const { id, title, createdAt, source, prependBos, model, backend, pairs, groups, timings, notes, experiment } = manifest;
  return {
    ...{ id, title, createdAt, source, prependBos, model, backend, pairs, groups, timings, notes },
    direction: experiment.direction,
    metric: experiment.metric,
    canNormalise: canNormalise(manifest),
    sites: SITE_NAMES.filter((site) => groupArrayName(0, site) in arrays.entries),
  };
}

/** The numbers of one view that are small in every run: the head maps. */
export interface PanelView {
  options: ViewOptions;
  heads: Record<HeadPositions, Matrix>;
}
