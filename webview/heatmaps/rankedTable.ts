import type { ListRow } from '../model/rankedList';
import { formatScore, formatShare } from '../model/format';
import type { TableColumn, TableState } from '../model/viewState';
import type { Cell } from './heatmapDrawing';
import { el } from '../view/dom';
import { moveInRows, takeStop } from '../view/rows';

export interface TableDrawing {
  caption: string;
  rows: readonly TableRow[];
  state: TableState;
  nameHeading: string;
  behindHeading: string;
  selected?: Cell;
  /** The row that holds the table's one tab stop; another one gets it by the arrow keys. */
  active?: string;
}

export interface TableRow extends ListRow {
  name: string;
  title: string;
  /** What stands behind the row; undefined: not loaded yet. */
  behind?: string;
}

export interface TableEvents {
  sort(column: TableColumn): void;
  select(cell: Cell): void;
  activate(name: string): void;
}

/** The readable twin of a heatmap: its strongest cells as a table whose columns sort. */
export function rankedTable(drawing: TableDrawing, events: TableEvents): HTMLTableElement {
  const { state, rows, selected } = drawing;
  const heading = (column: TableColumn, text: string, title: string): HTMLElement => {
    const sorted = state.column === column;
    const direction = state.descending ? 'descending' : 'ascending';
    return el('th', { class: column, attributes: { scope: 'col', 'aria-sort': sorted ? direction : 'none' } }, [
      el('button', { attributes: { type: 'button', title, 'data-key': `sort ${column}` }, on: { click: () => events.sort(column) } }, [
        text,
        el('span', { class: 'sort-mark', text: sorted ? (state.descending ? '▼' : '▲') : '', attributes: { 'aria-hidden': 'true' } }),
      ]),
    ]);
  };
  const stop = rows.some(({ name }) => name === drawing.active) ? drawing.active : rows[0]?.name;
  return el('table', { class: 'ranked' }, [
    el('caption', { class: 'hidden', text: drawing.caption }),
    el('thead', {}, [
      el('tr', {}, [
        heading('rank', '#', 'Rank by magnitude'),
        heading('name', drawing.nameHeading, 'Order of layers'),
        heading('score', 'Score', 'Signed score'),
        heading('exact', 'Exact', 'Effect by exact patching; empty where not measured'),
        heading('share', 'Share', 'Share of the sum of all magnitudes in the map'),
        el('th', { class: 'behind-column', text: drawing.behindHeading, attributes: { scope: 'col' } }),
      ]),
    ]),
    el(
      'tbody',
      { on: { keydown: moveInRows, focusin: ({ target, currentTarget }) => events.activate(takeStop(currentTarget as HTMLElement, target as HTMLElement)) } },
      rows.map((row) => {
        const isSelected = selected?.row === row.row && selected.column === row.column;
        const { name } = row;
        return el(
          'tr',
          { class: isSelected ? 'selected' : undefined, attributes: { 'data-name': name, 'data-value': row.value }, on: { click: () => events.select(row) } },
          [
            el('td', { class: 'rank', text: String(row.rank) }),
            el('th', { class: 'name', attributes: { scope: 'row' } }, [
              el('button', { class: 'link', text: row.title, attributes: { type: 'button', tabindex: name === stop ? 0 : -1, 'aria-pressed': isSelected ? 'true' : 'false', 'data-key': `row ${name}` } }),
            ]),
            el('td', { class: row.value < 0 ? 'score negative' : 'score', text: formatScore(row.value) }),
            el('td', { class: (row.exact ?? 0) < 0 ? 'exact negative' : 'exact', text: row.exact === undefined ? '' : formatScore(row.exact) }),
            el('td', { class: 'share', text: formatShare(row.share) }),
            el('td', { class: 'behind-column', text: row.behind ?? '…' }),
          ],
        );
      }),
    ),
  ]);
}
