import assert from 'node:assert/strict';
import { move, visibleLines } from '../../../webview/model/navigation';

const extent = { rows: 12, columns: 6, page: 5 };
const go = (row: number, column: number, key: string, ctrl = false): [number, number] | undefined => {
  const place = move({ row, column }, key, ctrl, extent);
  return place && [place.row, place.column];
};

describe('moving in a grid by keyboard', () => {
  it('goes by arrows and stops at the edges', () => {
    assert.deepEqual(go(3, 3, 'ArrowRight'), [3, 4]);
    assert.deepEqual(go(3, 5, 'ArrowRight'), [3, 5]);
    assert.deepEqual(go(11, 3, 'ArrowDown'), [11, 3]);
    assert.deepEqual(go(3, 3, 'ArrowUp'), [2, 3]);
  });

  it('reaches the headers, but not the corner between them', () => {
    assert.deepEqual(go(0, 3, 'ArrowUp'), [-1, 3]);
    assert.deepEqual(go(3, 0, 'ArrowLeft'), [3, -1]);
    assert.deepEqual(go(-1, 0, 'ArrowLeft'), [-1, 0]);
    assert.deepEqual(go(0, -1, 'ArrowUp'), [0, -1]);
    assert.deepEqual(go(-1, 2, 'ArrowDown'), [0, 2]);
  });

  it('goes along the row by Home and End, to the corners with Ctrl, and by pages', () => {
    assert.deepEqual(go(3, 3, 'Home'), [3, 0]);
    assert.deepEqual(go(3, 3, 'End'), [3, 5]);
    assert.deepEqual(go(3, 3, 'Home', true), [0, 0]);
    assert.deepEqual(go(3, 3, 'End', true), [11, 5]);
    assert.deepEqual(go(3, 3, 'PageDown'), [8, 3]);
    assert.deepEqual(go(9, 3, 'PageDown'), [11, 3]);
    assert.deepEqual(go(3, 3, 'PageUp'), [0, 3]);
    assert.deepEqual(go(-1, 3, 'PageUp'), [-1, 3]);
  });

  it('leaves other keys alone', () => {
    for (const key of ['a', 'Tab', 'Enter', 'Escape']) assert.equal(go(3, 3, key), undefined);
  });
});

describe('lines in sight', () => {
  it('are those the viewport shows and a margin, within the extent', () => {
    assert.deepEqual(visibleLines(200, 100, 20, 1000, 2), { first: 8, end: 17 });
    assert.deepEqual(visibleLines(0, 100, 20, 1000, 2), { first: 0, end: 7 });
    assert.deepEqual(visibleLines(19_950, 100, 20, 1000, 2), { first: 995, end: 1000 });
    assert.deepEqual(visibleLines(0, 100, 20, 3, 2), { first: 0, end: 3 });
  });
});
