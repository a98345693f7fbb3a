import { edgeName, type Edge, type GraphShape } from '../../src/shared/graph/nodes';
import { formatScore, NO_NUMBER } from '../model/format';
import { edgeEnds, edgeTitle, nodeOrder, portOrder, titleOf } from '../paths/pathText';
import { button, el } from '../view/dom';
import { sortedTable, tableText, type TableHeading } from '../view/sortedTable';
import type { CircuitsChoice, LossColumn } from './ownState';

export interface EdgeLoss {
  edge: Edge;
  loss: number | null;
}

const ROWS = 50;

const HEADINGS: readonly TableHeading<LossColumn>[] = [
  { key: 'from', text: 'From', title: 'Sender, in the order of the model' },
  { key: 'to', text: 'To', title: 'Receiver, in the order of the model' },
  { key: 'port', text: 'Input', title: 'Which input of a head: query, key or value' },
  { key: 'loss', text: 'Loss', title: 'Faithfulness of the circuit − faithfulness without the edge: positive where the edge serves', numeric: true },
];

/** Edges in the table's order; a loss that is none comes last. */
export function sortedLosses(shape: GraphShape, losses: readonly EdgeLoss[], { by, descending }: CircuitsChoice['lossOrder']): EdgeLoss[] {
  const sign = descending ? -1 : 1;
  const keyOf = ({ edge, loss }: EdgeLoss): number => {
    const { from, to, port } = edgeEnds(shape, edge);
    if (by === 'from') return nodeOrder(shape, from);
    if (by === 'to') return nodeOrder(shape, to);
    return by === 'port' ? portOrder(port) : (loss ?? sign * Infinity);
  };
  // Infinities are equal to themselves; the host sends the strongest loss first.
  const compare = (a: number, b: number): number => (a === b ? 0 : a - b);
  return losses.map((line, index) => ({ line, index })).sort((a, b) => sign * compare(keyOf(a.line), keyOf(b.line)) || a.index - b.index).map(({ line }) => line);
}

export interface LossTableParts {
  losses: readonly EdgeLoss[];
  order: CircuitsChoice['lossOrder'];
  all: boolean;
  /** "corrupted; logit difference, mean of 8 pairs" */
  words: string;
  sort(order: CircuitsChoice['lossOrder']): void;
  showAll(all: boolean): void;
  copy(text: string): void;
}

/** What each edge of a circuit is good for. */
export function lossTable(shape: GraphShape, { losses, order, all, words, sort, showAll, copy }: LossTableParts): HTMLElement[] {
  const rows = sortedLosses(shape, losses, order);
  const idle = losses.filter(({ loss }) => loss !== null && loss <= 0).length;
  return [
    el('h3', { text: 'Minimality' }),
    el('p', { class: 'caption', text: `By how much faithfulness falls without one edge (${words}). ${idle === 0 ? 'Every edge serves.' : `${idle} of ${losses.length} edges serve nothing: without them faithfulness is as high or higher.`}` }),
    sortedTable<LossColumn>({
      caption: 'Edges of the circuit with what each is good for',
      headings: HEADINGS,
      order,
      sort,
      rows: (all ? rows : rows.slice(0, ROWS)).map(({ edge, loss }) => {
        const { from, to, port } = edgeEnds(shape, edge);
        return { key: edgeName(shape, edge), cells: [titleOf(shape, from), titleOf(shape, to), port ?? '', loss === null ? NO_NUMBER : formatScore(loss)] };
      }),
    }),
    el('div', { class: 'actions' }, [
      rows.length > ROWS && button(all ? `Show ${ROWS}` : `Show all ${rows.length}`, () => showAll(!all), { key: 'how many losses' }),
      button('Copy table', () => copy(tableText(['edge', 'loss'], rows.map(({ edge, loss }) => [edgeTitle(shape, edge), loss ?? '']))), { key: 'copy losses' }),
    ]),
  ];
}
