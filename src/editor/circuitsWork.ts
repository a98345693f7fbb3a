import { circuitCurve } from '../runner/circuits/curve';
import { measureCircuit, type Evaluate } from '../runner/circuits/evaluate';
import { emptyWords, extractCircuit, storedCircuit } from '../runner/circuits/extract';
import { minimality, type EdgeLoss } from '../runner/circuits/minimality';
import { refine } from '../runner/circuits/refine';
import { stabilityOf } from '../runner/circuits/stability';
import type { ExperimentRunner } from '../runner/runner';
import type { RunSettings } from '../runner/settings';
import { CircuitError } from '../shared/errors';
import type { Other } from '../shared/experiment';
import { freeName } from '../shared/graph/freeName';
import { maskSize, type EdgeMask } from '../shared/graph/mask';
import { SEED } from '../shared/graph/random';
import type { CircuitSelection } from '../shared/graph/select';
import type { BootstrapOverlap } from '../shared/graph/stability';
import { edgeScores, shapeOf } from '../shared/graph/stored';
import type { StoredCircuit } from '../shared/paths';
import type { CircuitCurve } from '../shared/pathsProtocol';
import type { CallOptions } from '../shared/results';
import type { Run, RunManifest } from '../shared/run';
import { plural } from '../shared/text';
import type { ViewOptions } from '../shared/views';
import { checkEdges, circuitMask, selectedCircuit } from './graphModel';
import type { Subject } from './pathsWork';
import type { RunAtWork, RunsAtWork } from './runsAtWork';

/** Circuits of the runs on show: extracted, imported, refined, questioned. Circuits are kept with the run, wherever it is shown. */
export interface CircuitsWork {
  extractCircuit(subject: Subject, of: { options: ViewOptions; selection: CircuitSelection; prune: boolean; ablation: Other; name: string }, call: CallOptions): Promise<void>;
  circuitCurve(subject: Subject, of: { options: ViewOptions; by: 'top' | 'greedy'; ablation: Other; random: number }, call: CallOptions): Promise<CircuitCurve>;
  circuitMinimality(subject: Subject, circuit: number, call: CallOptions): Promise<EdgeLoss[]>;
  circuitStability(subject: Subject, of: { selection: CircuitSelection; prune: boolean }, call: CallOptions): Promise<BootstrapOverlap>;
  refineCircuit(subject: Subject, of: { circuit: number; threshold: number; name: string }, call: CallOptions): Promise<void>;
  removeCircuit(subject: Subject, circuit: number): Promise<void>;
  /** Runs a circuit that was found elsewhere on the run's pairs. */
  keepForeign(subject: Subject, of: { mask: EdgeMask; ablation: Other; name: string; origin: string }, call: CallOptions): Promise<void>;
}

export interface CircuitsWorkDependencies {
  runner: Pick<ExperimentRunner, 'circuits'>;
  runsAtWork: RunsAtWork;
  settingsOf(run: RunManifest): RunSettings;
  /** The present by default. */
  now?: () => Date;
}

/** Each edge left out is a run of the model and a mask of the whole graph. */
const MOST_LEFT_OUT = 2000;

