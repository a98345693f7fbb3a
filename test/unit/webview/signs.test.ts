import assert from 'node:assert/strict';
import type { RunPair } from '../../../src/shared/run';
import { signWords } from '../../../webview/model/signs';

const pair = (clean: number, corrupted: number): RunPair => ({ name: 'p', clean: [], corrupted: [], correct: [], incorrect: [], differsAt: 0, metric: { clean, corrupted } });
const run = (...pairs: RunPair[]) => ({ pairs, metric: 'logitDiff', other: 'corrupted', variant: {} }) as const;

const normalised = { pair: 'all', unit: 'normalised' } as const;
const raw = { pair: 'all', unit: 'raw' } as const;

describe('the words for signs', () => {
  it('say that positive supports the correct answer where the clean runs favour it more', () => {
    // The second pair alone is the other way round: the mean decides.
    const usual = run(pair(3, -2), pair(-1, 1));
    for (const unit of ['normalised', 'raw'] as const) {
      assert.deepEqual(signWords(usual, { pair: 'all', unit }), { sentence: 'Positive (blue) supports the correct answer.', negative: 'opposes', positive: 'supports the correct answer' });
    }
  });

  it('name the runs instead where normalising turns the signs round', () => {
    const reversed = run(pair(-3, 2), pair(1, -1));
    assert.deepEqual(signWords(reversed, normalised), {
      sentence: 'Positive (blue) moves towards the clean run, which here favours the incorrect answer.',
      negative: 'towards corrupted',
      positive: 'towards clean',
    });
    assert.equal(signWords(reversed, raw).positive, 'supports the correct answer');
    assert.equal(signWords({ ...reversed, other: 'resample' }, normalised).negative, 'towards the other pair');
  });

  it('go by a pair’s own difference where its own effect is shown', () => {
    const mixed = run(pair(3, -2), pair(-1, 1));
    assert.equal(signWords(mixed, { pair: 1, unit: 'normalised', of: 'pair' }).positive, 'towards clean');
    assert.equal(signWords(mixed, { pair: 1, unit: 'normalised', of: 'mean' }).positive, 'supports the correct answer');
    assert.equal(signWords(mixed, { pair: 1, unit: 'raw', of: 'pair' }).positive, 'supports the correct answer');
  });

  it('follow the metric', () => {
    assert.equal(signWords({ ...run(pair(3, -2)), metric: 'kl' }, raw).positive, 'closer to clean');
    assert.equal(signWords({ ...run(pair(3, -2)), variant: { gradDrop: true } }, raw).positive, 'matters');
  });
});
