import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { openCheckpoint } from '../../../src/engine/model/checkpoint';
import { disposeWeights, loadWeights } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { patchExactly } from '../../../src/engine/patching/exact';
import { planExact } from '../../../src/engine/patching/exactPlan';
import { planChunks } from '../../../src/engine/patching/plan';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { CircuitError } from '../../../src/shared/errors';
import { DIRECTIONS, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import type { PatchCell, PatchResult, Progress } from '../../../src/shared/results';
import { HEAD_EVERY, SITE_NAMES, SITES } from '../../../src/shared/sites';
import { hashCheckpoint } from '../../fixtures/hashCheckpoint';
import { everyLookATenth, expectedValues, loadParams, relativeError, remove, writeHashModel, WASM_FOLDER } from './support';

describe('exact patching behaviour', function () {
  let engine: LocalEngine;
  let folder: string;
  let free = Infinity;
  let layers: number;
  let heads: number;

  before(async () => {
    const { checkpoint } = await expectedValues('four-layers');
    ({ n_layer: layers, n_head: heads } = hashCheckpoint(checkpoint).config);
    folder = await writeHashModel(checkpoint);
    engine = new LocalEngine({ wasmFolder: WASM_FOLDER, freeMemory: () => free });
    await engine.load(loadParams(folder));
  });
  after(async () => {
    await engine.dispose();
    await remove(folder);
  });

  const LENGTH = 8;
  const CHANGED = 3;
  const pair = (seed: number): TokenPair => {
    const clean = Array.from({ length: LENGTH }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 300);
    return { clean, corrupted: clean.map((token, i) => (i === CHANGED ? (token + 7 + seed) % 300 : token)), correct: [(seed * 7 + 20) % 300], incorrect: [(seed * 7 + 61) % 300] };
  };
  const experiment = (count: number, change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs: Array.from({ length: count }, (_, seed) => pair(seed)), ...change });
  const sweep = (): PatchCell[] => HEAD_EVERY.flatMap((site) => Array.from({ length: layers * heads }, (_, i): PatchCell => ({ site, layer: Math.floor(i / heads), head: i % heads })));
  const byPosition = (): PatchCell[] => sweep().flatMap((cell) => Array.from({ length: LENGTH }, (_, position) => ({ ...cell, group: 0, position })));

  describe('invariants', () => {
    it('the stream of any layer at all positions carries the whole difference', async () => {
      for (const direction of DIRECTIONS) {
        const cells = [...Array.from({ length: layers }, (_, layer): PatchCell => ({ site: 'resid_pre', layer })), { site: 'embed' } as const, { site: 'resid_post', layer: layers - 1 } as const];
        const { effects, metric } = await engine.patch({ experiment: experiment(3, { direction }), cells });
        cells.forEach((cell, i) => {
          metric.clean.forEach((clean, own) => {
            const difference = clean - metric.corrupted![own]!;
            assert.ok(Math.abs(effects[i * 3 + own]! - difference) < 1e-5 * Math.abs(clean), `${JSON.stringify(cell)}, ${direction}`);
          });
        });
      }
    });

    it('the stream before layer 0 at the only changed position too, and at every other position exactly nothing', async () => {
      for (const site of ['resid_pre', 'embed'] as const) {
        const cells = Array.from({ length: LENGTH }, (_, position): PatchCell => ({ site, ...(site === 'resid_pre' && { layer: 0 }), group: 0, position }));
        const { effects, metric } = await engine.patch({ experiment: experiment(2), cells });
        for (let own = 0; own < 2; own++) {
          const normalised = cells.map((_, position) => effects[position * 2 + own]! / (metric.clean[own]! - metric.corrupted![own]!));
          assert.ok(Math.abs(normalised[CHANGED]! - 1) < 1e-5, String(normalised[CHANGED]));
          assert.deepEqual(normalised.map((value) => value === 0), cells.map((_, position) => position !== CHANGED));
        }
      }
    });

    it('other prompts that are the same have no effect', async () => {
      const pairs = [pair(1), pair(1)].map(({ corrupted: _, ...own }) => own);
      const { effects } = await engine.patch({ experiment: { metric: 'logitDiff', direction: 'noise', other: 'resample', pairs }, cells: sweep() });
      assert.ok(effects.every((effect) => effect === 0));
    });

    it('exactly 0 before the first difference, and in the last layer where nothing is read', async () => {
      const cells = SITE_NAMES.flatMap((site) => Array.from({ length: layers * LENGTH }, (_, i): PatchCell => ({ site, ...(SITES[site].axes.includes('layer') && { layer: Math.floor(i / LENGTH) }), group: 0, position: i % LENGTH })));
      const { effects } = await engine.patch({ experiment: experiment(1), cells });
      cells.forEach(({ site, layer = 0, position }, i) => {
        const read = layer < layers - 1 || ['resid_pre', 'k', 'v'].includes(site) || position === LENGTH - 1;
        const differs = (position as number) >= CHANGED && !(layer === 0 && (site === 'embed' || site === 'resid_pre' || site === 'q' || site === 'k' || site === 'v') && position !== CHANGED);
        if (!(position as number >= CHANGED && read)) assert.equal(effects[i], 0, JSON.stringify(cells[i]));
        else if (differs) assert.notEqual(effects[i], 0, JSON.stringify(cells[i]));
      });
    });
  });

  describe('shortcuts change nothing', () => {
    const same = (one: PatchResult, other: PatchResult, what: string): void => {
      assert.ok(relativeError(one.effects, other.effects) < 2e-5, `${what}: ${relativeError(one.effects, other.effects)}`);
      assert.deepEqual(one.cells, other.cells);
    };

    it('running the suffix only, or the whole', async () => {
      // The mean over one prompt is the prompt's own: nothing is replaced, but the base run may differ from position 0 on.
      const whole = { interventions: [{ unit: { site: 'resid_pre', layer: 0, position: 0 }, with: 'mean' } as const] };
      for (const direction of ['noise'] as const) {
        const cells = [...sweep(), { site: 'resid_mid', layer: 1 } as const, { site: 'mlp_post', layer: 2, neuron: 5 } as const];
        const [suffix, all] = [await engine.patch({ experiment: experiment(1, { direction }), cells }), await engine.patch({ experiment: experiment(1, { direction, variant: whole }), cells })];
        same(suffix, all, direction);
      }
    });

    it('many cells at once, one at a time, and with so little memory that the prompts are run for each layer', async () => {
      const cells = byPosition().filter((_, i) => i % 7 === 0);
      const together = await engine.patch({ experiment: experiment(3), cells });
      const { model } = await loadWeights(await openCheckpoint(folder), new Work());
      try {
        const poor = planExact(planChunks(experiment(3), model.config), cells, model.config, 1e5);
        assert.deepEqual([poor.keeps, poor.blocks.length], [false, layers]);
        const layerByLayer = await patchExactly(model, poor, new Work());
        same({ ...together, ...layerByLayer }, together, 'little memory');
        for (const side of ['clean', 'corrupted'] as const) assert.ok(relativeError(layerByLayer.metric[side]!, together.metric[side]!) < 1e-6, `the metric does not grow with the runs: ${layerByLayer.metric[side]!.join()}`);
      } finally {
        disposeWeights(model);
      }
      for (const [i, cell] of cells.slice(0, 40).entries()) {
        const alone = await engine.patch({ experiment: experiment(3), cells: [cell] });
        alone.effects.forEach((effect, own) => assert.ok(Math.abs(effect - together.effects[i * 3 + own]!) < 2e-5, JSON.stringify(cell)));
      }
      assert.deepEqual((await engine.patch({ experiment: experiment(3), cells })).effects, together.effects, 'the same bytes twice');
    });

    it('what only concerns gradients', async () => {
      const cells = sweep().slice(0, 20);
      const plain = await engine.patch({ experiment: experiment(1), cells });
      const variant = { freezeLayerNorm: true, bothGradients: true, qkFix: true, gradDrop: true, integrated: { steps: 3, rule: 'left' as const }, stopGradient: [{ site: 'z' as const, layer: 0 }] };
      assert.deepEqual((await engine.patch({ experiment: experiment(1, { variant }), cells })).effects, plain.effects);
    });
  });

  it('takes KL when noising, which attribution refuses, and no cells at all', async () => {
    const { effects } = await engine.patch({ experiment: experiment(1, { metric: 'kl', direction: 'noise' }), cells: sweep() });
    assert.ok(effects.every((effect) => effect >= -1e-6) && effects.some((effect) => effect > 1e-3), 'every patch moves away from the clean distribution');
    const none = await engine.patch({ experiment: experiment(2), cells: [] });
    assert.deepEqual([none.effects.length, none.metric.clean.length], [0, 2]);
  });

  it('hands over every cell once while it runs, often, with progress that grows to the end', async () => {
    const cells = Array.from({ length: 5 }, byPosition).flat();
    const seen = new Map<PatchCell, Float32Array>();
    const fractions: number[] = [];
    let deliveries = 0;
    const onProgress = ({ fraction, measured }: Progress): void => {
      fractions.push(fraction);
      if (!measured) return;
      deliveries++;
      assert.equal(measured.effects.length, measured.cells.length * 3);
      measured.cells.forEach((cell, i) => {
        assert.ok(!seen.has(cell), 'handed over twice');
        seen.set(cell, measured.effects.slice(i * 3, i * 3 + 3));
      });
    };
    const result = await engine.patch({ experiment: experiment(3), cells }, { now: everyLookATenth(), onProgress });
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
    assert.ok(fractions.at(-1)! > 0.95 && fractions.some((fraction) => fraction > 0.2 && fraction < 0.8));
    assert.equal(seen.size, cells.length);
    cells.forEach((cell, i) => assert.deepEqual(seen.get(cell), result.effects.slice(i * 3, i * 3 + 3)));
    assert.ok(deliveries > 3, `${deliveries} deliveries`);
  });

  it('hands over all at the end where no time goes by', async () => {
    let deliveries = 0;
    await engine.patch({ experiment: experiment(2), cells: byPosition() }, { now: () => 0, onProgress: ({ measured }) => void (deliveries += measured ? 1 : 0) });
    assert.equal(deliveries, 1);
  });

  it('stops when it is cancelled, has delivered what it measured, and serves the next call', async () => {
    const abort = new AbortController();
    let measured = 0;
    const onProgress = (progress: Progress): void => {
      measured += progress.measured?.cells.length ?? 0;
      if (measured > 0) abort.abort();
    };
    const cells = [...byPosition(), ...byPosition(), ...byPosition()];
    await assert.rejects(engine.patch({ experiment: experiment(4), cells }, { now: everyLookATenth(), signal: abort.signal, onProgress }), (error) => CircuitError.is(error, 'cancelled'));
    assert.ok(measured > 0 && measured < cells.length);
    assert.equal((await engine.patch({ experiment: experiment(1), cells: [{ site: 'z', layer: 0 }] })).effects.length, 1);
  });

  it('allocates nothing that stays over twenty runs, whether they end, fail or are cancelled', async () => {
    const cells = byPosition().slice(0, 200);
    const interventions = [{ unit: { site: 'z', layer: 1 }, with: 'mean' } as const];
    const runs: (() => Promise<unknown>)[] = [
      () => engine.patch({ experiment: experiment(3), cells }),
      () => engine.patch({ experiment: experiment(3, { direction: 'noise', other: 'mean', metric: 'kl' }), cells: cells.slice(0, 30) }),
      () => engine.patch({ experiment: experiment(2, { variant: { interventions }, metric: { activation: 'attention', layer: 3, head: 0 }, pairs: [0, 1].map((seed) => ({ ...pair(seed), source: 2 })) }), cells: cells.slice(0, 30) }),
      () => assert.rejects(engine.patch({ experiment: experiment(3), cells: [{ site: 'z' }] })),
    ];
    for (const run of runs) await run();
    const before = { ...tf.memory() };
    for (let i = 0; i < 20; i++) await runs[i % runs.length]!();
    let polls = 0;
    const looked = { experiment: experiment(3, { metric: 'prob' }), cells };
    await engine.patch(looked, { isCancelled: () => ++polls < 0 });
    for (let tenth = 0; tenth < 10; tenth++) {
      let left = Math.floor((tenth * polls) / 10);
      await assert.rejects(engine.patch(looked, { isCancelled: () => --left < 0 }), (error) => CircuitError.is(error, 'cancelled'));
    }
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numBytes, before.numBytes);
  });

  it('refuses beforehand what does not fit, saying what would', async () => {
    free = -1e12;
    try {
      await assert.rejects(engine.patch({ experiment: experiment(1), cells: sweep() }), (error) => CircuitError.is(error, 'too-big') && /Pair 1 differs over 5 tokens and needs about 1 MB, but 0 MB are free/.test(error.message));
    } finally {
      free = Infinity;
    }
    await engine.patch({ experiment: experiment(1), cells: [] });
  });

  it('reports weights that overflow instead of returning NaN', async () => {
    const huge = await writeHashModel((await expectedValues('four-layers')).checkpoint, (_, tensors) => tensors.get('h.0.mlp.c_proj.weight')!.data.fill(3e38));
    await engine.load(loadParams(huge));
    const onProgress = ({ measured }: Progress): void => assert.ok(!measured?.effects.some((effect) => !Number.isFinite(effect)), 'nothing infinite is handed over');
    await assert.rejects(engine.patch({ experiment: experiment(1), cells: sweep().slice(0, 5) }, { onProgress }), (error) => CircuitError.is(error, 'model-invalid'));
    await engine.load(loadParams(folder));
    await remove(huge);
  });
});
