import assert from 'node:assert/strict';
import type { Matrix } from '../../../src/shared/views';
import type { TokenColumn } from '../../../src/shared/tokenColumns';
import { headsBehind, positionsBehind } from '../../../webview/model/behind';
import { describeHead, describePosition } from '../../../webview/model/describe';
import { buildHeatmap, countMeasured, differenceOf, largestMeasured, matrixAsTsv, rankAt, valueAt } from '../../../webview/model/heatmap';
import { listRows } from '../../../webview/model/rankedList';
import { BY_INDEX } from '../../../webview/model/viewState';

const matrix = (axes: [string, string], rows: number[][]): Matrix => ({ axes, rows: rows.length, columns: rows[0]!.length, values: Float32Array.from(rows.flat()) });
const byIndex = { rows: BY_INDEX, columns: BY_INDEX };
const heads = matrix(['layer', 'head'], [[0.25, -0.5], [0, 0.125]]);
/** Positions × heads of layer 0: the columns add up to the first row of `heads`. */
const detail = matrix(['position', 'head'], [[0, 0], [0.5, -0.125], [-0.25, -0.375]]);
const column = (position: number, text: string, more: Partial<TokenColumn> = {}): TokenColumn => ({
  ...{ position, clean: [{ text, count: 1 }], corrupted: [{ text, count: 1 }], differs: false, shared: false, last: false },
  ...more,
});
const columns = [column(0, 'When', { shared: true }), column(1, ' John', { corrupted: [{ text: ' Mary', count: 1 }], differs: true }), column(2, ' to', { last: true })];
const common = { options: { pair: 'all', unit: 'normalised' }, metric: 'logitDiff' } as const;

describe('a heatmap made ready', () => {
  it('knows each cell’s value and rank whatever the order drawn', () => {
    const model = buildHeatmap(heads, { rows: { by: 'total' }, columns: { by: 'strongest' } });
    assert.deepEqual(model.rowOrder, [1, 0]);
    assert.deepEqual(model.columnOrder, [1, 0]);
    assert.equal(valueAt(model, 0, 1), -0.5);
    assert.deepEqual([rankAt(model, 0, 1), rankAt(model, 0, 0), rankAt(model, 1, 1), rankAt(model, 1, 0)], [1, 2, 3, 4]);
    assert.equal(model.largest, 0.5);
  });

  it('leaves cells that were not measured without a rank, and gives one scale to several matrices', () => {
    const exact = matrix(['layer', 'head'], [[NaN, -0.25], [0.5, NaN]]);
    const model = buildHeatmap(exact, byIndex, 0.75);
    assert.deepEqual(model.ranked.map(({ row, column, rank }) => [row, column, rank]), [[1, 0, 1], [0, 1, 2]]);
    assert.deepEqual([...model.ranks], [0, 2, 1, 0]);
    assert.equal(model.largest, 0.75);
    assert.deepEqual([largestMeasured(exact), countMeasured(exact)], [0.5, 2]);
    assert.deepEqual([...differenceOf(heads, exact).values], [NaN, -0.25, -0.5, NaN]);
    assert.equal(matrixAsTsv(model, (row) => `L${row}`, (index) => `H${index}`), '\tH0\tH1\nL0\t\t-0.25\nL1\t0.5\t\n');
  });

  it('is copied in the order drawn', () => {
    const model = buildHeatmap(heads, { rows: { by: 'total' }, columns: BY_INDEX });
    assert.equal(matrixAsTsv(model, (row) => `L${row}`, (index) => `H${index}`), '\tH0\tH1\nL1\t0\t0.125\nL0\t0.25\t-0.5\n');
  });
});

