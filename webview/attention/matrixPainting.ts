import { rgb } from 'd3';
import { visibleLines } from '../model/navigation';
import type { Box, MatrixGeometry, Scroll } from './matrixGeometry';
import type { PatternCell, PatternMatrix } from './patterns';
import type { Scale } from './scales';
import { axisLabel, type AxisToken } from './tokenAxis';

/**
 * Draws a matrix into a canvas: its labels and what is in sight of its cells. The cells are one picture with a pixel each,
 * enlarged; so a hundred tokens cost no more than ten.
 */

/** The theme's colours and fonts, read from the page: a canvas knows no style sheet. */
export interface Ink {
  background: string;
  foreground: string;
  muted: string;
  differs: string;
  focus: string;
  /** Between cells, so that those of value 0 are seen. */
  grid: string;
  /** Family of the labels. */
  font: string;
}

export function inkOf(element: Element): Ink {
  const style = getComputedStyle(element);
  const read = (name: string, otherwise: string): string => style.getPropertyValue(name).trim() || otherwise;
  const foreground = read('--vscode-foreground', style.color);
  const background = read('--vscode-editor-background', '#ffffff');
  return {
    background,
    foreground,
    muted: read('--vscode-descriptionForeground', foreground),
    differs: read('--vscode-editorWarning-foreground', foreground),
    focus: read('--vscode-focusBorder', foreground),
    grid: faded(read('--vscode-contrastBorder', '')) ?? read('--vscode-panel-border', background),
    font: read('--vscode-editor-font-family', 'monospace'),
  };
}

/** A theme of high contrast draws borders so bright that they would drown the cells. */
function faded(colour: string): string | undefined {
  return colour === '' ? undefined : rgb(colour).copy({ opacity: 0.45 }).formatRgb();
}

/** Labels fit in their lines. */
function fontOf({ geometry: { cell }, ink }: MatrixDrawing): string {
  return `${Math.min(11, cell - 1)}px ${ink.font}`;
}

/** One pixel per cell; nothing where nothing is attended to. */
export function matrixPicture({ values, tokens }: PatternMatrix, { colourOf }: Scale): HTMLCanvasElement {
  const count = tokens.length;
  const picture = document.createElement('canvas');
  picture.width = picture.height = count;
  const context = picture.getContext('2d')!;
  const pixels = context.createImageData(count, count);
  for (let dest = 0; dest < count; dest++) {
    for (let src = 0; src <= dest; src++) {
      const cell = dest * count + src;
      const { r, g, b } = rgb(colourOf(values[cell]!));
      pixels.data.set([r, g, b, 255], 4 * cell);
    }
  }
  context.putImageData(pixels, 0, 0);
  return picture;
}

export interface MatrixDrawing {
  geometry: MatrixGeometry;
  tokens: readonly AxisToken[];
  scroll: Scroll;
  box: Box;
  ink: Ink;
}

/** Cells and labels. */
export function paintMatrix(context: CanvasRenderingContext2D, picture: HTMLCanvasElement, drawing: MatrixDrawing): void {
  const { geometry, tokens, scroll, box } = drawing;
  const { cell, left, top, count } = geometry;
  context.clearRect(0, 0, box.width, box.height);
  insideCells(context, drawing, () => {
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, left - scroll.left, top - scroll.top, count * cell, count * cell);
    paintGrid(context, drawing);
  });
  context.textBaseline = 'middle';
  const rows = visibleLines(scroll.top, box.height - top, cell, count, 1);
  const columns = visibleLines(scroll.left, box.width - left, cell, count, 1);
  for (let dest = rows.first; dest < rows.end; dest++) rowLabel(context, drawing, tokens[dest]!, dest, false);
  for (let src = columns.first; src < columns.end; src++) columnLabel(context, drawing, tokens[src]!, src, false);
  // Labels of half-hidden lines end where the cells' own box begins.
  context.clearRect(0, 0, left - 1, top - 1);
}

/** Lights up the row and the column of a cell, and frames it. */
export function paintHighlight(context: CanvasRenderingContext2D, drawing: MatrixDrawing, { dest, src }: PatternCell, { locked, focused }: { locked: boolean; focused: boolean }): void {
  const { geometry, tokens, scroll, box, ink } = drawing;
  const { cell, left, top } = geometry;
  const [x, y] = [left + src * cell - scroll.left, top + dest * cell - scroll.top];
  insideCells(context, drawing, () => {
    context.strokeStyle = ink.muted;
    context.lineWidth = 1;
    // The row as far as it attends, the column from where it is attended to.
    context.strokeRect(left - scroll.left + 0.5, y + 0.5, (dest + 1) * cell - 1, cell - 1);
    context.strokeRect(x + 0.5, top - scroll.top + src * cell + 0.5, cell - 1, (geometry.count - src) * cell - 1);
    context.strokeStyle = ink.background;
    context.lineWidth = 4;
    context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
    context.strokeStyle = focused ? ink.focus : ink.foreground;
    context.lineWidth = locked ? 3 : 2;
    context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
  });
  context.textBaseline = 'middle';
  if (y > top - cell && y < box.height) rowLabel(context, drawing, tokens[dest]!, dest, true);
  if (x > left - cell && x < box.width) columnLabel(context, drawing, tokens[src]!, src, true);
}

