import type { ListRow } from '../model/rankedList';
import { formatScore, formatShare } from '../model/format';
import type { TableColumn, TableState } from '../model/viewState';
import type { Cell } from './heatmapDrawing';
import { el } from './dom';

export interface TableDrawing {
  caption: string;
  rows: readonly TableRow[];
  state: TableState;
  nameHeading: string;
  behindHeading: string;
  selected?: Cell;
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
  return el('table', { class: 'ranked' }, [
    el('caption', { class: 'hidden', text: drawing.caption }),
    el('thead', {}, [
      el('tr', {}, [
        heading('rank', '#', 'Rank by magnitude'),
        heading('name', drawing.nameHeading, 'Order of layers'),
        heading('score', 'Score', 'Signed score'),
        heading('share', 'Share', 'Share of the sum of all magnitudes in the map'),
        el('th', { class: 'behind-column', text: drawing.behindHeading, attributes: { scope: 'col' } }),
      ]),
    ]),
    el(
      'tbody',
      {},
      rows.map((row) => {
        const isSelected = selected?.row === row.row && selected.column === row.column;
        const { name } = row;
        return el(
          'tr',
          { class: isSelected ? 'selected' : undefined, attributes: { 'data-name': name, 'data-value': row.value }, on: { click: () => events.select(row) } },
          [
            el('td', { class: 'rank', text: String(row.rank) }),
            el('th', { class: 'name', attributes: { scope: 'row' } }, [
              el('button', { class: 'link', text: row.title, attributes: { type: 'button', 'aria-pressed': isSelected ? 'true' : 'false', 'data-key': `row ${name}` } }),
            ]),
            el('td', { class: row.value < 0 ? 'score negative' : 'score', text: formatScore(row.value) }),
            el('td', { class: 'share', text: formatShare(row.share) }),
            el('td', { class: 'behind-column', text: row.behind ?? '…' }),
          ],
        );
      }),
    ),
  ]);
}
