import type { AgreementSummary } from './agreement';
import type { NamedArrays } from './arrays';
import type { Direction, Metric, Other, Variant } from './experiment';
import type { EdgeMethod, GraphNotes, StoredCircuit } from './paths';
import type { CircuitSummary, PathsHost } from './pathsProtocol';
import type { Run, RunManifest } from './run';
import { groupArrayName, type CallOptions, type PatchCell } from './results';
import { SITE_NAMES, type SiteName } from './sites';
import { canNormalise, type MapOf, type Matrix, type ViewOptions } from './views';

/** The wire between the panel's host (editor/) and its webview. Each side implements one interface; the other calls it by RPC. */

/** Answered by the host. */
export interface PanelHost extends PathsHost {
  /** First call of a webview that has loaded: everything it needs to draw what the panel shows. */
  ready(params: Record<string, never>, call?: CallOptions): Promise<PanelContent>;
  /** One map of the run: asked for when drawn, so that no message carries more than one. `exact` has NaN where nothing was measured. */
  map(params: MapRequest, call?: CallOptions): Promise<Matrix>;
  /** Position × head scores of one site with heads in one layer and length group: what stands behind a cell. Asked for only where the chosen pair is in the group. */
  layerDetail(params: ViewRequest & { site: SiteName; group: number; layer: number }, call?: CallOptions): Promise<Matrix>;
  /** A page of the strongest neurons, by falling |score|; of one layer, or of one layer and position in one length group. */
  neurons(params: NeuronsRequest, call?: CallOptions): Promise<NeuronsPage>;
  /** Exact effects of single parts in a view's units, in their order; NaN where nothing was measured. */
  exactEffects(params: ViewRequest & { units: PatchCell[] }, call?: CallOptions): Promise<{ effects: Float32Array }>;
  /** What exact patching of these cells would cost; cells that are measured already cost nothing. */
  patchCost(params: { runId: string; cells: CellChoice }, call?: CallOptions): Promise<PatchCost>;
  /** Patches these cells exactly. While it runs, maps and agreement answer with what is there; its progress says how many cells are `done`. It goes on when the webview goes. */
  verify(params: { runId: string; cells: CellChoice }, call?: CallOptions): Promise<void>;
  /** Stops what is being verified of the run on show, whoever asked for it; what is measured stays. */
  cancelVerifying(params: { runId: string }, call?: CallOptions): Promise<void>;
  /** Estimate beside truth for every measured cell of a map. */
  agreement(params: ViewRequest & { map: MapOf }, call?: CallOptions): Promise<Agreement>;
  /** Summary of the agreement per site: the table of the trust view. */
  agreementTable(params: ViewRequest, call?: CallOptions): Promise<SiteAgreement[]>;
  /** Arrays clean, other, base, attribution [head, dest, src] of one pair: see AttentionResult. */
  attention(params: { runId: string; pair: number; layer: number; heads: number[] }, call?: CallOptions): Promise<{ heads: number[]; arrays: NamedArrays }>;
  /** See LensResult. */
  lens(params: { runId: string }, call?: CallOptions): Promise<{ arrays: NamedArrays }>;
  /** What the model says after both prompts of a pair, most probable first; `patched` where the run has interventions. */
  predictions(params: { runId: string; pair: number }, call?: CallOptions): Promise<Predictions>;
  /** The same prompts once more with another metric, direction or variant, in this panel. */
  rerunWith(params: { runId: string; change: ExperimentChange }, call?: CallOptions): Promise<void>;
  /** Asks for a file and writes what the map shows, estimate and exact, as CSV. */
  exportMap(params: ViewRequest & { map: MapOf }, call?: CallOptions): Promise<void>;
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

/**
 * rerun: what is on show, with the prompts as they are written now. fileSettings: the same prompts as their file says.
 * retry: what failed.
 */
export type PanelAction = 'rerun' | 'fileSettings' | 'retry' | 'openSource' | 'showLog' | 'cancel';

export interface ViewRequest {
  runId: string;
  options: ViewOptions;
}

export type MapRequest = ViewRequest & { map: MapOf; values: 'estimate' | 'exact' };

/** Cells of one map: the strongest by |estimate| of the view, some (row, column), or all of it. Or single parts, which stand in no map. */
export type CellChoice =
  | { map: MapOf; options: ViewOptions; top: number }
  | { map: MapOf; cells: { row: number; column: number }[] }
  | { map: MapOf; all: true }
  /** In the order in which they are to be measured. */
  | { units: PatchCell[] };

export interface PatchCost {
  cells: number;
  /** Of these, already measured. */
  known: number;
  /** Rough, for those that are not known, from how long the run itself took. */
  seconds: number;
}

export interface AgreementPoint {
  row: number;
  column: number;
  estimate: number;
  exact: number;
}

export interface Agreement {
  points: AgreementPoint[];
  summary: AgreementSummary;
}

export interface SiteAgreement {
  map: MapOf;
  measured: number;
  cells: number;
  summary: AgreementSummary;
}

export type NeuronsRequest = ViewRequest & { from: number; count: number; layer?: number; group?: number; position?: number };

export interface NeuronsPage {
  /** Of how many. */
  total: number;
  rows: { layer: number; neuron: number; score: number }[];
}

export interface Predictions {
  clean: TokenPrediction[];
  corrupted?: TokenPrediction[];
  patched?: TokenPrediction[];
  /** The pair's answers that are not among those of a side. Not known with the interventions. */
  missing?: { clean: AnswerPrediction[]; corrupted?: AnswerPrediction[] };
}

export interface AnswerPrediction extends TokenPrediction {
  /** Among all tokens, the most probable is 1. */
  rank: number;
}

export interface TokenPrediction {
  text: string;
  logit: number;
  probability: number;
}

/** Fields that are absent stay as they are. */
export interface ExperimentChange {
  metric?: Metric;
  direction?: Direction;
  other?: Other;
  variant?: Variant;
  prependBos?: boolean;
  sites?: SiteName[];
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
  | { kind: 'run'; run: RunSummary; /** Absent when nothing of it is being verified. */ verifying?: RunningVerification };

/** How far exact patching of a run is. */
export interface RunningVerification {
  /** To be measured, and how many of them are. */
  cells: number;
  done: number;
  stage: string;
  /** Of the whole call, its preparation included. */
  fraction: number;
}

/** The manifest without what the panel does not draw. */
export type RunSummary = Pick<
  RunManifest,
  'id' | 'title' | 'createdAt' | 'source' | 'prependBos' | 'model' | 'backend' | 'pairs' | 'groups' | 'timings' | 'notes'
> & {
  direction: RunManifest['experiment']['direction'];
  metric: Metric;
  other: Other;
  variant: Variant;
  canNormalise: boolean;
  /** Sites the run holds numbers of, in the table's order. */
  sites: SiteName[];
  /** How its edges were attributed; absent where they were not. */
  edgeMethod?: EdgeMethod;
  circuits: CircuitSummary[];
  graph?: GraphNotes;
};

export function summaryOf({ manifest, arrays }: Run): RunSummary {
  const { id, title, createdAt, source, prependBos, model, backend, pairs, groups, timings, notes, experiment, paths, circuits = [], graph } = manifest;
  return {
    ...{ id, title, createdAt, source, prependBos, model, backend, pairs, groups, timings, notes },
    direction: experiment.direction,
    metric: experiment.metric,
    other: experiment.other ?? 'corrupted',
    variant: experiment.variant ?? {},
    canNormalise: canNormalise(manifest),
    sites: SITE_NAMES.filter((site) => groupArrayName(0, site) in arrays.entries),
    ...(paths && { edgeMethod: paths.method }),
    circuits: circuits.map(circuitSummary),
    ...(graph && { graph }),
  };
}

function circuitSummary({ edges, ...rest }: StoredCircuit): CircuitSummary {
  const nodes = new Set(edges.flatMap((name) => name.replace(/<[qkv]>$/, '').split('->')));
  return { ...rest, edges: edges.length, nodes: nodes.size };
}
