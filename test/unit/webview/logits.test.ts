import assert from 'node:assert/strict';
import { packArrays } from '../../../src/shared/arrays';
import { readoutOf } from '../../../src/shared/readout';
import { componentsOf, orderedComponents, valueIn } from '../../../webview/logits/components';
import { logitsChoice, predictedPair } from '../../../webview/logits/ownState';
import { predictionLists } from '../../../webview/logits/predictedTokens';
import { formatPercent } from '../../../webview/logits/predictionsView';
import { readoutDifference, sumsOf, writtenAt } from '../../../webview/logits/readout';
import { defaultState } from '../../../webview/model/viewState';

/** Two pairs, one layer, two heads. */
const arrays = packArrays(
  (['clean', 'corrupted'] as const).flatMap((side) => {
    const sign = side === 'clean' ? 1 : -0.5;
    const data = (...values: number[]): Float32Array => Float32Array.from(values, (value) => value * sign);
    return [
      { name: `${side}.lens`, axes: ['pair', 'depth'], shape: [2, 3], data: data(1, 2, 4, 3, 4, 8) },
      { name: `${side}.heads`, axes: ['pair', 'layer', 'head'], shape: [2, 1, 2], data: data(2, -1, 4, -3) },
      { name: `${side}.mlp`, axes: ['pair', 'layer'], shape: [2, 1], data: data(2, 4) },
      { name: `${side}.embed`, axes: ['pair'], shape: [2], data: data(0.5, 1.5) },
      { name: `${side}.position`, axes: ['pair'], shape: [2], data: data(0.25, 0.75) },
      { name: `${side}.bias`, axes: ['pair'], shape: [2], data: data(0.25, 0.75) },
    ];
  }),
);

describe('a readout of the logits', () => {
  it('is one pair’s, or the mean of all', () => {
    assert.deepEqual(readoutOf(arrays, 'clean', 1)!.lens, [3, 4, 8]);
    const mean = readoutOf(arrays, 'clean', 'all')!;
    assert.deepEqual(mean.lens, [2, 3, 6]);
    assert.deepEqual(Array.from(mean.heads.values), [3, -2]);
    assert.deepEqual([mean.embed, mean.position, mean.bias], [1, 0.5, 0.5]);
  });

  it('adds up to where the lens ends', () => {
    for (const pair of [0, 1, 'all'] as const) {
      const readout = readoutOf(arrays, 'clean', pair)!;
      assert.equal(sumsOf(readout).total, readout.lens.at(-1));
    }
    assert.equal(sumsOf(readoutOf(arrays, 'clean', 'all')!).heads, 1);
  });

  it('has a difference of two sides, and none of a side that was not run', () => {
    const difference = readoutDifference(readoutOf(arrays, 'clean', 0)!, readoutOf(arrays, 'corrupted', 0)!);
    assert.deepEqual(difference.lens, [1.5, 3, 6]);
    assert.equal(sumsOf(difference).total, 6);
    const alone = { ...arrays, entries: Object.fromEntries(Object.entries(arrays.entries).filter(([name]) => name.startsWith('clean'))) };
    assert.equal(readoutOf(alone, 'corrupted', 0), undefined);
  });

  it('tells what was written at each depth', () => {
    assert.deepEqual([0, 1, 2].map((depth) => writtenAt([3, 4, 8], depth)), [3, 1, 4]);
  });
});

describe('the parts that write the logits', () => {
  const parts = componentsOf(readoutOf(arrays, 'clean', 'all')!, readoutOf(arrays, 'corrupted', 'all')!);

  it('are heads, MLPs, embeddings and biases in order of depth', () => {
    assert.deepEqual(parts.map(({ name }) => name), ['Token embedding', 'Position embedding', 'L0H0', 'L0H1', 'MLP 0', 'Biases']);
    const [, , head] = parts;
    assert.deepEqual((['clean', 'corrupted', 'difference'] as const).map((column) => valueIn(head!, column)), [3, -1.5, 4.5]);
  });

  it('sort by magnitude and by depth', () => {
    assert.deepEqual(orderedComponents(parts, { by: 'clean', descending: true }, 3).map(({ name }) => name), ['L0H0', 'MLP 0', 'L0H1']);
    assert.deepEqual(orderedComponents(parts, { by: 'name', descending: true }, 2).map(({ name }) => name), ['Biases', 'MLP 0']);
    assert.equal(componentsOf(readoutOf(arrays, 'clean', 0)!)[0]!.corrupted, undefined);
  });
});

