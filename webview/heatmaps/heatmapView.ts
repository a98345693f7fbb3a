import { select, type Selection } from 'd3';
import type { Palette } from '../model/colour';
import { cellFormat, formatScore } from '../model/format';
import { rankAt, valueAt } from '../model/heatmap';
import { move, visibleLines, type Place } from '../model/navigation';
import { el } from '../view/dom';
import { glideFrom, sameOrder } from './glide';
import { DRAW_ALL, type Cell, type CellDatum, type Drawing, type HeatmapEvents, type Line } from './heatmapDrawing';

/**
 * A heatmap as a grid of elements, of which only those in sight exist (beyond a few thousand cells):
 * 48 layers × 1024 positions cost no more than a screenful. Elements rather than a canvas because each cell then is
 * what it says to a screen reader, a theme's borders and focus rings apply, and a test can point at it.
 */

interface Range {
  first: number;
  end: number;
}

const ROW_HEADER_WIDTH = 56;
const WIDEST_CELL = 58;
const NARROWEST_CELL = 20;
/** Lines drawn beyond what is in sight on either side: until they are used up, scrolling is the browser's work alone. */
const MARGIN = 10;
/** Width of a character in cells (10 px) and in labels (11 px). */
const DIGIT_WIDTH = 6.1;
const LABEL_DIGIT = 6.8;
const FLAT_HEADER = 30;
/** Position numbers of three digits and more stand upright in narrow columns. */
const UPRIGHT_INDEX = 18;
const TALLEST_LABEL = 88;

export class HeatmapView {
  readonly element: HTMLElement;
  private readonly scroller = el('div', { class: 'map-scroller', attributes: { tabindex: -1 } });
  private readonly grid: HTMLElement;
  private readonly head: HTMLElement;
  private headerHeight = FLAT_HEADER;
  private drawing?: Drawing;
  private palette?: Palette;
  private active: Cell = { row: 0, column: 0 };
  private cellWidth = WIDEST_CELL;
  private cellHeight = 26;
  private frame = 0;
  private readonly drawn: Record<'rows' | 'columns', Range> = { rows: { first: 0, end: 0 }, columns: { first: 0, end: 0 } };

  constructor(
    label: string,
    private readonly axes: { row: string; column: string; tall: boolean },
    private readonly events: HeatmapEvents,
  ) {
    const corner = el('div', { class: 'corner', attributes: { role: 'presentation' } }, [
      el('span', { class: 'corner-column', text: axes.column }),
      el('span', { class: 'corner-row', text: axes.row }),
    ]);
    this.head = el('div', { class: 'head-line', attributes: { role: 'row', 'aria-rowindex': 1 } }, [corner]);
    this.grid = el('div', { class: axes.tall ? 'map tall' : 'map', attributes: { role: 'grid', 'aria-label': label, 'aria-readonly': 'true' } }, [this.head]);
    this.scroller.append(this.grid);
    this.element = this.scroller;
    this.listen();
    new ResizeObserver(() => this.refit()).observe(this.scroller);
  }

  draw(drawing: Drawing, palette: Palette): void {
    const before = this.drawing;
    this.drawing = drawing;
    this.palette = palette;
    const { rows, columns } = drawing.model.matrix;
    if (this.active.row >= rows || this.active.column >= columns) this.active = { row: 0, column: 0 };
    this.fit();
    const comparable = before !== undefined && before.model.matrix.rows === rows && before.model.matrix.columns === columns;
    const rowsMoved = comparable && !sameOrder(before.model.rowOrder, drawing.model.rowOrder);
    const columnsMoved = comparable && !sameOrder(before.model.columnOrder, drawing.model.columnOrder);
    // What was sorted to the front is what the person wants to see.
    if (rowsMoved) this.scroller.scrollTop = 0;
    if (columnsMoved) this.scroller.scrollLeft = 0;
    this.render(true);
    if (rowsMoved || columnsMoved) glideFrom(before!.model, this.grid, this.cellWidth, this.cellHeight);
  }

  get scrollLeft(): number {
    return this.scroller.scrollLeft;
  }

  set scrollLeft(left: number) {
    this.scroller.scrollLeft = left;
    this.render(false);
  }

  /** Brings a column into the middle of what is in sight, where it is not in sight already. */
  showColumn(column: number): void {
    const { scroller } = this;
    const left = this.drawing!.model.columnOrder.indexOf(column) * this.cellWidth;
    const room = scroller.clientWidth - ROW_HEADER_WIDTH;
    if (left >= scroller.scrollLeft && left + this.cellWidth <= scroller.scrollLeft + room) return;
    this.scrollLeft = Math.max(0, left - (room - this.cellWidth) / 2);
  }

  private refit(): void {
    if (!this.drawing) return;
    const before = this.cellWidth;
    this.fit();
    this.render(this.cellWidth !== before);
  }

