import assert from 'node:assert/strict';
import type { Matrix } from '../../../src/shared/views';
import { MapModels } from '../../../webview/heatmaps/drawnMap';
import { BY_INDEX, type Values } from '../../../webview/model/viewState';

const matrix = (...values: number[]): Matrix => ({ axes: ['layer', 'head'], rows: 1, columns: values.length, values: Float32Array.from(values) });
const largest = (estimate: Matrix, exact: Matrix | undefined, values: Values): number =>
  new MapModels().build(estimate, { name: 'heads', map: { site: 'z', over: 'all' }, options: { pair: 'all', unit: 'raw' }, values, exact, columns: [] }, { rows: BY_INDEX, columns: BY_INDEX }).model.largest;

describe('the colour scale of a map', () => {
  const estimate = matrix(0.5, -0.25, 0.125);

  it('of estimates is their own, however large what was measured is', () => {
    assert.equal(largest(estimate, undefined, 'estimate'), 0.5);
    assert.equal(largest(estimate, matrix(64, NaN, NaN), 'estimate'), 0.5);
  });

  it('is the same for exact effects and differences', () => {
    const exact = matrix(-1, NaN, 0.25);
    assert.equal(largest(estimate, exact, 'exact'), 1.5);
    assert.equal(largest(estimate, exact, 'difference'), 1.5);
  });
});
