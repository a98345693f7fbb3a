import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { openCheckpoint } from '../../../src/engine/model/checkpoint';
import { disposeRun, forward, type ForwardRun } from '../../../src/engine/model/forward';
import { logitsOf } from '../../../src/engine/model/logits';
import { disposeWeights, loadWeights, type Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { branchesOf } from '../../../src/engine/patching/continuation';
import { prepareMetric } from '../../../src/engine/patching/metric';
import { checkAttributable, checkMetric } from '../../../src/engine/patching/metricChecks';
import { metricTail } from '../../../src/engine/patching/metricPositions';
import type { MetricGradient, PreparedMetric } from '../../../src/engine/patching/preparedMetric';
import type { BackendName } from '../../../src/shared/results';
import { CircuitError } from '../../../src/shared/errors';
import type { ActivationMetric, LogitMetric, Metric, TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import { hashCheckpoint } from '../../fixtures/hashCheckpoint';
import { plainMetric, plainRun, type PlainModel, type PlainRun } from './exactOracle';
import { metricOfStream } from './plainMetrics';
import { expectedValues, relativeError, remove, WASM_FOLDER, writeHashModel } from './support';

const work = new Work();
const clean = (seed: number, length: number): number[] => Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 101);
const corrupt = (tokens: readonly number[], first: number): number[] => tokens.map((token, i) => (i === first ? (token + 7) % 101 : token));

const LENGTH = 8;
const PAIRS: TokenPair[] = [
  { clean: clean(1, LENGTH), corrupted: corrupt(clean(1, LENGTH), 3), correct: [9], incorrect: [71] },
  { clean: clean(2, LENGTH), corrupted: corrupt(clean(2, LENGTH), 2), correct: [3, 44, 3], incorrect: [8, 90] },
  { clean: clean(3, LENGTH), corrupted: corrupt(clean(3, LENGTH), 4), correct: [100, 0], incorrect: [50] },
];
const at = (position: number): TokenPair[] => PAIRS.map((pair) => ({ ...pair, at: position, source: 2 }));
const ranges = PAIRS.map((pair, i): TokenPair => ({ ...pair, range: [2 + i, 5] }));

const LOGIT_CASES: [string, Exclude<LogitMetric, 'continuation'>, TokenPair[]][] = [
  ['logitDiff', 'logitDiff', PAIRS],
  ['logitDiff at an inner position', 'logitDiff', at(5)],
  ['logProb', 'logProb', PAIRS],
  ['logProb at an inner position', 'logProb', at(4)],
  ['prob', 'prob', PAIRS],
  ['probDiff', 'probDiff', PAIRS],
  ['logitMinusMean', 'logitMinusMean', PAIRS],
  ['kl', 'kl', PAIRS],
  ['kl at an inner position', 'kl', at(6)],
  ['promptLogProb from the first difference on', 'promptLogProb', PAIRS],
  ['promptLogProb over a range', 'promptLogProb', ranges],
];
const ACTIVATION_CASES: [string, ActivationMetric, TokenPair[]][] = [
  ['attention', { activation: 'attention', layer: 1, head: 2 }, at(5)],
  ['attention in the last layer', { activation: 'attention', layer: 2, head: 0 }, at(6)],
  ['neuron', { activation: 'neuron', layer: 0, neuron: 76 }, at(4)],
  ['neuron in the last layer', { activation: 'neuron', layer: 2, neuron: 5 }, PAIRS],
  ['directLogit of a head', { activation: 'directLogit', layer: 1, head: 2 }, at(6)],
  ['directLogit of an MLP in the last layer', { activation: 'directLogit', layer: 2 }, PAIRS],
];

const experiment = (metric: Metric, pairs: TokenPair[]): TokenExperiment => ({ metric, direction: 'denoise', pairs });
const disposeGradient = ({ final, inject }: MetricGradient): void => tf.dispose([final, inject?.map(({ gradient }) => gradient)]);

for (const backend of ['cpu', 'wasm-simd'] as const satisfies readonly BackendName[]) {
  describe(`metrics on ${backend}`, function () {
    let model: Gpt2;
    let loud: Gpt2;
    let plain: PlainModel;
    let plainLoud: PlainModel;

    before(async () => {
      await startBackend({ choice: backend, threads: 1, wasmFolder: WASM_FOLDER });
      const { checkpoint } = await expectedValues('tiny-odd');
      const load = async (folder: string): Promise<Gpt2> => {
        const { model: loaded } = await loadWeights(await openCheckpoint(folder), work);
        await remove(folder);
        return loaded;
      };
      plain = hashCheckpoint(checkpoint);
      model = await load(await writeHashModel(checkpoint));
      // Logits of up to ±80 and more: one token takes all the probability, the others have 1e-50 and less.
      plainLoud = hashCheckpoint(checkpoint);
      const louder = (tensors: PlainModel['tensors']): void => tensors.get('ln_f.weight')!.data.forEach((gain, i, all) => (all[i] = gain * 25));
      louder(plainLoud.tensors);
      loud = await load(await writeHashModel(checkpoint, (_config, tensors) => louder(tensors)));
    });
    after(() => {
      disposeWeights(model);
      disposeWeights(loud);
      stopBackend();
    });

    /** Clean and corrupted prompts of all pairs in one run: sequence i is of pair i >> 1. */
    const tokensOf = (pairs: readonly TokenPair[]): number[][] => pairs.flatMap((pair) => [pair.clean, pair.corrupted!]);
    const pairOf = (pairs: readonly TokenPair[]): number[] => pairs.flatMap((_, i) => [i, i]);

    async function withMetric(own: Gpt2, metric: Metric, pairs: TokenPair[], use: (prepared: PreparedMetric, run: ForwardRun) => void | Promise<void>, tail?: number): Promise<void> {
      checkMetric(experiment(metric, pairs), own.config);
      const prepared = prepareMetric(own, experiment(metric, pairs), pairs, work);
      const run = await forward(own, { tokens: tokensOf(pairs), start: 0 }, { sites: prepared.reads.map(({ site }) => site), record: false, tail: tail ?? prepared.tail }, work);
      try {
        if (prepared.needsClean) prepared.setClean(run, pairs.map((_, i) => i), pairs.map((_, i) => 2 * i));
        await use(prepared, run);
      } finally {
        prepared.dispose();
        disposeRun(run);
      }
    }
    const plainValues = (own: PlainModel, metric: Metric, pairs: TokenPair[]): number[] => {
      return pairs.flatMap((pair) => {
        const runs = [pair.clean, pair.corrupted!].map((tokens) => plainRun(own, tokens)) as [PlainRun, PlainRun];
        return runs.map((run, i) => plainMetric(own, experiment(metric, pairs), pair, run, i === 0 ? pair.clean : pair.corrupted!, runs[0]));
      });
    };

    for (const [what, metric, pairs] of [...LOGIT_CASES, ...ACTIVATION_CASES]) {
      it(`value of ${what} equals double precision`, async () => {
        const expected = plainValues(plain, metric, pairs);
        await withMetric(model, metric, pairs, (prepared, run) => {
          assert.equal(prepared.tail, Math.max(...pairs.map((pair) => metricTail(metric, pair))));
          const values = prepared.values(run, pairOf(pairs));
          assert.ok(relativeError(values, expected) < 2e-5, `${values.join()} for ${expected.join()}`);
          // Any sequence can stand for any pair.
          assert.deepEqual(prepared.values(run, [2, 0], [5, 0]), [values[5], values[0]]);
        });
        // A run may hold more than the metric reads.
        await withMetric(model, metric, pairs, (prepared, run) => assert.ok(relativeError(prepared.values(run, pairOf(pairs)), expected) < 2e-5), LENGTH);
      });
    }

    for (const [what, metric, pairs] of LOGIT_CASES) {
      for (const freezeLayerNorm of [false, true]) {
        it(`gradient of ${what} is its slope${freezeLayerNorm ? ', the final scale held constant' : ''}`, async () => {
          await withMetric(model, metric, pairs, (prepared, run) => checkSlopes(plain, prepared, run, metric, pairs, freezeLayerNorm, 5e-5));
        });
      }
    }

    for (const [what, metric, pairs] of [...LOGIT_CASES].filter(([, name]) => name !== 'logitDiff')) {
      it(`${what} is right where logits reach ±80`, async () => {
        const expected = plainValues(plainLoud, metric, pairs);
        await withMetric(loud, metric, pairs, (prepared, run) => {
          const values = prepared.values(run, pairOf(pairs));
          assert.ok(values.every(Number.isFinite));
          const logits = logitsOf(loud, run.last);
          assert.ok(logits.some((logit) => logit > 80) && logits.some((logit) => logit < -80));
          // Errors of the logits, some 1e-5 each, are errors of log-probabilities, and relative ones of probabilities.
          values.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-3 * Math.max(Math.abs(expected[i]!), 1e-30), `${value} for ${expected[i]}`));
          checkSlopes(plainLoud, prepared, run, metric, pairs, false, 2e-3, true);
        });
      });
    }

    /** Central differences in double precision along the gradient's own direction and along another, at the rows of `last`. */
    function checkSlopes(own: PlainModel, prepared: PreparedMetric, run: ForwardRun, metric: Exclude<LogitMetric, 'continuation'>, pairs: TokenPair[], freezeLayerNorm: boolean, bound: number, mayVanish = false): void {
      const found = prepared.gradient(run, pairOf(pairs), { freezeLayerNorm });
      assert.equal(found.inject, undefined);
      const gradient = found.final!.dataSync();
      assert.deepEqual(found.final!.shape, run.last.shape);
      disposeGradient(found);
      const metrics = prepared.values(run, pairOf(pairs));
      const values = run.last.dataSync();
      const { dModel } = model.config;
      const width = run.tail * dModel;
      pairOf(pairs).forEach((index, sequence) => {
        const stream = Array.from({ length: run.tail }, (_, row) => Array.from(values.subarray(sequence * width + row * dModel, sequence * width + (row + 1) * dModel)));
        const cleanStream = Array.from({ length: run.tail }, (_, row) => Array.from(values.subarray(index * 2 * width + row * dModel, index * 2 * width + (row + 1) * dModel)));
        const ownGradient = Array.from(gradient.subarray(sequence * width, (sequence + 1) * width));
        const size = Math.hypot(...ownGradient);
        if (metric === 'kl' && sequence % 2 === 0) {
          // Float32 rounding of a probability, carried through the unembedding.
          assert.ok(size < 1e-5, `the gradient of the divergence at the clean run has size ${size}`);
          return;
        }
        if (mayVanish && Math.abs(metrics[sequence]!) < 1e-35) {
          assert.ok(size < 1e-30, 'the gradient of a probability that float32 does not hold');
          return;
        }
        assert.ok(size > 0);
        for (const direction of [ownGradient.map((value) => value / size), ownGradient.map((_, i) => Math.sin(3 * i + 1) / Math.sqrt(width / 2))]) {
          const moved = (step: number): number => metricOfStream(own, metric, pairs[index]!, stream.map((row, r) => row.map((x, i) => x + step * direction[r * dModel + i]!)), { clean: cleanStream, scaleOf: freezeLayerNorm ? stream : undefined });
          const across = (step: number): number => (moved(step) - moved(-step)) / (2 * step);
          const slope = (4 * across(1e-4) - across(2e-4)) / 3;
          const expected = ownGradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
          assert.ok(Math.abs(slope - expected) <= bound * size, `sequence ${sequence}: slope ${slope}, gradient ${expected}, of size ${size}`);
        }
      });
    }

    for (const [what, metric, pairs] of ACTIVATION_CASES) {
      it(`gradient of ${what}: the value moves with the activation as it says, and with nothing else`, async () => {
        await withMetric(model, metric, pairs, (prepared, run) => {
          const found = prepared.gradient(run, pairOf(pairs));
          assert.equal(found.final, undefined);
          const [{ site, layer, gradient }] = found.inject as [NonNullable<MetricGradient['inject']>[number]];
          const captured = run.layers[layer]!.sites[site]!;
          assert.deepEqual(gradient.shape, captured.shape);
          const slopes = gradient.dataSync();
          const perSequence = slopes.length / run.batch;
          const before = prepared.values(run, pairOf(pairs));
          const change = tf.tensor(Float32Array.from(slopes, (_, i) => Math.sin(i + 1)), captured.shape);
          const moved = tf.add(captured, change);
          const changes = change.dataSync();
          const after = prepared.values({ ...run, layers: run.layers.map((own, i) => (i === layer ? { sites: { [site]: moved } } : own)) }, pairOf(pairs));
          const expected = before.map((value, sequence) => value + Array.from(changes.slice(sequence * perSequence, (sequence + 1) * perSequence)).reduce((sum, own, i) => sum + own * slopes[sequence * perSequence + i]!, 0));
          assert.ok(relativeError(after, expected) < 1e-5, `${after.join()} for ${expected.join()}`);
          assert.ok(after.every((value, i) => Math.abs(value - before[i]!) > 1e-3));
          tf.dispose([change, moved]);
          disposeGradient(found);
        });
      });
    }

    it('reads continuations in two branches, whatever their lengths', async () => {
      const pairs: TokenPair[] = [
        { ...PAIRS[0]!, correct: [9, 12, 30], incorrect: [71] },
        { ...PAIRS[1]!, correct: [44], incorrect: [8, 90] },
        { ...PAIRS[2]!, correct: [100, 7], incorrect: [] },
      ];
      const sum = (tokens: readonly number[], continuation: readonly number[]): number =>
        continuation.length === 0 ? 0 : continuation.length * plainMetric(plain, experiment('promptLogProb', []), { clean: [...tokens, ...continuation], correct: [], incorrect: [], range: [tokens.length - 1, tokens.length + continuation.length - 2] }, plainRun(plain, [...tokens, ...continuation]), [...tokens, ...continuation], plainRun(plain, [0]));
      const expected = pairs.flatMap((pair) => [pair.clean, pair.corrupted!].map((tokens) => sum(tokens, pair.correct) - sum(tokens, pair.incorrect)));
      const values = expected.map(() => 0);
      const branches = branchesOf(experiment('continuation', pairs));
      assert.deepEqual(branches.map(({ appended, weights }) => [appended, weights]), [[3, [3, 1, 2]], [2, [-1, -2, -0]]]);
      for (const { experiment: own, weights } of branches) {
        await withMetric(model, own.metric, own.pairs, (prepared, run) => prepared.values(run, pairOf(pairs)).forEach((value, i) => (values[i]! += weights[i >> 1]! * value)));
      }
      assert.ok(relativeError(values, expected) < 2e-5, `${values.join()} for ${expected.join()}`);
    });

    it('leaves no tensor behind', async () => {
      const before = tf.memory().numTensors;
      for (const [, metric, pairs] of [...LOGIT_CASES, ...ACTIVATION_CASES]) {
        await withMetric(model, metric, pairs, (prepared, run) => {
          prepared.values(run, pairOf(pairs));
          disposeGradient(prepared.gradient(run, pairOf(pairs)));
        });
      }
      assert.equal(tf.memory().numTensors, before);
    });
  });
}

