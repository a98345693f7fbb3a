import assert from 'node:assert/strict';
import { roughly } from '../../../src/shared/durations';
import { LOGIT_METRICS } from '../../../src/shared/experiment';
import { metricCaveat, metricRead, metricTitle, metricUnit } from '../../../src/shared/metrics';
import { directionWords, normalisedWords, otherSide, standInWords } from '../../../src/shared/otherSide';
import { depthName } from '../../../src/shared/readout';
import { capitalised, listed, plural } from '../../../src/shared/text';
import { unitWords, variantWords } from '../../../src/shared/variants';

describe('shared words', () => {
  it('name every metric apart, also where it is an activation', () => {
    assert.equal(new Set(LOGIT_METRICS.map(metricTitle)).size, LOGIT_METRICS.length);
    assert.equal(metricTitle({ activation: 'attention', layer: 5, head: 1 }), 'attention of head 5.1');
    assert.equal(metricTitle({ activation: 'directLogit', layer: 9, head: 6 }), 'direct logit attribution of head 9.6');
    assert.equal(metricTitle({ activation: 'directLogit', layer: 9 }), 'direct logit attribution of MLP 9');
    assert.equal(metricTitle({ activation: 'neuron', layer: 2, neuron: 31 }), 'neuron 2#31');
    assert.deepEqual([metricRead('logitDiff'), metricUnit('logitDiff'), metricUnit({ activation: 'directLogit', layer: 0 })], ['correct − incorrect', 'logits', 'logits']);
  });

  it('warn of metrics whose gradient vanishes', () => {
    assert.match(metricCaveat('kl')!, /exactly zero/);
    for (const metric of ['prob', 'probDiff'] as const) assert.match(metricCaveat(metric)!, /saturate/);
    assert.equal(metricCaveat('logitDiff'), undefined);
  });

  it('say what is patched into what', () => {
    assert.equal(directionWords({ direction: 'denoise' }), 'clean patched into corrupted');
    assert.equal(directionWords({ direction: 'noise', other: 'corrupted' }), 'corrupted patched into clean');
    assert.equal(directionWords({ direction: 'noise', other: 'mean' }), 'means patched into clean');
    assert.equal(otherSide({ other: 'resample' }), 'other pair');
    assert.equal(normalisedWords({ other: 'resample', pairs: [{ metric: { corrupted: 1 } }] }), 'normalised: 0 other pair … 1 clean');
    assert.equal(normalisedWords({ other: 'zero', pairs: [{ metric: {} }] }), 'normalised: share of the clean metric');
    assert.deepEqual([standInWords('corrupted', 'denoise'), standInWords('corrupted', 'noise'), standInWords('zero', 'denoise')], ['the clean run’s activation', 'the corrupted run’s activation', 'zeros']);
  });

  it('name every departure from the plain gradient, and the parts that it is about', () => {
    assert.deepEqual(variantWords({ direction: 'noise' }), []);
    const unit = { site: 'z', layer: 1, head: 2 } as const;
    assert.deepEqual(variantWords({ direction: 'noise', variant: { freezeLayerNorm: true, gradDrop: false, integrated: { steps: 1, rule: 'left' }, stopGradient: [unit], interventions: [{ unit, with: 'zero' }] } }), [
      'LayerNorm frozen',
      'integrated gradients, 1 step (left)',
      'gradient stopped at head 1.2 (z)',
      'intervention: head 1.2 (z) ← zeros',
    ]);
    const [many] = variantWords({ direction: 'denoise', variant: { interventions: [0, 1, 2, 3, 4].map((head) => ({ unit: { ...unit, head }, with: 'mean' as const })) } });
    assert.equal(many, 'interventions: head 1.0 (z) ← means, head 1.1 (z) ← means, head 1.2 (z) ← means and 2 more');
  });

  it('name parts of sites', () => {
    assert.equal(unitWords({ site: 'pattern', layer: 3, head: 1, position: 4, source: -2 }), 'head 3.1 at position 4 from position −2 (pattern)');
    assert.equal(unitWords({ site: 'embed', position: 'last' }), 'embedding at the metric’s position');
    assert.equal(unitWords({ site: 'mlp_post', layer: 3, neuron: 412 }), 'neuron 3#412 (mlp_post)');
    assert.equal(unitWords({ site: 'resid_pre', layer: 0 }), 'layer 0 (resid_pre)');
    assert.deepEqual([0, 1, 2, 3].map(depthName), ['before layer 0', 'after attention of layer 0', 'after MLP of layer 0', 'after attention of layer 1']);
  });

  it('count, begin sentences and say about how long', () => {
    assert.deepEqual([plural(1, 'pair'), plural(0, 'pair'), capitalised('logit'), listed(['a', 'b'], 2)], ['1 pair', '0 pairs', 'Logit', 'a, b']);
    assert.deepEqual([NaN, 0.99, 40.4, 89.6, 120, 7300].map(roughly), ['–', 'under a second', 'about 40 s', 'about 90 s', 'about 2 min', 'about 2 h']);
  });
});
