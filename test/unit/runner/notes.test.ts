import assert from 'node:assert/strict';
import { notesOf } from '../../../src/runner/notes';
import type { TextExperiment } from '../../../src/shared/experiment';
import { exampleRun } from '../runs/exampleRun';

describe('notes of a run', () => {
  /** Two pairs of three tokens, one of four. */
  const { experiment, pairs, backend } = exampleRun().manifest;
  const notes = (change: Partial<TextExperiment>, of = pairs): string[] => notesOf({ experiment: { ...experiment, ...change }, pairs: of, backend, vocabulary: [] }).map(({ message }) => message);
  const unit = { site: 'z', layer: 0 } as const;

  it('name the pairs whose mean is their own prompt', () => {
    for (const change of [{ other: 'mean', direction: 'noise' }, { variant: { interventions: [{ unit, with: 'mean' }] } }] satisfies Partial<TextExperiment>[]) {
      assert.equal(notes(change).filter((message) => /only one of its length in second: the mean is that prompt itself/.test(message)).length, 1);
      assert.deepEqual(notes(change, [pairs[0]!, pairs[2]!]).filter((message) => /only one/.test(message)), []);
    }
    assert.deepEqual(notes({ variant: { interventions: [{ unit, with: 'zero' }] } }).filter((message) => /only one/.test(message)), []);
  });
});
