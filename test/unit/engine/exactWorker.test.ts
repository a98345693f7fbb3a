import assert from 'node:assert/strict';
import type { Engine } from '../../../src/engine/client/engine';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { startWorkerEngine } from '../../../src/engine/client/workerEngine';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenExperiment } from '../../../src/shared/experiment';
import type { PatchCell, Progress } from '../../../src/shared/results';
import { HEAD_EVERY } from '../../../src/shared/sites';
import { buildWorker } from './buildWorker';
import { expectedValues, loadParams, remove, tokenExperiment, WASM_FOLDER, writeHashModel } from './support';

describe('exact patching and views in a worker thread', function () {
  let folder: string;
  let engine: Engine;
  let experiment: TokenExperiment;

  before(async () => {
    const expected = await expectedValues('four-layers');
    experiment = tokenExperiment(expected.experiments[5]!, 'denoise');
    folder = await writeHashModel(expected.checkpoint);
    engine = startWorkerEngine({ script: await buildWorker() });
    await engine.load(loadParams(folder));
  });
  after(async () => {
    await engine.dispose();
    await remove(folder);
  });

  const sweep = (): PatchCell[] => HEAD_EVERY.flatMap((site) => Array.from({ length: 16 }, (_, i): PatchCell => ({ site, layer: i >> 2, head: i & 3 })));

  it('gives the values of the engine in this thread', async () => {
    const local = new LocalEngine({ wasmFolder: WASM_FOLDER });
    await local.load(loadParams(folder));
    const interventions = [{ unit: { site: 'z', layer: 1, head: 2 }, with: 'zero' } as const];
    const changed = { ...experiment, variant: { interventions } };
    const all = async (own: Engine): Promise<unknown> => [
      (await own.patch({ experiment, cells: sweep() })).effects,
      (await own.attention({ experiment, pair: 1, layer: 2, heads: [3, 0] })).arrays,
      (await own.lens({ experiment })).arrays,
      { ...(await own.intervene({ experiment: changed, top: 3 })), seconds: 0 },
    ];
    const expected = await all(local);
    await local.dispose();
    assert.deepEqual(await all(engine), expected);
  });

  it('hands effects over whole, with progress, and streams what it has measured', async () => {
    const cells = sweep();
    const steps: Progress[] = [];
    const result = await engine.patch({ experiment, cells }, { onProgress: (step) => steps.push(step) });
    assert.deepEqual(result.cells, cells);
    assert.equal(result.effects.length, cells.length * experiment.pairs.length);
    assert.equal(result.effects.buffer.byteLength, 4 * result.effects.length, 'nothing travels with it');
    const measured = steps.flatMap((step) => (step.measured ? [step.measured] : []));
    assert.deepEqual(measured.flatMap((part) => part.cells.map((cell) => JSON.stringify(cell))).sort(), cells.map((cell) => JSON.stringify(cell)).sort());
    const values = new Map(measured.flatMap((part) => part.cells.map((cell, i) => [JSON.stringify(cell), part.effects.subarray(4 * i, 4 * i + 4)] as const)));
    cells.forEach((cell, i) => assert.deepEqual(values.get(JSON.stringify(cell)), result.effects.slice(4 * i, 4 * i + 4)));
  });

  it('stops when it is cancelled, after it has handed over what it measured', async () => {
    const abort = new AbortController();
    let measured = 0;
    const cells = Array.from({ length: 60 }, sweep).flat();
    const onProgress = (step: Progress): void => {
      measured += step.measured?.cells.length ?? 0;
      if (measured > 0) abort.abort();
    };
    await assert.rejects(engine.patch({ experiment, cells }, { signal: abort.signal, onProgress }), (error) => CircuitError.is(error, 'cancelled'));
    assert.ok(measured > 0 && measured < cells.length);
    assert.equal((await engine.patch({ experiment, cells: [] })).cells.length, 0);
  });

  it('passes a cell that is not there on as an error of the experiment', () =>
    assert.rejects(engine.patch({ experiment, cells: [{ site: 'z', layer: 4 }] }), (error) => CircuitError.is(error, 'experiment') && /no layer 4; this model has layers 0 to 3/.test(error.message)));
});
