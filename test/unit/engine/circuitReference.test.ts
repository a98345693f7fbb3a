import type { BackendName } from '../../../src/shared/results';
import type { Other } from '../../../src/shared/experiment';
import { maskOf, type EdgeMask } from '../../../src/shared/graph/mask';
import { edgeNamed, type GraphShape } from '../../../src/shared/graph/nodes';
import { complaint, failWith, reference, ReferenceEngine, type ReferenceExperiment } from './reference';

interface CircuitCase {
  checkpoint: string;
  name: string;
  experiment: ReferenceExperiment;
  ablation: Other;
  clean: number[];
  /** [circuit][pair] */
  values: Record<string, number[]>;
  float32Error: number;
}

interface CircuitFile {
  /** Per checkpoint and circuit: names of its edges. */
  circuits: Record<string, Record<string, string[]>>;
  cases: CircuitCase[];
}

describe('circuits against PyTorch', function () {
  const file = reference<CircuitFile>('circuits');
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(file.checkpoints)));
  after(() => engines.dispose());

  const maskNamed = (checkpoint: string, circuit: string): EdgeMask => {
    const { layers, heads } = file.checkpoints.find(({ name }) => name === checkpoint)!;
    const shape: GraphShape = { layers, heads };
    return maskOf(shape, file.circuits[checkpoint]![circuit]!.map((name) => edgeNamed(shape, name)!));
  };

  const check = async ({ checkpoint, experiment, ablation, clean, values, float32Error }: CircuitCase, backend?: BackendName): Promise<void> => {
    const engine = await engines.with(checkpoint, backend);
    const names = Object.keys(values);
    const circuits = names.map((name) => maskNamed(checkpoint, name));
    const result = await engine.circuits({ experiment: { ...experiment, direction: 'denoise' }, circuits, ablation });
    const lines = [complaint({ what: 'clean', values: result.clean, reference: clean, float32Error, place: (i) => `pair ${i}` })];
    names.forEach((name, i) => lines.push(complaint({ what: name, values: result.values[i]!, reference: values[name]!, float32Error, place: (own) => `pair ${own}` })));
    if (values.empty) lines.push(complaint({ what: 'empty', values: result.empty, reference: values.empty, float32Error, place: (i) => `pair ${i}` }));
    failWith(lines.filter((line) => line !== undefined));
  };

  for (const own of file.cases) {
    it(`${own.name}, ablated: ${own.ablation}, ${own.checkpoint}: ${Object.keys(own.values).length} circuits of ${own.experiment.pairs.length} pairs`, () => check(own));
  }
  for (const backend of ['cpu', 'wasm-threads'] as const) {
    it(`logitDiff, ablated: mean, tiny-odd, on ${backend}`, () => check(file.cases.find(({ name, ablation }) => name === 'logitDiff' && ablation === 'mean')!, backend));
  }
});
