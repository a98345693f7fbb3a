import assert from 'node:assert/strict';
import { utimesSync } from 'node:fs';
import { appendFile, copyFile, cp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { defaultThreads } from '../../../src/engine/backend/threads';
import type { Engine } from '../../../src/engine/client/engine';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { parseConfig } from '../../../src/engine/model/config';
import { weightBytes } from '../../../src/engine/model/memory';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import type { TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import { SITE_NAMES } from '../../../src/shared/sites';
import { expectedValues, loadParams, remove, temporaryFolder, tokenExperiment, WASM_FOLDER, writeHashModel, type ExpectedCheckpoint } from './support';

const fails = (call: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> =>
  assert.rejects(call, (error) => CircuitError.is(error, code) && (assert.match(error.message, message), true));

// tfjs keeps one backend per thread, so engines in one thread come one after the other.
describe('engine behaviour', function () {
  let engine: LocalEngine;
  let folder: string;
  let expected: ExpectedCheckpoint;
  let free = Infinity;

  before(async () => {
    expected = await expectedValues('tiny-odd');
    folder = await writeHashModel(expected.checkpoint);
    engine = new LocalEngine({ wasmFolder: WASM_FOLDER, freeMemory: () => free });
    await engine.load(loadParams(folder));
  });
  after(async () => {
    await engine.dispose();
    await remove(folder);
  });

  const pair: TokenPair = { clean: [1, 2, 3, 4], corrupted: [1, 5, 3, 4], correct: [6], incorrect: [7] };
  const run = (pairs: TokenPair[], change: Partial<TokenExperiment> = {}) => engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs, ...change }, sites: SITE_NAMES });
  const several = () => ({ experiment: tokenExperiment(expected.experiments.find(({ name }) => name === 'several lengths')!, 'denoise'), sites: SITE_NAMES });

  describe('refuses', () => {
    it('equal prompts', () => fails(run([pair, { ...pair, corrupted: pair.clean }]), 'experiment', /^Pair 2: .* equal/));
    it('unequal token counts', () => fails(run([{ ...pair, corrupted: [1, 5, 3] }]), 'experiment', /4 tokens, the corrupted 3/));
    it('no pairs', () => fails(run([]), 'experiment', /no prompt pairs/));
    it('an empty prompt', () => fails(run([{ ...pair, clean: [] }]), 'experiment', /clean prompt of pair 1 is empty/));
    it('no answers', () => fails(run([{ ...pair, incorrect: [] }]), 'experiment', /no incorrect answer/));
    it('token ids that do not exist', async () => {
      await fails(run([{ ...pair, clean: [1, 2, 101, 4] }]), 'experiment', /token id 101.*0 to 100/);
      await fails(run([{ ...pair, correct: [-1] }]), 'experiment', /token id -1/);
      await fails(run([{ ...pair, correct: [1.5] }]), 'experiment', /token id 1.5/);
      await fails(engine.logits({ prompts: [[1], [NaN]] }), 'experiment', /Prompt 2 has the token id NaN/);
    });
    it('prompts longer than the context', async () => {
      const long = Array.from({ length: 25 }, (_, i) => i);
      await fails(run([pair, { ...pair, clean: long, corrupted: [9, ...long.slice(1)] }]), 'too-big', /clean prompt of pair 2 has 25 tokens.* at most 24/);
      await fails(engine.predict({ prompts: [long], top: 1 }), 'too-big', /Prompt 1 has 25 tokens/);
    });
    it('an unknown metric or site', async () => {
      await fails(run([pair], { metric: 'accuracy' as never }), 'experiment', /no metric "accuracy"/);
      await fails(engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs: [pair] }, sites: ['heads' as never] }), 'experiment', /no site "heads"/);
    });
    it('what does not fit in memory, saying what would', async () => {
      free = 40_000 + weightBytes(parseConfig(await readFile(path.join(folder, 'config.json'), 'utf8')), 'wasm-simd');
      await fails(run([{ ...pair, clean: Array.from({ length: 24 }, (_, i) => i), corrupted: Array.from({ length: 24 }, (_, i) => i + 1) }]), 'too-big', /differs over 24 tokens.*about \d+ tokens from the first difference on would fit/);
      free = 1e6;
      const other = await writeHashModel(expected.checkpoint);
      const small = new LocalEngine({ wasmFolder: WASM_FOLDER, freeMemory: () => free });
      await fails(small.load(loadParams(other)), 'too-big', /needs about .* MB, but 1 MB are free\. A model of about 0 million parameters would fit/);
      await remove(other);
      free = Infinity;
      await engine.load(loadParams(folder));
      await run([pair]);
    });
    it('nothing for want of memory that the wasm heap has already taken and does not use', async () => {
      await engine.load(loadParams(folder));
      tf.tidy(() => void tf.zeros([50_000_000]));
      free = 0;
      await run([pair]);
      const other = await writeHashModel(expected.checkpoint);
      await engine.load(loadParams(other));
      await remove(other);
      await fails(engine.load(loadParams(folder, { backend: 'wasm' })), 'too-big', /but 0 MB are free/);
      free = Infinity;
      await engine.load(loadParams(folder));
    });
    it('everything before a model is loaded', () => {
      const empty = new LocalEngine({ wasmFolder: WASM_FOLDER });
      return fails(empty.logits({ prompts: [[1]] }), 'model-missing', /No model is loaded/);
    });
  });

  it('reports weights that overflow instead of returning NaN', async () => {
    const huge = await writeHashModel(expected.checkpoint, (_, tensors) => tensors.get('h.0.mlp.c_proj.weight')!.data.fill(3e38));
    await engine.load(loadParams(huge));
    await fails(run([pair]), 'model-invalid', /overflowed/);
    await engine.load(loadParams(folder));
    await run([pair]);
    await remove(huge);
  });

  it('allocates nothing that stays, whether a run ends, fails or is cancelled', async () => {
    await engine.load(loadParams(folder));
    const call = several();
    await engine.attribute(call);
    await engine.logits({ prompts: [[1, 2], [3]] });
    const before = { ...tf.memory() };
    for (let i = 0; i < 3; i++) await engine.attribute({ ...call, experiment: { ...call.experiment, direction: i % 2 ? 'noise' : 'denoise' } });
    await engine.logits({ prompts: [[1, 2], [3]] });
    for (let polls = 1; polls < 120; polls += 7) {
      let left = polls;
      await assert.rejects(engine.attribute(call, { isCancelled: () => --left < 0 }), (error) => CircuitError.is(error, 'cancelled'));
    }
    await assert.rejects(run([{ ...pair, clean: [] }]));
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numBytes, before.numBytes);
  });

  it('frees a model that it replaces, also when the new one cannot be read to its end', async () => {
    await engine.load(loadParams(folder));
    const before = { ...tf.memory() };
    let left = 20;
    const damaged = await writeHashModel(expected.checkpoint, (_, tensors) => (tensors.get('h.2.mlp.c_proj.bias')!.data[0] = NaN));
    await assert.rejects(engine.load(loadParams(damaged)), (error) => CircuitError.is(error, 'model-invalid'));
    assert.equal(tf.memory().numTensors, 0);
    await assert.rejects(engine.load(loadParams(folder), { isCancelled: () => --left < 0 }), (error) => CircuitError.is(error, 'cancelled'));
    assert.equal(tf.memory().numTensors, 0);
    await engine.load(loadParams(folder));
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numBytes, before.numBytes);
    await remove(damaged);
  });

  it('refuses a model that is written to while it is read, and loads it whole the next time', async () => {
    const own = await temporaryFolder();
    await cp(folder, own, { recursive: true });
    await engine.load(loadParams(folder));
    const later = new Date(Date.now() + 5000);
    let looks = 0;
    const isCancelled = (): boolean => {
      // The first look is before the load begins, the third amid the weights.
      if (++looks === 3) utimesSync(path.join(own, 'model.safetensors'), later, later);
      return false;
    };
    await fails(engine.load(loadParams(own), { isCancelled }), 'model-invalid', /changed while it was being read/);
    assert.equal(tf.memory().numTensors, 0);
    await engine.load(loadParams(own));
    await run([pair]);
    await remove(own);
  });

  it('gives the same bytes twice', async () => {
    const [one, two] = [await engine.attribute(several()), await engine.attribute(several())];
    assert.deepEqual(one.arrays.data, two.arrays.data);
    assert.deepEqual(one.metric, two.metric);
  });

  it('stops when asked through a signal, also while it waits its turn', async () => {
    const abort = new AbortController();
    const calls = [1, 2, 3].map(() => engine.attribute(several(), { signal: abort.signal }));
    const after = engine.attribute(several());
    const rejects = calls.map((call) => assert.rejects(call, (error) => CircuitError.is(error, 'cancelled')));
    abort.abort();
    await Promise.all(rejects);
    assert.equal((await after).metric.clean.length, 4);
  });

  it('reports progress that grows to the end', async () => {
    const fractions: number[] = [];
    await engine.load(loadParams(folder, { id: 'again', backend: 'wasm' }), { onProgress: ({ fraction }) => fractions.push(fraction) });
    await engine.load(loadParams(folder));
    assert.ok(fractions.length > 0);
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
  });

  it('keeps the loaded model while its files stay the same', async () => {
    const own = await temporaryFolder();
    await cp(folder, own, { recursive: true });
    const first = await engine.load(loadParams(own));
    assert.ok(first.seconds > 0);
    const again = await engine.load(loadParams(own, { id: 'other name', revision: 'r1' }));
    assert.deepEqual([again.seconds, again.model.id, again.model.revision], [0, 'other name', 'r1']);
    const later = new Date(Date.now() + 5000);
    await utimes(path.join(own, 'model.safetensors'), later, later);
    assert.ok((await engine.load(loadParams(own))).seconds > 0);
    await appendFile(path.join(own, 'config.json'), ' ');
    assert.ok((await engine.load(loadParams(own))).seconds > 0);
    assert.deepEqual(first.model, { id: 'test', revision: undefined, checkpointHash: first.model.checkpointHash, layers: 3, heads: 3, dModel: 30, dHead: 10, dMlp: 77, vocabulary: 101, context: 24, parameters: 29511, dtype: 'F32' });
    await remove(own);
  });

  describe('backends', () => {
    it('one thread, many threads and none agree: same top ten, values to rounding', async () => {
      const top = async (backend: 'wasm-simd' | 'wasm-threads' | 'wasm' | 'cpu'): Promise<{ order: number[]; values: Float32Array }> => {
        await engine.load(loadParams(folder, { backend, threads: 2 }));
        const { arrays } = await engine.attribute({ ...several(), sites: ['z'] });
        const order = [...arrays.data.keys()].sort((a, b) => Math.abs(arrays.data[b]!) - Math.abs(arrays.data[a]!)).slice(0, 10);
        return { order, values: arrays.data };
      };
      const reference = await top('wasm-simd');
      for (const backend of ['wasm-threads', 'wasm', 'cpu'] as const) {
        const other = await top(backend);
        assert.deepEqual(other.order, reference.order, backend);
        const largest = Math.abs(reference.values[reference.order[0]!]!);
        other.values.forEach((value, i) => assert.ok(Math.abs(value - reference.values[i]!) <= 2e-5 * largest, `${backend} ${i}`));
      }
      await engine.load(loadParams(folder));
    });

  });
});

