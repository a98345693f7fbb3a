import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import { OTHERS, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import { complementOf, emptyMask, fullMask, maskOf, type EdgeMask } from '../../../src/shared/graph/mask';
import { edgeNamed, edgesOf, type GraphShape } from '../../../src/shared/graph/nodes';
import type { CircuitMetrics } from '../../../src/shared/paths';
import { everyLookATenth, expectedValues, loadParams, relativeError, remove, writeHashModel, WASM_FOLDER } from './support';

describe('running circuits', function () {
  const shape: GraphShape = { layers: 4, heads: 4 };
  let engine: LocalEngine;
  let folder: string;
  let free = Infinity;
  before(async () => {
    folder = await writeHashModel((await expectedValues('four-layers')).checkpoint);
    engine = new LocalEngine({ wasmFolder: WASM_FOLDER, freeMemory: () => free });
    await engine.load(loadParams(folder));
  });
  after(async () => {
    await engine.dispose();
    await remove(folder);
  });

  const pair = (seed: number, length: number, differs: readonly number[]): TokenPair => {
    const clean = Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 300);
    return { clean, corrupted: clean.map((token, i) => (differs.includes(i) ? (token + 7 + seed) % 300 : token)), correct: [(seed * 7 + 20) % 300], incorrect: [(seed * 7 + 61) % 300] };
  };
  const experiment = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({
    metric: 'logitDiff',
    direction: 'denoise',
    pairs: [pair(1, 8, [3]), pair(2, 8, [3]), pair(3, 8, [0, 5]), pair(4, 11, [6, 7]), pair(5, 11, [10])],
    ...change,
  });
  /** Some share of the edges, the same ones for the same seed. */
  const someEdges = (share: number, seed: number): EdgeMask => maskOf(shape, edgesOf(shape).filter((_, i) => Math.imul(Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b), 0xc2b2ae35) >>> 0 < share * 2 ** 32));
  const named = (...names: string[]): EdgeMask => maskOf(shape, names.map((name) => edgeNamed(shape, name)!));
  const both = (one: EdgeMask, other: EdgeMask): EdgeMask => one.map((cell, i) => cell | other[i]!);
  const run = (circuits: readonly EdgeMask[], change: Partial<TokenExperiment> = {}): Promise<CircuitMetrics> => engine.circuits({ experiment: experiment(change), circuits, ablation: 'corrupted' });
  const close = (values: readonly number[], wanted: readonly number[], what: string): void => {
    assert.ok(relativeError(values, wanted) < 1e-5, `${what}: ${values.join()} for ${wanted.join()}`);
  };

  for (const ablation of OTHERS) {
    it(`the full circuit is the clean run, the empty one the ablated run: ${ablation}`, async () => {
      const { values, clean, empty } = await engine.circuits({ experiment: experiment(), circuits: [fullMask(shape), emptyMask(shape)], ablation });
      close(values[0]!, clean, 'full');
      assert.deepEqual(values[1], empty);
      const attributed = await engine.attribute({ experiment: experiment(ablation === 'corrupted' ? {} : { other: ablation, direction: 'noise' }), sites: [] });
      close(clean, attributed.metric.clean, 'clean');
      if (attributed.metric.corrupted) close(empty, attributed.metric.corrupted, 'other');
      assert.ok(relativeError(empty, clean) > 0.1, 'the ablation does something');
    });
  }

  it('many circuits at once, or one at a time', async () => {
    const circuits = [0.02, 0.1, 0.3, 0.5, 0.8].flatMap((share) => [1, 2, 3].map((seed) => someEdges(share, seed)));
    for (const ablation of ['corrupted', 'zero'] as const) {
      const together = await engine.circuits({ experiment: experiment(), circuits, ablation });
      for (const [i, circuit] of circuits.entries()) {
        const alone = await engine.circuits({ experiment: experiment(), circuits: [circuit], ablation });
        close(alone.values[0]!, together.values[i]!, `circuit ${i}`);
      }
      assert.deepEqual((await engine.circuits({ experiment: experiment(), circuits, ablation })).values, together.values, 'the same numbers twice');
    }
  });

  it('circuits that differ in one edge each share what that edge does not reach, and are still themselves', async () => {
    const whole = someEdges(0.4, 7);
    const edges = edgesOf(shape).filter((_, i) => i % 23 === 0);
    const without = edges.map((edge) => whole.map((cell, i) => (maskOf(shape, [edge])[i] ? 0 : cell)));
    const together = await run([whole, ...without]);
    for (const i of [0, 5, 11, without.length - 1]) close((await run([without[i]!])).values[0]!, together.values[i + 1]!, `without edge ${i}`);
    assert.ok(without.some((_, i) => relativeError(together.values[i + 1]!, together.values[0]!) > 1e-3));
  });

  it('a circuit and its complement: knocking nothing out is clean, everything empty', async () => {
    const circuit = someEdges(0.3, 4);
    const { values, clean, empty } = await run([complementOf(shape, emptyMask(shape)), complementOf(shape, fullMask(shape)), circuit, complementOf(shape, circuit)]);
    close(values[0]!, clean, 'nothing knocked out');
    assert.deepEqual(values[1], empty);
    assert.ok(relativeError(values[3]!, values[2]!) > 1e-2, 'the two halves are not the same');
  });

  it('edges that lead nowhere, or come from nothing, change nothing', async () => {
    const circuit = named('input->a0.h1<v>', 'a0.h1->m2', 'm2->logits', 'input->logits');
    const dangling = named('input->a1.h0<q>', 'a1.h0->a2.h3<k>', 'a3.h0->logits', 'm1->a3.h0<v>');
    const { values, empty } = await run([circuit, both(circuit, dangling), dangling]);
    assert.deepEqual(values[1], values[0]);
    assert.deepEqual(values[2], empty);
    assert.ok(relativeError(values[0]!, empty) > 1e-3);
  });

  it('the direct path alone: what the last tokens\' own embeddings change', async () => {
    const same = { ...pair(4, 9, [2]) };
    const { values, empty } = await run([named('input->logits')], { pairs: [same, pair(5, 9, [8])] });
    assert.equal(values[0]![0], empty[0], 'the last token is the same, so nothing is carried');
    assert.notEqual(values[0]![1], empty[1]);
  });

  it('puts direction, other side and variant of the experiment aside, and takes no circuits at all', async () => {
    const circuits = [someEdges(0.2, 1)];
    const plain = await run(circuits);
    const variant = { freezeLayerNorm: true, gradDrop: true, interventions: [{ unit: { site: 'z' as const, layer: 0 }, with: 'zero' as const }] };
    assert.deepEqual((await run(circuits, { direction: 'noise', other: 'mean', variant })).values, plain.values);
    const none = await run([]);
    assert.deepEqual([none.values, none.clean, none.empty], [[], plain.clean, plain.empty]);
  });

  it('reports progress that grows to the end', async () => {
    const fractions: number[] = [];
    await engine.circuits({ experiment: experiment(), circuits: Array.from({ length: 60 }, (_, seed) => someEdges(0.4, seed)), ablation: 'corrupted' }, { now: everyLookATenth(), onProgress: ({ fraction }) => fractions.push(fraction) });
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
    assert.ok(fractions.at(-1)! > 0.9 && fractions.at(-1)! <= 1 && fractions.some((fraction) => fraction > 0.2 && fraction < 0.8), fractions.join());
  });

  it('allocates nothing that stays over twenty runs, whether they end, fail or are cancelled', async () => {
    const circuits = [0.05, 0.3, 0.9].map((share, seed) => someEdges(share, seed));
    const runs: (() => Promise<unknown>)[] = [
      () => run(circuits),
      () => engine.circuits({ experiment: experiment({ metric: 'kl' }), circuits, ablation: 'mean' }),
      () => engine.circuits({ experiment: experiment({ metric: 'continuation', pairs: [pair(1, 8, [3]), { ...pair(2, 9, [4]), correct: [1, 2, 3] }] }), circuits, ablation: 'zero' }),
      () => assert.rejects(run([new Uint8Array(3)])),
    ];
    for (const one of runs) await one();
    const before = { ...tf.memory() };
    for (let i = 0; i < 20; i++) await runs[i % runs.length]!();
    // Other answers each time, so that nothing is known from the call before.
    const fresh = (answer: number): TokenExperiment => experiment({ pairs: [{ ...pair(1, 8, [3]), correct: [answer % 300, answer % 299] }, pair(4, 11, [6, 7])] });
    let polls = 0;
    await engine.circuits({ experiment: fresh(0), circuits, ablation: 'corrupted' }, { isCancelled: () => ++polls < 0 });
    for (let at = 1; at < polls; at += Math.ceil(polls / 23)) {
      let left = at;
      await assert.rejects(engine.circuits({ experiment: fresh(at), circuits, ablation: 'corrupted' }, { isCancelled: () => --left < 0 }), (error) => CircuitError.is(error, 'cancelled'));
    }
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numBytes, before.numBytes);
  });

  it('asks whether to go on before every head, MLP and mixture of every chunk', async () => {
    let none = 0;
    await run([]);
    let full = 0;
    await engine.circuits({ experiment: experiment(), circuits: [], ablation: 'corrupted' }, { isCancelled: () => ++none < 0 });
    await engine.circuits({ experiment: experiment(), circuits: [fullMask(shape)], ablation: 'corrupted' }, { isCancelled: () => ++full < 0 });
    const chunks = 4;
    assert.ok(full - none >= chunks * shape.layers * (4 * shape.heads + 3), `${full - none} times`);
  });

  it('does not run the same prompts again in the next call, and others anew', async () => {
    // Prompts that no other test has run: rows of earlier forward passes are known too.
    const pairs = experiment().pairs.map(({ clean, corrupted, ...pair }) => ({ ...pair, clean: clean.map((token) => (token + 1) % 300), corrupted: corrupted!.map((token) => (token + 1) % 300) }));
    const polls = async (change: Partial<TokenExperiment>): Promise<number> => {
      let count = 0;
      await engine.circuits({ experiment: experiment({ pairs, ...change }), circuits: [], ablation: 'corrupted' }, { isCancelled: () => ++count < 0 });
      return count;
    };
    const first = await polls({ metric: 'kl' });
    const again = await polls({ metric: 'kl' });
    assert.ok(again < first / 5, `${again} of ${first}`);
    assert.ok((await polls({ metric: 'kl', pairs: [...pairs].reverse() })) > again);
    const circuits = [someEdges(0.3, 9)];
    const [one, two] = [await run(circuits, { metric: 'kl' }), await run(circuits, { metric: 'kl' })];
    assert.deepEqual([two.values, two.clean, two.empty], [one.values, one.clean, one.empty]);
    const { empty } = await engine.circuits({ experiment: experiment({ metric: 'kl' }), circuits, ablation: 'zero' });
    assert.notDeepEqual(empty, one.empty);
  });

  describe('refuses', () => {
    const refused = async (params: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> => {
      await assert.rejects(params, (error) => CircuitError.is(error, code) && (assert.match(error.message, message), true));
    };

    it('circuits of another model and edges that are none', async () => {
      await refused(run([emptyMask({ layers: 3, heads: 4 })]), 'experiment', /^Circuit 1 is of another model/);
      // From the last MLP to the first layer.
      const backwards = emptyMask(shape);
      backwards[backwards.length - 50] = 1;
      await refused(run([emptyMask(shape), backwards]), 'experiment', /^Circuit 2 has an edge that is none/);
      await refused(run([emptyMask(shape).fill(2, 0, 1)]), 'experiment', /^Circuit 1 has an edge that is none/);
    });

    it('prompts of unequal lengths, unless their corrupted side is not run', async () => {
      const unequal = [{ ...pair(1, 8, [3]), corrupted: pair(2, 7, [3]).corrupted }, { ...pair(3, 8, [3]), corrupted: pair(4, 7, [3]).corrupted }];
      await refused(run([], { pairs: unequal, align: 'end' }), 'experiment', /^Pair 1: the clean prompt has 8 tokens, the corrupted 7/);
      const { clean } = await engine.circuits({ experiment: experiment({ pairs: unequal, align: 'end' }), circuits: [], ablation: 'resample' });
      assert.equal(clean.length, 2);
    });

    it('activations as metrics, means of continuations, corrupted prompts that are not there, a pair alone under resample', async () => {
      await refused(run([], { metric: { activation: 'neuron', layer: 0, neuron: 1 } }), 'experiment', /ends at the logits/);
      await refused(engine.circuits({ experiment: experiment({ metric: 'continuation' }), circuits: [], ablation: 'mean' }), 'experiment', /no common mean/);
      await refused(run([], { pairs: [{ ...pair(1, 8, [3]), corrupted: undefined }] }), 'experiment', /has no corrupted prompt/);
      await refused(engine.circuits({ experiment: experiment({ pairs: [pair(1, 8, [3])] }), circuits: [], ablation: 'resample' }), 'experiment', /is the only one of 8 tokens/);
    });

    it('what does not fit, beforehand, saying what would', async () => {
      free = -1e12;
      try {
        await refused(run([fullMask(shape)]), 'too-big', /^Pair 1 differs over 5 tokens and needs about \d+ MB, but 0 MB are free/);
      } finally {
        free = Infinity;
      }
    });

    it('weights that overflow, instead of returning NaN', async () => {
      const huge = await writeHashModel((await expectedValues('four-layers')).checkpoint, (_, tensors) => tensors.get('h.0.mlp.c_proj.weight')!.data.fill(3e38));
      await engine.load(loadParams(huge));
      await refused(run([someEdges(0.5, 1)]), 'model-invalid', /overflowed/);
      await engine.load(loadParams(folder));
      await remove(huge);
    });
  });
});
