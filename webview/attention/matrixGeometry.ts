import { axisLabel, type AxisToken } from './tokenAxis';
import type { PatternCell } from './patterns';

/** Where things are in a matrix's box, in CSS pixels. Labels stay in place while the cells scroll under them. */
export interface MatrixGeometry {
  /** Tokens on either axis. */
  count: number;
  cell: number;
  /** Width of the destinations' labels, and height of the sources'. */
  left: number;
  top: number;
  /** All of it, scrolled or not. */
  width: number;
  height: number;
}

export interface Scroll {
  left: number;
  top: number;
}

/** What of the matrix is in sight: sizes of the box, its labels included. */
export interface Box {
  width: number;
  height: number;
}

const LARGEST_CELL = 22;
const SMALLEST_CELL = 10;
/** Of a character in labels (11 px, monospaced). */
const CHARACTER = 6.7;
const NARROWEST_LABEL = 26;
const WIDEST_LABEL = 104;

/** Room for a token's label with the names of its position. */
export function labelExtent(tokens: readonly AxisToken[]): number {
  const longest = tokens.reduce((length, token) => {
    const { name, token: text } = axisLabel(token);
    return Math.max(length, name.length + text.length + (name === '' ? 0 : 1));
  }, 0);
  return Math.max(NARROWEST_LABEL, Math.min(WIDEST_LABEL, Math.ceil(longest * CHARACTER) + 12));
}

/** Cells as large as the room allows, so that short prompts are easy to point at and long ones scroll. */
export function fitMatrix(count: number, label: number, room: number): MatrixGeometry {
  const cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, Math.floor((room - label) / count)));
  const extent = label + count * cell + 1;
  return { count, cell, left: label, top: label, width: extent, height: extent };
}

const NARROWEST_BOX = 250;
const WIDEST_BOX = 560;

/** The width a matrix would like: enough for all of its cells where that is not too much, since matrices side by side share the page. */
export function wishedWidth(count: number, label: number): number {
  return Math.max(NARROWEST_BOX, Math.min(WIDEST_BOX, label + count * SMALLEST_CELL + 3));
}

/** The cell under a point of the box; undefined on labels, outside, and where nothing is attended to. */
export function cellUnder({ count, cell, left, top }: MatrixGeometry, x: number, y: number, scroll: Scroll): PatternCell | undefined {
  if (x < left || y < top) return undefined;
  const src = Math.floor((x - left + scroll.left) / cell);
  const dest = Math.floor((y - top + scroll.top) / cell);
  return dest < count && src <= dest ? { dest, src } : undefined;
}

/** Scrolled just far enough that a cell is clear of the labels. */
export function scrollToCell({ cell, left, top }: MatrixGeometry, { dest, src }: PatternCell, scroll: Scroll, box: Box): Scroll {
  const reach = (place: number, from: number, room: number): number => Math.min(place, Math.max(from, place + cell - room));
  return { left: reach(src * cell, scroll.left, box.width - left - 1), top: reach(dest * cell, scroll.top, box.height - top - 1) };
}
