import { largestMagnitude, rankCells, sortAxis, type RankedCell } from '../../src/shared/ranking';
import type { Matrix } from '../../src/shared/views';
import type { MapSort } from './viewState';

/** A matrix made ready to be drawn: in which order, and which rank each cell has. Cells that were not measured are NaN. */
export interface HeatmapModel {
  matrix: Matrix;
  rowOrder: number[];
  columnOrder: number[];
  /** By falling |value|, without cells that were not measured. */
  ranked: RankedCell[];
  /** Rank by row-major index, 1 = largest |value|. */
  ranks: Int32Array;
  /** The end of the colour scale. */
  largest: number;
  /** Σ |value|, what shares are shares of. */
  magnitude: number;
}

/** `largest`: the end of a colour scale that is shared with other matrices. */
export function buildHeatmap(matrix: Matrix, sort: MapSort, largest?: number): HeatmapModel {
  const filled = { ...matrix, values: matrix.values.map((value) => (Number.isNaN(value) ? 0 : value)) };
  const measured = rankCells(filled).filter(({ row, column }) => !Number.isNaN(matrix.values[row * matrix.columns + column]!));
  const ranked = measured.map((cell, place) => ({ ...cell, rank: place + 1 }));
  const ranks = new Int32Array(matrix.values.length);
  let magnitude = 0;
  for (const { row, column, rank, value } of ranked) {
    ranks[row * matrix.columns + column] = rank;
    magnitude += Math.abs(value);
  }
  return {
    matrix,
    rowOrder: sortAxis(filled, 'rows', sort.rows),
    columnOrder: sortAxis(filled, 'columns', sort.columns),
    ranked,
    ranks,
    largest: largest ?? largestMagnitude(filled.values),
    magnitude,
  };
}

/** a − b, not measured where either is not. */
export function differenceOf(a: Matrix, b: Matrix): Matrix {
  return { ...a, values: a.values.map((value, i) => value - b.values[i]!) };
}

export function largestMeasured({ values }: Matrix): number {
  return values.reduce((largest, value) => (Number.isNaN(value) ? largest : Math.max(largest, Math.abs(value))), 0);
}

export function countMeasured({ values }: Matrix): number {
  return values.reduce((count, value) => (Number.isNaN(value) ? count : count + 1), 0);
}

export function valueAt({ matrix }: HeatmapModel, row: number, column: number): number {
  return matrix.values[row * matrix.columns + column]!;
}

export function rankAt({ matrix, ranks }: HeatmapModel, row: number, column: number): number {
  return ranks[row * matrix.columns + column]!;
}

/** Tab-separated, first line and first column are the names, in the order drawn. Full float32 precision. */
export function matrixAsTsv(model: HeatmapModel, rowName: (row: number) => string, columnName: (column: number) => string): string {
  const lines = [['', ...model.columnOrder.map(columnName)].join('\t')];
  for (const row of model.rowOrder) {
    lines.push([rowName(row), ...model.columnOrder.map((column) => textOf(valueAt(model, row, column)))].join('\t'));
  }
  return lines.join('\n') + '\n';
}

function textOf(value: number): string {
  return Number.isNaN(value) ? '' : String(value);
}