  /** Cells as wide as the room allows, so that numbers fit in where they can. */
  private fit(): void {
    const { model, columnLabel } = this.drawing!;
    const { rows, columns } = model.matrix;
    if (this.axes.tall) {
      const longest = model.columnOrder.reduce((length, column) => Math.max(length, ...columnLabel(column).lines.map((line) => line.length)), 0);
      this.headerHeight = FLAT_HEADER + Math.min(TALLEST_LABEL, Math.ceil(longest * LABEL_DIGIT)) + (columns > 100 ? UPRIGHT_INDEX : 0);
    }
    this.grid.classList.toggle('upright', columns > 100);
    const room = this.scroller.clientWidth - ROW_HEADER_WIDTH - 2;
    this.cellWidth = Math.max(NARROWEST_CELL, Math.min(WIDEST_CELL, Math.floor(room / columns)));
    this.cellHeight = rows > 36 ? 18 : rows > 20 ? 22 : 26;
    const { style } = this.grid;
    style.setProperty('--cell-width', `${this.cellWidth}px`);
    style.setProperty('--cell-height', `${this.cellHeight}px`);
    style.setProperty('--head-height', `${this.headerHeight}px`);
    style.setProperty('--row-head-width', `${ROW_HEADER_WIDTH}px`);
    style.width = `${ROW_HEADER_WIDTH + columns * this.cellWidth}px`;
    style.height = `${this.headerHeight + rows * this.cellHeight}px`;
  }

  /** `full`: every cell in sight is written anew; otherwise (scrolling) only those that come into sight. */
  private render(full: boolean): void {
    const { drawing, palette } = this;
    if (!drawing || !palette) return;
    const { model } = drawing;
    const { rows, columns } = model.matrix;
    const hadFocus = this.grid.contains(document.activeElement);
    const rowLines = this.linesInSight('rows', model.rowOrder);
    const columnLines = this.linesInSight('columns', model.columnOrder);
    this.grid.setAttribute('aria-rowcount', String(rows + 1));
    this.grid.setAttribute('aria-colcount', String(columns + 1));
    this.renderHead(columnLines, full);

    const inCell = cellFormat(model.largest);
    const withText = this.cellHeight >= 18 && this.cellWidth >= 6 + DIGIT_WIDTH * Math.max(inCell(model.largest).text.length, 5);
    const related = new Set(drawing.related.map(({ row, column }) => row * columns + column));
    const { selected } = drawing;

    const write = (cells: Selection<HTMLDivElement, CellDatum, HTMLDivElement, Line>): void => {
      cells.each(function ({ row, column }) {
        const value = valueAt(model, row, column);
        const exact = drawing.exactOf?.({ row, column });
        const missing = Number.isNaN(value);
        const fill = palette.colourAt(missing || model.largest === 0 ? 0 : value / model.largest);
        this.style.backgroundColor = missing ? '' : fill;
        this.style.color = palette.textOn(fill);
        this.classList.toggle('unmeasured', missing);
        this.classList.toggle('measured', exact !== undefined);
        const { text, faint } = inCell(value);
        this.replaceChildren(...(withText && !missing ? [faint ? el('span', { class: 'faint', text }) : text] : []));
        this.dataset.name = drawing.cellName({ row, column });
        this.dataset.value = missing ? '' : String(value);
        this.dataset.rank = String(rankAt(model, row, column));
        const name = missing ? (drawing.missingName ?? 'not measured') : formatScore(value);
        // A number that is shown is the cell's name already.
        if (withText && !missing) this.removeAttribute('aria-label');
        else this.setAttribute('aria-label', name);
        if (exact === undefined) this.removeAttribute('aria-description');
        else this.setAttribute('aria-description', `exact ${formatScore(exact)}`);
      });
      place(cells);
    };
    const place = (cells: Selection<HTMLDivElement, CellDatum, HTMLDivElement, Line>): void => {
      cells
        .attr('aria-colindex', (cell) => cell.place + 2)
        .style('left', (cell) => `${ROW_HEADER_WIDTH + cell.place * this.cellWidth}px`)
        .attr('aria-selected', ({ row, column }) => (selected?.row === row && selected.column === column ? 'true' : null))
        .classed('selected', ({ row, column }) => selected?.row === row && selected.column === column)
        .classed('related', ({ row, column }) => related.has(row * columns + column));
    };

    const lines = select<HTMLElement, unknown>(this.grid)
      .selectAll<HTMLDivElement, Line>(':scope > .line')
      .data(rowLines, ({ index }) => index)
      .join((enter) => {
        const line = enter.append('div').attr('class', 'line').attr('role', 'row');
        line.append('div').attr('class', 'row-head').attr('role', 'rowheader').attr('aria-colindex', 1).attr('tabindex', -1);
        return line;
      })
      .attr('aria-rowindex', ({ place }) => place + 2)
      .style('top', ({ place }) => `${this.headerHeight + place * this.cellHeight}px`)
      .order();
    lines
      .select<HTMLDivElement>('.row-head')
      .datum(({ index }): Cell => ({ row: index, column: -1 }))
      .attr('aria-label', ({ row }) => drawing.rowName(row))
      .attr('aria-sort', ({ row }) => (drawing.sort.columns.by === 'line' && drawing.sort.columns.line === row ? 'descending' : 'none'))
      .classed('holds-selection', ({ row }) => selected?.row === row)
      .text(({ row }) => drawing.rowLabel(row));

    const cells = lines
      .selectAll<HTMLDivElement, CellDatum>('.cell')
      .data(
        ({ index }) => columnLines.map((column): CellDatum => ({ row: index, column: column.index, place: column.place })),
        ({ column }) => column,
      )
      .join(
        (enter) => enter.append('div').attr('class', 'cell').attr('role', 'gridcell').attr('tabindex', -1).call(write),
        (update) => (full ? update.call(write) : update),
      );
    // What comes into sight is put in order as it enters; only a new order moves what is there already.
    if (full) cells.order();

    for (const element of this.grid.querySelectorAll('[tabindex="0"]')) element.setAttribute('tabindex', '-1');
    const active = this.elementOf(this.active);
    active?.setAttribute('tabindex', '0');
    // Putting lines in order may have moved the focused element, which takes the focus from it.
    if (hadFocus && !this.grid.contains(document.activeElement)) active?.focus({ preventScroll: true });
  }

