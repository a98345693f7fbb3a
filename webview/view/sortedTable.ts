import { el } from './dom';
import { moveInRows } from './rows';

/** A table whose columns sort when their heading is pressed. */

export interface TableHeading<K extends string> {
  key: K;
  text: string;
  /** What sorting by it does, or what the numbers are. */
  title?: string;
  numeric?: boolean;
}

export interface SortedRow {
  /** What the row is known by when the table is built anew. */
  key: string;
  /** One per heading; the first names the row. */
  cells: readonly (string | HTMLElement)[];
  selected?: boolean;
  /** Absent: the row cannot be pressed. */
  press?: () => void;
}

export interface TableOrder<K extends string> {
  by: K;
  descending: boolean;
}

export interface TableParts<K extends string> {
  caption: string;
  headings: readonly TableHeading<K>[];
  rows: readonly SortedRow[];
  order: TableOrder<K>;
  sort(order: TableOrder<K>): void;
  /** Key of the row that holds the table's one tab stop. */
  active?: string;
  activate?(key: string): void;
}

export function sortedTable<K extends string>({ caption, headings, rows, order, sort, active, activate }: TableParts<K>): HTMLElement {
  const pressable = rows.filter(({ press }) => press);
  const stop = pressable.some(({ key }) => key === active) ? active : pressable[0]?.key;
  const head = headings.map(({ key, text, title, numeric }) => {
    const sorted = order.by === key;
    const press = (): void => sort({ by: key, descending: sorted ? !order.descending : numeric === true });
    return el('th', { class: numeric ? 'number' : undefined, attributes: { scope: 'col', 'aria-sort': sorted ? (order.descending ? 'descending' : 'ascending') : 'none' } }, [
      el('button', { attributes: { type: 'button', title, 'data-key': `sort ${key}` }, on: { click: press } }, [
        text,
        el('span', { class: 'sort-mark', text: sorted ? (order.descending ? '▼' : '▲') : '', attributes: { 'aria-hidden': 'true' } }),
      ]),
    ]);
  });
  const body = rows.map(({ key, cells, selected, press }) =>
    el('tr', { class: [selected ? 'selected' : '', press ? '' : 'still'].join(' ').trim() || undefined, attributes: { 'data-name': key }, on: press && { click: press } }, cells.map((cell, column) => {
      const numeric = headings[column]!.numeric ? 'number' : undefined;
      if (column > 0) return el('td', { class: numeric }, [cell]);
      const name = press
        ? el('button', { class: 'link', attributes: { type: 'button', tabindex: key === stop ? 0 : -1, 'aria-pressed': selected ? 'true' : 'false', 'data-key': `row ${key}` } }, [cell])
        : cell;
      return el('th', { class: 'name', attributes: { scope: 'row' } }, [name]);
    })),
  );
  const takeStop = (target: HTMLElement, rowsOf: HTMLElement): void => {
    for (const button of rowsOf.querySelectorAll('.name button')) button.setAttribute('tabindex', button === target ? '0' : '-1');
    const key = target.closest('tr')?.dataset.name;
    if (key !== undefined) activate?.(key);
  };
  return el('div', { class: 'table-scroller' }, [
    el('table', { class: 'ranked sorted' }, [
      el('caption', { class: 'hidden', text: caption }),
      el('thead', {}, [el('tr', {}, head)]),
      el('tbody', { on: { keydown: moveInRows, focusin: ({ target, currentTarget }) => takeStop(target as HTMLElement, currentTarget as HTMLElement) } }, body),
    ]),
  ]);
}

/** As tab-separated text. */
export function tableText(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [headings, ...rows].map((line) => line.join('\t')).join('\n') + '\n';
}
