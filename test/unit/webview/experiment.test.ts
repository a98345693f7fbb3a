import assert from 'node:assert/strict';
import { directionWords, metricPlace, metricWords, unitWords, variantWords } from '../../../webview/model/experiment';

describe('the words for an experiment', () => {
  it('name the metric, also where it is an activation, and its place', () => {
    assert.equal(metricWords({ activation: 'directLogit', layer: 9, head: 6 }).short, 'direct logits of L9H6');
    assert.equal(metricWords({ activation: 'directLogit', layer: 9 }).short, 'direct logits of MLP 9');
    assert.equal(metricWords({ activation: 'neuron', layer: 2, neuron: 31 }).short, 'neuron L2N31');
    const pair = { name: '', clean: [], corrupted: [], correct: [], incorrect: [], metric: { clean: 1 } };
    const at = (...places: (number | undefined)[]): string => metricPlace({ metric: 'logitDiff', pairs: places.map((place) => ({ ...pair, at: place })) });
    assert.deepEqual([at(undefined), at(5, 5), at(5, 6)], ['at the last position', 'at position 5', 'at each pair’s own position']);
  });

  it('warn of metrics whose gradient vanishes', () => {
    assert.match(metricWords('kl').caveat!, /exactly zero/);
    assert.match(metricWords('prob').caveat!, /saturate/);
    assert.equal(metricWords('logitDiff').caveat, undefined);
  });

  it('say what is patched into what', () => {
    assert.equal(directionWords({ direction: 'noise', other: 'corrupted' }), 'corrupted patched into clean');
    assert.equal(directionWords({ direction: 'noise', other: 'mean' }), 'means patched into clean');
  });

  it('name every departure from the plain gradient', () => {
    assert.deepEqual(variantWords({}), []);
    assert.deepEqual(variantWords({ freezeLayerNorm: true, gradDrop: false, integrated: { steps: 1, rule: 'left' }, interventions: [{ unit: { site: 'z', layer: 1, head: 2 }, with: 'zero' }] }), [
      'LayerNorm frozen',
      'integrated gradients, 1 step (left)',
      '1 intervention',
    ]);
    assert.equal(unitWords({ site: 'pattern', layer: 3, head: 1, position: 4, source: 2 }), 'L3H1 at position 4 from position 2 (pattern)');
    assert.equal(unitWords({ site: 'embed', position: 'last' }), 'at the metric’s position (embed)');
  });
});
