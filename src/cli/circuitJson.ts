import { edgesIn, type EdgeMask } from '../shared/graph/mask';
import { edgeCount, edgeName, matrixIndex, nodeName, nodeOfReceiver, receiverAt, senderAt, type GraphShape } from '../shared/graph/nodes';
import { edgeScores, hasEdges, shapeOf } from '../shared/graph/stored';
import type { CircuitFaithfulness } from '../shared/paths';
import type { CurvePoint } from '../shared/pathsProtocol';
import type { Run } from '../shared/run';
import type { ViewOptions } from '../shared/views';
import type { Other } from '../shared/experiment';
import type { CircuitReport, FoundCircuit } from './circuitReport';
import { runJson, shortest, type RunJson } from './json';
import { edgeJson, methodJson, type EdgeJson, type PathsJson } from './pathsJson';

/** What `circuit --json` prints; metrics raw, edge scores in `unit`. Fields are added, never changed. */
export interface CircuitJson extends RunJson {
  unit: ViewOptions['unit'];
  /** How the edges were attributed; absent where an imported circuit is run only. */
  method?: PathsJson['method'];
  ablation: Other;
  /** Edges of the whole graph. */
  total: number;
  /** First as it was selected or imported, then as it was refined. */
  circuits: CircuitDescription[];
  /** Each circuit on each set of pairs. */
  measured: MeasuredJson[];
  refined?: { threshold: number; removed: number; tried: number };
  /** Random circuits of the last circuit's size (before pruning) on the last set of pairs. */
  random?: { on: string; edges: number; count: number; seed: number; mean: number; low: number; high: number };
  curve?: {
    on: string;
    select: 'top' | 'greedy';
    random: number;
    seed: number;
    /** Budgets that come to no edge. */
    leftOut: number;
    full: number;
    empty: number;
    cpr: number | null;
    cmd: number | null;
    points: CurvePoint[];
  };
  /** By falling loss of faithfulness without the edge. */
  minimality?: { edge: string; loss: number | null }[];
  /** Jaccard overlap of the circuit with those of bootstrap samples of the pairs. */
  stability?: { mean: number; low: number; high: number; samples: number };
}

export interface CircuitDescription {
  kind: FoundCircuit['kind'];
  name: string;
  origin: string;
  /** Edges before dangling ones were pruned. */
  chosen: number;
  nodes: string[];
  /** Strongest first where the run's edges (`score`) or those of an imported file (`fileScore`, in its own units) have scores, otherwise from the input up. */
  edges: (Omit<EdgeJson, 'score'> & { score?: number; fileScore?: number })[];
}

export interface MeasuredJson extends Omit<CircuitFaithfulness, 'value'> {
  circuit: string;
  /** Title of the run whose pairs they are, and how many. */
  on: string;
  pairs: number;
  faithfulness: number | null;
}

export function circuitJson(report: CircuitReport): CircuitJson {
  const { run, view, ablation, circuits, measured, refined, random, curve, losses, stability } = report;
  const shape = shapeOf(run);
  const { paths } = run.manifest;
  return {
    ...runJson(run),
    unit: view.unit,
    ...(paths && { method: methodJson(paths.method) }),
    ablation,
    total: edgeCount(shape),
    circuits: circuits.map((circuit) => describe(run, circuit, view)),
    measured: measured.map(({ circuit, on, faithfulness: { value, ...rest } }) => ({ circuit: circuit.name, on: on.manifest.title, pairs: on.manifest.pairs.length, ...rest, faithfulness: value })),
    ...(refined && { refined: { threshold: refined.threshold, removed: refined.removed, tried: refined.tried } }),
    ...(random && { random: { ...random, on: random.on.manifest.title } }),
    ...(curve && { curve: { on: curve.on.manifest.title, select: curve.by, random: curve.random, seed: curve.seed, leftOut: curve.leftOut, full: curve.full, empty: curve.empty, cpr: curve.cpr, cmd: curve.cmd, points: curve.points } }),
    ...(losses && { minimality: losses.map(({ edge, loss }) => ({ edge: edgeName(shape, edge), loss })) }),
    ...(stability && { stability }),
  };
}

function describe(run: Run, circuit: FoundCircuit, view: ViewOptions): CircuitDescription {
  const { kind, name, origin, chosen, mask } = circuit;
  const shape = shapeOf(run);
  const field = hasEdges(run) ? 'score' : 'fileScore';
  const edges = circuitEdges(run, circuit, view).map(({ edge, score }) => ({ ...edgeJson(shape, edge), ...(score !== undefined && { [field]: shortest(score) }) }));
  return { kind, name, origin, chosen, nodes: nodesOf(shape, mask), edges };
}

/** A circuit's edges, strongest first where they have scores: the run's, or else those of the file that it comes from. */
export function circuitEdges(run: Run, { mask, fileScores }: Pick<FoundCircuit, 'mask' | 'fileScores'>, view: ViewOptions): { edge: { sender: number; receiver: number }; score?: number }[] {
  const shape = shapeOf(run);
  const edges = edgesIn(shape, mask);
  const scores = hasEdges(run) ? edgeScores(run, view) : fileScores?.scores;
  if (!scores) return edges.map((edge) => ({ edge }));
  const scored = edges.map((edge) => ({ edge, score: scores[matrixIndex(shape, edge)]! }));
  return scored.sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
}

/** The nodes that a circuit's edges touch, from the input up. */
export function nodesOf(shape: GraphShape, mask: EdgeMask): string[] {
  const edges = edgesIn(shape, mask);
  const senders = [...new Set(edges.map(({ sender }) => sender))].sort((a, b) => a - b).map((sender) => nodeName(senderAt(shape, sender)));
  const receivers = edges.map(({ receiver }) => nodeName(nodeOfReceiver(receiverAt(shape, receiver))));
  return [...new Set([...senders, ...receivers])];
}
