import type { Palette } from '../model/colour';
import type { SignWords } from '../model/signs';
import { isSorted, sortKey, type MapSort } from '../model/viewState';
import type { SortKey } from '../../src/shared/ranking';
import { button, dropDown, el, type Choice } from '../view/dom';
import type { Drawing, HeatmapEvents } from './heatmapDrawing';
import { HeatmapView } from './heatmapView';
import { legend } from '../view/legend';
import { Slot } from '../view/slot';

export interface MapEvents extends HeatmapEvents {
  sort(sort: MapSort): void;
  copy(): void;
  /** Writes the map, estimate and exact, to a file. */
  exportMap(): void;
  retry(): void;
}

export interface MapContent {
  subtitle: string;
  caption: string;
  signs: SignWords;
  drawing: Drawing;
}

/** Names of a line of the other axis that the rows or columns are sorted by. */
interface LineNames {
  ofRows(line: number): string;
  ofColumns(line: number): string;
}

/** One heatmap with all that belongs to it: title, its own controls, how it is sorted, legend, and what the numbers are. */
export class MapSection {
  readonly element: HTMLElement;
  readonly heatmap: HeatmapView;
  private readonly controls: Slot;
  /** Order, copy and export: wanted now and then, so out of the way until asked for. */
  private readonly further: HTMLElement;
  private open = false;
  private readonly notice = el('div', { class: 'map-notice', attributes: { role: 'status' } });
  private readonly noticeSlot = new Slot(this.notice);
  private readonly subtitle = el('p', { class: 'caption subtitle' });
  private readonly legendSlot = new Slot(el('div'));
  private readonly caption = el('p', { class: 'caption' });

  constructor(
    name: string,
    title: string,
    private readonly axes: { row: string; column: string; tall: boolean },
    private readonly events: MapEvents,
  ) {
    this.heatmap = new HeatmapView(title, axes, events);
    this.controls = new Slot(el('div', { class: 'map-controls' }));
    this.further = el('div', { class: 'toolbar further', attributes: { role: 'group', 'aria-label': `Order and export of ${title.toLowerCase()}` } });
    this.element = el('section', { class: `map-section ${name}`, attributes: { 'aria-label': title } }, [
      el('div', { class: 'section-title' }, [el('h2', { text: title }), this.subtitle]),
      this.controls.element,
      this.notice,
      this.heatmap.element,
      this.legendSlot.element,
      this.caption,
    ]);
  }

  /** Under the map. */
  addLine(line: HTMLElement): void {
    this.legendSlot.element.before(line);
  }

  /** `own`: what this map alone shows. `exports`: files are of the maps that a run holds, not of what is gathered from them. */
  renderControls(signature: string, own: () => readonly HTMLElement[], sort: MapSort, lineName: LineNames, exports: boolean): void {
    this.controls.render(`${signature} ${JSON.stringify(sort)}`, () => [el('div', { class: 'toolbar' }, [...own(), this.moreButton()]), this.furtherControls(sort, lineName, exports)]);
  }

  private moreButton(): HTMLElement {
    const more = button('More', () => {
      this.open = !this.open;
      more.setAttribute('aria-expanded', String(this.open));
      this.further.hidden = !this.open;
    }, { title: 'Order of rows and columns, copy, export' });
    more.setAttribute('aria-expanded', String(this.open));
    return more;
  }

  private furtherControls(sort: MapSort, lineName: LineNames, exports: boolean): HTMLElement {
    this.further.hidden = !this.open;
    this.further.replaceChildren(
      this.sortList(`Order of ${this.axes.row}s`, sort.rows, lineName.ofRows, (rows) => this.events.sort({ ...sort, rows })),
      this.sortList(`Order of ${this.axes.column}s`, sort.columns, lineName.ofColumns, (columns) => this.events.sort({ ...sort, columns })),
      el('span', { class: 'buttons' }, [
        isSorted(sort) && button('Reset order', () => this.events.sort({ rows: { by: 'index' }, columns: { by: 'index' } })),
        button('Copy', () => this.events.copy(), { title: 'Copy this map as tab-separated text' }),
        exports && button('Export', () => this.events.exportMap(), { title: 'Write estimates and exact effects of this map to a CSV file' }),
      ]),
    );
    return this.further;
  }

  draw(content: MapContent, palette: Palette): void {
    this.setNotice(undefined);
    this.element.classList.remove('waiting');
    this.heatmap.element.removeAttribute('aria-busy');
    this.subtitle.textContent = content.subtitle;
    this.caption.textContent = content.caption;
    const { largest } = content.drawing.model;
    const { signs } = content;
    this.legendSlot.render(`${largest} ${signs.positive} ${palette.colourAt(0)} ${palette.colourAt(1)}`, () => [legend(palette, largest, signs)]);
    this.heatmap.draw(content.drawing, palette);
  }

  /** The numbers asked for are on their way, or did not come: what is drawn is not they. */
  wait(failure?: string): void {
    this.element.classList.add('waiting');
    this.heatmap.element.setAttribute('aria-busy', 'true');
    this.setNotice(failure);
  }

  get waiting(): boolean {
    return this.element.classList.contains('waiting');
  }

  private setNotice(failure: string | undefined): void {
    this.noticeSlot.render(failure ?? '', () => (failure === undefined ? [] : [el('span', { text: failure }), button('Try again', () => this.events.retry())]));
  }

  private sortList(label: string, key: SortKey, lineName: (line: number) => string, choose: (key: SortKey) => void): HTMLElement {
    const choices: Choice<string>[] = [
      { value: 'index', label: 'by index' },
      { value: 'total', label: 'by total' },
      { value: 'strongest', label: 'by strongest' },
    ];
    if (key.by === 'line') choices.push({ value: 'line', label: `by ${lineName(key.line)}` });
    return dropDown(label, choices, key.by, (by) => choose(by === 'line' ? key : sortKey({ by }, 0)));
  }
}
