import assert from 'node:assert/strict';
import type { RunPair } from '../../../src/shared/run';
import { signWords } from '../../../webview/model/signs';

const pair = (clean: number, corrupted: number): RunPair => ({ name: 'p', clean: [], corrupted: [], correct: [], incorrect: [], differsAt: 0, logitDiff: { clean, corrupted } });

describe('the words for signs', () => {
  it('say that positive supports the correct answer where the clean runs favour it more', () => {
    // The second pair alone is the other way round: the mean decides.
    const run = { pairs: [pair(3, -2), pair(-1, 1)] };
    for (const unit of ['normalised', 'raw'] as const) {
      assert.deepEqual(signWords(run, unit), { sentence: 'Positive (blue) supports the correct answer.', negative: 'opposes', positive: 'supports the correct answer' });
    }
  });

  it('name the runs instead where normalising turns the signs round', () => {
    const run = { pairs: [pair(-3, 2), pair(1, -1)] };
    assert.deepEqual(signWords(run, 'normalised'), {
      sentence: 'Positive (blue) moves towards the clean run, which here favours the incorrect answer.',
      negative: 'towards corrupted',
      positive: 'towards clean',
    });
    assert.equal(signWords(run, 'raw').positive, 'supports the correct answer');
  });
});
