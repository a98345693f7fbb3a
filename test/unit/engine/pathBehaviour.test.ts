import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { openCheckpoint } from '../../../src/engine/model/checkpoint';
import { parseConfig } from '../../../src/engine/model/config';
import { disposeWeights, loadWeights } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { patchPaths } from '../../../src/engine/patching/pathPatching';
import { planPaths } from '../../../src/engine/patching/pathPlan';
import { planChunks } from '../../../src/engine/patching/plan';
import { CircuitError } from '../../../src/shared/errors';
import { DIRECTIONS, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import { edgeNamed, edgesOf, receiverAt, senderAt, type Edge } from '../../../src/shared/graph/nodes';
import { PATH_MODES, type PathMode } from '../../../src/shared/paths';
import type { BackendName, Progress } from '../../../src/shared/results';
import { everyLookATenth, expectedValues, loadParams, relativeError, remove, writeHashModel, WASM_FOLDER } from './support';

describe('path patching behaviour', function () {
  let engine: LocalEngine;
  let folder: string;
  let free = Infinity;
  const shape = { layers: 4, heads: 4 };

  before(async () => {
    folder = await writeHashModel((await expectedValues('four-layers')).checkpoint);
    engine = new LocalEngine({ wasmFolder: WASM_FOLDER, freeMemory: () => free });
    await engine.load(loadParams(folder));
  });
  after(async () => {
    await engine.dispose();
    await remove(folder);
  });

  const LENGTH = 8;
  const CHANGED = 3;
  const pair = (seed: number, changed: readonly number[] = [CHANGED]): TokenPair => {
    const clean = Array.from({ length: LENGTH }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 300);
    return { clean, corrupted: clean.map((token, i) => (changed.includes(i) ? (token + 7 + seed) % 300 : token)), correct: [(seed * 7 + 20) % 300], incorrect: [(seed * 7 + 61) % 300] };
  };
  const experiment = (count: number, change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs: Array.from({ length: count }, (_, seed) => pair(seed)), ...change });
  const named = (...names: string[]): Edge[] => names.map((name) => edgeNamed(shape, name)!);
  const every = edgesOf(shape);
  const someOf = (step: number): Edge[] => every.filter((_, i) => i % step === 0);
  const effectsOf = async (own: TokenExperiment, mode: PathMode, edges: readonly Edge[]): Promise<Float32Array> => (await engine.patchPaths({ experiment: own, mode, edges })).effects;

  describe('where it is activation patching', () => {
    it('of a component of the last layer, whose only way is into the logits', async () => {
      for (const direction of DIRECTIONS) {
        const own = experiment(3, { direction });
        const cells = [...[0, 1, 2, 3].map((head) => ({ site: 'z', layer: 3, head }) as const), { site: 'mlp_out', layer: 3 } as const];
        const { effects } = await engine.patch({ experiment: own, cells });
        // The MLP of its own layer hears a head as well, but for that of the last layer.
        const mlp = await effectsOf(own, 'direct', named('m3->logits'));
        assert.ok(relativeError(mlp, effects.slice(12)) < 1e-4);
        // Through MLPs the last layer's heads have all their ways.
        const heads = await effectsOf(own, 'throughMlps', named('a3.h0->logits', 'a3.h1->logits', 'a3.h2->logits', 'a3.h3->logits'));
        assert.ok(relativeError(heads, effects.slice(0, 12)) < 1e-4);
      }
    });

    it('of one head\'s queries, keys and values in layer 0, which the input alone reaches', async () => {
      const edges = (['q', 'k', 'v'] as const).flatMap((port) => [0, 1, 2, 3].map((head) => ({ port, head })));
      for (const direction of DIRECTIONS) {
        for (const mode of ['direct', 'throughMlps'] as const) {
          const paths = await effectsOf(experiment(3, { direction }), mode, edges.flatMap(({ port, head }) => named(`input->a0.h${head}<${port}>`)));
          const { effects } = await engine.patch({ experiment: experiment(3, { direction }), cells: edges.map(({ port, head }) => ({ site: port, layer: 0, head })) });
          assert.ok(Math.max(...effects) > 1e-2 && relativeError(paths, effects) < 1e-4, `${mode}, ${direction}: ${relativeError(paths, effects)}`);
        }
      }
    });
  });

  it('through MLPs is direct where no MLP can stand between', async () => {
    const close = every.filter(({ sender, receiver }) => {
      const [from, to] = [senderAt(shape, sender), receiverAt(shape, receiver)];
      const first = from.kind === 'input' ? 0 : from.kind === 'mlp' ? from.layer + 1 : from.layer;
      return to.kind !== 'logits' && to.layer <= first + (to.kind === 'mlp' || from.kind !== 'head' ? 0 : -1);
    });
    assert.ok(close.length > 50);
    const own = experiment(2, { metric: 'prob' });
    const [direct, through] = [await effectsOf(own, 'direct', close), await effectsOf(own, 'throughMlps', close)];
    assert.ok(relativeError(through, direct) < 1e-4, String(relativeError(through, direct)));
    const far = named('a0.h1->a3.h2<v>');
    assert.ok(relativeError(await effectsOf(own, 'throughMlps', far), await effectsOf(own, 'direct', far)) > 1e-3, 'elsewhere it is not');
  });

  describe('exactly 0', () => {
    it('where both prompts have the same tokens at all positions that count', async () => {
      // Only the changed position's embedding differs, and what the last layer reads is at the last one.
      const dead = named('input->logits', 'input->m3', 'input->a3.h0<q>', 'input->a3.h3<q>');
      const alive = named('input->a3.h0<k>', 'input->a2.h0<q>', 'input->m2', 'm0->logits', 'a0.h0->m3', 'a0.h0->a3.h0<q>');
      for (const mode of PATH_MODES) {
        const effects = await effectsOf(experiment(2), mode, [...dead, ...alive]);
        assert.ok(effects.slice(0, 2 * dead.length).every((effect) => effect === 0), mode);
        assert.ok(effects.slice(2 * dead.length).every((effect) => effect !== 0), mode);
      }
    });

    it('of queries at the first position, which attends to itself alone', async () => {
      const own = experiment(1, { pairs: [pair(1, [0])] });
      const effects = await effectsOf(own, 'direct', named('input->a0.h0<q>', 'input->a1.h2<q>', 'input->a0.h0<k>'));
      assert.deepEqual([effects[0], effects[1], effects[2] === 0], [0, 0, false]);
    });

    it('where the other side is the same prompt, and nowhere under zeros', async () => {
      const pairs = [pair(1), pair(1)].map(({ corrupted: _, ...own }) => own);
      for (const mode of PATH_MODES) {
        assert.ok((await effectsOf({ metric: 'logitDiff', direction: 'noise', other: 'resample', pairs }, mode, someOf(9))).every((effect) => effect === 0));
        assert.ok((await effectsOf({ metric: 'logitDiff', direction: 'noise', other: 'zero', pairs }, mode, someOf(9))).every((effect) => effect !== 0));
      }
    });

    it('means over one prompt are its own', async () => {
      const effects = await effectsOf({ metric: 'logitDiff', direction: 'noise', other: 'mean', pairs: [pair(4)] }, 'direct', someOf(9));
      assert.ok(effects.every((effect) => Math.abs(effect) < 1e-4));
    });
  });

  it('many edges at once, one at a time, in any order, twice: one effect', async () => {
    // Several chunks: of two lengths, and with different first differences.
    const shorter = pair(5);
    const pairs = [pair(0), pair(1), pair(2, [1, 5]), { ...shorter, clean: shorter.clean.slice(2), corrupted: shorter.corrupted!.slice(2) }];
    const own = experiment(0, { pairs });
    for (const mode of PATH_MODES) {
      const edges = someOf(11);
      const together = await effectsOf(own, mode, edges);
      assert.deepEqual(await effectsOf(own, mode, edges), together, 'the same bytes again');
      const backwards = await effectsOf(own, mode, [...edges, ...edges].reverse());
      for (const [i, edge] of edges.entries()) {
        const last = edges.length - 1 - i;
        const mine = together.slice(4 * i, 4 * i + 4);
        assert.deepEqual([...backwards.slice(4 * last, 4 * last + 4)].map((value) => value.toFixed(4)), [...backwards.slice(4 * (last + edges.length), 4 * (last + edges.length) + 4)].map((value) => value.toFixed(4)));
        const alone = i % 5 === 0 ? await effectsOf(own, mode, [edge]) : backwards.slice(4 * last, 4 * last + 4);
        alone.forEach((effect, at) => assert.ok(Math.abs(effect - mine[at]!) < 3e-5, `${mode}, edge ${i}, pair ${at}: ${effect} and ${mine[at]!}`));
      }
    }
  });

  it('with so little memory that the prompts are run for every block', async () => {
    const own = experiment(64);
    const edges = someOf(37);
    const { model } = await loadWeights(await openCheckpoint(folder), new Work());
    try {
      for (const mode of PATH_MODES) {
        const little: [BackendName, number] = ['cpu', 4e6];
        assert.equal((await planPaths(planChunks(own, model.config), edges, mode, model.config, little, new Work())).keeps, false);
        const poor = await patchPaths(model, { experiment: own, mode, edges }, little);
        const rich = await patchPaths(model, { experiment: own, mode, edges }, ['cpu', 1e12]);
        assert.ok(relativeError(poor.effects, rich.effects) < 2e-5, mode);
        assert.ok(relativeError(poor.effects, (await engine.patchPaths({ experiment: own, mode, edges })).effects) < 2e-5, mode);
        assert.deepEqual(poor.metric, rich.metric, 'the metric does not grow with the runs');
      }
    } finally {
      disposeWeights(model);
    }
  });

  it('what only concerns gradients counts nothing; no edges are measured as none', async () => {
    const variant = { freezeLayerNorm: true, gradDrop: true, integrated: { steps: 3, rule: 'left' as const } };
    const edges = someOf(29);
    assert.deepEqual(await effectsOf(experiment(1, { variant }), 'direct', edges), await effectsOf(experiment(1), 'direct', edges));
    const none = await engine.patchPaths({ experiment: experiment(2), mode: 'throughMlps', edges: [] });
    assert.deepEqual([none.effects.length, none.metric.clean.length, none.metric.corrupted!.length], [0, 2, 2]);
  });

  for (const mode of PATH_MODES) {
    it(`hands over every edge once while it runs, with progress that grows to the end, ${mode}`, async () => {
      const seen = new Map<string, Float32Array>();
      const fractions: number[] = [];
      let deliveries = 0;
      const keyOf = ({ sender, receiver }: Edge): string => `${sender} ${receiver}`;
      const onProgress = ({ fraction, paths }: Progress): void => {
        fractions.push(fraction);
        if (!paths) return;
        deliveries++;
        assert.deepEqual([paths.mode, paths.effects.length], [mode, paths.edges.length * 3]);
        paths.edges.forEach((edge, i) => {
          assert.ok(!seen.has(keyOf(edge)), 'handed over twice');
          seen.set(keyOf(edge), paths.effects.slice(i * 3, i * 3 + 3));
        });
      };
      const { effects } = await engine.patchPaths({ experiment: experiment(3), mode, edges: every }, { now: everyLookATenth(), onProgress });
      assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
      assert.ok(fractions.at(-1)! > 0.95 && fractions.some((fraction) => fraction > 0.2 && fraction < 0.8));
      assert.equal(seen.size, every.length);
      every.forEach((edge, i) => assert.deepEqual(seen.get(keyOf(edge)), effects.slice(i * 3, i * 3 + 3)));
      assert.ok(deliveries > 1, `${deliveries} deliveries`);
    });

    it(`stops when it is cancelled, has delivered what it measured, and serves the next call, ${mode}`, async () => {
      const abort = new AbortController();
      let measured = 0;
      const onProgress = (progress: Progress): void => {
        measured += progress.paths?.edges.length ?? 0;
        if (measured > 0) abort.abort();
      };
      await assert.rejects(engine.patchPaths({ experiment: experiment(4), mode, edges: [...every, ...every] }, { now: everyLookATenth(), signal: abort.signal, onProgress }), (error) => CircuitError.is(error, 'cancelled'));
      assert.ok(measured > 0 && measured < 2 * every.length);
      assert.equal((await effectsOf(experiment(1), mode, named('m0->m1'))).length, 1);
    });
  }

  it('asks whether to go on while it plans tens of thousands of edges', async () => {
    const config = parseConfig(JSON.stringify({ model_type: 'gpt2', n_layer: 12, n_head: 12, n_embd: 768, n_inner: 3072, n_positions: 1024, vocab_size: 50257 }));
    for (const mode of PATH_MODES) {
      let polls = 0;
      const plan = (most: number): Promise<unknown> => planPaths(planChunks(experiment(4), config), edgesOf(config), mode, config, ['cpu', 1e10], new Work({ isCancelled: () => ++polls > most }));
      await plan(Infinity);
      assert.ok(polls > 16, String(polls));
      const all = polls;
      polls = 0;
      await assert.rejects(plan(all - 1), (error) => CircuitError.is(error, 'cancelled'));
    }
  });

  it('allocates nothing that stays over twenty calls, whether they end, fail or are cancelled', async () => {
    const calls = PATH_MODES.flatMap((mode) => [
      () => effectsOf(experiment(3), mode, someOf(23)),
      () => effectsOf(experiment(3, { direction: 'noise', other: 'mean', metric: 'kl' }), mode, someOf(61)),
    ]);
    for (const call of calls) await call();
    const before = { ...tf.memory() };
    for (let i = 0; i < 20; i++) await calls[i % calls.length]!();
    for (const mode of PATH_MODES) {
      const call = (isCancelled: () => boolean): Promise<unknown> => engine.patchPaths({ experiment: experiment(3, { metric: 'prob' }), mode, edges: someOf(5) }, { isCancelled });
      let polls = 0;
      await call(() => ++polls < 0);
      assert.ok(polls > 20, `${polls} polls`);
      for (let part = 0; part < 12; part++) {
        let left = Math.floor((part / 12) * polls);
        await assert.rejects(call(() => --left < 0), (error) => CircuitError.is(error, 'cancelled'));
      }
    }
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numBytes, before.numBytes);
  });

  describe('refuses', () => {
    const refused = async (own: TokenExperiment, edges: readonly Edge[], message: RegExp, mode: PathMode = 'direct'): Promise<void> => {
      await assert.rejects(engine.patchPaths({ experiment: own, mode, edges }), (error) => {
        assert.ok(CircuitError.is(error, 'experiment'), String(error));
        assert.match(error.message, message);
        return true;
      });
    };

    it('what is no edge, and ways of patching that there are not', async () => {
      const [edge] = named('m1->m2');
      await refused(experiment(1), [edge!, { sender: edge!.receiver, receiver: 0 }], /^Edge 2 \(sender \d+, receiver 0\) is not there: this model has 4 layers of 4 heads/);
      await refused(experiment(1), [{ sender: 0.5, receiver: 3 }], /^Edge 1/);
      await refused(experiment(1), [edge!], /no way to patch paths called "twice"; there are direct, directFrozen, throughMlps/, 'twice' as PathMode);
    });

    it('interventions, activations as metrics, prompts of unequal lengths', async () => {
      const edges = named('m1->m2');
      await refused(experiment(1, { variant: { interventions: [{ unit: { site: 'z', layer: 0 }, with: 'corrupted' }] } }), edges, /interventions/);
      await refused(experiment(1, { metric: { activation: 'neuron', layer: 1, neuron: 3 } }), edges, /not by neuron/);
      const longer = { ...pair(1), corrupted: [7, ...pair(1).corrupted!] };
      await refused(experiment(0, { align: 'end', pairs: [longer] }), edges, /Pair 1 has prompts of unequal token counts/);
    });

    it('beforehand what does not fit, saying what would', async () => {
      free = -1e12;
      try {
        await assert.rejects(effectsOf(experiment(1), 'direct', every), (error) => CircuitError.is(error, 'too-big') && /Pair 1 differs over 5 tokens and needs about \d+ MB, but 0 MB are free/.test(error.message));
      } finally {
        free = Infinity;
      }
    });
  });

  it('reports weights that overflow instead of returning NaN', async () => {
    const huge = await writeHashModel((await expectedValues('four-layers')).checkpoint, (_, tensors) => tensors.get('h.0.mlp.c_proj.weight')!.data.fill(3e38));
    await engine.load(loadParams(huge));
    const onProgress = ({ paths }: Progress): void => assert.ok(!paths?.effects.some((effect) => !Number.isFinite(effect)), 'nothing infinite is handed over');
    await assert.rejects(engine.patchPaths({ experiment: experiment(1), mode: 'throughMlps', edges: someOf(40) }, { onProgress }), (error) => CircuitError.is(error, 'model-invalid'));
    await engine.load(loadParams(folder));
    await remove(huge);
  });
});
