import assert from 'node:assert/strict';
import { topHeads } from '../../../src/editor/topHeads';
import { exampleRun } from '../runs/exampleRun';

describe('the top heads in words', () => {
  it('say in which unit their scores are', () => {
    const run = exampleRun();
    assert.match(topHeads(run, 2), /^\d\.\d [+−]\d\.\d\d, \d\.\d [+−]\d\.\d\d \(normalised\)$/);
    for (const pair of run.manifest.pairs) pair.logitDiff.clean = pair.logitDiff.corrupted;
    assert.match(topHeads(run, 1), /^\d\.\d [+−]\d+\.\d\d \(raw logits\)$/);
  });
});