describe('predictions', () => {
  const pair = { correct: [{ id: 1, text: ' Mary' }, { id: 2, text: ' Ann' }], incorrect: [{ id: 3, text: ' John' }] };
  const run = { metric: 'logitDiff', other: 'corrupted' } as const;
  const predictions = {
    clean: [{ text: ' Mary', logit: 12, probability: 0.6 }, { text: ' the', logit: 10, probability: 0.1 }],
    corrupted: [{ text: ' John', logit: 12, probability: 0.6 }],
  };

  it('mark the answers, and name those that are not among them', () => {
    const [clean, corrupted] = predictionLists(predictions, pair, run);
    assert.deepEqual(clean!.tokens.map(({ rank, answer }) => [rank, answer]), [[1, 'correct'], [2, undefined]]);
    assert.deepEqual(clean!.missing, [{ text: ' Ann', answer: 'correct' }, { text: ' John', answer: 'incorrect' }]);
    assert.equal(corrupted!.tokens[0]!.answer, 'incorrect');
    assert.equal(predictionLists({ ...predictions, patched: predictions.clean }, pair, run).length, 3);
  });

  it('say where an answer comes that is not among them', () => {
    const missing = { clean: [{ text: ' Ann', logit: 1, probability: 0.01, rank: 14 }] };
    const [clean, corrupted] = predictionLists({ ...predictions, missing }, pair, run);
    assert.deepEqual(clean!.missing[0], { text: ' Ann', answer: 'correct', rank: 14, probability: 0.01 });
    assert.ok(corrupted!.missing.every(({ rank }) => rank === undefined));
  });

  it('stand under the prompt that they follow', () => {
    const titles = (other: 'corrupted' | 'resample'): string[] => predictionLists(predictions, pair, { ...run, other }).map(({ title }) => title);
    assert.deepEqual(titles('corrupted'), ['After the clean prompt', 'After the corrupted prompt']);
    assert.deepEqual(titles('resample'), ['After the clean prompt', 'After the other pair’s prompt']);
  });

  it('of a continuation can only be its first token', () => {
    assert.deepEqual(predictionLists(predictions, pair, { ...run, metric: 'continuation' })[0]!.missing.map(({ text }) => text), [' John']);
  });

  it('read as percentages down to the smallest', () => {
    assert.deepEqual([0.859, 0.001, 0.00012, 0].map(formatPercent), ['85.9%', '0.1%', '1e−4', '0.0%']);
  });
});

describe('what the logits view shows', () => {
  const pairs = [{ metric: { clean: 1, corrupted: 0 } }, { metric: { clean: 1, corrupted: 0 } }] as unknown as Parameters<typeof logitsChoice>[0]['pairs'];
  const state = { ...defaultState({ pair: 'all', unit: 'raw' }), own: { logits: { shown: 'difference', pair: 1 } } };

  it('is what was kept, as far as the run has it', () => {
    assert.deepEqual(logitsChoice({ pairs }, state), { shown: 'difference', pair: 1 });
    assert.deepEqual(logitsChoice({ pairs }, { ...state, own: { logits: { shown: 'x', pair: 2 } } }), { shown: 'clean', pair: 0 });
    const alone = [{ metric: { clean: 1 } }] as typeof pairs;
    assert.equal(logitsChoice({ pairs: alone }, state).shown, 'clean');
  });

  it('predicts after the panel’s pair', () => {
    assert.equal(predictedPair({ shown: 'clean', pair: 1 }, { pair: 'all' }), 1);
    assert.equal(predictedPair({ shown: 'clean', pair: 1 }, { pair: 0 }), 0);
  });
});
