import { largestMagnitude, rankCells, sortAxis, type RankedCell } from '../../src/shared/ranking';
import type { Matrix } from '../../src/shared/views';
import type { MapSort } from './viewState';

/** A matrix made ready to be drawn: in which order, and which rank each cell has. */
export interface HeatmapModel {
  matrix: Matrix;
  rowOrder: number[];
  columnOrder: number[];
  /** By falling |value|. */
  ranked: RankedCell[];
  /** Rank by row-major index, 1 = largest |value|. */
  ranks: Int32Array;
  /** The end of the colour scale. */
  largest: number;
  /** Σ |value|, what shares are shares of. */
  magnitude: number;
}

export function buildHeatmap(matrix: Matrix, sort: MapSort): HeatmapModel {
  const ranked = rankCells(matrix);
  const ranks = new Int32Array(matrix.values.length);
  let magnitude = 0;
  for (const { row, column, rank, value } of ranked) {
    ranks[row * matrix.columns + column] = rank;
    magnitude += Math.abs(value);
  }
  return {
    matrix,
    rowOrder: sortAxis(matrix, 'rows', sort.rows),
    columnOrder: sortAxis(matrix, 'columns', sort.columns),
    ranked,
    ranks,
    largest: largestMagnitude(matrix.values),
    magnitude,
  };
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
    lines.push([rowName(row), ...model.columnOrder.map((column) => String(valueAt(model, row, column)))].join('\t'));
  }
  return lines.join('\n') + '\n';
}
