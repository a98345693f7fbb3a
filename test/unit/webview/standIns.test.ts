import assert from 'node:assert/strict';
import { standIns } from '../../../webview/model/standIns';

describe('what stands in for a part', () => {
  it('is no corrupted run where none is computed', () => {
    assert.deepEqual(standIns('corrupted'), ['corrupted', 'zero', 'mean', 'resample']);
    assert.deepEqual(standIns('mean'), ['zero', 'mean', 'resample']);
  });
});
