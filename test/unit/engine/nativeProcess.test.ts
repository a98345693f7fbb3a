import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { startProcessEngine, type ProcessEngine } from '../../../src/engine/client/processEngine';
import { startEngine } from '../../../src/engine/client/startEngine';
import type { Engine } from '../../../src/engine/client/engine';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenExperiment } from '../../../src/shared/experiment';
import type { PatchCell, Progress } from '../../../src/shared/results';
import { SITE_NAMES } from '../../../src/shared/sites';
import { buildProcess, type Scripts } from './buildProcess';
import { installStandIn, WORKING } from './standIns';
import { expectedValues, loadParams, remove, temporaryFolder, tokenExperiment, WASM_FOLDER, writeHashModel } from './support';
import { isAlive } from '../../isAlive';

/** Counts its starts in a file, and is `first` the first time and `then` from the second on. */
function changing(file: string, first: string, then: string): string {
  return `const fs = require('node:fs'); const file = ${JSON.stringify(file)};
    if (fs.existsSync(file)) { ${then} } else { fs.writeFileSync(file, ''); ${first} }`;
}

describe('native backends in a process of their own', function () {
  let scripts: Scripts;
  let model: string;
  let folder: string;
  let experiment: TokenExperiment;
  const engines: Engine[] = [];

  before(async () => {
    scripts = await buildProcess();
    const expected = await expectedValues('four-layers');
    model = await writeHashModel(expected.checkpoint);
    const all = tokenExperiment(expected.experiments[3]!, 'denoise');
    // tfjs's cpu kernels, which stand in for native ones, are slow.
    experiment = { ...all, pairs: all.pairs.slice(0, 1) };
  });
  after(() => remove(model));
  beforeEach(async () => (folder = await temporaryFolder()));
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.dispose()));
    await remove(folder);
  });

  const inProcess = (options: { log?: (line: string) => void; patienceMs?: number } = {}): ProcessEngine => {
    const engine = startProcessEngine({ script: scripts.processScript, folder, ...options });
    engines.push(engine);
    return engine;
  };
  const withChoice = (onProcess?: (pid: number | undefined) => void): Engine => {
    const engine = startEngine({ ...scripts, nativeFolder: () => folder, onProcess });
    engines.push(engine);
    return engine;
  };
  const native = (change = {}) => loadParams(model, { backend: 'native', threads: 1, ...change });
  const manyCells = (times: number): PatchCell[] => Array.from({ length: 16 * times }, (_, i): PatchCell => ({ site: 'z', layer: (i >> 2) % 4, head: i & 3 }));

  it('computes with a package that brings a tfjs-core of its own, byte for byte as the same kernels here', async () => {
    await installStandIn(folder, 'native', WORKING);
    const local = new LocalEngine({ wasmFolder: WASM_FOLDER });
    await local.load(loadParams(model, { backend: 'cpu' }));
    const expected = [await local.attribute({ experiment, sites: SITE_NAMES }), await local.patch({ experiment, cells: manyCells(1) })] as const;
    await local.dispose();
    const engine = inProcess();
    const progress: Progress[] = [];
    assert.deepEqual((await engine.load(native(), { onProgress: (step) => progress.push(step) })).backend, { name: 'native', threads: 1 });
    const attributed = await engine.attribute({ experiment, sites: SITE_NAMES });
    assert.deepEqual(attributed.arrays, expected[0].arrays);
    assert.deepEqual(attributed.groups, expected[0].groups);
    const patched = await engine.patch({ experiment, cells: manyCells(1) }, { onProgress: (step) => progress.push(step) });
    assert.deepEqual(patched.effects, expected[1].effects);
    for (const { buffer, byteLength } of [attributed.arrays.data, patched.effects]) assert.equal(buffer.byteLength, byteLength, 'the message travels with it');
    assert.ok(progress.some(({ stage }) => stage === 'Reading the model') && progress.some(({ measured }) => measured));
  });

  it('keeps a loaded model, and starts another process for another number of threads', async () => {
    await installStandIn(folder, 'native', WORKING);
    const engine = inProcess();
    await engine.load(native());
    const first = engine.pid;
    assert.equal((await engine.load(native())).seconds, 0);
    assert.equal(engine.pid, first);
    assert.equal((await engine.load(native({ threads: 3 }))).backend.threads, 3);
    assert.notEqual(engine.pid, first);
  });

  it('hears a cancel while its engine computes, without being ended, and serves the next call', async () => {
    await installStandIn(folder, 'native', WORKING);
    const engine = inProcess();
    await engine.load(native());
    await engine.predict({ prompts: [[1, 2, 3]], top: 1 });
    const abort = new AbortController();
    const call = assert.rejects(engine.patch({ experiment, cells: manyCells(60) }, { signal: abort.signal }), (error) => CircuitError.is(error, 'cancelled'));
    await sleep(150);
    const { pid } = engine;
    abort.abort();
    await call;
    await engine.predict({ prompts: [[1, 2, 3]], top: 1 });
    assert.equal(engine.pid, pid);
  });

  for (const [what, program, words] of [
    ['a missing library', `throw new Error('libtensorflow.so.2: cannot open shared object file: No such file or directory\\nRequire stack:\\n- a\\n- b\\n- c')`, /could not be loaded: libtensorflow\.so\.2: cannot open shared object file.*"auto"/],
    ['native code that gives up', `console.error('terminate called after throwing'); require('node:fs').writeSync(2, 'F0000 check failed\\n'); process.kill(process.pid, 'SIGABRT');`, /was ended by SIGABRT \(native code gave up\).*circuitExplorer\.backend.*F0000 check failed/],
    ['an exit', 'process.exit(3)', /process of the backend "native" ended with exit code/],
    ['memory that ran out', `process.kill(process.pid, 'SIGKILL')`, /SIGKILL \(the system does that when memory runs out\)/],
    ['an exception that nobody catches', `setImmediate(() => { throw new Error('out of order'); }); ${WORKING}`, /stopped: out of order/],
  ] as const) {
    it(`says what happened and what to do after ${what}, and loads again when that is mended`, async () => {
      await installStandIn(folder, 'native', changing(path.join(folder, 'failed'), program, WORKING));
      const engine = inProcess();
      await assert.rejects(engine.load(native()), (error) => CircuitError.is(error, 'backend') && (assert.match(error.message, words), true));
      await engine.load(native({ threads: 2 }));
      assert.equal((await engine.attribute({ experiment, sites: ['z'] })).backend.name, 'native');
    });
  }

  it('rejects the open call of a process that dies, and starts afresh with the next load', async () => {
    await installStandIn(folder, 'native', WORKING);
    const lines: string[] = [];
    const engine = inProcess({ log: (line) => lines.push(line) });
    await engine.load(native());
    const first = engine.pid!;
    const call = assert.rejects(engine.patch({ experiment, cells: manyCells(60) }), (error) => CircuitError.is(error, 'backend') && /SIGKILL/.test(error.message));
    await sleep(100);
    process.kill(first, 'SIGKILL');
    await call;
    await assert.rejects(engine.attribute({ experiment, sites: ['z'] }), (error) => CircuitError.is(error, 'backend'));
    await engine.load(native());
    assert.equal((await engine.attribute({ experiment, sites: ['z'] })).groups.length > 0, true);
  });

  it('kills a process that hangs in a call that was cancelled', async () => {
    await installStandIn(folder, 'native', changing(path.join(folder, 'hung'), 'for (;;);', WORKING));
    const engine = inProcess({ patienceMs: 100 });
    const abort = new AbortController();
    const call = assert.rejects(engine.load(native(), { signal: abort.signal }), (error) => CircuitError.is(error, 'cancelled'));
    while (!existsSync(path.join(folder, 'hung'))) await sleep(20);
    abort.abort();
    await call;
    await engine.load(native());
  });

  it('ends with the process that started it', async () => {
    await installStandIn(folder, 'native', WORKING);
    const parent = path.join(folder, 'parent.js');
    await writeFile(parent, `const child = require('node:child_process').fork(${JSON.stringify(scripts.processScript)}, [${JSON.stringify(folder)}], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
      console.log(child.pid); setInterval(() => undefined, 1000);`);
    const owner = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = (await once(owner.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    process.kill(pid, 0);
    await sleep(200);
    owner.kill('SIGKILL');
    for (let waited = 0; isAlive(pid); waited += 50) {
      assert.ok(waited < 60_000, 'it is still alive');
      await sleep(50);
    }
  });

  it('says how to install what is missing or of another version', async () => {
    const engine = withChoice();
    await assert.rejects(engine.load(native()), (error) => CircuitError.is(error, 'backend') && /not installed.*@tensorflow\/tfjs-node in ".*Install native backend…".*npm install @tensorflow\/tfjs-node@4\.22\.0.*circuitExplorer\.nativeFolder \(--native-folder/.test(error.message));
    await installStandIn(folder, 'native', WORKING, '3.21.0');
    await assert.rejects(engine.load(native()), (error) => CircuitError.is(error, 'backend') && /tfjs-node 3\.21\.0, and the engine works with 4\.22\.0 only/.test(error.message));
    const nowhere = startEngine({ ...scripts, nativeFolder: () => undefined });
    engines.push(nowhere);
    await assert.rejects(nowhere.load(native()), (error) => CircuitError.is(error, 'backend') && /none is named/.test(error.message));
  });

  it('never starts a native backend in the engine\'s own thread', async () => {
    await installStandIn(folder, 'native', WORKING);
    const local = new LocalEngine({ wasmFolder: WASM_FOLDER });
    await assert.rejects(local.load(native()), (error) => CircuitError.is(error, 'backend') && /none is named/.test(error.message));
    await local.dispose();
  });

  it('refuses a GPU package that found no GPU', async () => {
    await installStandIn(folder, 'native-gpu', WORKING);
    await assert.rejects(inProcess().load(native({ backend: 'native-gpu' })), (error) => CircuitError.is(error, 'backend') && /found no GPU.*CUDA/.test(error.message));
  });

  describe('with the choice auto', () => {
    const auto = () => loadParams(model, { backend: 'auto', threads: 1 });

    it('takes none where none is installed, and says nothing', async () => {
      const { backend } = await withChoice().load(auto());
      assert.match(backend.name, /^wasm/);
      assert.doesNotMatch(backend.note ?? '', /native/);
    });

    it('takes the first that starts and says why not the one before', async () => {
      await installStandIn(folder, 'native-gpu', WORKING);
      await installStandIn(folder, 'native', WORKING);
      const engine = withChoice();
      const { backend } = await engine.load(auto());
      assert.equal(backend.name, 'native');
      assert.match(backend.note ?? '', /"native-gpu" was not taken\. TensorFlow found no GPU/);
      assert.deepEqual((await engine.attribute({ experiment, sites: ['z'] })).backend, backend);
    });

    it('falls back to wasm where it does not start, says so in results, and does not try it again until it is installed anew', async () => {
      const count = path.join(folder, 'count');
      await installStandIn(folder, 'native', `require('node:fs').appendFileSync(${JSON.stringify(count)}, 'x'); throw new Error('libc++ is too old');`);
      let starts = 0;
      const engine = withChoice(() => starts++);
      for (let i = 0; i < 2; i++) {
        const { backend } = await engine.load(auto());
        assert.match(backend.name, /^wasm/);
        assert.match(backend.note ?? '', /"native" was not taken\..*libc\+\+ is too old/);
      }
      assert.match((await engine.attribute({ experiment, sites: ['z'] })).backend.note ?? '', /libc\+\+ is too old/);
      assert.equal(starts, 1);
      await sleep(20);
      await installStandIn(folder, 'native', WORKING);
      assert.deepEqual((await engine.load(auto())).backend, { name: 'native', threads: 1 });
    });

    it('falls back after a death in the middle of a call', async () => {
      await installStandIn(folder, 'native', WORKING);
      let pid: number | undefined;
      const engine = withChoice((started) => (pid = started));
      assert.equal((await engine.load(auto())).backend.name, 'native');
      const call = assert.rejects(engine.patch({ experiment, cells: manyCells(60) }), (error) => CircuitError.is(error, 'backend'));
      await sleep(100);
      process.kill(pid!, 'SIGSEGV');
      await call;
      assert.match((await engine.load(auto())).backend.note ?? '', /SIGSEGV \(a fault in native code\)/);
      assert.match((await engine.attribute({ experiment, sites: ['z'] })).backend.name, /^wasm/);
    });

    it('passes on what is not the backend\'s fault', async () => {
      await installStandIn(folder, 'native', WORKING);
      const engine = withChoice();
      await assert.rejects(engine.load(loadParams(path.join(model, 'nowhere'), { backend: 'auto' })), (error) => CircuitError.is(error, 'model-missing'));
      assert.equal((await engine.load(auto())).backend.name, 'native');
    });
  });

  it('goes over to a backend that is asked for by name, and back', async () => {
    await installStandIn(folder, 'native', WORKING);
    const engine = withChoice();
    for (const backend of ['cpu', 'native', 'cpu'] as const) {
      assert.equal((await engine.load(loadParams(model, { backend, threads: 1 }))).backend.name, backend);
      assert.equal((await engine.attribute({ experiment, sites: ['z'] })).backend.name, backend);
    }
    await engine.dispose();
    await assert.rejects(engine.load(native()), (error) => CircuitError.is(error, 'internal'));
  });
});