  private renderHead(columnLines: readonly Line[], full: boolean): void {
    const drawing = this.drawing!;
    const { rows: sort } = drawing.sort;
    const write = (heads: Selection<HTMLDivElement, Line, HTMLElement, unknown>): void => {
      heads.each(function ({ index }) {
        const { lines, index: place, classes } = drawing.columnLabel(index);
        const sorted = sort.by === 'line' && sort.line === index;
        this.className = ['column-head', ...classes, drawing.selected?.column === index ? 'holds-selection' : ''].join(' ').trim();
        this.setAttribute('aria-label', drawing.columnName(index));
        this.setAttribute('aria-sort', sorted ? 'descending' : 'none');
        this.replaceChildren(
          el('span', { class: 'tokens' }, lines.map((text) => el('span', { class: 'token', text }))),
          el('span', { class: 'column-index', text: place }),
        );
      });
    };
    select(this.head)
      .selectAll<HTMLDivElement, Line>('.column-head')
      .data(columnLines, ({ index }) => index)
      .join(
        (enter) => enter.append('div').attr('role', 'columnheader').attr('tabindex', -1).call(write),
        (update) => (full ? update.call(write) : update),
      )
      .attr('aria-colindex', ({ place }) => place + 2)
      .style('left', ({ place }) => `${ROW_HEADER_WIDTH + place * this.cellWidth}px`)
      .order();
  }

  /** Lines of an axis that are drawn: those in sight, and always the active one, which holds the tab stop. */
  private linesInSight(axis: 'rows' | 'columns', order: readonly number[]): Line[] {
    const { matrix } = this.drawing!.model;
    const lines = order.map((index, place) => ({ index, place }));
    if (matrix.rows * matrix.columns <= DRAW_ALL) return lines;
    const { first, end } = (this.drawn[axis] = this.inSight(axis, MARGIN));
    const active = axis === 'rows' ? this.active.row : this.active.column;
    return lines.filter(({ index, place }) => (place >= first && place < end) || index === active);
  }

  private inSight(axis: 'rows' | 'columns', margin: number): Range {
    const { scroller } = this;
    const { rows, columns } = this.drawing!.model.matrix;
    return axis === 'rows'
      ? visibleLines(scroller.scrollTop, scroller.clientHeight - this.headerHeight, this.cellHeight, rows, margin)
      : visibleLines(scroller.scrollLeft, scroller.clientWidth - ROW_HEADER_WIDTH, this.cellWidth, columns, margin);
  }

  /** Scrolling has come to lines that are not drawn. */
  private outrunsDrawing(): boolean {
    const { matrix } = this.drawing!.model;
    if (matrix.rows * matrix.columns <= DRAW_ALL) return false;
    return (['rows', 'columns'] as const).some((axis) => {
      const { first, end } = this.inSight(axis, 0);
      return first < this.drawn[axis].first || end > this.drawn[axis].end;
    });
  }

