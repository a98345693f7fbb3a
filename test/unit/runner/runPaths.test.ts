import assert from 'node:assert/strict';
import { createRunner } from '../../../src/runner/createRunner';
import type { AttributionJob, ExperimentRunner } from '../../../src/runner/runner';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { emptyMask, fullMask, maskOf } from '../../../src/shared/graph/mask';
import { edgeNamed, type Edge } from '../../../src/shared/graph/nodes';
import { edgeScores, hasEdges, measuredPaths, withMeasuredPaths } from '../../../src/shared/graph/stored';
import { edgePositionsName } from '../../../src/shared/paths';
import type { Progress } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import { fakeEngine, fakeTokenizer, MODEL, scoreOf, type FakeEngine, type FakeEngineOptions } from './fakes';

const PAIRS = [
  { clean: 'When John left', corrupted: 'When Mary left', correct: [' Mary'], incorrect: [' John'] },
  { clean: 'So did Tom', corrupted: 'So did Dan', correct: [' Dan'], incorrect: [' Tom'] },
];
const SETTINGS: AttributionJob['settings'] = { model: 'a/model', backend: 'auto', threads: 1, prependBos: 'model', direction: 'denoise' };
const EDGES: Edge[] = ['input->m0', 'a0.h1->a1.h2<v>', 'm1->logits'].map((name) => edgeNamed(MODEL, name)!);

async function prepared(options: FakeEngineOptions = {}): Promise<{ runner: ExperimentRunner; engine: FakeEngine; run: Run }> {
  const engine = fakeEngine(options);
  const runner = createRunner({ engine, tokenizer: fakeTokenizer(), resolveModel: async (id) => ({ id, folder: `/models/${id}` }), extensionVersion: '1.2.3' });
  const run = await runner.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs: PAIRS }, settings: SETTINGS, title: 'a title' });
  engine.calls.splice(0);
  return { runner, engine, run };
}

const isCode = (code: CircuitError['code'], message = /./) => (error: unknown): boolean => CircuitError.is(error, code) && message.test(error.message);

