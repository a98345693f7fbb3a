import assert from 'node:assert/strict';
import { notesOf } from '../../../src/runner/notes';
import type { TextExperiment } from '../../../src/shared/experiment';
import { exampleRun } from '../runs/exampleRun';

describe('notes of a run', () => {
  /** Two pairs of three tokens, one of four. */
  const { experiment, pairs, backend } = exampleRun().manifest;
  const notes = (change: Partial<TextExperiment>, of = pairs): string[] => notesOf({ experiment: { ...experiment, ...change }, pairs: of, backend, texts: [] }).map(({ message }) => message);
  const unit = { site: 'z', layer: 0 } as const;

  it('name the pairs whose mean is their own prompt', () => {
    for (const change of [{ other: 'mean', direction: 'noise' }, { variant: { interventions: [{ unit, with: 'mean' }] } }] satisfies Partial<TextExperiment>[]) {
      assert.equal(notes(change).filter((message) => /only one of its length in second: the mean is that prompt itself/.test(message)).length, 1);
      assert.deepEqual(notes(change, [pairs[0]!, pairs[2]!]).filter((message) => /only one/.test(message)), []);
    }
    assert.deepEqual(notes({ variant: { interventions: [{ unit, with: 'zero' }] } }).filter((message) => /only one/.test(message)), []);
  });

  it('say why nothing is normalised where no share of the clean metric can be taken', () => {
    const alone = pairs.map((pair) => ({ ...pair, metric: { clean: -0.09 } }));
    const zero = { metric: 'logProb', other: 'zero', direction: 'noise' } as const;
    assert.match(notes(zero, alone).join(' '), /log-probability after the clean prompts is not positive \(−0\.09\): no share of it can be taken, and values are shown in raw nats only/);
    assert.match(notes({ ...zero, metric: 'logitDiff' }, alone).join(' '), /not positive .* prefers the incorrect answer/);
    assert.doesNotMatch(notes(zero, alone.map((pair) => ({ ...pair, metric: { clean: 1 } }))).join(' '), /not positive/);
  });
});