export function createCircuitsWork({ runner, runsAtWork, settingsOf, now = () => new Date() }: CircuitsWorkDependencies): CircuitsWork {
  const evaluateIn = ({ run }: RunAtWork, ablation: Other): Evaluate => (circuits, call) => runner.circuits({ run, circuits, ablation, settings: settingsOf(run.manifest) }, call);

  /** Commands and imports bring names that a circuit may have already. */
  const keep = (open: RunAtWork, circuit: StoredCircuit): Promise<void> => open.keep((run) => withCircuits(run, (circuits) => [...circuits, { ...circuit, name: freeName(circuit.name, circuits) }]));

  return {
    extractCircuit: async ({ run, panel }, { options, selection, prune, ablation, name }, call) => {
      const { edges, chosen } = selectedCircuit(run, { options, selection, prune });
      if (edges === 0) throw new CircuitError('experiment', emptyWords(chosen));
      await runsAtWork.work({ run, panel, title: `Extracting a circuit of ${plural(edges, 'edge')} from ${run.manifest.title}` }, call, async (open) => {
        const { method } = run.manifest.paths!;
        const { circuit } = await extractCircuit({ shape: shapeOf(run), scores: edgeScores(run, options), method, selection, prune, ablation, name, createdAt: now() }, evaluateIn(open, ablation), open.call);
        await keep(open, circuit);
      });
    },
    circuitCurve: async ({ run, panel }, { options, by, ablation, random }, call) => {
      checkEdges(run);
      const scores = edgeScores(run, options);
      return runsAtWork.work({ run, panel, title: `Measuring circuits of ${run.manifest.title} over budgets`, endsWithPanel: true }, call, (open) =>
        circuitCurve({ shape: shapeOf(run), scores, by, random, seed: SEED }, evaluateIn(open, ablation), open.call),
      );
    },
    circuitMinimality: async ({ run, panel }, circuit, call) => {
      const { name } = run.manifest.circuits![circuit]!;
      const mask = circuitMask(run, circuit);
      if (maskSize(mask) > MOST_LEFT_OUT) throw new CircuitError('too-big', `The model would be run ${maskSize(mask)} times, once without each edge. Extract or refine to a circuit of at most ${MOST_LEFT_OUT} edges first.`);
      return runsAtWork.work({ run, panel, title: `Leaving out each of the ${plural(maskSize(mask), 'edge')} of ${name}`, endsWithPanel: true }, call, (open) =>
        minimality(shapeOf(run), mask, evaluateIn(open, ablationOf(run, circuit)), open.call),
      );
    },
    circuitStability: ({ run, panel }, { selection, prune }, call) =>
      runsAtWork.work({ run, panel, title: `Drawing the pairs of ${run.manifest.title} anew`, endsWithPanel: true }, call, (open) => stabilityOf(run, selection, prune, { seed: SEED }, open.call)),
    refineCircuit: async ({ run, panel }, { circuit, threshold, name }, call) => {
      const { name: from } = run.manifest.circuits![circuit]!;
      const [shape, mask, ablation] = [shapeOf(run), circuitMask(run, circuit), ablationOf(run, circuit)];
      await runsAtWork.work({ run, panel, title: `Refining ${from} of ${run.manifest.title}` }, call, async (open) => {
        const evaluate = evaluateIn(open, ablation);
        const refined = await refine(shape, mask, threshold, evaluate, open.call);
        if (maskSize(refined.mask) === 0) throw new CircuitError('experiment', `No edge of ${from} is worth ${threshold}: choose a lower threshold.`);
        const origin = `${from}, refined by ACDC at ${threshold} (${refined.removed} of ${plural(maskSize(mask), 'edge')} removed)`;
        await keep(open, storedCircuit(shape, refined.mask, { name, origin, createdAt: now() }, await measureCircuit(shape, refined.mask, ablation, evaluate, open.call)));
      });
    },
    removeCircuit: ({ run, panel }, circuit) => runsAtWork.keep({ run, panel }, (current) => withCircuits(current, (circuits) => circuits.filter((_, i) => i !== circuit)), { telling: 'all' }),
    keepForeign: async ({ run, panel }, { mask, ablation, name, origin }, call) => {
      const shape = shapeOf(run);
      await runsAtWork.work({ run, panel, title: `Running ${name} on the pairs of ${run.manifest.title}` }, call, async (open) => {
        const faithfulness = await measureCircuit(shape, mask, ablation, evaluateIn(open, ablation), open.call);
        await keep(open, storedCircuit(shape, mask, { name, origin, createdAt: now() }, faithfulness));
      });
    },
  };
}

/** What a kept circuit was measured with; the corrupted prompts where it was not. */
function ablationOf({ manifest: { circuits } }: Run, circuit: number): Other {
  return circuits![circuit]!.faithfulness?.ablation ?? 'corrupted';
}

function withCircuits({ manifest, arrays }: Run, change: (circuits: StoredCircuit[]) => StoredCircuit[]): Run {
  return { manifest: { ...manifest, circuits: change(manifest.circuits ?? []) }, arrays };
}
