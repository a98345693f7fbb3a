import type { GraphShape } from '../../src/shared/graph/nodes';
import type { DrawnEdge } from '../../src/shared/pathsProtocol';
import { formatScore } from '../model/format';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, tableText, type TableHeading } from '../view/sortedTable';
import type { DrawnGraph } from './drawnGraph';
import type { EdgeColumn, PathsChoice } from './ownState';
import { edgeError, nodeOrder, portOrder, titleWithName, type EdgeEnds } from './pathText';

const ROWS = 100;

const HEADINGS: readonly TableHeading<EdgeColumn>[] = [
  { key: 'from', text: 'From', title: 'Sender, in the order of the model' },
  { key: 'to', text: 'To', title: 'Receiver, in the order of the model' },
  { key: 'port', text: 'Input', title: 'Which input of a head: query, key or value' },
  { key: 'score', text: 'Score', title: 'By attribution', numeric: true },
  { key: 'exact', text: 'Exact', title: 'By exact path patching; empty where not measured', numeric: true },
  { key: 'error', text: '|Error|', title: '|score − exact|, where measured', numeric: true },
  { key: 'rank', text: 'Rank drawn', title: 'Rank by |score| among the drawn edges' },
];

export interface EdgeRow extends EdgeEnds {
  index: number;
  edge: DrawnEdge;
}

/** The drawn edges in the table's order; what was not measured comes last. */
export function sortedEdges(shape: GraphShape, rows: readonly EdgeRow[], { by, descending }: PathsChoice['order']): EdgeRow[] {
  const sign = descending ? -1 : 1;
  const keyOf = ({ index, edge, from, to, port }: EdgeRow): number => {
    switch (by) {
      case 'from':
        return nodeOrder(shape, from);
      case 'to':
        return nodeOrder(shape, to);
      case 'port':
        return portOrder(port);
      case 'score':
        return edge.score;
      case 'exact':
        return edge.exact ?? sign * Infinity;
      case 'error':
        return edgeError(edge) ?? sign * Infinity;
      case 'rank':
        return index;
    }
  };
  // Infinities are equal to themselves.
  const compare = (a: number, b: number): number => (a === b ? 0 : a - b);
  return [...rows].sort((a, b) => sign * compare(keyOf(a), keyOf(b)) || a.index - b.index);
}

export interface EdgeTableEvents {
  sort(order: PathsChoice['order']): void;
  select(index: number): void;
  copy(text: string): void;
}

/** The drawn edges as a table: the graph's twin. */
export class EdgeTable {
  private readonly slot = new Slot(el('section', { class: 'table-section edge-table', attributes: { 'aria-label': 'Drawn edges' } }));
  readonly element = this.slot.element;
  private active?: string;
  private all = false;
  private last?: () => void;

  constructor(private readonly events: EdgeTableEvents) {}

  render(shape: GraphShape, graph: DrawnGraph, order: PathsChoice['order'], names: Readonly<Record<string, string>>, selected: number | undefined): void {
    this.last = () => this.render(shape, graph, order, names, selected);
    const { edges } = graph.page;
    const rows = sortedEdges(shape, edges.map((edge, index) => ({ edge, index, ...graph.ends[index]! })), order);
    const shown = this.all ? rows : rows.slice(0, ROWS);
    const cellsOf = ({ edge, index, from, to, port }: EdgeRow): string[] => [
      titleWithName(shape, from, names),
      titleWithName(shape, to, names),
      port ?? '',
      formatScore(edge.score),
      edge.exact === undefined ? '' : formatScore(edge.exact),
      edge.exact === undefined ? '' : formatScore(edgeError(edge)!).replace('+', ''),
      String(index + 1),
    ];
    this.slot.render(JSON.stringify([shown.map(({ index, edge }) => [index, edge]), order, names, selected, this.all]), () => [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Drawn edges' })]),
      edges.length === 0
        ? el('p', { class: 'caption', text: 'No edge is as strong as this threshold.' })
        : sortedTable<EdgeColumn>({
            caption: 'Drawn edges',
            headings: HEADINGS,
            order,
            sort: (changed) => this.events.sort(changed),
            rows: shown.map((row) => ({ key: graph.names[row.index]!, cells: cellsOf(row), selected: row.index === selected, press: () => this.events.select(row.index) })),
            active: this.active,
            activate: (key) => (this.active = key),
          }),
      el('div', { class: 'actions' }, [
        edges.length > ROWS && button(this.all ? `Show ${ROWS}` : `Show all ${edges.length}`, () => this.showAll(!this.all), { key: 'how many edges' }),
        edges.length > 0 && button('Copy table', () => this.events.copy(tableText(['from', 'to', 'input', 'score', 'exact', 'error', 'rank among the drawn'], rows.map(({ edge, index, from, to, port }) => [from, to, port ?? '', edge.score, edge.exact ?? '', edgeError(edge) ?? '', index + 1])))),
      ]),
    ]);
  }

  private showAll(all: boolean): void {
    this.all = all;
    this.last?.();
  }
}
