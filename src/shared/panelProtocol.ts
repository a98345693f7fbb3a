import type { RunManifest } from './run';
import type { CallOptions } from './results';
import type { SiteName } from './sites';
import type { HeadPositions, Matrix, ViewOptions } from './views';

/** The wire between the panel's host (editor/) and its webview. Each side implements one interface; the other calls it by RPC. */

/** Answered by the host. */
export interface PanelHost {
  /** First call of a webview that has loaded: everything it needs to draw, for the run named or the panel's current one. */
  ready(params: { state?: PanelState }, call?: CallOptions): Promise<PanelContent>;
  /** The heatmaps' numbers for other options of the same run. */
  view(params: ViewRequest, call?: CallOptions): Promise<PanelView>;
  /** Position × head scores of one layer in one length group. */
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
  | { kind: 'failed'; title: string; message: string }
  | { kind: 'run'; run: RunSummary; view: PanelView };

/** The manifest without what the panel does not draw. */
export type RunSummary = Pick<
  RunManifest,
  'id' | 'title' | 'createdAt' | 'source' | 'prependBos' | 'model' | 'backend' | 'pairs' | 'groups' | 'timings' | 'notes'
> & { direction: RunManifest['experiment']['direction']; metric: RunManifest['experiment']['metric']; canNormalise: boolean };

/** Numbers of one view: heads, and per length group the layer × position maps (absent sites have no entry). */
export interface PanelView {
  options: ViewOptions;
  heads: Record<HeadPositions, Matrix>;
  /** One per length group; undefined where the chosen pair is not in the group. */
  positions: (Partial<Record<SiteName, Matrix>> | undefined)[];
}
