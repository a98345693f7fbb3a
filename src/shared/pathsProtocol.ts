import type { Other } from './experiment';
import type { Edge } from './graph/nodes';
import type { CircuitSelection } from './graph/select';
import type { ViewRequest } from './panelProtocol';
import type { CircuitFaithfulness, EdgeMethod, GraphNotes, PathMode } from './paths';
import type { CallOptions } from './results';

/** What the webview's Paths view asks of the host; a part of PanelHost. */
export interface PathsHost {
  /** Attributes the run's edges and keeps them with it; the run is then shown anew with `paths`. */
  computePaths(params: { runId: string; method: EdgeMethod }, call?: CallOptions): Promise<void>;
  /** The edges to draw and what there are more. Throws where the run has no edges yet. */
  graph(params: GraphRequest, call?: CallOptions): Promise<GraphPage>;
  /** One edge by position, computed on demand: one list per length group that has pairs in view. */
  edgePositions(params: ViewRequest & { edge: Edge }, call?: CallOptions): Promise<EdgePositions[]>;
  /** Patches edges exactly and keeps their effects with the run. Progress says how many are `done`. */
  patchPaths(params: ViewRequest & { mode: PathMode; edges: Edge[] | { top: number } }, call?: CallOptions): Promise<void>;
  /** What a selection would choose; nothing is kept or run. */
  selectCircuit(params: ViewRequest & { selection: CircuitSelection; prune: boolean }, call?: CallOptions): Promise<SelectedCircuit>;
  /** Selects a circuit, runs it on the run's pairs, and keeps it with its faithfulness; the run is shown anew. */
  extractCircuit(params: ViewRequest & { selection: CircuitSelection; prune: boolean; ablation: Other; name: string }, call?: CallOptions): Promise<void>;
  /** Faithfulness over MIB's budgets, beside random circuits of the same sizes. */
  circuitCurve(params: ViewRequest & { by: 'top' | 'greedy'; ablation: Other; random: number }, call?: CallOptions): Promise<CircuitCurve>;
  /** What each edge of a kept circuit is good for: the circuit is run without it. Strongest loss first. */
  circuitMinimality(params: { runId: string; circuit: number }, call?: CallOptions): Promise<{ edge: Edge; loss: number | null }[]>;
  /** ACDC's threshold refinement of a kept circuit: what it removes is left out of a new kept circuit. `threshold` in the metric's raw units. */
  refineCircuit(params: { runId: string; circuit: number; threshold: number; name: string }, call?: CallOptions): Promise<void>;
  /** How far a selection of this size changes when the pairs are drawn anew: mean Jaccard overlap over bootstrap samples. */
  circuitStability(params: { runId: string; selection: CircuitSelection; prune: boolean }, call?: CallOptions): Promise<{ mean: number; low: number; high: number; samples: number }>;
  /** Jaccard overlap of the edges of two kept circuits. */
  circuitOverlap(params: { runId: string; circuits: [number, number] }, call?: CallOptions): Promise<{ shared: number; either: number; jaccard: number }>;
  removeCircuit(params: { runId: string; circuit: number }, call?: CallOptions): Promise<void>;
  /** Asks for a file and writes the whole graph, or a kept circuit. */
  exportGraph(params: ViewRequest & { format: GraphFormat; circuit?: number }, call?: CallOptions): Promise<void>;
  /** Asks for a graph file (EAP-IG/MIB JSON), runs its circuit on the run's pairs and keeps it. */
  importCircuit(params: { runId: string; ablation: Other }, call?: CallOptions): Promise<void>;
  /** Keeps names, pins and notes with the run. */
  keepGraphNotes(params: { runId: string; notes: GraphNotes }, call?: CallOptions): Promise<void>;
}

export type GraphFormat = 'mib' | 'dot' | 'mermaid' | 'csv';

/** Edges by falling |score|: the `top` strongest, or all of at least `threshold`; never more than `MOST_EDGES`. */
export type GraphRequest = ViewRequest & {
  choose: { top: number } | { threshold: number };
  /** Only edges into or out of these nodes. */
  focus?: string[];
  /** Only the edges of a kept circuit. */
  circuit?: number;
  /** The strongest paths between two nodes instead of single edges: a path is as strong as its weakest edge, ties go to the shorter. */
  between?: { from: string; to: string; paths: number };
  /** Which exact effects stand beside the scores. */
  mode: PathMode;
};

/** What a screen shows smoothly. */
export const MOST_EDGES = 2000;

export interface DrawnEdge extends Edge {
  score: number;
  /** Absent where it has not been measured. */
  exact?: number;
}

export interface DrawnNode {
  /** As `nodeName` writes it. */
  name: string;
  /** The node's own attribution in the view's units, summed over positions; of the logits the metric's whole difference. */
  score: number;
  /** Index into the page's `columns`. */
  column: number;
}

export interface GraphPage {
  /** Strongest first. */
  edges: DrawnEdge[];
  /** The ends of these edges. */
  nodes: DrawnNode[];
  /** Where nodes stand: the named position or the position at which a node's attribution is largest in size, in the prompts' order. */
  columns: string[];
  /** How many edges the choice has; more than are sent when that is over MOST_EDGES. */
  count: number;
  /** Edges of the whole graph. */
  total: number;
  /** |score| of the weakest edge sent, and of the strongest edge of the graph. */
  weakest: number;
  strongest: number;
  /** The paths of `between`, each as node names from first to last, strongest first. */
  paths?: { nodes: string[]; strength: number }[];
}

export interface EdgePositions {
  group: number;
  /** By position of the prompts of that length, in the view's units. */
  scores: number[];
}

export interface SelectedCircuit {
  edges: number;
  nodes: number;
  /** Edges before dangling ones were pruned. */
  chosen: number;
  /** Of the whole graph. */
  total: number;
}

export interface CurvePoint {
  /** Share of the graph's edges, 0 to 1, and how many that is, before and after pruning. */
  share: number;
  chosen: number;
  edges: number;
  /** Null where full and empty circuit do not differ. */
  faithfulness: number | null;
  /** Of random circuits of as many edges. */
  random?: { mean: number; low: number; high: number };
}

export interface CircuitCurve {
  points: CurvePoint[];
  /** MIB's areas: ∫ f dp and ∫ |1 − f| dp; null where a point is. */
  cpr: number | null;
  cmd: number | null;
  /** Budgets left out because they round to no edge at all. */
  leftOut: number;
  /** Mean metric of the full and of the empty circuit, raw. */
  full: number;
  empty: number;
}

/** A kept circuit as the webview lists it. */
export interface CircuitSummary {
  name: string;
  origin: string;
  createdAt: string;
  edges: number;
  nodes: number;
  faithfulness?: CircuitFaithfulness;
  notes?: string;
}
