import assert from 'node:assert/strict';
import type { Engine } from '../../src/engine/client/engine';
import { startProcessEngine } from '../../src/engine/client/processEngine';
import { startWorkerEngine } from '../../src/engine/client/workerEngine';
import { arrayNamed } from '../../src/shared/arrays';
import { CircuitError } from '../../src/shared/errors';
import type { TokenExperiment } from '../../src/shared/experiment';
import type { PatchCell } from '../../src/shared/results';
import { SITE_NAMES } from '../../src/shared/sites';
import { buildProcess } from '../unit/engine/buildProcess';
import { expectedValues, loadParams, relativeError, remove, tokenExperiment, writeHashModel } from '../unit/engine/support';

/** Of the wasm engine's values, as a share of the largest of each array. */
const TOLERANCE = 1e-4;
const folder = process.env['CIRCUIT_EXPLORER_NATIVE']!;

describe('engine on WebGPU', () => {
  let model: string;
  let experiment: TokenExperiment;
  let native: Engine;
  let wasm: Engine;

  before(async function () {
    const { workerScript, processScript } = await buildProcess();
    const expected = await expectedValues('four-layers');
    model = await writeHashModel(expected.checkpoint);
    const all = tokenExperiment(expected.experiments[3]!, 'denoise');
    experiment = { ...all, pairs: all.pairs.slice(0, 2) };
    native = startProcessEngine({ script: processScript, folder });
    wasm = startWorkerEngine({ script: workerScript });
    try {
      await native.load(loadParams(model, { backend: 'webgpu' }));
    } catch (error) {
      // Only what says that this machine has no GPU: anything else is a failure.
      if (!CircuitError.is(error, 'backend') || !/found no GPU|software adapter|not installed/.test(error.message)) throw error;
      console.log(`    skipped: ${error.message}`);
      this.skip();
    }
    await wasm.load(loadParams(model, { backend: 'wasm' }));
  });
  after(async () => {
    await Promise.all([native.dispose(), wasm.dispose()]);
    await remove(model);
  });

  it('attributes every site as wasm does', async () => {
    const [own, reference] = [await native.attribute({ experiment, sites: SITE_NAMES }), await wasm.attribute({ experiment, sites: SITE_NAMES })];
    assert.deepEqual(own.backend, { name: 'webgpu', threads: 1 });
    assert.deepEqual(own.arrays.entries, reference.arrays.entries);
    for (const name of Object.keys(reference.arrays.entries)) {
      const error = relativeError(arrayNamed(own.arrays, name).data, arrayNamed(reference.arrays, name).data);
      assert.ok(error < TOLERANCE, `${name}: ${error}`);
    }
  });

  it('patches exactly and attributes edges as wasm does', async () => {
    const cells = Array.from({ length: 16 }, (_, i): PatchCell => ({ site: 'z', layer: i >> 2, head: i & 3 }));
    const patched = relativeError((await native.patch({ experiment, cells })).effects, (await wasm.patch({ experiment, cells })).effects);
    assert.ok(patched < TOLERANCE, `exact: ${patched}`);
    const edges = relativeError((await native.edges({ experiment, method: {} })).arrays.data, (await wasm.edges({ experiment, method: {} })).arrays.data);
    assert.ok(edges < TOLERANCE, `edges: ${edges}`);
  });
});
