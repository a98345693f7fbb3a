import assert from 'node:assert/strict';
import { topPredictions } from '../../../src/engine/model/predictions';

describe('top predictions', () => {
  const logits = Float32Array.from({ length: 400 }, (_, i) => Math.round(8 * Math.sin(i * i)) * 10);

  it('are the most probable tokens, equal ones in token order', () => {
    const sorted = Array.from(logits, (_, token) => token).sort((a, b) => logits[b]! - logits[a]! || a - b);
    for (const top of [0, 1, 7, 399, 400, 500]) assert.deepEqual(topPredictions(logits, top).map(({ token }) => token), sorted.slice(0, top));
    assert.deepEqual(topPredictions(logits, -1), []);
  });

  it('have probabilities that add up to 1, however large the logits', () => {
    for (const shift of [-300, 0, 300]) {
      const found = topPredictions(logits.map((logit) => logit + shift), 400);
      assert.ok(Math.abs(found.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-12);
      assert.ok(Math.abs(found[0]!.probability / found[1]!.probability - Math.exp(found[0]!.logit - found[1]!.logit)) < 1e-12);
    }
  });
});
