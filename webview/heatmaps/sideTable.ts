import type { CellDetails } from './cellDetails';
import { exactAt, type DrawnMap } from './drawnMap';
import { columnPlace, headName, positionName, rowLabel } from '../model/describe';
import { firstDirection, listRows, type ListRow } from '../model/rankedList';
import { shortTexts } from '../model/tokens';
import type { TableColumn, TableState } from '../model/viewState';
import { button, el, segmented } from '../view/dom';
import type { Cell } from './heatmapDrawing';
import { rankedTable } from './rankedTable';
import { Slot } from '../view/slot';

export const TABLE_ROWS = 20;
/** A positions map can have tens of thousands of cells; a table of that length helps nobody. */
const MOST_TABLE_ROWS = 500;

export interface SideTableEvents {
  change(table: TableState): void;
  select(cell: Cell): void;
  copy(text: string): void;
}

/** What the table says of one of the two maps. */
interface List {
  title: string;
  caption: string;
  nameHeading: string;
  behindHeading: string;
  drawn: DrawnMap;
  nameOf(cell: Cell): string;
  titleOf(cell: Cell): string;
  behindOf(cell: Cell): string | undefined;
}

/** The strongest cells of the map that is chosen in it, beside the maps. */
export class SideTable {
  private readonly slot = new Slot(el('section', { class: 'table-section', attributes: { 'aria-label': 'Strongest cells' } }));
  readonly element = this.slot.element;
  private active?: string;

  constructor(
    private readonly details: CellDetails,
    private readonly events: SideTableEvents,
  ) {}

  render(state: TableState, heads: DrawnMap, positions: DrawnMap | undefined, selected: Cell | undefined, caption: string): void {
    const list = state.list === 'heads' ? this.listOfHeads(heads) : positions && this.listOfPositions(positions);
    if (!list) return;
    const { drawn } = list;
    const total = drawn.estimate.ranked.length;
    const rows = listRows(drawn.estimate, state, state.all ? MOST_TABLE_ROWS : TABLE_ROWS, (row, column) => exactAt(drawn, row, column));
    const shown = rows.map((row) => ({ ...row, name: list.nameOf(row), title: list.titleOf(row), behind: list.behindOf(row) }));
    this.slot.render(JSON.stringify([state, shown, selected, caption]), () => [
      el('div', { class: 'section-title' }, [
        el('h2', { text: list.title }),
        segmented('List', [{ value: 'heads', label: 'Heads' }, { value: 'positions', label: 'Positions' }], state.list, (value) =>
          this.events.change({ ...state, list: value, column: 'rank', descending: false }),
        ),
      ]),
      el('div', { class: 'table-scroller' }, [
        rankedTable({ caption: list.caption, rows: shown, state, nameHeading: list.nameHeading, behindHeading: list.behindHeading, selected, active: this.active }, { sort: (column) => this.sort(state, column), select: this.events.select, activate: (name) => (this.active = name) }),
      ]),
      el('div', { class: 'actions' }, [
        total > TABLE_ROWS &&
          button(state.all ? `Show the top ${TABLE_ROWS}` : total <= MOST_TABLE_ROWS ? `Show all ${total}` : `Show the top ${MOST_TABLE_ROWS} of ${total}`, () => this.events.change({ ...state, all: !state.all }), { key: 'how many' }),
        button('Copy table', () => this.events.copy(asTsv(list, rows))),
      ]),
      el('p', { class: 'caption', text: caption }),
    ]);
  }

  private listOfHeads(drawn: DrawnMap): List {
    const nameOf = ({ row, column }: Cell): string => headName(row, column);
    return {
      ...{ title: 'Top heads', caption: 'Heads by strength', nameHeading: 'Head', behindHeading: 'Strongest position', drawn },
      ...{ nameOf, titleOf: nameOf, behindOf: (cell) => this.details.strongestPosition(drawn, cell) },
    };
  }

  private listOfPositions(drawn: DrawnMap): List {
    const { columns, map, roles } = drawn;
    if (roles) {
      const nameOf = ({ row, column }: Cell): string => `${rowLabel(map.site, row)}·${roles.columns[column]!.name}`;
      return { title: 'Top roles', caption: 'Layers and named positions by strength', nameHeading: 'Place', behindHeading: 'Strongest pair', drawn, nameOf, titleOf: nameOf, behindOf: (cell) => this.details.strongestHead(drawn, cell) };
    }
    return {
      ...{ title: 'Top positions', caption: 'Layers and positions by strength', nameHeading: 'Place', behindHeading: 'Strongest head', drawn },
      nameOf: ({ row, column }) => positionName(row, column),
      titleOf: ({ row, column }) => `${rowLabel(map.site, row)} · ${columnPlace(columns[column]!)} ${shortTexts(columns[column]!.clean)}${columns[column]!.differs ? ' ≠' : ''}`,
      behindOf: (cell) => this.details.strongestHead(drawn, cell),
    };
  }

  private sort(state: TableState, column: TableColumn): void {
    const descending = state.column === column ? !state.descending : firstDirection(column);
    this.events.change({ ...state, column, descending });
  }
}

function asTsv(list: List, rows: readonly ListRow[]): string {
  const heading = ['rank', list.nameHeading.toLowerCase(), 'score', 'exact', 'share', list.behindHeading.toLowerCase()];
  const lines = rows.map((row) => [row.rank, list.nameOf(row), row.value, row.exact ?? '', row.share, list.behindOf(row) ?? '']);
  return [heading, ...lines].map((line) => line.join('\t')).join('\n') + '\n';
}
