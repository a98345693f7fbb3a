import { select } from 'd3';
import type { HeatmapModel } from '../model/heatmap';
import { DRAW_ALL, type CellDatum, type Line } from './heatmapDrawing';
import { prefersReducedMotion } from '../view/theme';

/** Lets the lines of a map that has been sorted anew glide there from their old places, so that the eye can follow. */
export function glideFrom(before: HeatmapModel, grid: Element, cellWidth: number, cellHeight: number): void {
  const { rows, columns } = before.matrix;
  if (rows * columns > DRAW_ALL || prefersReducedMotion()) return;
  const glide = (element: Element, axis: 'X' | 'Y', distance: number): void => {
    if (distance !== 0) element.animate([{ transform: `translate${axis}(${distance}px)` }, { transform: 'none' }], { duration: 220, easing: 'ease-out' });
  };
  const rowsBack = (index: number, place: number): number => (before.rowOrder.indexOf(index) - place) * cellHeight;
  const columnsBack = (index: number, place: number): number => (before.columnOrder.indexOf(index) - place) * cellWidth;
  const map = select(grid);
  map.selectAll<Element, Line>('.line').each(function ({ index, place }) {
    glide(this, 'Y', rowsBack(index, place));
  });
  map.selectAll<Element, CellDatum>('.cell').each(function ({ column, place }) {
    glide(this, 'X', columnsBack(column, place));
  });
  map.selectAll<Element, Line>('.column-head').each(function ({ index, place }) {
    glide(this, 'X', columnsBack(index, place));
  });
}

export function sameOrder(a: readonly number[], b: readonly number[]): boolean {
  return a.every((index, place) => index === b[place]);
}