describe('what stands behind a cell', () => {
  it('is the heads of the layer at that position, strongest first', () => {
    assert.deepEqual(headsBehind(detail, 1, 5), [{ head: 0, value: 0.5 }, { head: 1, value: -0.125 }]);
    assert.deepEqual(headsBehind(detail, 2, 1), [{ head: 1, value: -0.375 }]);
  });

  it('is the positions of a head over all length groups, strongest first', () => {
    const other = matrix(['position', 'head'], [[0.375, 0], [0, 0.25]]);
    const found = positionsBehind([{ group: 0, detail }, { group: 1, detail: other }], 0, 3);
    assert.deepEqual(found, [{ group: 0, position: 1, value: 0.5 }, { group: 1, position: 0, value: 0.375 }, { group: 0, position: 2, value: -0.25 }]);
  });

  it('is described for a head: its sentence, then its positions with their tokens', () => {
    const described = describeHead({ layer: 0, head: 0 }, 'all', [columns], { ...common, map: buildHeatmap(heads, byIndex), loaded: { state: 'ready', details: [{ group: 0, detail }] }, most: 5 });
    assert.equal(described.title, 'L0H0');
    assert.equal(described.sentence, 'layer 0, head 0, +0.250, rank 2');
    assert.deepEqual(described.behind, {
      state: 'ready',
      heading: 'Its strongest positions',
      items: [{ label: '1 “ John” → “ Mary”', value: 0.5 }, { label: '2 “ to”', value: -0.25 }],
      more: 0,
    });
  });

  it('names the parts that can be patched: heads, position by position', () => {
    const described = describeHead({ layer: 0, head: 0 }, 'all', [columns], { ...common, map: buildHeatmap(heads, byIndex), loaded: { state: 'ready', details: [{ group: 0, detail }] }, unitOf: (place) => ({ site: 'z', layer: 0, ...place }), most: 5 });
    assert.ok(described.behind.state === 'ready');
    assert.deepEqual(described.behind.items.map(({ unit }) => unit), [1, 2].map((position) => ({ site: 'z', layer: 0, head: 0, group: 0, position })));
  });

  it('is described for a position: the heads of that layer, or why there are none', () => {
    const map = buildHeatmap(matrix(['layer', 'position'], [[0, 0.375, -0.625], [0, 0, 0.1]]), byIndex);
    const loaded = { state: 'ready', details: [{ group: 0, detail }] } as const;
    const at = (position: number, site: 'z' | 'mlp_out') => describePosition({ layer: 0, position }, site, columns[position]!, { ...common, map, loaded: { ...loaded, details: [...loaded.details] }, most: 1 });
    assert.equal(at(2, 'z').sentence, 'layer 0, position 2 “ to”, −0.625, rank 1');
    assert.deepEqual(at(2, 'z').behind, { state: 'ready', heading: 'Strongest heads of layer 0 here', items: [{ label: 'L0H1', value: -0.375 }], more: 1 });
    assert.equal(at(2, 'mlp_out').behind.state, 'none');
    assert.deepEqual(at(0, 'z').behind, { state: 'none', message: 'Before the first difference: exactly 0.' });
  });

  it('says so while it is not there yet', () => {
    const described = describeHead({ layer: 0, head: 1 }, 'last', [columns], { ...common, map: buildHeatmap(heads, byIndex), loaded: { state: 'loading' }, most: 5 });
    assert.equal(described.behind.state, 'loading');
  });
});

describe('the table beside the maps', () => {
  const model = buildHeatmap(heads, byIndex);
  const names = (column: 'rank' | 'name' | 'score' | 'share', descending: boolean, most = 4): number[] => listRows(model, { column, descending }, most).map(({ row, column: head }) => row * 2 + head);

  it('sorts by rank, name, signed score and share', () => {
    assert.deepEqual(names('rank', false), [1, 0, 3, 2]);
    assert.deepEqual(names('name', false), [0, 1, 2, 3]);
    assert.deepEqual(names('score', true), [0, 3, 2, 1]);
    assert.deepEqual(names('share', true), [1, 0, 3, 2]);
    assert.deepEqual(names('share', false), [2, 3, 0, 1]);
  });

  it('sorts by exact effect, what was not measured last either way', () => {
    const exact = new Map([[0, -1], [3, 2]]);
    const cells = (descending: boolean): number[] => listRows(model, { column: 'exact', descending }, 4, (row, head) => exact.get(row * 2 + head)).map(({ row, column: head }) => row * 2 + head);
    assert.deepEqual(cells(true), [3, 0, 1, 2]);
    assert.deepEqual(cells(false), [0, 3, 1, 2]);
  });

  it('shows the strongest cells in whatever order', () => {
    assert.deepEqual(names('score', true, 2), [0, 1]);
  });

  it('gives shares of all magnitudes, which add up to one', () => {
    const rows = listRows(model, { column: 'rank', descending: false }, 4);
    assert.equal(rows.reduce((sum, { share }) => sum + share, 0), 1);
    assert.equal(rows[0]!.share, 0.5 / 0.875);
    const zeros = buildHeatmap(matrix(['layer', 'head'], [[0, 0]]), byIndex);
    assert.deepEqual(listRows(zeros, { column: 'rank', descending: false }, 9).map(({ share }) => share), [0, 0]);
  });
});
