import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../src/engine/client/engine';
import { startProcessEngine, type ProcessEngine } from '../../src/engine/client/processEngine';
import { startEngine } from '../../src/engine/client/startEngine';
import { startWorkerEngine } from '../../src/engine/client/workerEngine';
import { arrayNamed } from '../../src/shared/arrays';
import { CircuitError } from '../../src/shared/errors';
import type { TokenExperiment } from '../../src/shared/experiment';
import type { PatchCell, Progress } from '../../src/shared/results';
import { SITE_NAMES } from '../../src/shared/sites';
import { buildProcess, type Scripts } from '../unit/engine/buildProcess';
import { expectedValues, loadParams, relativeError, remove, tokenExperiment, writeHashModel } from '../unit/engine/support';

/** Of the wasm engine's values, as a share of the largest of each array. */
const TOLERANCE = 1e-4;
const folder = process.env['CIRCUIT_EXPLORER_NATIVE']!;

describe('engine on tfjs-node with a real libtensorflow', () => {
  let model: string;
  let scripts: Scripts;
  let experiment: TokenExperiment;
  let native: ProcessEngine;
  let wasm: Engine;

  before(async () => {
    const expected = await expectedValues('four-layers');
    model = await writeHashModel(expected.checkpoint);
    experiment = tokenExperiment(expected.experiments[3]!, 'denoise');
    scripts = await buildProcess();
    wasm = startWorkerEngine({ script: scripts.workerScript });
    await wasm.load(loadParams(model, { backend: 'wasm' }));
  });
  after(async () => {
    await wasm.dispose();
    await remove(model);
  });
  beforeEach(async () => {
    native = startProcessEngine({ script: scripts.processScript, folder });
    await native.load(loadParams(model, { backend: 'native' }));
  });
  afterEach(() => native.dispose());

  const everyHead = (): PatchCell[] => Array.from({ length: 16 }, (_, i): PatchCell => ({ site: 'z', layer: i >> 2, head: i & 3 }));

  it('says what it is, and takes as many threads as it is told', async () => {
    const { backend } = await native.load(loadParams(model, { backend: 'native', threads: 1 }));
    assert.deepEqual(backend, { name: 'native', threads: 1 });
  });

  it('attributes every site as wasm does', async () => {
    const [own, reference] = [await native.attribute({ experiment, sites: SITE_NAMES }), await wasm.attribute({ experiment, sites: SITE_NAMES })];
    assert.deepEqual(own.groups, reference.groups);
    assert.deepEqual(own.arrays.entries, reference.arrays.entries);
    assert.ok(relativeError(own.metric.clean, reference.metric.clean) < TOLERANCE);
    for (const name of Object.keys(reference.arrays.entries)) {
      const error = relativeError(arrayNamed(own.arrays, name).data, arrayNamed(reference.arrays, name).data);
      assert.ok(error < TOLERANCE, `${name}: ${error}`);
    }
  });

  it('attributes with integrated gradients and frozen parts as wasm does', async () => {
    const changed: TokenExperiment = { ...experiment, variant: { integrated: { steps: 3, rule: 'midpoint' }, freezeLayerNorm: true } };
    const [own, reference] = [await native.attribute({ experiment: changed, sites: ['z', 'resid_pre'] }), await wasm.attribute({ experiment: changed, sites: ['z', 'resid_pre'] })];
    const error = relativeError(own.arrays.data, reference.arrays.data);
    assert.ok(error < TOLERANCE, String(error));
  });

  it('patches exactly as wasm does', async () => {
    const [own, reference] = [await native.patch({ experiment, cells: everyHead() }), await wasm.patch({ experiment, cells: everyHead() })];
    const error = relativeError(own.effects, reference.effects);
    assert.ok(error < TOLERANCE, String(error));
  });

  it('attributes edges, and looks at attention and logits, as wasm does', async () => {
    const of = async (engine: Engine): Promise<Float32Array[]> => {
      const edges = await engine.edges({ experiment, method: {} });
      const ig = await engine.edges({ experiment, method: { integrated: { steps: 3, rule: 'left' } } });
      const attention = await engine.attention({ experiment, pair: 0, layer: 1, heads: [0, 1] });
      const lens = await engine.lens({ experiment });
      return [edges.arrays.data, ig.arrays.data, attention.arrays.data, lens.arrays.data, ...(await engine.logits({ prompts: [experiment.pairs[0]!.clean] }))];
    };
    const [own, reference] = [await of(native), await of(wasm)];
    reference.forEach((values, i) => {
      const error = relativeError(own[i]!, values);
      assert.ok(error < TOLERANCE, `${i}: ${error}`);
    });
  });

  it('stands the death of its process: the open call says so, the next load starts another', async () => {
    const first = native.pid!;
    const call = assert.rejects(
      native.patch({ experiment, cells: Array.from({ length: 40 }, everyHead).flat() }),
      (error) => CircuitError.is(error, 'backend') && /was ended by SIGKILL/.test(error.message) && /circuitExplorer\.backend/.test(error.message),
    );
    await sleep(100);
    process.kill(first, 'SIGKILL');
    await call;
    await native.load(loadParams(model, { backend: 'native' }));
    assert.notEqual(native.pid, first);
    assert.equal((await native.attribute({ experiment, sites: ['z'] })).backend.name, 'native');
  });

  it('with auto, goes on with another backend after its process has died, and says so in every result', async () => {
    let pid: number | undefined;
    const engine = startEngine({ ...scripts, nativeFolder: () => folder, onProcess: (started) => (pid = started) });
    try {
      assert.equal((await engine.load(loadParams(model, { backend: 'auto' }))).backend.name, 'native');
      const call = assert.rejects(engine.patch({ experiment, cells: Array.from({ length: 40 }, everyHead).flat() }), (error) => CircuitError.is(error, 'backend'));
      await sleep(100);
      process.kill(pid!, 'SIGKILL');
      await call;
      const { backend } = await engine.load(loadParams(model, { backend: 'auto' }));
      // Or a GPU's, if one is installed here.
      assert.notEqual(backend.name, 'native');
      assert.match(backend.note ?? '', /"native" was not taken.*SIGKILL/);
      assert.match((await engine.attribute({ experiment, sites: ['z'] })).backend.note ?? '', /SIGKILL/);
    } finally {
      await engine.dispose();
    }
  });

  it('serves another request within 250 ms of a cancel', async function () {
    // A machine at other work may take that long to wake a process.
    this.retries(2);
    const abort = new AbortController();
    let start = 0;
    // Once it computes: what is planned before is the same on every backend.
    const onProgress = ({ measured }: Progress): void => {
      if (!measured || abort.signal.aborted) return;
      start = performance.now();
      abort.abort();
    };
    const call = assert.rejects(native.patch({ experiment, cells: Array.from({ length: 40 }, everyHead).flat() }, { signal: abort.signal, onProgress }), (error) => CircuitError.is(error, 'cancelled'));
    await call;
    await native.predict({ prompts: [[1, 2, 3]], top: 1 });
    const taken = performance.now() - start;
    assert.ok(taken < 250, `${taken.toFixed(0)} ms`);
  });

  it('ends with its owner', async () => {
    const pid = native.pid!;
    await native.dispose();
    assert.throws(() => process.kill(pid, 0), /ESRCH/);
  });
});
