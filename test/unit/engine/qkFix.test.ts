import assert from 'node:assert/strict';
import { keyEffects, queryEffect } from '../../../src/engine/patching/qkFix';

/** Σ_k (softmax(s') − softmax(s))[k] · G[k], with differences of gradients, in double precision. */
function bruteForce(scores: readonly number[], replaced: readonly number[], gradient: readonly number[]): number {
  const softmax = (row: readonly number[]): number[] => {
    const most = Math.max(...row);
    const weights = row.map((score) => Math.exp(score - most));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  };
  const [before, after] = [softmax(scores), softmax(replaced)];
  // Relative to the gradient of the heaviest key: where one has nearly all of both, what is left is exact.
  const top = before.indexOf(Math.max(...before));
  return gradient.reduce((sum, g, k) => sum + (after[k]! - before[k]!) * (g - gradient[top]!), 0);
}

function effectOfKey(scores: readonly number[], key: number, delta: number, gradient: readonly number[], first = 0): number {
  const found = new Map<number, number>();
  const replaced = Float32Array.from(scores, (score, k) => (k === key ? score + delta : score));
  // A row of a larger array, and hidden keys after it.
  const within = (row: ArrayLike<number>): Float32Array => Float32Array.from([9, 9, ...Array.from(row), 7]);
  keyEffects(within(scores), within(replaced), within(gradient), 2, scores.length, first, (source, effect) => found.set(source, effect));
  // A single visible key has all of the row whatever its score.
  if (scores.length === 1) {
    assert.equal(found.size, 0);
    return 0;
  }
  assert.deepEqual([...found.keys()], scores.map((_, k) => k).filter((k) => k >= first));
  for (const [source, effect] of found) if (source !== key) assert.ok(effect === 0, `source ${source} was not replaced`);
  return found.get(key)!;
}

describe('AtP* QK fix', () => {
  const gradient = [0.5, -2, 3, 1.25];

  it('equals the softmax taken anew, with scores up to 60 apart', () => {
    let most = 0;
    for (const gap of [0, 1, 5, 18, 30, 60]) {
      for (const top of [0, 2]) {
        const scores = [0.5, -0.25, 1, 0].map((score, k) => score + (k === top ? gap : 0));
        for (const key of [0, 1, 2, 3]) {
          for (const delta of [-60, -30, -18, -1, -0.125, 0, 0.125, 1, 18, 30, 60]) {
            const expected = bruteForce(scores, scores.map((score, k) => (k === key ? score + delta : score)), gradient);
            const effect = effectOfKey(scores, key, delta, gradient);
            const error = expected === 0 ? Math.abs(effect) : Math.abs(effect / expected - 1);
            most = Math.max(most, error);
            assert.ok(error < 1e-9, `gap ${gap} at ${top}, key ${key}, δ ${delta}: ${effect}, brute force ${expected}`);
          }
        }
        for (const shift of [-40, 0.5, 40]) {
          const replaced = scores.map((score, k) => score + shift * Math.sin(k + 1));
          const effect = queryEffect(...([scores, replaced, gradient].map((row) => Float32Array.from(row.map(Math.fround))) as [Float32Array, Float32Array, Float32Array]), 0, 4);
          const expected = bruteForce(scores, [...Float32Array.from(replaced)], gradient);
          assert.ok(Math.abs(effect - expected) < 1e-12 + 1e-9 * Math.abs(expected), `gap ${gap}, queries by ${shift}: ${effect}, ${expected}`);
        }
      }
    }
    assert.ok(most < 1e-9);
  });

  it('is finite and right for δ of ±1000, whatever p', () => {
    for (const gap of [0, 30, 1000]) {
      const scores = [0, gap, 0, 0];
      // The replaced key takes everything, or loses all it had: the others' mean is what remains.
      const others = (key: number): number => {
        const left = scores.map((score, k) => (k === key ? 0 : Math.exp(score - Math.max(...scores.filter((_, own) => own !== key)))));
        const total = left.reduce((sum, weight) => sum + weight, 0);
        return left.reduce((sum, weight, k) => sum + (weight / total) * gradient[k]!, 0);
      };
      const p = (key: number): number => Math.exp(scores[key]! - gap) / (1 + 3 * Math.exp(-gap));
      for (const key of [0, 1]) {
        const gain = key === 1 && gap > 0 ? 3 * Math.exp(-gap) / (1 + 3 * Math.exp(-gap)) : 1 - p(key);
        const up = effectOfKey(scores, key, 1000 + gap, gradient);
        assert.ok(Math.abs(up - gain * (gradient[key]! - others(key))) <= 1e-9 * Math.abs(up), `gap ${gap}, key ${key} up: ${up}`);
        const down = effectOfKey(scores, key, -1000 - gap, gradient);
        const expected = -p(key) * (gradient[key]! - others(key));
        assert.ok(Math.abs(down - expected) <= 1e-9 * Math.abs(expected), `gap ${gap}, key ${key} down: ${down}, ${expected}`);
      }
    }
  });

  it('is zero where nothing else is visible, and leaves out the prefix', () => {
    assert.equal(effectOfKey([3], 0, 1000, [2]), 0);
    assert.equal(effectOfKey([3], 0, -1000, [2]), 0);
    assert.notEqual(effectOfKey([1, 2, 3, 4], 3, 1, gradient, 2), 0);
  });
});
