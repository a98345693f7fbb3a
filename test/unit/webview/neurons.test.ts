import assert from 'node:assert/strict';
import { defaultState } from '../../../webview/model/viewState';
import { filtered, followPair, neuronName, neuronsChoice, rangeWords, unitOf } from '../../../webview/neurons/ownState';

const run = {
  groups: [{ pairs: [0, 1], length: 4, positions: 'all' }, { pairs: [2], length: 6, positions: 'all' }],
  model: { layers: 3, heads: 2, dMlp: 100 },
} as unknown as Parameters<typeof neuronsChoice>[0];
const state = (own: unknown, pair: 'all' | number = 'all'): ReturnType<typeof defaultState> => ({ ...defaultState({ pair, unit: 'raw' }), own: { neurons: own } });

describe('which neurons are listed', () => {
  it('is what was kept, as far as the run has it', () => {
    assert.deepEqual(neuronsChoice(run, state({ layer: 2, group: 1, position: 5, from: 120 })), { layer: 2, group: 1, position: 5, from: 100 });
    assert.deepEqual(neuronsChoice(run, state({ layer: 9, group: 7, position: 5, from: -1 })), { layer: undefined, group: 0, position: undefined, from: 0 });
    assert.equal(neuronsChoice(run, state({ layer: 2, group: 0, position: 5 })).position, undefined, 'a position of the other length');
  });

  it('are those of the chosen pair’s length', () => {
    assert.equal(neuronsChoice(run, state({ group: 0 }, 2)).group, 1);
    const choice = { layer: 1, group: 0, position: 3, from: 50 };
    assert.deepEqual(followPair(run, choice, 2), { layer: 1, group: 1, position: undefined, from: 0 });
    assert.deepEqual(followPair(run, choice, 1), { layer: 1, group: 0, position: 3, from: 0 });
  });

  it('begin at the first page, and have no position without a layer', () => {
    const choice = { layer: 1, group: 0, position: 3, from: 50 };
    assert.deepEqual(filtered(choice, { layer: undefined }), { layer: undefined, group: 0, position: undefined, from: 0 });
    assert.deepEqual(filtered(choice, { position: undefined }), { layer: 1, group: 0, position: undefined, from: 0 });
  });

  it('are parts that can be patched: at all positions, or at the one that is chosen', () => {
    const neuron = { layer: 1, neuron: 42 };
    assert.deepEqual(unitOf({ group: 1, position: undefined }, neuron), { site: 'mlp_post', ...neuron });
    assert.deepEqual(unitOf({ group: 1, position: 3 }, neuron), { site: 'mlp_post', ...neuron, group: 1, position: 3 });
    assert.equal(neuronName(neuron), 'L1N42');
  });

  it('are counted from 1', () => {
    assert.equal(rangeWords({ from: 50 }, 50, 300), '51–100 of 300');
    assert.equal(rangeWords({ from: 0 }, 0, 0), 'none');
  });
});
