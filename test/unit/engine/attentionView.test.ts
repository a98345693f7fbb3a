import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { attention, attentionWork } from '../../../src/engine/patching/attention';
import { attribute } from '../../../src/engine/patching/attribution';
import { planChunks } from '../../../src/engine/patching/plan';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenExperiment } from '../../../src/shared/experiment';
import type { AttentionResult } from '../../../src/shared/results';
import { plainMetric, plainRun, type PlainModel, type PlainRun } from './exactOracle';
import { withModel } from './loaded';
import { examplePair, examplePrompt, relativeError } from './support';

describe('attention cell by cell', function () {
  let model: Gpt2;
  let plain: PlainModel;
  withModel('tiny-odd', (...loaded) => ([model, plain] = loaded));

  const PAIRS = [examplePair(1, 7, 3), examplePair(2, 9, 2), examplePair(3, 7, 5), examplePair(4, 9, 4)];
  const experiment = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs: PAIRS, ...change });
  const view = (own: TokenExperiment, index: number, layer: number, heads = [0, 1, 2], work = new Work()): Promise<AttentionResult> =>
    attention(model, planChunks(own, model.config), { pair: index, layer, heads }, work);

  const CASES: [string, Partial<TokenExperiment>][] = [
    ['denoising', {}],
    ['noising', { direction: 'noise' }],
    ['a metric of many positions', { metric: 'promptLogProb' }],
    ['a metric at an inner position', { pairs: PAIRS.map((own) => ({ ...own, at: 5 })) }],
    ['a metric that is an activation', { metric: { activation: 'neuron', layer: 2, neuron: 3 } }],
    ['continuations', { metric: 'continuation', pairs: PAIRS.map((own, i) => ({ ...own, correct: [1, 2, 3].slice(0, 1 + (i % 3)), incorrect: i === 1 ? [] : [4, 5] })) }],
    ['ablation by zero', { direction: 'noise', other: 'zero' }],
    ['ablation by the mean', { direction: 'noise', other: 'mean' }],
    ['resampling', { direction: 'noise', other: 'resample' }],
    ['frozen LayerNorm', { variant: { freezeLayerNorm: true } }],
    ['frozen patterns', { variant: { freezePattern: true } }],
    ['integrated gradients', { variant: { integrated: { steps: 3, rule: 'midpoint' } } }],
    ['both gradients', { variant: { bothGradients: true } }],
    ['a stopped gradient', { variant: { stopGradient: [{ site: 'z', layer: 1, head: 0 }] } }],
    ['interventions', { variant: { interventions: [{ unit: { site: 'z', layer: 0, head: 1 }, with: 'corrupted' }, { unit: { site: 'mlp_out', layer: 1, position: 2 }, with: 'zero' }] } }],
  ];
  for (const [what, change] of CASES) {
    it(`a row's cells add up to the attribution of the pattern: ${what}`, async () => {
      const own = experiment(change);
      const plan = planChunks(own, model.config);
      const result = await attribute(model, plan, ['pattern'], new Work());
      for (const index of [1, 2]) {
        const group = result.groups.findIndex(({ pairs }) => pairs.includes(index));
        const { data, shape } = arrayNamed(result.arrays, `group${group}.pattern`);
        const [, layers, positions, heads] = shape as [number, number, number, number];
        const row = result.groups[group]!.pairs.indexOf(index);
        const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        assert.ok(largest > 1e-4);
        for (let layer = 0; layer < layers; layer++) {
          const found = await view(own, index, layer);
          const cells = arrayNamed(found.arrays, 'attribution');
          assert.deepEqual(cells.shape, [heads, positions, positions]);
          for (let head = 0; head < heads; head++) {
            for (let position = 0; position < positions; position++) {
              const start = (head * positions + position) * positions;
              const sum = cells.data.subarray(start, start + positions).reduce((total, value) => total + value, 0);
              const expected = data[((row * layers + layer) * positions + position) * heads + head]!;
              assert.ok(Math.abs(sum - expected) < 3e-5 * largest, `pair ${index}, layer ${layer}, head ${head}, position ${position}: ${sum} for ${expected}`);
            }
          }
          assert.equal('base' in found.arrays.entries, what === 'interventions');
          assert.equal('other' in found.arrays.entries, what !== 'ablation by zero');
        }
      }
    });
  }

  it('shows the patterns of the runs, the heads asked for in that order', async () => {
    const own = experiment({ metric: 'continuation', variant: { interventions: [{ unit: { site: 'scores', layer: 1, head: 0, position: -1, source: 2 }, with: 'zero' }] } });
    const { clean, corrupted } = PAIRS[1]!;
    const found = await view(own, 1, 1, [2, 0]);
    assert.deepEqual(found.heads, [2, 0]);
    const patterns = (run: PlainRun): number[] => [2, 0].flatMap((head) => (run.sites.get('pattern.1') as number[][][])[head]!.flat());
    const last = clean.length - 1;
    const edited = plainRun(plain, corrupted!, (site, layer, value) => {
      if (site === 'scores' && layer === 1) (value as number[][][])[0]![last]![2] = 0;
    });
    for (const [name, run] of [['clean', plainRun(plain, clean)], ['other', plainRun(plain, corrupted!)], ['base', edited]] as const) {
      assert.ok(relativeError(arrayNamed(found.arrays, name).data, patterns(run)) < 1e-5, name);
    }
    assert.ok(relativeError(arrayNamed(found.arrays, 'base').data, arrayNamed(found.arrays, 'other').data) > 1e-3);
    const mean = await view(experiment({ direction: 'noise', other: 'mean' }), 1, 2);
    const [one, two] = [1, 3].map((index) => (plainRun(plain, PAIRS[index]!.clean).sites.get('pattern.2') as number[][][]).flat(2)) as [number[], number[]];
    assert.ok(relativeError(arrayNamed(mean.arrays, 'other').data, one.map((value, i) => (value + two[i]!) / 2)) < 1e-5);
    const next = await view(experiment({ direction: 'noise', other: 'resample' }), 1, 2);
    assert.ok(relativeError(arrayNamed(next.arrays, 'other').data, two) < 1e-5);
  });

  it('a cell is the slope of the metric along its own change', async () => {
    const own = experiment();
    const { clean, corrupted } = PAIRS[1]!;
    const cells = arrayNamed((await view(own, 1, 1)).arrays, 'attribution');
    const cleanRun = plainRun(plain, clean);
    const [base, other] = [plainRun(plain, corrupted!), cleanRun].map((run) => run.sites.get('pattern.1') as number[][][]) as [number[][][], number[][][]];
    const largest = cells.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [head, dest, src] of [[0, 8, 2], [1, 5, 0], [2, 3, 3], [0, 2, 2]] as const) {
      const moved = (step: number): number => {
        const run = plainRun(plain, corrupted!, (site, layer, value) => {
          if (site === 'pattern' && layer === 1) (value as number[][][])[head]![dest]![src]! += step * (other[head]![dest]![src]! - base[head]![dest]![src]!);
        });
        return plainMetric(plain, own, PAIRS[1]!, run, corrupted!, cleanRun);
      };
      const slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
      const value = cells.data[(head * clean.length + dest) * clean.length + src]!;
      assert.ok(Math.abs(slope - value) < 1e-4 * largest, `head ${head}, ${dest} from ${src}: ${value} for ${slope}`);
    }
  });

  it('refuses what is not there, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const refused = (own: TokenExperiment, index: number, layer: number, heads: number[], message: RegExp): Promise<void> =>
      assert.rejects(view(own, index, layer, heads), (error) => CircuitError.is(error, 'experiment') && message.test(error.message));
    await refused(experiment(), 4, 0, [0], /no pair 4; the experiment has pairs 0 to 3/);
    await refused(experiment(), 0, 3, [0], /no layer 3/);
    await refused(experiment(), 0, 0, [3], /no head 3/);
    await refused(experiment(), 0, 0, [], /No head/);
    await refused(experiment({ metric: 'kl', direction: 'noise' }), 0, 0, [0], /zero at the clean run/);
    const unequal = experiment({ align: 'end', pairs: [PAIRS[0]!, { ...PAIRS[1]!, corrupted: examplePrompt(8, 5) }] });
    await refused(unequal, 1, 0, [0], /unequal token counts/);
    await view(unequal, 0, 0);
    for (const [, change] of CASES) await view(experiment(change), 1, 1);
    const own = experiment();
    const work = new Work({}, attentionWork(model, planChunks(own, model.config), 1));
    let done = 0;
    work.advance = (amount) => (done += amount);
    await view(own, 1, 1, [0], work);
    assert.equal(done, attentionWork(model, planChunks(own, model.config), 1), 'the planned work is the work done');
    let polls = 0;
    await assert.rejects(view(own, 1, 1, [0], new Work({ isCancelled: () => ++polls > 40 })), (error) => CircuitError.is(error, 'cancelled'));
    assert.equal(tf.memory().numTensors, before);
  });
});