describe('paths and circuits of a finished run', () => {
  it('attributes edges, and keeps how', async () => {
    const { runner, engine, run } = await prepared();
    const method = { integrated: { steps: 5, rule: 'left' as const } };
    const edged = await runner.paths({ run, settings: SETTINGS, method });
    assert.deepEqual(engine.calls, ['load', 'edges']);
    assert.deepEqual(engine.edged[0]!.method, method);
    assert.equal(engine.edged[0]!.receivers, undefined);
    assert.deepEqual(engine.edged[0]!.experiment, engine.attributed[0]!.experiment);
    assert.deepEqual(edged.manifest.paths, { method, seconds: 0.2 });
    const scores = edgeScores(edged, { pair: 'all', unit: 'raw' });
    assert.ok(Math.abs(Math.max(...scores) - (scoreOf(EDGES[2]!, 0) + scoreOf(EDGES[2]!, 1)) / 2) < 1e-6);
    assert.ok(!hasEdges(run), 'the run that was given stays as it was');
    assert.equal((await runner.paths({ run: edged, settings: SETTINGS, method: {} })).manifest.paths!.method.integrated, undefined, 'another method takes the place of the first');
  });

  it('gives edges by position as the run’s were attributed, and says so when there are none', async () => {
    const { runner, engine, run } = await prepared();
    await assert.rejects(runner.pathPositions({ run, settings: SETTINGS, receivers: [3] }), isCode('experiment', /not attributed yet/));
    const edged = await runner.paths({ run, settings: SETTINGS, method: { bothGradients: true, layerNorm: 'receiver' } });
    const { arrays } = await runner.pathPositions({ run: edged, settings: SETTINGS, receivers: [3, 5] });
    assert.deepEqual(arrayNamed(arrays, edgePositionsName(0)).shape, [2, 9, 2, 3]);
    assert.deepEqual([engine.edged[1]!.method, engine.edged[1]!.receivers], [{ bothGradients: true, layerNorm: 'receiver' }, [3, 5]]);
  });

  it('patches only the edges that are not measured in that mode, each once', async () => {
    const { runner, engine, run } = await prepared();
    const once = await runner.patchPaths({ run, settings: SETTINGS, mode: 'direct', edges: EDGES.slice(0, 1) });
    const twice = await runner.patchPaths({ run: once, settings: SETTINGS, mode: 'direct', edges: [...EDGES, { ...EDGES[1]! }] });
    assert.deepEqual(engine.pathed.map(({ edges }) => edges), [EDGES.slice(0, 1), EDGES.slice(1)]);
    const { edges, effects } = measuredPaths(twice, 'direct');
    assert.deepEqual(edges, EDGES);
    assert.deepEqual(effects, Float32Array.from(EDGES.flatMap((edge) => [2 * scoreOf(edge, 0), 2 * scoreOf(edge, 1)])));
    engine.calls.splice(0);
    assert.equal(await runner.patchPaths({ run: twice, settings: SETTINGS, mode: 'direct', edges: EDGES }), twice);
    assert.deepEqual(engine.calls, [], 'nothing is loaded for what is known');
    await runner.patchPaths({ run: twice, settings: SETTINGS, mode: 'throughMlps', edges: EDGES });
    assert.equal(engine.pathed.at(-1)!.edges.length, 3, 'another mode is another quantity');
  });

  it('passes on the edges that are measured, so that what is cancelled can be resumed', async () => {
    let passes = 0;
    const never = new Promise<void>(() => undefined);
    const { runner, engine, run } = await prepared({ gate: () => (++passes === 4 ? never : Promise.resolve()) });
    const abort = new AbortController();
    const seen: Progress[] = [];
    let kept = run;
    const onProgress = (progress: Progress): void => {
      seen.push(progress);
      if (progress.paths) kept = withMeasuredPaths(kept, progress.paths);
      if (measuredPaths(kept, 'direct').edges.length === 2) setTimeout(() => abort.abort());
    };
    await assert.rejects(runner.patchPaths({ run, settings: SETTINGS, mode: 'direct', edges: EDGES }, { signal: abort.signal, onProgress }), isCode('cancelled'));
    assert.deepEqual(measuredPaths(kept, 'direct').edges, EDGES.slice(0, 2));
    assert.deepEqual(seen.flatMap(({ done }) => done ?? []), [1, 2]);
    const fractions = seen.map(({ fraction }) => fraction);
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
    await runner.patchPaths({ run: kept, settings: SETTINGS, mode: 'direct', edges: EDGES });
    assert.deepEqual(engine.pathed.at(-1)!.edges, EDGES.slice(2));
  });

  it('runs circuits on the run’s pairs', async () => {
    const { runner, engine, run } = await prepared();
    const { values, clean } = await runner.circuits({ run, settings: SETTINGS, circuits: [maskOf(MODEL, EDGES), emptyMask(MODEL)], ablation: 'mean' });
    assert.deepEqual([values, clean], [[[3, 4], [0, 1]], [10, 10]]);
    assert.equal(engine.ran[0]!.ablation, 'mean');
    assert.deepEqual(engine.ran[0]!.experiment, engine.attributed[0]!.experiment);
  });

  it('refuses a model that has become another', async () => {
    const { runner, engine, run } = await prepared();
    const edged = await runner.paths({ run, settings: SETTINGS, method: {} });
    engine.checkpointHash = 'ff';
    engine.calls.splice(0);
    for (const work of [
      runner.paths({ run, settings: SETTINGS, method: {} }),
      runner.pathPositions({ run: edged, settings: SETTINGS, receivers: [0] }),
      runner.patchPaths({ run, settings: SETTINGS, mode: 'direct', edges: EDGES }),
      runner.circuits({ run, settings: SETTINGS, circuits: [fullMask(MODEL)], ablation: 'corrupted' }),
    ]) {
      await assert.rejects(work, isCode('model-missing', /not the one that this run was made with/));
    }
    assert.deepEqual(engine.calls, ['load', 'load', 'load', 'load']);
  });
});
