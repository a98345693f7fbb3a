import assert from 'node:assert/strict';
import { portionsOf } from '../../../src/editor/portions';

const sizes = (count: number): number[] => portionsOf(Array.from({ length: count }, (_, index) => index)).map(({ length }) => length);

describe('portions of a verification', () => {
  it('begin with the tenth that matters most, and are few', () => {
    assert.deepEqual(sizes(1200), [120, 240, 480, 360]);
    assert.deepEqual(sizes(144), [24, 48, 72]);
  });

  it('are one where there is little to measure', () => {
    assert.deepEqual([sizes(0), sizes(1), sizes(40)], [[], [1], [40]]);
  });

  it('are no larger than what may be waited for, unless that is not worth a call', () => {
    const capped = (count: number, most: number): number[] => portionsOf(Array.from({ length: count }, (_, index) => index), most).map(({ length }) => length);
    assert.deepEqual(capped(720, 150), [72, 144, 150, 150, 150, 54]);
    assert.deepEqual(capped(100, 3), [24, 24, 24, 28]);
    assert.deepEqual(capped(2000, 100)[0], 100);
  });

  it('keep every cell, in the order given', () => {
    const cells = Array.from({ length: 777 }, (_, index) => index);
    assert.deepEqual(portionsOf(cells).flat(), cells);
  });
});
