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

  it('keep every cell, in the order given', () => {
    const cells = Array.from({ length: 777 }, (_, index) => index);
    assert.deepEqual(portionsOf(cells).flat(), cells);
  });
});