describe('engine backends', function () {
  it('auto takes the next when one does not start and says why; a named one is never replaced', async () => {
    const incomplete = await temporaryFolder();
    for (const name of ['tfjs-backend-wasm-simd.wasm', 'kernels-relaxed.wasm', 'kernels-simd.wasm', 'kernels-wide.wasm']) await copyFile(path.join(WASM_FOLDER, name), path.join(incomplete, name));
    try {
      stopBackend();
      const info = await startBackend({ choice: 'auto', threads: 2, wasmFolder: incomplete });
      assert.equal(info.name, 'wasm-simd');
      assert.match(info.note!, /wasm-threads did not start .*threaded-simd\.wasm/);
      await fails(startBackend({ choice: 'wasm-threads', threads: 2, wasmFolder: incomplete }), 'backend', /wasm-threads did not start/);
      const single = await startBackend({ choice: 'auto', threads: 1, wasmFolder: WASM_FOLDER });
      assert.deepEqual(single, { name: 'wasm-simd', threads: 1, note: 'one thread was asked for' });
      const small = await startBackend({ choice: 'auto', threads: 2, preferOneThread: true, wasmFolder: WASM_FOLDER });
      assert.deepEqual(small, { name: 'wasm-simd', threads: 1 });
      const none = await startBackend({ choice: 'auto', threads: 2, wasmFolder: path.join(incomplete, 'none') });
      assert.equal(none.name, 'cpu');
    } finally {
      await rm(incomplete, { recursive: true });
      stopBackend();
    }
  });

  it('leave no process-wide handlers and no global Worker behind', async () => {
    const count = () => [process.listenerCount('uncaughtException'), process.listenerCount('unhandledRejection')];
    const before = count();
    for (const choice of ['wasm-threads', 'wasm-simd'] as const) {
      await startBackend({ choice, threads: 2, wasmFolder: WASM_FOLDER });
      assert.deepEqual(count(), before);
      assert.ok(!('Worker' in globalThis));
    }
    stopBackend();
  });

  it('take all cores up to two, else one less, and no more than the pool has', () => {
    assert.deepEqual([1, 2, 3, 4, 8, 64].map(defaultThreads), [1, 2, 2, 3, 7, 8]);
  });
});

describe('engine after errors', function () {
  it('serves after every kind of bad input', async () => {
    const own: Engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
    const bad = await temporaryFolder();
    await writeFile(path.join(bad, 'config.json'), '{"model_type": "gpt2"');
    await fails(own.load(loadParams(bad)), 'model-invalid', /not JSON/);
    const folder = await writeHashModel((await expectedValues('tiny-odd')).checkpoint);
    await cp(folder, bad, { recursive: true });
    await writeFile(path.join(bad, 'model.safetensors'), Buffer.from([255, 255, 255, 255, 255, 255, 255, 255, 1]));
    await fails(own.load(loadParams(bad)), 'model-invalid', /more than the allowed/);
    await own.load(loadParams(folder));
    assert.equal((await own.logits({ prompts: [[1, 2]] }))[0]!.length, 101);
    await own.dispose();
    await fails(own.logits({ prompts: [[1]] }), 'internal', /disposed/);
    await remove(bad);
    await remove(folder);
  });
});
