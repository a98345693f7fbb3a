import { nodeNamed, PORTS, receiverCount, receiverIndex, senderIndex, sendersInto, type GraphShape, type Port } from '../../src/shared/graph/nodes';
import type { DrawnEdge } from '../../src/shared/pathsProtocol';
import { plural } from '../../src/shared/text';
import { formatScore } from '../model/format';
import { el } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, type TableHeading, type TableOrder } from '../view/sortedTable';
import type { DrawnGraph } from './drawnGraph';
import { countText, nodeOrder, portWords, titleOf, titleWithName } from './pathText';

interface Line {
  /** The other end. */
  name: string;
  label: string;
  edge: DrawnEdge;
  rank: number;
  key: string;
}

interface Side {
  title: string;
  caption: string;
  /** How many edges there are on this side, drawn or not. */
  all: number;
  lines: Line[];
}

/** By strength where no heading is pressed. */
type Column = 'rank' | 'node' | 'score' | 'exact';

const HEADINGS: readonly TableHeading<Column>[] = [
  { key: 'node', text: 'Node', title: 'Order of the model' },
  { key: 'score', text: 'Score', title: 'By attribution', numeric: true },
  { key: 'exact', text: 'Exact', title: 'By exact path patching', numeric: true },
];

/** Inputs of the focused node, port by port, and its outputs: as the post shows them for L5H5, L8H6 and L9H9. */
export class NodeTables {
  private readonly slot = new Slot(el('section', { class: 'node-tables', attributes: { 'aria-label': 'Inputs and outputs' } }));
  readonly element = this.slot.element;
  private order: TableOrder<Column> = { by: 'rank', descending: false };
  private last?: () => void;

  constructor(private readonly focus: (name: string) => void) {}

  /** `node`: the focused one; without it there is nothing to show. */
  render(shape: GraphShape, graph: DrawnGraph, node: string | undefined, names: Readonly<Record<string, string>>): void {
    this.last = () => this.render(shape, graph, node, names);
    if (node === undefined) return this.slot.render('', () => []);
    const sides = sidesOf(shape, graph, node, names);
    this.slot.render(JSON.stringify([node, sides, this.order]), () => [
      el('div', { class: 'section-title' }, [el('h2', { text: titleWithName(shape, node, names) })]),
      el('p', { class: 'caption', text: 'Of its inputs and outputs those that are drawn, strongest first unless a heading sorts them.' }),
      ...sides.map((side) => this.table(shape, side)),
    ]);
  }

  private table(shape: GraphShape, { title, caption, all, lines }: Side): HTMLElement {
    const sign = this.order.descending ? -1 : 1;
    const keyOf = ({ name, edge, rank }: Line): number => {
      if (this.order.by === 'node') return nodeOrder(shape, name);
      if (this.order.by === 'score') return edge.score;
      return this.order.by === 'exact' ? (edge.exact ?? sign * Infinity) : rank;
    };
    const compare = (a: number, b: number): number => (a === b ? 0 : a - b);
    const sorted = [...lines].sort((a, b) => sign * compare(keyOf(a), keyOf(b)) || a.rank - b.rank);
    return el('section', { class: 'node-table', attributes: { 'aria-label': caption } }, [
      el('div', { class: 'node-table-title' }, [el('h3', { text: title }), el('span', { class: 'caption', text: lines.length === 0 ? `none of ${plural(all, 'edge')} drawn` : `${countText(lines.length)} of ${plural(all, 'edge')} drawn` })]),
      lines.length > 0 && sortedTable<Column>({
        caption,
        headings: HEADINGS,
        order: this.order,
        sort: (order) => {
          this.order = order;
          this.last?.();
        },
        rows: sorted.map(({ name, label, edge, key }) => ({ key, cells: [label, formatScore(edge.score), edge.exact === undefined ? '' : formatScore(edge.exact)], press: () => this.focus(name) })),
      }),
    ]);
  }
}

function sidesOf(shape: GraphShape, graph: DrawnGraph, node: string, names: Readonly<Record<string, string>>): Side[] {
  const title = titleOf(shape, node);
  const sideOf = (other: 'from' | 'to', heading: string, caption: string, port?: Port): Side => {
    const lines = graph.page.edges.flatMap((edge, rank): Line[] => {
      const ends = graph.ends[rank]!;
      const label = titleWithName(shape, ends[other], names) + (other === 'to' && ends.port ? ` ${ends.port}` : '');
      const here = other === 'from' ? ends.to === node && ends.port === port : ends.from === node;
      return here ? [{ name: ends[other], label, edge, rank, key: graph.names[rank]! }] : [];
    });
    return { title: heading, caption, lines, all: other === 'from' ? edgesInto(shape, node, port) : edgesOutOf(shape, node) };
  };
  return [
    ...PORTS.map((port) => sideOf('from', `Inputs to ${port}`, `What reaches the ${portWords(port)} input of ${title}: drawn edges`, port)),
    sideOf('from', 'Inputs', `What reaches ${title}: drawn edges`),
    sideOf('to', 'Outputs', `Where the output of ${title} goes: drawn edges`),
  ].filter(({ all }) => all > 0);
}

/** How many edges of the whole graph enter a node, a head by one of its inputs; 0 where it has no such input. */
function edgesInto(shape: GraphShape, name: string, port: Port | undefined): number {
  const node = nodeNamed(shape, name);
  if (!node || node.kind === 'input' || (node.kind === 'head') !== (port !== undefined)) return 0;
  return sendersInto(shape, receiverIndex(shape, node.kind === 'head' ? { ...node, port: port! } : node));
}

function edgesOutOf(shape: GraphShape, name: string): number {
  const node = nodeNamed(shape, name);
  if (!node || node.kind === 'logits') return 0;
  const sender = senderIndex(shape, node);
  return Array.from({ length: receiverCount(shape) }, (_, receiver) => receiver).filter((receiver) => sender < sendersInto(shape, receiver)).length;
}
