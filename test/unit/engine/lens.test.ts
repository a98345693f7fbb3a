import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { lens, lensWork } from '../../../src/engine/patching/lens';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import { plainMetric, plainRun, type PlainModel } from './exactOracle';
import { withModel } from './loaded';
import { relativeError } from './support';

describe('logit lens and direct logit attribution', function () {
  let model: Gpt2;
  let plain: PlainModel;
  withModel('two-layers', (...loaded) => ([model, plain] = loaded));

  const prompt = (seed: number, length: number): number[] => Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 211);
  const PAIRS: TokenPair[] = [
    { clean: prompt(1, 7), corrupted: prompt(9, 7), correct: [5], incorrect: [8] },
    { clean: prompt(2, 9), corrupted: prompt(3, 9), correct: [5, 200, 5], incorrect: [17, 8], at: 4 },
    { clean: prompt(4, 7), corrupted: prompt(6, 7), correct: [99], incorrect: [3], at: 5 },
    { clean: prompt(5, 1), corrupted: prompt(8, 1), correct: [99], incorrect: [3] },
    { clean: prompt(7, 9), corrupted: prompt(2, 6), correct: [1], incorrect: [2] },
  ];
  const experiment = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', align: 'end', pairs: PAIRS, ...change });

  for (const side of ['clean', 'corrupted'] as const) {
    it(`heads, MLPs, embeddings and biases add up to the logit difference of the ${side} prompts`, async () => {
      const { arrays } = await lens(model, experiment(), new Work());
      const row = (name: string, pair: number): Float32Array => {
        const { data, shape } = arrayNamed(arrays, `${side}.${name}`);
        const width = data.length / shape[0]!;
        return data.subarray(pair * width, (pair + 1) * width);
      };
      PAIRS.forEach((pair, index) => {
        const run = plainRun(plain, pair[side]!);
        const metric = plainMetric(plain, experiment(), pair, run, pair[side]!, run);
        const sum = ['heads', 'mlp', 'embed', 'position', 'bias'].flatMap((name) => [...row(name, index)]).reduce((total, value) => total + value, 0);
        const size = Math.max(...row('heads', index).map(Math.abs), Math.abs(metric));
        assert.ok(Math.abs(sum - metric) < 2e-6 * size, `${sum} for ${metric}`);
        assert.ok(Math.abs(row('lens', index).at(-1)! - metric) < 2e-6 * size);
        // Each depth adds what its block writes.
        const depths = row('lens', index);
        const { layers, heads } = model.config;
        for (let layer = 0; layer < layers; layer++) assert.ok(Math.abs(depths[2 * layer + 2]! - depths[2 * layer + 1]! - row('mlp', index)[layer]!) < 5e-6 * size);
        // A head or MLP alone is the metric directLogit.
        for (let layer = 0; layer < layers; layer++) {
          for (const head of [undefined, 0, heads - 1]) {
            const expected = plainMetric(plain, { ...experiment(), metric: { activation: 'directLogit', layer, head } }, pair, run, pair[side]!, run);
            const value = head === undefined ? row('mlp', index)[layer]! : row('heads', index)[layer * heads + head]!;
            assert.ok(Math.abs(value - expected) < 2e-6 * size, `layer ${layer}, head ${head}: ${value} for ${expected}`);
          }
        }
      });
    });
  }

  it('equals each pair by itself, in any company', async () => {
    const together = await lens(model, experiment(), new Work());
    for (const [index, pair] of PAIRS.entries()) {
      const alone = await lens(model, experiment({ pairs: [pair] }), new Work());
      for (const name of Object.keys(alone.arrays.entries)) {
        const { data } = arrayNamed(alone.arrays, name);
        assert.ok(relativeError(arrayNamed(together.arrays, name).data.subarray(index * data.length, (index + 1) * data.length), data) < 1e-5, name);
      }
    }
  });

  it('names its arrays and axes, and reads a continuation by its first token', async () => {
    const pairs = PAIRS.slice(0, 1);
    const { arrays } = await lens(model, experiment({ pairs }), new Work());
    assert.deepEqual(Object.entries(arrays.entries).map(([name, { axes, shape }]) => [name, axes.join(), shape.join()]).slice(0, 6), [
      ['clean.lens', 'pair,depth', '1,5'],
      ['clean.heads', 'pair,layer,head', '1,2,5'],
      ['clean.mlp', 'pair,layer', '1,2'],
      ['clean.embed', 'pair', '1'],
      ['clean.position', 'pair', '1'],
      ['clean.bias', 'pair', '1'],
    ]);
    const continued = await lens(model, experiment({ metric: 'continuation', pairs: [{ ...pairs[0]!, correct: [5, 7, 9], incorrect: [8, 0] }] }), new Work());
    assert.deepEqual(continued.arrays.data, arrays.data);
    const ablated = await lens(model, experiment({ other: 'zero', direction: 'noise', pairs: [{ ...pairs[0]!, corrupted: undefined }] }), new Work());
    assert.deepEqual(Object.keys(ablated.arrays.entries).length, 6);
  });

  it('refuses pairs without answers, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await assert.rejects(lens(model, experiment({ metric: 'kl', pairs: [{ ...PAIRS[0]!, incorrect: [] }] }), new Work()), (error) => CircuitError.is(error, 'experiment') && /Pair 1 has no incorrect answer/.test(error.message));
    const work = new Work();
    let done = 0;
    work.advance = (amount) => (done += amount);
    await lens(model, experiment(), work);
    assert.equal(done, lensWork(model, experiment()), 'the planned work is the work done');
    let polls = 0;
    await assert.rejects(lens(model, experiment(), new Work({ isCancelled: () => ++polls > 20 })), (error) => CircuitError.is(error, 'cancelled'));
    assert.equal(tf.memory().numTensors, before);
  });
});