  private listen(): void {
    const { grid, scroller, events } = this;
    const cellAt = (target: EventTarget | null): { cell: Cell; element: HTMLElement } | undefined => {
      const element = target instanceof Element ? target.closest<HTMLElement>('.cell, .row-head, .column-head') : null;
      if (!element) return undefined;
      const datum = select<HTMLElement, Line & Cell>(element).datum();
      if (element.classList.contains('column-head')) return { cell: { row: -1, column: datum.index }, element };
      return { cell: { row: datum.row, column: datum.column }, element };
    };
    const press = (cell: Cell): void => {
      if (cell.row === -1) events.sortRows(cell.column);
      else if (cell.column === -1) events.sortColumns(cell.row);
      else events.select(cell);
    };

    grid.addEventListener('pointerover', ({ target }) => {
      const hit = cellAt(target);
      events.point(hit?.cell, hit?.element, 'pointer');
    });
    grid.addEventListener('pointerleave', () => events.point(undefined, undefined, 'pointer'));
    grid.addEventListener('click', ({ target }) => {
      const hit = cellAt(target);
      if (!hit) return;
      this.activate(hit.cell);
      press(hit.cell);
    });
    grid.addEventListener('focusin', ({ target }) => {
      const hit = cellAt(target);
      if (!hit) return;
      if (hit.cell.row !== this.active.row || hit.cell.column !== this.active.column) this.activate(hit.cell);
      events.point(hit.cell, hit.element, 'focus');
    });
    grid.addEventListener('focusout', ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node && grid.contains(relatedTarget))) events.point(undefined, undefined, 'focus');
    });
    grid.addEventListener('keydown', (event) => {
      if (!this.drawing || event.altKey || event.metaKey || event.shiftKey) return;
      const { key, ctrlKey } = event;
      if ((key === 'Enter' || key === ' ') && !ctrlKey) {
        event.preventDefault();
        return press(this.active);
      }
      if (key === 'v' && !ctrlKey && this.active.row !== -1 && this.active.column !== -1) return events.verify?.(this.active);
      const { rows, columns } = this.drawing.model.matrix;
      const page = Math.max(1, Math.floor((scroller.clientHeight - this.headerHeight) / this.cellHeight) - 1);
      const target = move(this.placeOf(this.active), key, ctrlKey, { rows, columns, page });
      if (!target || (ctrlKey && key !== 'Home' && key !== 'End')) return;
      event.preventDefault();
      this.scrollTo(target);
      this.activate(this.cellAtPlace(target));
      this.elementOf(this.active)?.focus({ preventScroll: true });
    });
    scroller.addEventListener('scroll', () => {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => {
        if (!this.drawing) return;
        const { scrollLeft } = scroller;
        if (this.outrunsDrawing()) this.render(false);
        events.scrolled(scrollLeft);
      });
    });
  }

  private activate(cell: Cell): void {
    this.active = cell;
    this.render(false);
  }

  private placeOf({ row, column }: Cell): Place {
    const { rowOrder, columnOrder } = this.drawing!.model;
    return { row: row === -1 ? -1 : rowOrder.indexOf(row), column: column === -1 ? -1 : columnOrder.indexOf(column) };
  }

  private cellAtPlace({ row, column }: Place): Cell {
    const { rowOrder, columnOrder } = this.drawing!.model;
    return { row: row === -1 ? -1 : rowOrder[row]!, column: column === -1 ? -1 : columnOrder[column]! };
  }

  /** Scrolls just far enough that a place is clear of the sticky headers. */
  private scrollTo({ row, column }: Place): void {
    const { scroller, cellWidth, cellHeight } = this;
    if (column >= 0) {
      const left = column * cellWidth;
      const room = scroller.clientWidth - ROW_HEADER_WIDTH;
      scroller.scrollLeft = Math.min(left, Math.max(scroller.scrollLeft, left + cellWidth - room));
    }
    if (row >= 0) {
      const top = row * cellHeight;
      const room = scroller.clientHeight - this.headerHeight;
      scroller.scrollTop = Math.min(top, Math.max(scroller.scrollTop, top + cellHeight - room));
    }
    const bounds = scroller.getBoundingClientRect();
    const y = bounds.top + (row < 0 ? 0 : this.headerHeight + row * cellHeight - scroller.scrollTop);
    if (y < 0 || y + cellHeight > innerHeight) window.scrollBy({ top: y < 0 ? y - 40 : y + cellHeight - innerHeight + 40 });
  }

  private elementOf({ row, column }: Cell): HTMLElement | null {
    const { rowOrder, columnOrder } = this.drawing!.model;
    const columnSelector = column === -1 ? '' : `[aria-colindex="${columnOrder.indexOf(column) + 2}"]`;
    if (row === -1) return this.head.querySelector<HTMLElement>(`.column-head${columnSelector}`);
    const line = this.grid.querySelector(`.line[aria-rowindex="${rowOrder.indexOf(row) + 2}"]`);
    return line?.querySelector<HTMLElement>(column === -1 ? '.row-head' : `.cell${columnSelector}`) ?? null;
  }
}
