import assert from 'node:assert/strict';
import { firstStandIn, standInFault, standIns } from '../../../webview/model/standIns';

describe('what stands in for a part', () => {
  it('is no corrupted run where none is computed', () => {
    assert.deepEqual(standIns('corrupted'), ['corrupted', 'zero', 'mean', 'resample']);
    assert.deepEqual(standIns('mean'), ['zero', 'mean', 'resample']);
  });

  it('is never the prompt itself, as a mean of one and what is drawn from one are', () => {
    const groupsOf = (...sizes: number[]): Parameters<typeof standInFault>[0] => ({ groups: sizes.map((size, i) => ({ pairs: Array.from({ length: size }, (_, pair) => pair), length: 5 + i, positions: 'all' as const })) });
    const disabled = (...sizes: number[]): string[] => standIns('corrupted').filter((value) => standInFault(groupsOf(...sizes), value) !== undefined);
    assert.deepEqual([disabled(1), disabled(1, 1), disabled(2, 1), disabled(2)], [['mean', 'resample'], ['mean', 'resample'], ['resample'], []]);
    assert.deepEqual([firstStandIn(groupsOf(1), 'corrupted'), firstStandIn(groupsOf(1), 'mean'), firstStandIn(groupsOf(2, 1), 'corrupted')], ['corrupted', 'zero', 'mean']);
  });
});