describe('metrics of a large vocabulary', function () {
  before(() => startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: WASM_FOLDER }));
  after(() => stopBackend());

  it('reads many rows of a large vocabulary a few at a time', async () => {
    const { checkpoint } = await expectedValues('tiny-odd');
    const folder = await writeHashModel({ ...checkpoint, layers: 1, vocab: 50_257, context: 64 });
    const { model: wide } = await loadWeights(await openCheckpoint(folder), work);
    await remove(folder);
    const tokens = clean(5, 50).map((token, i) => token * 400 + i);
    const range = (first: number, last: number): TokenPair => ({ clean: tokens, corrupted: corrupt(tokens, 1), correct: [], incorrect: [], range: [first, last] });
    const halves = [range(2, 24), range(25, 47)];
    const run = await forward(wide, { tokens: [tokens], start: 0 }, { sites: [], record: false, tail: 48 }, work);
    const [whole, parts] = [[range(2, 47)], halves].map((pairs) => prepareMetric(wide, experiment('promptLogProb', pairs), pairs, work)) as [PreparedMetric, PreparedMetric];
    const one = halves.map((_, i) => parts.values(run, [i])[0]!);
    assert.ok(Math.abs(whole.values(run, [0])[0]! - one.reduce((sum, value) => sum + value, 0) / one.length) < 1e-9);
    const sum = new Float32Array(run.last.size);
    halves.forEach((_, i) => {
      const found = parts.gradient(run, [i]);
      found.final!.dataSync().forEach((value, j) => (sum[j]! += value / one.length));
      disposeGradient(found);
    });
    const found = whole.gradient(run, [0]);
    const error = relativeError(found.final!.dataSync(), sum);
    assert.ok(error < 5e-5, String(error));
    disposeGradient(found);
    disposeRun(run);
    disposeWeights(wide);
  });
});

