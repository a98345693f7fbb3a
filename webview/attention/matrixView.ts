import { el } from '../view/dom';
import { cellUnder, fitMatrix, labelExtent, scrollToCell, wishedWidth, type MatrixGeometry, type Scroll } from './matrixGeometry';
import { inkOf, matrixPicture, paintHighlight, paintMatrix, type Ink, type MatrixDrawing } from './matrixPainting';
import { moveCell, type PatternCell, type PatternMatrix } from './patterns';
import type { Scale } from './scales';
import { cellSentence, cellValue } from './words';

export interface MatrixEvents {
  /** The pointer or the focus is on a cell; undefined: on none. */
  point(cell: PatternCell | undefined): void;
  /** Click, Enter or the space bar. */
  press(cell: PatternCell): void;
  scrolled(scroll: Scroll): void;
}

export interface Highlight {
  cell?: PatternCell;
  locked: boolean;
}

/** Kept free above and below the cell the keys are at: the readout stays in sight there. */
const PAGE_MARGIN = 40;

let matrices = 0;

/**
 * One matrix in a canvas, destinations × sources. For the keyboard it is one tab stop with arrow keys; for screen readers a
 * grid of which the one row and cell exist that the keys are at.
 */
export class MatrixView {
  readonly element: HTMLElement;
  private readonly id = `matrix${matrices++}`;
  private readonly title = el('h3', { class: 'matrix-title' });
  private readonly value = el('span', { class: 'matrix-value' });
  private readonly cells = el('canvas', { class: 'matrix-canvas', attributes: { 'aria-hidden': 'true' } });
  private readonly marks = el('canvas', { class: 'matrix-canvas', attributes: { 'aria-hidden': 'true' } });
  private readonly spoken = el('div', { class: 'hidden', attributes: { role: 'row' } });
  /** Stays in sight while the extent scrolls under it. */
  private readonly sight = el('div', { class: 'matrix-sight' }, [this.cells, this.marks]);
  private readonly extent = el('div', { class: 'matrix-extent' }, [this.sight]);
  private readonly scroller: HTMLElement;
  private readonly sizes = new ResizeObserver(() => this.refit());
  private matrix?: PatternMatrix;
  private siblings: readonly PatternMatrix[] = [];
  private geometry?: MatrixGeometry;
  private picture?: HTMLCanvasElement;
  private ink?: Ink;
  private highlight: Highlight = { locked: false };
  private active: PatternCell = { dest: 0, src: 0 };
  private frame = 0;

  constructor(private readonly events: MatrixEvents) {
    this.scroller = el('div', { class: 'matrix-scroller', attributes: { tabindex: 0, role: 'grid', 'aria-readonly': 'true' } }, [this.spoken, this.extent]);
    this.element = el('div', { class: 'matrix' }, [el('div', { class: 'matrix-head' }, [this.title, this.value]), this.scroller]);
    this.listen();
    this.sizes.observe(this.element);
  }

  /** `siblings`: all matrices of the same head, whose values are spoken along with this one's. */
  draw(matrix: PatternMatrix, siblings: readonly PatternMatrix[], scale: Scale, name: string): void {
    const count = matrix.tokens.length;
    if (this.matrix?.tokens.length !== count) this.active = { dest: count - 1, src: count - 1 };
    this.matrix = matrix;
    this.siblings = siblings;
    this.ink = inkOf(this.element);
    this.picture = matrixPicture(matrix, scale);
    this.title.textContent = matrix.title;
    this.element.dataset.kind = matrix.kind;
    this.scroller.setAttribute('aria-label', `${name}, ${matrix.title}: attention from each token (rows) to each earlier one (columns)`);
    this.scroller.setAttribute('aria-rowcount', String(count));
    this.scroller.setAttribute('aria-colcount', String(count));
    this.scroller.dataset.key = `${name} ${matrix.kind}`;
    this.geometry = undefined;
    this.element.style.flexBasis = `${wishedWidth(count, labelExtent(matrix.tokens))}px`;
    this.refit();
    this.speak();
  }

  mark(highlight: Highlight): void {
    this.highlight = highlight;
    const { matrix } = this;
    const { cell } = highlight;
    if (cell) this.active = cell;
    this.value.textContent = cell && matrix ? cellValue(matrix, cell) : '';
    this.speak();
    this.paintMarks();
  }

  /** Follows another matrix of as many tokens. */
  follow({ left, top }: Scroll): void {
    if (this.scroller.scrollLeft !== left) this.scroller.scrollLeft = left;
    if (this.scroller.scrollTop !== top) this.scroller.scrollTop = top;
  }

  /** Brings a cell into sight; the keys begin there. */
  reveal(cell: PatternCell): void {
    const { geometry, scroller } = this;
    this.active = cell;
    this.speak();
    if (geometry) this.follow(scrollToCell(geometry, cell, this.scroll, { width: scroller.clientWidth, height: scroller.clientHeight }));
  }

