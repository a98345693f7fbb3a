import assert from 'node:assert/strict';
import { topHeads } from '../../../src/editor/topHeads';
import { exampleRun } from '../runs/exampleRun';

describe('the top heads in words', () => {
  it('say in which unit their scores are', () => {
    const run = exampleRun();
    assert.match(topHeads(run, 2) ?? '', /^\d\.\d [+−]\d\.\d\d, \d\.\d [+−]\d\.\d\d \(normalised\)$/);
    for (const pair of run.manifest.pairs) pair.metric.clean = pair.metric.corrupted!;
    assert.match(topHeads(run, 1) ?? '', /^\d\.\d [+−]\d+\.\d\d \(raw logits\)$/);
  });

  it('are in the units of the metric', () => {
    const run = exampleRun();
    run.manifest.experiment.metric = 'logProb';
    for (const pair of run.manifest.pairs) pair.metric.clean = pair.metric.corrupted!;
    assert.match(topHeads(run, 1) ?? '', /\(raw nats\)$/);
  });

  it('are not there in a run of other sites', () => {
    const run = exampleRun();
    delete run.arrays.entries['group0.z'];
    assert.equal(topHeads(run, 1), undefined);
  });
});
