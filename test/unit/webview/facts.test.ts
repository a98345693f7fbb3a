import assert from 'node:assert/strict';
import { lengthsText, metricPlace, scaleWords } from '../../../webview/model/facts';

const group = (count: number, length: number) => ({ pairs: Array.from({ length: count }, (_, index) => index), length, positions: 'all' as const });

describe('the lengths of the pairs', () => {
  it('cannot be read as a part of a whole', () => {
    assert.equal(lengthsText([group(8, 14)]), '14 tokens each');
    assert.equal(lengthsText([group(1, 14)]), '14 tokens');
    assert.equal(lengthsText([group(6, 14), group(2, 15)]), '6 with 14 tokens, 2 with 15');
    assert.equal(lengthsText([group(1, 1)]), '1 token');
  });
});

describe('the unit in words', () => {
  it('counts from the run with the interventions, where there are any', () => {
    const pair = { name: '', clean: [], corrupted: [], correct: [], incorrect: [], metric: { clean: 3, corrupted: -1 } };
    const run: Parameters<typeof scaleWords>[0] = { metric: 'logitDiff', pairs: [pair], other: 'corrupted', variant: {} };
    const words = (of: typeof run): string => scaleWords(of, { pair: 'all', unit: 'normalised' });
    assert.equal(words(run), 'normalised: 0 corrupted … 1 clean');
    assert.equal(words({ ...run, variant: { interventions: [{ unit: { site: 'z', layer: 3, head: 0 }, with: 'zero' }] } }), 'normalised: 0 the run with the interventions … 1 as much as clean − corrupted without them');
  });
});

describe('the place of the metric', () => {
  it('is the last position, a position, or each pair’s own', () => {
    const pair = { name: '', clean: [], corrupted: [], correct: [], incorrect: [], metric: { clean: 1 } };
    const at = (...places: (number | undefined)[]): string => metricPlace({ metric: 'logitDiff', pairs: places.map((place) => ({ ...pair, at: place })) });
    assert.deepEqual([at(undefined), at(5, 5), at(5, 6)], ['at the last position', 'at position 5', 'at each pair’s own position']);
  });
});