  /** A matrix may be taller than the panel: the page follows the keys. */
  private scrollPageTo({ dest }: PatternCell, { top, cell }: MatrixGeometry): void {
    const y = this.scroller.getBoundingClientRect().top + top + dest * cell - this.scroller.scrollTop;
    if (y < PAGE_MARGIN || y + cell + PAGE_MARGIN > innerHeight) window.scrollBy({ top: y < PAGE_MARGIN ? y - PAGE_MARGIN : y + cell + PAGE_MARGIN - innerHeight });
  }

  close(): void {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
  }

  private get scroll(): Scroll {
    return { left: this.scroller.scrollLeft, top: this.scroller.scrollTop };
  }

  private refit(): void {
    const { matrix } = this;
    const room = this.element.clientWidth;
    if (!matrix || room === 0) return;
    const geometry = fitMatrix(matrix.tokens.length, labelExtent(matrix.tokens), room - 2);
    const before = this.geometry;
    this.geometry = geometry;
    if (before?.width !== geometry.width) {
      const { style } = this.extent;
      style.width = `${geometry.width}px`;
      style.height = `${geometry.height}px`;
      // The canvas tells nobody where its cells are.
      this.extent.dataset.cell = String(geometry.cell);
      this.extent.dataset.label = String(geometry.left);
    }
    this.paint();
  }

  private drawing(): MatrixDrawing | undefined {
    const { geometry, matrix, ink, scroller } = this;
    if (!geometry || !matrix || !ink) return undefined;
    const box = { width: Math.min(scroller.clientWidth, geometry.width), height: Math.min(scroller.clientHeight, geometry.height) };
    return { geometry, tokens: matrix.tokens, scroll: this.scroll, box, ink };
  }

  private paint(): void {
    const drawing = this.drawing();
    if (!drawing) return;
    this.sight.style.width = `${drawing.box.width}px`;
    this.sight.style.height = `${drawing.box.height}px`;
    const context = sizedContext(this.cells, drawing);
    paintMatrix(context, this.picture!, drawing);
    this.paintMarks();
  }

  private paintMarks(): void {
    const drawing = this.drawing();
    if (!drawing) return;
    const context = sizedContext(this.marks, drawing);
    context.clearRect(0, 0, drawing.box.width, drawing.box.height);
    const { cell, locked } = this.highlight;
    if (cell) paintHighlight(context, drawing, cell, { locked, focused: this.scroller.matches(':focus-visible') });
  }

  /** The cell the keys are at, as a new element: screen readers read what appears. */
  private speak(): void {
    const { matrix, active } = this;
    if (!matrix) return;
    const id = `${this.id}-${active.dest}-${active.src}`;
    const text = cellSentence(matrix, this.siblings, active);
    if (this.spoken.textContent === text) return;
    this.spoken.setAttribute('aria-rowindex', String(active.dest + 1));
    this.spoken.replaceChildren(el('span', { text, attributes: { role: 'gridcell', id, 'aria-colindex': active.src + 1 } }));
    this.scroller.setAttribute('aria-activedescendant', id);
  }

  private listen(): void {
    const { scroller, events } = this;
    const under = ({ clientX, clientY }: MouseEvent): PatternCell | undefined => {
      const { left, top } = scroller.getBoundingClientRect();
      return this.geometry && cellUnder(this.geometry, clientX - left - scroller.clientLeft, clientY - top - scroller.clientTop, this.scroll);
    };
    scroller.addEventListener('pointermove', (event) => events.point(under(event)));
    scroller.addEventListener('pointerleave', () => events.point(undefined));
    scroller.addEventListener('click', (event) => {
      const cell = under(event);
      if (cell) events.press(cell);
    });
    scroller.addEventListener('focus', () => {
      if (scroller.matches(':focus-visible')) events.point(this.active);
      this.paintMarks();
    });
    scroller.addEventListener('blur', () => events.point(undefined));
    scroller.addEventListener('keydown', (event) => {
      const { matrix, geometry } = this;
      if (!matrix || !geometry || event.altKey || event.metaKey || event.shiftKey) return;
      const { key, ctrlKey } = event;
      if ((key === 'Enter' || key === ' ') && !ctrlKey) {
        event.preventDefault();
        return events.press(this.active);
      }
      const page = Math.max(1, Math.floor((scroller.clientHeight - geometry.top) / geometry.cell) - 1);
      const target = moveCell(this.active, key, ctrlKey, { count: matrix.tokens.length, page });
      if (!target || (ctrlKey && key !== 'Home' && key !== 'End')) return;
      event.preventDefault();
      if (target.dest === this.active.dest && target.src === this.active.src) return;
      this.active = target;
      this.reveal(target);
      this.scrollPageTo(target, geometry);
      if (this.highlight.locked) events.press(target);
      else events.point(target);
    });
    scroller.addEventListener('scroll', () => {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => {
        this.paint();
        events.scrolled(this.scroll);
      });
    });
  }
}

/** The canvas in the box's size and the screen's resolution, drawn to in CSS pixels. */
function sizedContext(canvas: HTMLCanvasElement, { box }: MatrixDrawing): CanvasRenderingContext2D {
  const ratio = devicePixelRatio;
  const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${box.width}px`;
    canvas.style.height = `${box.height}px`;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
