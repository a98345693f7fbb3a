import { circuitCurve, randomBaseline, type RandomBaseline } from '../runner/circuits/curve';
import { measureCircuit, type Evaluate } from '../runner/circuits/evaluate';
import { emptyWords, originOf } from '../runner/circuits/extract';
import { minimality, type EdgeLoss } from '../runner/circuits/minimality';
import { refine, type Refined } from '../runner/circuits/refine';
import { stabilityOf } from '../runner/circuits/stability';
import type { Other } from '../shared/experiment';
import { maskSize, type EdgeMask } from '../shared/graph/mask';
import { edgeCount } from '../shared/graph/nodes';
import { selectCircuit, type CircuitSelection } from '../shared/graph/select';
import { edgeScores, shapeOf } from '../shared/graph/stored';
import type { CircuitFaithfulness } from '../shared/paths';
import type { CircuitCurve } from '../shared/pathsProtocol';
import type { CallOptions } from '../shared/results';
import type { Run } from '../shared/run';
import { meanDifference, type ViewOptions } from '../shared/views';
import { working } from './attribute';
import { usage } from './flags';
import type { CircuitCommand } from './graphArguments';
import type { OpenRun } from './openRun';
import type { Surroundings } from './prepare';

/** A circuit and where it comes from. */
export interface FoundCircuit {
  kind: 'selected' | 'imported' | 'refined';
  name: string;
  origin: string;
  mask: EdgeMask;
  /** What an imported file says of edges, in units of its own: shown where the run has no scores. */
  fileScores?: { file: string; scores: Float32Array };
  /** Edges before dangling ones were pruned. */
  chosen: number;
}

export interface MeasuredCircuit {
  circuit: FoundCircuit;
  /** Whose pairs. */
  on: Run;
  faithfulness: CircuitFaithfulness;
}

/** Everything that `circuit` shows. */
export interface CircuitReport {
  run: Run;
  view: ViewOptions;
  ablation: Other;
  /** The last one is the one that is kept and exported. */
  circuits: FoundCircuit[];
  /** Each circuit on the run's pairs and then on held-out ones. */
  measured: MeasuredCircuit[];
  /** ACDC. */
  refined?: Refined & { threshold: number };
  /** Of the last circuit's size, on the last pairs. */
  random?: RandomBaseline & { on: Run; edges: number; count: number; seed: number };
  curve?: CircuitCurve & { on: Run; by: 'top' | 'greedy'; random: number; seed: number };
  losses?: EdgeLoss[];
  stability?: { mean: number; low: number; high: number; samples: number };
}

/** Pairs that circuits are run on. */
interface Target {
  run: Run;
  evaluate: Evaluate;
  /** Does something of them with its progress on show. */
  working<T>(work: (call: CallOptions) => Promise<T>): Promise<T>;
}

/** Finds, refines, runs and questions circuits as the flags say. */
export async function circuitReport(command: CircuitCommand, own: OpenRun, imported: FoundCircuit | undefined, heldOut: OpenRun | undefined, view: ViewOptions, surroundings: Surroundings): Promise<CircuitReport> {
  const { run } = own;
  const shape = shapeOf(run);
  const { random, seed, prune, acdc } = command;
  const { ablation = run.manifest.experiment.other ?? 'corrupted' } = command;
  const selection = selectionOf(command, run);
  const found = imported ?? (selection && selected(run, selection, view, command));
  if (found && maskSize(found.mask) === 0) surroundings.warn(`${emptyWords(found.chosen)}\n`);
  const report: CircuitReport = { run, view, ablation, circuits: found ? [found] : [], measured: [] };
  const training = targetOf(own, command.file, ablation, surroundings);
  const last = heldOut ? targetOf(heldOut, command.evaluate!, ablation, surroundings) : training;
  if (found && acdc !== undefined) {
    const refined = await training.working((call) => refine(shape, found.mask, acdc, training.evaluate, call));
    report.refined = { ...refined, threshold: acdc };
    report.circuits.push({ ...found, kind: 'refined', name: `${found.name}, refined`, origin: `${found.origin}, refined by ACDC at ${acdc}`, mask: refined.mask, chosen: maskSize(refined.mask) });
  }
  for (const circuit of report.circuits) {
    for (const target of new Set([training, last])) {
      const faithfulness = await target.working((call) => measureCircuit(shape, circuit.mask, ablation, target.evaluate, call));
      report.measured.push({ circuit, on: target.run, faithfulness });
    }
  }
  const final = report.circuits.at(-1);
  if (final && random > 0) {
    const baseline = await last.working((call) => randomBaseline(shape, final.chosen, random, seed, last.evaluate, call));
    if (baseline) report.random = { ...baseline, on: last.run, edges: final.chosen, count: random, seed };
  }
  if (command.curve) {
    const curve = await last.working((call) => circuitCurve({ shape, scores: edgeScores(run, view), by: command.select, random, seed }, last.evaluate, call));
    report.curve = { ...curve, on: last.run, by: command.select, random, seed };
  }
  if (final && command.minimality) report.losses = await training.working((call) => minimality(shape, final.mask, training.evaluate, call));
  if (selection && command.stability) report.stability = await training.working((call) => stabilityOf(run, inRaw(selection, run, view), prune, { seed }, call));
  return report;
}

function targetOf({ run, settings }: OpenRun, label: string, ablation: Other, surroundings: Surroundings): Target {
  return {
    run,
    evaluate: (circuits, call) => surroundings.runner.circuits({ run, settings, circuits, ablation }, call),
    working: (work) => working(label, label, surroundings, work),
  };
}

/** Throws `usage` for more edges than there are, and for a share that comes to none. */
export function selectionOf({ size, select: by }: Pick<CircuitCommand, 'size' | 'select'>, run: Run): CircuitSelection | undefined {
  if (!size) return undefined;
  const total = edgeCount(shapeOf(run));
  if ('threshold' in size) return { by: 'threshold', threshold: size.threshold };
  if ('edges' in size) {
    if (size.edges > total) throw usage(`--edges ${size.edges} is more than ${run.manifest.model.id} has: ${total}.`);
    return { by, edges: size.edges };
  }
  const edges = Math.floor((size.percent * total) / 100);
  if (edges === 0) throw usage(`--percent ${size.percent} of ${total} edges comes to none; one edge is ${(100 / total).toPrecision(2)} %.`);
  return { by, edges };
}

function selected(run: Run, selection: CircuitSelection, view: ViewOptions, { prune, name }: CircuitCommand): FoundCircuit {
  const { mask, chosen } = selectCircuit(shapeOf(run), edgeScores(run, view), selection, prune);
  const title = selection.by === 'threshold' ? `at least ${selection.threshold}` : `${selection.by} ${selection.edges}`;
  return { kind: 'selected', name: name ?? title, origin: originOf(selection, run.manifest.paths!.method, prune), mask, chosen };
}

/** A threshold is meant in the view's units; the bootstrap selects by raw scores. */
function inRaw(selection: CircuitSelection, { manifest }: Run, { unit }: ViewOptions): CircuitSelection {
  if (selection.by !== 'threshold' || unit === 'raw') return selection;
  return { by: 'threshold', threshold: selection.threshold * Math.abs(meanDifference(manifest)) };
}
