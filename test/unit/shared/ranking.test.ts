import assert from 'node:assert/strict';
import { largestMagnitude, rankCells, sortAxis } from '../../../src/shared/ranking';
import type { Matrix } from '../../../src/shared/views';

const matrix = (rows: number[][]): Matrix => ({ axes: ['layer', 'head'], rows: rows.length, columns: rows[0]!.length, values: Float32Array.from(rows.flat()) });

describe('ranking', () => {
  const sample = matrix([
    [1, -4, 0.5],
    [2, 2, 2],
    [-3, 0, 5],
  ]);

  it('ranks cells by magnitude, whatever their sign', () => {
    assert.deepEqual(
      rankCells(sample).slice(0, 3).map(({ row, column, value, rank }) => [row, column, value, rank]),
      [[2, 2, 5, 1], [0, 1, -4, 2], [2, 0, -3, 3]],
    );
  });

  it('breaks ties in row-major order, so that the order is the same everywhere', () => {
    assert.deepEqual(rankCells(sample).filter(({ value }) => value === 2).map(({ column }) => column), [0, 1, 2]);
    assert.deepEqual(rankCells(matrix([[-1, 1], [1, -1]])).map(({ row, column }) => row * 2 + column), [0, 1, 2, 3]);
  });

  it('sorts an axis by index, total, strongest cell, or one line of the other axis', () => {
    assert.deepEqual(sortAxis(sample, 'rows', { by: 'index' }), [0, 1, 2]);
    assert.deepEqual(sortAxis(sample, 'rows', { by: 'total' }), [1, 2, 0]);
    assert.deepEqual(sortAxis(sample, 'rows', { by: 'strongest' }), [2, 0, 1]);
    assert.deepEqual(sortAxis(sample, 'rows', { by: 'line', line: 0 }), [1, 0, 2]);
    assert.deepEqual(sortAxis(sample, 'columns', { by: 'total' }), [2, 0, 1]);
    assert.deepEqual(sortAxis(sample, 'columns', { by: 'line', line: 0 }), [0, 2, 1]);
  });

  it('keeps the order of the index among equals', () => {
    assert.deepEqual(sortAxis(sample, 'columns', { by: 'line', line: 1 }), [0, 1, 2]);
  });

  it('finds the end of a scale centred at zero', () => {
    assert.equal(largestMagnitude(sample.values), 5);
    assert.equal(largestMagnitude(Float32Array.of(-7, 5)), 7);
    assert.equal(largestMagnitude(new Float32Array()), 0);
  });
});
