import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { linear, linearBackward } from '../../../src/engine/model/layers';
import { matrix } from '../../../src/engine/model/matrix';
import { Work } from '../../../src/engine/model/work';
import { arrayNamed } from '../../../src/shared/arrays';
import type { TokenPair, Variant } from '../../../src/shared/experiment';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { hashCheckpoint } from '../../fixtures/hashCheckpoint';
import { oracleAttribution, oracleLogits } from './oracle';
import { expectedValues, loadParams, relativeError, remove, siteError, WASM_FOLDER, writeHashModel } from './support';

/** Where attention goes head by head, prefixes in pieces and matrices in blocks of rows. */
describe('engine on long prompts', function () {
  it('equals the plain oracle', async () => {
    const recipe = { ...(await expectedValues('tiny-odd')).checkpoint, name: 'long', layers: 2, context: 120 };
    const oracle = hashCheckpoint(recipe);
    const folder = await writeHashModel(recipe);
    const engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
    try {
      await engine.load(loadParams(folder));
      const made = (length: number, first: number, seed: number): TokenPair => {
        const clean = Array.from({ length }, (_, i) => (seed * 13 + i * i * 7 + i) % 101);
        return { clean, corrupted: clean.map((token, i) => (i === first || i === first + 9 ? (token + 50) % 101 : token)), correct: [seed], incorrect: [100 - seed] };
      };
      // 5 prefixes of 60 are run in two pieces; suffixes of 50 attend head by head; the last pair has no prefix at all.
      const pairs = [...[1, 2, 3, 4, 5].map((seed) => made(110, 60, seed)), made(66, 0, 6)];
      const result = await engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs }, sites: SITE_NAMES });
      for (const index of [0, 4, 5]) {
        const expected = oracleAttribution(oracle, pairs[index]!, 'denoise');
        const group = result.groups.findIndex((candidate) => candidate.pairs.includes(index));
        for (const site of SITE_NAMES) {
          const { data, shape } = arrayNamed(result.arrays, `group${group}.${site}`);
          const width = data.length / shape[0]!;
          const row = result.groups[group]!.pairs.indexOf(index);
          const error = siteError(data.subarray(row * width, (row + 1) * width), expected.sites, site);
          assert.ok(error < 2e-4, `pair ${index}, ${site}: ${error}`);
        }
      }
      // Where no pattern is looked at, none is held whole: another way through attention.
      const sites: SiteName[] = ['z', 'q', 'k', 'v', 'embed'];
      const lean = await engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs }, sites });
      const names = lean.groups.flatMap((_, group) => sites.map((site) => `group${group}.${site}`));
      for (const name of names) assert.ok(relativeError(arrayNamed(lean.arrays, name).data, arrayNamed(result.arrays, name).data) < 1e-4, name);
      const variants: Variant[] = [{ qkFix: true, freezeLayerNorm: true }, { freezePattern: true }, { interventions: [{ unit: { site: 'pattern', layer: 0, head: 1, position: -1 }, with: 'zero' }] }];
      for (const own of variants) {
        const changed = await engine.attribute({ experiment: { metric: 'logitDiff', direction: 'noise', variant: own, pairs: [pairs[5]!] }, sites: SITE_NAMES });
        const expected = oracleAttribution(oracle, pairs[5]!, { direction: 'noise', variant: own });
        for (const site of SITE_NAMES) {
          const error = siteError(arrayNamed(changed.arrays, `group0.${site}`).data, expected.sites, site);
          assert.ok(error < 2e-4, `${JSON.stringify(own)}, ${site}: ${error}`);
        }
      }
      const [logits] = await engine.logits({ prompts: [pairs[0]!.clean] });
      assert.ok(relativeError(logits!, oracleLogits(oracle, pairs[0]!.clean).subarray(-101)) < 5e-5);
    } finally {
      await engine.dispose();
      await remove(folder);
    }
  });

  it('multiplies in blocks of rows, asking between them whether to go on', async () => {
    await startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: WASM_FOLDER });
    try {
      tf.tidy(() => {
        const values = (count: number, seed: number): Float32Array => Float32Array.from({ length: count }, (_, i) => (((i + seed) * 2_654_435_761) % 1009) / 1009 - 0.5);
        const plain = tf.tensor2d(values(2500 * 2500, 1), [2500, 2500]);
        const weight = matrix(plain.clone());
        const bias = tf.tensor1d(values(2500, 2));
        const x = tf.tensor2d(values(150 * 2500, 3), [150, 2500]);
        let polls = 0;
        const work = new Work({ isCancelled: () => ++polls < 0 });
        const rows = (result: tf.Tensor2D): Float32Array[] => [0, 63, 64, 127, 128, 149].map((row) => result.dataSync<'float32'>().slice(row * 2500, (row + 1) * 2500));
        const own = [linear(x, { weight, bias }, work), linearBackward(x, weight, work)].map(rows);
        assert.equal(polls, 4);
        const whole = [tf.add<tf.Tensor2D>(tf.matMul(x, plain), bias), tf.matMul<tf.Tensor2D>(x, tf.transpose(plain))].map(rows);
        own.flat().forEach((row, i) => assert.ok(relativeError(row, whole.flat()[i]!) < 1e-5));
        assert.throws(() => linear(x, { weight, bias }, new Work({ isCancelled: () => ++polls > 5 })), /Cancelled/);
      });
    } finally {
      stopBackend();
    }
  });
});
