import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { backward } from '../../../src/engine/model/backward';
import { openCheckpoint } from '../../../src/engine/model/checkpoint';
import { disposeKeyValues, disposeRun, forward, keysAndValues, type Batch, type ForwardOptions, type ForwardRun, type KeyValues } from '../../../src/engine/model/forward';
import type { SiteTensors } from '../../../src/engine/model/sites';
import { disposeWeights, loadWeights, type Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { expectedValues, relativeError, remove, WASM_FOLDER, writeHashModel } from './support';

const work = new Work();

describe('forward and backward pass', function () {
  let folder: string;
  let model: Gpt2;
  let long: Gpt2;

  const load = async (where: string): Promise<Gpt2> => (await loadWeights(await openCheckpoint(where), work)).model;

  before(async () => {
    const { checkpoint } = await expectedValues('tiny-odd');
    // The plain backend sums in double precision: finite differences are sharper there.
    await startBackend({ choice: 'cpu', threads: 1, wasmFolder: WASM_FOLDER });
    folder = await writeHashModel(checkpoint);
    model = await load(folder);
    await remove(folder);
    folder = await writeHashModel({ ...checkpoint, layers: 2, context: 70 });
    long = await load(folder);
    await remove(folder);
  });
  after(() => {
    disposeWeights(model);
    disposeWeights(long);
    stopBackend();
  });

  const noise = (size: number, seed: number): Float32Array => Float32Array.from({ length: size }, (_, i) => ((Math.imul(i + 1, 2_654_435_761) ^ Math.imul(seed, 40_503)) >>> 9) / 2 ** 22 - 1);
  const sequences = (count: number, length: number): number[][] => Array.from({ length: count }, (_, row) => Array.from({ length }, (__, i) => (row * 37 + i * i * 7 + i * 3) % 101));

  /** Runs with sequences whose first `start` positions are a prefix. */
  async function withRun(own: Gpt2, whole: readonly number[][], start: number, use: (batch: Batch) => Promise<void>): Promise<void> {
    let past: KeyValues[] | undefined;
    if (start > 0) past = await keysAndValues(own, whole.map((tokens) => tokens.slice(0, start)), work);
    try {
      await use({ tokens: whole.map((tokens) => tokens.slice(start)), start, past });
    } finally {
      if (past) disposeKeyValues(past);
    }
  }

  async function run(own: Gpt2, batch: Batch, options: Partial<ForwardOptions>): Promise<ForwardRun> {
    return forward(own, batch, { sites: [], record: false, ...options }, work);
  }

  const read = (tensors: SiteTensors): Map<SiteName, Float32Array> => new Map(Object.entries(tensors).map(([site, tensor]) => [site as SiteName, tensor.dataSync<'float32'>().slice()]));

  for (const [what, pick, length, start, tail, batchSize] of [
    ['short prompts, one trailing position', () => model, 6, 0, 1, 2],
    ['a prefix and three trailing positions', () => model, 8, 3, 3, 2],
    ['all positions in the last block', () => model, 5, 1, 4, 1],
    ['heads one by one', () => long, 66, 0, 64, 1],
  ] as const) {
    it(`gradient of every site is the metric's slope along a change of it: ${what}`, async () => {
      const own = pick();
      await withRun(own, sequences(batchSize, length), start, async (batch) => {
        const gradients: Map<SiteName, Float32Array>[] = [];
        const recorded = await run(own, batch, { record: true, tail, sites: SITE_NAMES });
        const shapes = recorded.layers.map(({ sites }) => Object.fromEntries(Object.entries(sites).map(([site, { shape }]) => [site, shape])));
        const weights = noise(recorded.last.size, 9);
        const final = tf.tensor2d(weights, recorded.last.shape);
        // A metric that is not linear in the last stream would only test this line: M = Σ weights · last.
        const metric = ({ last }: ForwardRun): number => last.dataSync<'float32'>().reduce((sum, value, i) => sum + value * weights[i]!, 0);
        await backward(own, recorded, { final, wanted: SITE_NAMES }, (layer, tensors) => {
          gradients[layer] = read(tensors);
          for (const [site, tensor] of Object.entries(tensors)) assert.deepEqual(tensor.shape, site === 'embed' ? recorded.embed!.shape : shapes[layer]![site], `${site}, layer ${layer}`);
        }, work);
        final.dispose();
        for (const site of SITE_NAMES) {
          for (let layer = 0; layer < (site === 'embed' ? 1 : own.config.layers); layer++) {
            const gradient = gradients[layer]!.get(site)!;
            const direction = noise(gradient.length, layer + 1);
            const norm = Math.hypot(...direction);
            const change = direction.map((value) => value / norm);
            const expected = gradient.reduce((sum, value, i) => sum + value * change[i]!, 0);
            const size = Math.hypot(...gradient) / Math.sqrt(gradient.length);
            const moved = async (step: number): Promise<number> => {
              const edit = (name: SiteName, where: number) => (name === site && where === layer ? (x: tf.Tensor) => tf.add(x, tf.mul(tf.tensor(change, x.shape), step)) : undefined);
              const patched = await run(own, batch, { tail, edit });
              const value = metric(patched);
              disposeRun(patched);
              return value;
            };
            const across = async (step: number): Promise<number> => ((await moved(step)) - (await moved(-step))) / (2 * step);
            const slope = (4 * (await across(0.03)) - (await across(0.06))) / 3;
            assert.ok(Math.abs(slope - expected) <= 2e-3 * size, `${site}, layer ${layer}: slope ${slope}, gradient ${expected}, of size ${size}`);
          }
        }
        disposeRun(recorded);
      });
    });
  }

  it('from a layer on equals the whole, also with edits above it', async () => {
    await withRun(model, sequences(2, 7), 2, async (batch) => {
      const edit = (site: SiteName, layer: number) => (site === 'pattern' && layer === 2 ? (x: tf.Tensor) => tf.mul(x, 0.5) : undefined);
      const whole = await run(model, batch, { tail: 2, sites: SITE_NAMES, edit });
      for (let layer = 0; layer < model.config.layers; layer++) {
        const x = whole.layers[layer]!.sites.resid_pre as tf.Tensor2D;
        const part = await run(model, batch, { tail: 2, sites: ['z', 'resid_pre'], edit, from: { layer, x } });
        assert.deepEqual(part.last.dataSync(), whole.last.dataSync());
        assert.deepEqual(part.layers.at(-1)!.sites.z!.dataSync(), whole.layers.at(-1)!.sites.z!.dataSync());
        assert.deepEqual(part.layers.map(({ sites }) => Object.keys(sites).length), [0, 1, 2].map((own) => (own < layer ? 0 : 2)));
        assert.ok(!x.isDisposed);
        disposeRun(part);
      }
      disposeRun(whole);
    });
  });

  it('captures what flows on, and an edited prefix-free suffix equals the whole prompt', async () => {
    const whole = sequences(1, 8);
    await withRun(model, whole, 0, async (all) => {
      await withRun(model, whole, 4, async (suffix) => {
        const [one, other] = [await run(model, all, { sites: SITE_NAMES, tail: 3 }), await run(model, suffix, { sites: SITE_NAMES, tail: 3 })];
        for (const [layer, { sites }] of one.layers.entries()) {
          for (const [site, tensor] of Object.entries(sites) as [SiteName, tf.Tensor][]) {
            const own = other.layers[layer]!.sites[site]!;
            const attention = tensor.shape.length === 4;
            const positions = own.shape[attention ? 2 : 0]!;
            const kept = attention
              ? tf.slice(tensor, [0, 0, tensor.shape[2]! - positions, 0], own.shape)
              : tf.slice(tensor, [tensor.shape[0]! - positions, 0], own.shape);
            assert.ok(relativeError(own.dataSync(), kept.dataSync()) < 1e-5, `${site}, layer ${layer}`);
            kept.dispose();
          }
        }
        disposeRun(one);
        disposeRun(other);
      });
    });
  });

  it('frozen LayerNorms and patterns, masks and injected gradients do what they say', async () => {
    await withRun(model, sequences(1, 6), 0, async (batch) => {
      const recorded = await run(model, batch, { record: true, sites: ['z', 'mlp_post', 'resid_pre'] });
      const final = tf.tensor2d(noise(recorded.last.size, 3), recorded.last.shape);
      const gradientsWith = async (options: Partial<Parameters<typeof backward>[2]>): Promise<Map<SiteName, Float32Array>[]> => {
        const found: Map<SiteName, Float32Array>[] = [];
        await backward(model, recorded, { final, wanted: SITE_NAMES, keepRecord: true, ...options }, (layer, tensors) => void (found[layer] = read(tensors)), work);
        return found;
      };
      const plain = await gradientsWith({});
      assert.deepEqual((await gradientsWith({})).map((own) => own.get('z')), plain.map((own) => own.get('z')), 'the record survives');

      const frozen = await gradientsWith({ freezePattern: true });
      for (const site of ['q', 'k', 'scores'] as const) assert.ok(frozen.every((own) => own.get(site)!.every((value) => value === 0)), site);
      assert.ok(relativeError(frozen[0]!.get('resid_pre')!, plain[0]!.get('resid_pre')!) > 1e-3);
      const steady = await gradientsWith({ freezeLayerNorm: true });
      assert.ok(relativeError(steady[0]!.get('resid_pre')!, plain[0]!.get('resid_pre')!) > 1e-3);

      // Stopping every way out of a layer but the residual stream leaves the gradient as it is.
      const stopped = await gradientsWith({ mask: (site, layer) => (layer === 1 && (site === 'attn_out' || site === 'mlp_out') ? tf.zerosLike : undefined) });
      assert.ok(relativeError(stopped[1]!.get('resid_pre')!, plain[1]!.get('resid_post')!) < 1e-6);
      assert.deepEqual(stopped[1]!.get('mlp_out'), plain[1]!.get('mlp_out'), 'visited before the mask');

      const gradient = tf.tensor(noise(recorded.layers[1]!.sites.z!.size, 5), recorded.layers[1]!.sites.z!.shape);
      const injected = await gradientsWith({ final: undefined, inject: [{ site: 'z', layer: 1, gradient }] });
      assert.equal(injected[2], undefined);
      assert.deepEqual(injected[1]!.get('z'), gradient.dataSync<'float32'>());
      assert.ok(injected[1]!.get('mlp_out')!.every((value) => value === 0));
      assert.ok(injected[0]!.get('embed')!.some((value) => value !== 0));
      gradient.dispose();
      final.dispose();
      disposeRun(recorded);
    });
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await withRun(model, sequences(2, 7), 2, async (batch) => {
      const edit = (site: SiteName) => (site === 'scores' || site === 'resid_post' || site === 'v' ? (x: tf.Tensor) => tf.mul(x, 0.9) : undefined);
      const recorded = await run(model, batch, { record: true, tail: 2, sites: SITE_NAMES, edit });
      const final = tf.ones<tf.Rank.R2>([4, model.config.dModel]);
      await backward(model, recorded, { final, wanted: SITE_NAMES }, () => undefined, work);
      final.dispose();
      disposeRun(recorded);
    });
    assert.equal(tf.memory().numTensors, before);
  });
});
