import type { HeatmapModel } from '../model/heatmap';
import type { MapSort } from '../model/viewState';

/** A cell, or a header where one of the two is −1. Indices of the matrix, not places on the screen. */
export interface Cell {
  row: number;
  column: number;
}

export interface ColumnLabel {
  /** Lines of the label: one token, or clean over corrupted. */
  lines: string[];
  index: string;
  classes: string[];
}

export interface Drawing {
  model: HeatmapModel;
  sort: MapSort;
  rowLabel(row: number): string;
  rowName(row: number): string;
  columnLabel(column: number): ColumnLabel;
  columnName(column: number): string;
  cellName(cell: Cell): string;
  /** Exact effect of a cell whose estimate is drawn: marks it as measured. */
  exactOf?(cell: Cell): number | undefined;
  /** What is said of a cell without a number; absent: not measured. */
  missingName?: string;
  selected?: Cell;
  /** Cells that stand behind what is selected elsewhere. */
  related: readonly Cell[];
}

export interface HeatmapEvents {
  /** The pointer or the focus is on a cell or header; undefined: on none. */
  point(cell: Cell | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void;
  select(cell: Cell): void;
  /** The person asks for the exact effect of the focused cell. */
  verify?(cell: Cell): void;
  /** A column header was pressed: rows are sorted by it; a row header: columns are. */
  sortRows(column: number): void;
  sortColumns(row: number): void;
  scrolled(left: number): void;
}

/** What is bound to a drawn line and to a drawn cell: its index, and its place on the screen. */
export interface Line {
  index: number;
  place: number;
}

export interface CellDatum extends Cell {
  place: number;
}

/** Up to this many cells all exist, so that reading the page needs no scrolling. */
export const DRAW_ALL = 2500;
