import { PORTS, type GraphShape, type Port } from '../../src/shared/graph/nodes';
import type { SortKey } from '../../src/shared/ranking';
import { HeatmapView } from '../heatmaps/heatmapView';
import type { Cell } from '../heatmaps/heatmapDrawing';
import type { Palette } from '../model/colour';
import { formatScore } from '../model/format';
import { buildHeatmap } from '../model/heatmap';
import { BY_INDEX, sortKey, toggleLine, type MapSort } from '../model/viewState';
import { dropDown, el, segmented } from '../view/dom';
import { Slot } from '../view/slot';
import type { DrawnGraph } from './drawnGraph';
import { edgeMatrix, type EdgeMatrix } from './graphMatrix';
import type { PathsChoice } from './ownState';
import { edgeTitle, titleOf } from './pathText';

/** Of a cell without an edge: what is drawn at all, and that it is not among that. `circuit`: the name of the one that is shown. */
export function hatchedWords(shape: GraphShape, { between, focus }: Pick<PathsChoice, 'between' | 'focus'>, circuit: string | undefined): string {
  if (between) return 'Hatched: no such edge is drawn; only edges of the strongest paths are.';
  const node = focus.at(-1);
  const only = [...(circuit === undefined ? [] : [`edges of the circuit “${circuit}”`]), ...(node === undefined ? [] : [`${circuit === undefined ? 'edges ' : ''}into and out of ${titleOf(shape, node)}`])];
  if (only.length === 0) return 'Hatched: no such edge is drawn, it is weaker than the threshold.';
  return `Hatched: no such edge is drawn; only ${only.join(' ')} are, those that reach the threshold.`;
}

export interface MatrixEvents {
  port(port: Port | 'all'): void;
  select(index: number): void;
  verify(index: number): void;
  point(content: readonly HTMLElement[] | undefined, sentence: string, anchor: Element | undefined, by: 'pointer' | 'focus'): void;
}

/** The same edges as a heatmap, sender × receiver, of heads. */
export class MatrixForm {
  readonly element: HTMLElement;
  private readonly controls = new Slot(el('div', { class: 'toolbar' }));
  private readonly heatmap: HeatmapView;
  private readonly nothing = el('p', { class: 'caption', text: 'No edge from head to head is drawn.' });
  private readonly caption = el('p', { class: 'caption' });
  private sort: MapSort = { rows: BY_INDEX, columns: BY_INDEX };
  private shown?: { shape: GraphShape; graph: DrawnGraph; matrix: EdgeMatrix };
  private last?: () => void;

  constructor(private readonly events: MatrixEvents) {
    this.heatmap = new HeatmapView('Sender × receiver', { row: 'from', column: 'to', tall: false }, {
      point: (cell, anchor, by) => this.point(cell, anchor, by),
      select: (cell) => this.onStrongest(cell, (index) => this.events.select(index)),
      verify: (cell) => this.onStrongest(cell, (index) => this.events.verify(index)),
      sortRows: (column) => this.setSort({ ...this.sort, rows: toggleLine(this.sort.rows, column) }),
      sortColumns: (row) => this.setSort({ ...this.sort, columns: toggleLine(this.sort.columns, row) }),
      scrolled: () => this.events.point(undefined, '', undefined, 'pointer'),
    });
    this.element = el('div', { class: 'matrix-form' }, [
      this.controls.element,
      this.nothing,
      this.heatmap.element,
      this.caption,
    ]);
  }

  /** `hatched`: why a cell may have no edge. */
  render(shape: GraphShape, graph: DrawnGraph, port: Port | 'all', palette: Palette, selected: number | undefined, hatched: string): void {
    this.last = () => this.render(shape, graph, port, palette, selected, hatched);
    const matrix = edgeMatrix(shape, graph, port);
    this.shown = { shape, graph, matrix };
    const { senders, receivers, edges } = matrix;
    this.sort = { rows: sortKey(this.sort.rows, receivers.length), columns: sortKey(this.sort.columns, senders.length) };
    this.renderControls(shape, matrix, port);
    this.nothing.hidden = senders.length > 0;
    this.heatmap.element.hidden = this.caption.hidden = senders.length === 0;
    this.caption.textContent = `${hatched} Headings sort.`;
    if (senders.length === 0) return;
    const at = selected === undefined ? -1 : edges.findIndex((cell) => cell.includes(selected));
    const title = (name: string): string => titleOf(shape, name);
    this.heatmap.draw(
      {
        model: buildHeatmap(matrix.matrix, this.sort),
        sort: this.sort,
        rowLabel: (row) => title(senders[row]!),
        rowName: (row) => `from ${title(senders[row]!)}`,
        columnLabel: (column) => ({ lines: [], index: title(receivers[column]!), classes: [] }),
        columnName: (column) => `to ${title(receivers[column]!)}`,
        cellName: ({ row, column }) => `${title(senders[row]!)} → ${title(receivers[column]!)}`,
        missingName: 'no edge drawn',
        selected: at === -1 ? undefined : { row: Math.floor(at / receivers.length), column: at % receivers.length },
        related: [],
      },
      palette,
    );
  }

  private renderControls(shape: GraphShape, { senders, receivers }: EdgeMatrix, port: Port | 'all'): void {
    const { rows, columns } = this.sort;
    this.controls.render(JSON.stringify([port, rows, columns, senders, receivers]), () => [
      segmented<Port | 'all'>('Input', [{ value: 'all', label: 'Sum', title: 'Queries, keys and values of the receiver added up' }, ...PORTS.map((value) => ({ value, label: value }))], port, (value) => this.events.port(value)),
      this.order('Order of senders', rows, (key) => this.setSort({ ...this.sort, rows: key }), rows.by === 'line' ? titleOf(shape, receivers[rows.line]!) : ''),
      this.order('Order of receivers', columns, (key) => this.setSort({ ...this.sort, columns: key }), columns.by === 'line' ? titleOf(shape, senders[columns.line]!) : ''),
    ]);
  }

  private order(label: string, key: SortKey, choose: (key: SortKey) => void, line: string): HTMLElement {
    const choices = [
      { value: 'index', label: 'as in the model' },
      { value: 'strongest', label: 'strongest edge' },
      { value: 'total', label: 'sum' },
      ...(key.by === 'line' ? [{ value: 'line', label: `by ${line}` }] : []),
    ] as const;
    return dropDown<string>(label, choices, key.by, (by) => choose(by === 'strongest' || by === 'total' ? { by } : BY_INDEX));
  }

  private setSort(sort: MapSort): void {
    this.sort = sort;
    this.last?.();
  }

  private edgesAt({ row, column }: Cell): number[] {
    const { matrix } = this.shown!;
    return row === -1 || column === -1 ? [] : matrix.edges[row * matrix.receivers.length + column]!;
  }

  private onStrongest(cell: Cell, act: (index: number) => void): void {
    const [strongest] = this.edgesAt(cell);
    if (strongest !== undefined) act(strongest);
  }

  private point(cell: Cell | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void {
    if (!cell || !anchor || !this.shown) return this.events.point(undefined, '', undefined, by);
    const { shape, graph } = this.shown;
    const lines = this.edgesAt(cell).map((index) => graph.page.edges[index]!).map((edge) => `${edgeTitle(shape, edge)}: ${formatScore(edge.score)}${edge.exact === undefined ? '' : `, exact ${formatScore(edge.exact)}`}`);
    if (lines.length === 0) return this.events.point(undefined, '', undefined, by);
    this.events.point(lines.map((text, place) => el('div', { class: place === 0 ? 'card-title' : 'card-note', text })), lines.join('. '), anchor, by);
  }
}
