import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { createTokenizerService } from '../../../src/models/tokenizerService';
import { resolveModel } from '../../../src/models/resolveModel';
import { parsePromptFile } from '../../../src/prompts/parse';
import { randomBaseline } from '../../../src/runner/circuits/curve';
import { measureCircuit, type Evaluate } from '../../../src/runner/circuits/evaluate';
import { createRunner } from '../../../src/runner/createRunner';
import type { ExperimentRunner } from '../../../src/runner/runner';
import type { TextExperiment } from '../../../src/shared/experiment';
import { edgeCount } from '../../../src/shared/graph/nodes';
import { selectCircuit } from '../../../src/shared/graph/select';
import { edgeScores, shapeOf } from '../../../src/shared/graph/stored';
import type { EdgeMethod } from '../../../src/shared/paths';
import type { Run } from '../../../src/shared/run';
import { WASM_FOLDER } from '../engine/support';

const SETTINGS = { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'denoise' } as const;
const INTEGRATED: EdgeMethod = { integrated: { steps: 5, rule: 'left' } };

/**
 * Faithfulness of the strongest edges by a method, pruned, on their own pairs and on held-out ones: by plain PyTorch in float64
 * (gradients by autograd at every receiver's input, circuits edge by edge), which shares no code with this project.
 */
const PYTORCH: [method: EdgeMethod, edges: number, own: number, heldOut: number][] = [
  [INTEGRATED, 15, 0.63, 0.624],
  [INTEGRATED, 38, 0.89, 0.874],
  [INTEGRATED, 76, 0.963, 0.978],
  [{}, 38, 0.739, 0.728],
];

/** What the project stands for: a circuit is judged on pairs that had no part in finding it. */
describe('circuits of the bundled model on held-out pairs', function () {
  let runner: ExperimentRunner;
  let own: Run;
  let heldOut: Run;

  before(async () => {
    const tokenizer = createTokenizerService();
    const places = { bundledFolder: path.resolve('media/model'), cacheFolders: [], home: '/nowhere' };
    runner = createRunner({
      engine: new LocalEngine({ wasmFolder: WASM_FOLDER }),
      tokenizer: { ...tokenizer, dispose: async () => undefined },
      resolveModel: (reference) => resolveModel(reference, places),
      extensionVersion: 'test',
    });
    const attributed = async (sample: string): Promise<Run> => runner.attribute({ experiment: await sampleNamed(sample), settings: SETTINGS, title: sample, sites: [] });
    own = await attributed('ioi');
    heldOut = await attributed('ioi-held-out');
  });
  after(() => runner.dispose());

  const sampleNamed = async (sample: string): Promise<TextExperiment> => parsePromptFile(await readFile(`media/samples/${sample}.prompts.json`, 'utf8')).experiment!;
  const evaluateOn = (run: Run): Evaluate => (circuits, call) => runner.circuits({ run, settings: SETTINGS, circuits, ablation: 'corrupted' }, call);

  it('are of other names and other sentences', async () => {
    const [found, judged] = [await sampleNamed('ioi'), await sampleNamed('ioi-held-out')];
    assert.ok(judged.pairs.length >= 16);
    const namesOf = ({ pairs }: TextExperiment): Set<string> => new Set(pairs.flatMap(({ correct, incorrect }) => [...correct, ...incorrect]));
    const frameOf = (experiment: TextExperiment): string[] => experiment.pairs.map(({ clean }) => [...namesOf(experiment)].reduce((text, name) => text.replaceAll(name.trim(), '_'), clean));
    assert.deepEqual([...namesOf(judged)].filter((name) => namesOf(found).has(name)), []);
    assert.deepEqual(frameOf(judged).filter((frame) => frameOf(found).includes(frame)), []);
  });

  it('are as faithful as PyTorch says, 0.8 with less than a tenth of the edges, where random ones stay below 0.3', async () => {
    const shape = shapeOf(own);
    const runs = new Map<EdgeMethod, Run>();
    for (const [method, edges, onOwn, onHeldOut] of PYTORCH) {
      if (!runs.has(method)) runs.set(method, await runner.paths({ run: own, settings: SETTINGS, method }));
      const { mask } = selectCircuit(shape, edgeScores(runs.get(method)!, { pair: 'all', unit: 'raw' }), { by: 'top', edges }, true);
      for (const [run, expected] of [[own, onOwn], [heldOut, onHeldOut]] as const) {
        const { value, full, knockedOut } = await measureCircuit(shape, mask, 'corrupted', evaluateOn(run));
        assert.ok(Math.abs(value! - expected) < 1e-3, `${edges} edges: ${value} for ${expected}`);
        assert.ok(Math.abs(full - (run === own ? 6.3658 : 5.2014)) < 1e-4 && knockedOut! < 0.05);
      }
    }
    const [, edges, , faithfulness] = PYTORCH[1]!;
    assert.ok(edges < edgeCount(shape) / 10 && faithfulness >= 0.8);
    assert.ok((await randomBaseline(shape, edges, 20, 0, evaluateOn(heldOut)))!.mean <= 0.3);
  });
});