describe('metrics that cannot be', () => {
  const config = { layers: 3, heads: 3, dMlp: 77 } as Parameters<typeof checkMetric>[1];
  const pair = PAIRS[0]!;
  const refused: [string, Metric, Partial<TokenPair>, RegExp][] = [
    ['no correct answer', 'logProb', { correct: [] }, /Pair 1 has no correct answer, which the metric logProb needs/],
    ['no incorrect answer', 'probDiff', { incorrect: [] }, /no incorrect answer/],
    ['no answers to read along', { activation: 'directLogit', layer: 0 }, { incorrect: [] }, /no incorrect answer, which the metric directLogit needs/],
    ['a continuation from an inner position', 'continuation', { at: 3 }, /continues the prompt/],
    ['an empty range', 'promptLogProb', { range: [5, 4] }, /range is 5 to 4/],
    ['a range up to the last token', 'promptLogProb', { range: [5, 7] }, /Give a "range" within 0 to 6/],
    ['a first difference at the last token', 'promptLogProb', { corrupted: corrupt(pair.clean, 7) }, /first differs from the corrupted prompt at its last token/],
    ['a position after the end', 'prob', { at: 8 }, /metric's position is 8; the clean prompt has positions 0 to 7/],
    ['a position before the shorter prompt', 'prob', { at: 0, corrupted: pair.clean.slice(2) }, /7 tokens before the end/],
    ['no source', { activation: 'attention', layer: 0, head: 0 }, {}, /Give "source"/],
    ['a source after the destination', { activation: 'attention', layer: 0, head: 0 }, { at: 2, source: 3 }, /after its destination 2/],
    ['a layer too many', { activation: 'neuron', layer: 3, neuron: 0 }, {}, /layer 3; this model has layers 0 to 2/],
    ['a head too many', { activation: 'attention', layer: 0, head: 3 }, { source: 0 }, /head 3/],
    ['a neuron too many', { activation: 'neuron', layer: 0, neuron: 77 }, {}, /neuron 77/],
  ];
  for (const [what, metric, change, message] of refused) {
    it(what, () => {
      assert.throws(() => checkMetric({ metric, direction: 'denoise', pairs: [{ ...pair, ...change }] }, config), (error) => CircuitError.is(error, 'experiment') && message.test(error.message));
    });
  }

  it('needs no answers where it reads none', () => {
    for (const metric of ['kl', 'promptLogProb', { activation: 'neuron', layer: 2, neuron: 76 }] as Metric[]) {
      checkMetric({ metric, direction: 'denoise', pairs: [{ ...pair, correct: [], incorrect: [] }] }, config);
    }
    checkMetric({ metric: 'continuation', direction: 'denoise', pairs: [{ ...pair, incorrect: [] }] }, config);
  });

  it('refuses to attribute the divergence from the clean run at the clean run', () => {
    assert.throws(() => checkAttributable({ metric: 'kl', direction: 'noise', pairs: [pair] }), (error) => CircuitError.is(error, 'experiment'));
    checkAttributable({ metric: 'kl', direction: 'denoise', pairs: [pair] });
  });
});
