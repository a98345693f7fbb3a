import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../../src/engine/client/engine';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { startWorkerEngine } from '../../../src/engine/client/workerEngine';
import { CircuitError } from '../../../src/shared/errors';
import type { Progress } from '../../../src/shared/results';
import { SITE_NAMES } from '../../../src/shared/sites';
import { buildWorker } from './buildWorker';
import { expectedValues, loadParams, remove, tokenExperiment, WASM_FOLDER, writeHashModel, type ExpectedCheckpoint } from './support';

describe('engine in a worker thread', function () {
  let script: string;
  let folder: string;
  let expected: ExpectedCheckpoint;
  let engine: Engine;

  before(async () => {
    script = await buildWorker();
    expected = await expectedValues('four-layers');
    folder = await writeHashModel(expected.checkpoint);
  });
  after(() => remove(folder));
  beforeEach(() => (engine = startWorkerEngine({ script })));
  afterEach(() => engine.dispose());

  const params = () => ({ experiment: tokenExperiment(expected.experiments[3]!, 'denoise'), sites: SITE_NAMES });

  it('gives the values of the engine in this thread, threaded and not', async () => {
    const local = new LocalEngine({ wasmFolder: WASM_FOLDER });
    await local.load(loadParams(folder));
    const reference = await local.attribute(params());
    await local.dispose();
    for (const [backend, threads] of [['wasm-simd', 1], ['wasm-threads', 2]] as const) {
      const loaded = await engine.load(loadParams(folder, { backend }));
      assert.deepEqual(loaded.backend, { name: backend, threads: threads });
      const result = await engine.attribute(params());
      assert.deepEqual(result.groups, reference.groups);
      assert.deepEqual(result.arrays.entries, reference.arrays.entries);
      assert.deepEqual(result.arrays.data, reference.arrays.data, `${backend} gives other bytes`);
    }
  });

  it('starts the threaded backend when left to choose, keeps a loaded model, reports progress', async () => {
    const progress: Progress[] = [];
    const first = await engine.load(loadParams(folder, { backend: 'auto', threads: 2 }), { onProgress: (step) => progress.push(step) });
    assert.deepEqual(first.backend, { name: 'wasm-threads', threads: 2 });
    assert.ok(first.seconds > 0);
    assert.equal((await engine.load(loadParams(folder, { backend: 'auto', threads: 2 }))).seconds, 0);
    await engine.attribute(params(), { onProgress: (step) => progress.push(step) });
    assert.ok(progress.some(({ stage }) => stage === 'Reading the model') && progress.some(({ stage }) => stage.startsWith('Attributing')));
    assert.ok(progress.every(({ fraction }) => fraction >= 0 && fraction <= 1));
  });

  it('passes errors with their code and serves the next call', async () => {
    await assert.rejects(engine.attribute(params()), (error) => CircuitError.is(error, 'model-missing'));
    await assert.rejects(engine.load(loadParams(path.join(folder, 'nowhere'))), (error) => CircuitError.is(error, 'model-missing'));
    await engine.load(loadParams(folder));
    const [top] = await engine.predict({ prompts: [[1, 2, 3]], top: 3 });
    assert.equal(top!.length, 3);
  });

  it('starts a fresh thread after one that died within a call', async () => {
    // Dies at its first request; from then on it is the real one.
    const mortal = path.join(folder, 'mortal.js');
    const died = JSON.stringify(path.join(folder, 'died'));
    await writeFile(mortal, `const fs = require('node:fs');
      if (fs.existsSync(${died})) require(${JSON.stringify(script)});
      else require('node:worker_threads').parentPort.once('message', () => { fs.writeFileSync(${died}, ''); process.exit(3); });`);
    const own = startWorkerEngine({ script: mortal });
    try {
      await assert.rejects(own.load(loadParams(folder)), (error) => CircuitError.is(error, 'internal') && /exit code 3/.test(error.message));
      await own.load(loadParams(folder));
      assert.equal((await own.attribute(params())).metric.clean.length, 4);
    } finally {
      await own.dispose();
    }
  });

  it('lets no call into a thread that has crashed: the next one is served by a fresh thread, however soon it comes', async () => {
    // Crashes as wasm does, at its first look at a file; from then on it is the real one.
    const crashing = path.join(folder, 'crashing.js');
    const crashed = JSON.stringify(path.join(folder, 'crashed'));
    await writeFile(crashing, `const fs = require('node:fs');
      if (!fs.existsSync(${crashed})) require('node:fs/promises').stat = () => { fs.writeFileSync(${crashed}, ''); throw new WebAssembly.RuntimeError('unreachable'); };
      require(${JSON.stringify(script)});`);
    const own = startWorkerEngine({ script: crashing });
    try {
      await assert.rejects(own.load(loadParams(folder)), (error) => CircuitError.is(error, 'internal') && /computation crashed, probably for want of memory/.test(error.message));
      await own.load(loadParams(folder));
      assert.equal((await own.attribute(params())).metric.clean.length, 4);
    } finally {
      await own.dispose();
    }
  });

  it('ends a thread that hangs in a call that was cancelled, and starts another', async () => {
    const hanging = path.join(folder, 'hanging.js');
    const hung = JSON.stringify(path.join(folder, 'hung'));
    await writeFile(hanging, `const fs = require('node:fs');
      if (fs.existsSync(${hung})) require(${JSON.stringify(script)});
      else require('node:worker_threads').parentPort.once('message', () => { fs.writeFileSync(${hung}, ''); for (;;); });`);
    const own = startWorkerEngine({ script: hanging, patienceMs: 50 });
    const abort = new AbortController();
    try {
      const call = assert.rejects(own.load(loadParams(folder), { signal: abort.signal }), (error) => CircuitError.is(error, 'cancelled'));
      while (!existsSync(path.join(folder, 'hung'))) await sleep(20);
      abort.abort();
      await call;
      await own.load(loadParams(folder));
    } finally {
      await own.dispose();
    }
  });

  it('rejects open calls when it is shut down or its script is missing', async () => {
    const dead = startWorkerEngine({ script: path.join(path.dirname(script), 'none.js') });
    await assert.rejects(dead.load(loadParams(folder)), (error) => CircuitError.is(error, 'internal') && /stopped unexpectedly/.test(error.message));
    await dead.dispose();

    await engine.load(loadParams(folder));
    const rejects = assert.rejects(engine.attribute(params()), (error) => CircuitError.is(error, 'cancelled'));
    await engine.dispose();
    await rejects;
    await assert.rejects(engine.logits({ prompts: [[1]] }), (error) => CircuitError.is(error, 'internal'));
  });
});