/** Lines between the cells, where these are large enough to leave room. */
function paintGrid(context: CanvasRenderingContext2D, { geometry, scroll, box, ink }: MatrixDrawing): void {
  const { cell, left, top, count } = geometry;
  const rows = visibleLines(scroll.top, box.height - top, cell, count, 1);
  const columns = visibleLines(scroll.left, box.width - left, cell, count, 1);
  context.fillStyle = ink.grid;
  for (let dest = rows.first; dest <= rows.end; dest++) {
    // A line is as long as the longer of its two neighbours.
    context.fillRect(left - scroll.left, top - scroll.top + dest * cell, Math.min(dest + 1, count) * cell + 1, 1);
  }
  for (let src = columns.first; src <= columns.end; src++) {
    const from = Math.max(0, src - 1) * cell;
    context.fillRect(left - scroll.left + src * cell, top - scroll.top + from, 1, count * cell - from + 1);
  }
}

function insideCells(context: CanvasRenderingContext2D, { geometry: { left, top }, box }: MatrixDrawing, paint: () => void): void {
  context.save();
  context.beginPath();
  context.rect(left - 1, top - 1, box.width - left + 1, box.height - top + 1);
  context.clip();
  paint();
  context.restore();
}

function rowLabel(context: CanvasRenderingContext2D, drawing: MatrixDrawing, token: AxisToken, dest: number, lit: boolean): void {
  const { geometry, scroll, box } = drawing;
  const { cell, left, top } = geometry;
  context.save();
  context.beginPath();
  context.rect(0, top - 1, left, box.height - top + 1);
  context.clip();
  context.translate(left - 4, top + (dest + 0.5) * cell - scroll.top);
  paintLabel(context, drawing, token, lit, { align: 'right', extent: left - 6 });
  context.restore();
}

function columnLabel(context: CanvasRenderingContext2D, drawing: MatrixDrawing, token: AxisToken, src: number, lit: boolean): void {
  const { geometry, scroll, box } = drawing;
  const { cell, left, top } = geometry;
  context.save();
  context.beginPath();
  context.rect(left - 1, 0, box.width - left + 1, top);
  context.clip();
  context.translate(left + (src + 0.5) * cell - scroll.left, top - 4);
  context.rotate(-Math.PI / 2);
  paintLabel(context, drawing, token, lit, { align: 'left', extent: top - 6 });
  context.restore();
}

/** A token with the name of its position before it; a differing one is bold with a bar along its line, as in the heatmaps. */
function paintLabel(context: CanvasRenderingContext2D, drawing: MatrixDrawing, token: AxisToken, lit: boolean, { align, extent }: { align: 'left' | 'right'; extent: number }): void {
  const { cell } = drawing.geometry;
  const { ink } = drawing;
  const { name, token: text } = axisLabel(token);
  const plain = fontOf(drawing);
  const bold = `bold ${plain}`;
  const tokenFont = token.differs || lit ? bold : plain;
  const nameText = name === '' ? '' : `${name} `;
  context.font = bold;
  const nameWidth = context.measureText(nameText).width;
  context.font = tokenFont;
  const bar = token.differs ? 5 : 0;
  const shown = shortened(context, text, extent - nameWidth - bar);
  const width = nameWidth + context.measureText(shown).width;
  // From the matrix outwards: the bar, then the words.
  const start = align === 'right' ? -bar - width : bar;
  if (lit) {
    context.fillStyle = ink.background;
    context.fillRect(align === 'right' ? -extent : 0, -cell / 2 + 1, extent, cell - 2);
  }
  context.textAlign = 'left';
  if (nameText !== '') {
    context.font = bold;
    context.fillStyle = ink.foreground;
    context.fillText(nameText, start, 0);
  }
  context.font = tokenFont;
  context.fillStyle = lit || token.differs ? ink.foreground : ink.muted;
  context.fillText(shown, start + nameWidth, 0);
  if (token.differs) {
    context.fillStyle = ink.differs;
    context.fillRect(align === 'right' ? -2 : 0, -cell / 2 + 1, 2, cell - 2);
  }
}

function shortened(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  let kept = text;
  while (kept.length > 1 && context.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept}…`;
}
