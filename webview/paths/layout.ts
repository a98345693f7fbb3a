import { nodeNamed, PORTS, type GraphNode, type GraphShape, type Port } from '../../src/shared/graph/nodes';

/**
 * Where the nodes of the graph stand: layers upward, input at the bottom, logits at the top, heads of a layer below its MLP, one
 * column per role or position. Depends only on which nodes there are and their columns, so the same graph always looks the same.
 * In units of the drawing, y downward.
 */

export interface PlacedNode {
  name: string;
  node: GraphNode;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface RowLabel {
  text: string;
  /** Middle of the layer. */
  y: number;
}

export interface ColumnLabel {
  text: string;
  x: number;
  width: number;
}

export interface Layout {
  width: number;
  height: number;
  nodes: PlacedNode[];
  rows: RowLabel[];
  columns: ColumnLabel[];
}

export const NODE_WIDTH = 66;
export const NODE_HEIGHT = 26;
/** Ports hang under a head. */
export const PORT_RADIUS = 5.5;
const NODE_GAP = 12;
const ROW_GAP = 30;
/** A row without nodes stays between those that have some, so that distance upward says how many layers lie between. */
const EMPTY_ROW = 6;
const COLUMN_GAP = 30;
/** Room for the layers' names. */
export const LEFT = 44;
const TOP = 16;
/** Under the lowest row stand the columns' names. */
const BOTTOM = 30;

export interface NodeOfColumn {
  name: string;
  column: number;
}

/** Throws RangeError for a name that is no node of this shape: the host and the panel would speak of different models. */
export function layoutGraph(shape: GraphShape, nodes: readonly NodeOfColumn[], columns: readonly string[]): Layout {
  const known = nodes.map(({ name, column }) => {
    const node = nodeNamed(shape, name);
    if (!node) throw new RangeError(`${name} is no node of a model of ${shape.layers} layers and ${shape.heads} heads`);
    return { name, node, column, row: rowOf(shape, node) };
  });
  const rowCount = 2 * shape.layers + 2;
  const byPlace = new Map<string, typeof known>();
  for (const item of [...known].sort((a, b) => headOf(a.node) - headOf(b.node))) {
    const key = `${item.row} ${item.column}`;
    byPlace.set(key, [...(byPlace.get(key) ?? []), item]);
  }

  const used = [...new Set(known.map(({ column }) => column))].sort((a, b) => a - b);
  const lefts = new Map<number, ColumnLabel>();
  let x = LEFT;
  for (const column of used) {
    const most = Math.max(...Array.from({ length: rowCount }, (_, row) => byPlace.get(`${row} ${column}`)?.length ?? 0));
    const width = most * (NODE_WIDTH + NODE_GAP) - NODE_GAP;
    lefts.set(column, { text: columns[column] ?? '', x, width });
    x += width + COLUMN_GAP;
  }
  const width = Math.max(x - COLUMN_GAP, LEFT) + NODE_GAP;

  const filled = new Set(known.map(({ row }) => row));
  const [lowest, highest] = [Math.min(...filled), Math.max(...filled)];
  const tops: number[] = [];
  let y = TOP;
  for (let row = rowCount - 1; row >= 0; row--) {
    tops[row] = y;
    if (filled.has(row)) y += NODE_HEIGHT + ROW_GAP;
    else if (row > lowest && row < highest) y += EMPTY_ROW;
  }
  const height = y - (filled.has(0) ? ROW_GAP : 0) + BOTTOM;

  const placed = known.map(({ name, node, column, row }): PlacedNode => {
    const group = byPlace.get(`${row} ${column}`)!;
    const label = lefts.get(column)!;
    const groupWidth = group.length * (NODE_WIDTH + NODE_GAP) - NODE_GAP;
    const place = group.findIndex((item) => item.name === name);
    return { name, node, x: label.x + (label.width - groupWidth) / 2 + place * (NODE_WIDTH + NODE_GAP), y: tops[row]!, width: NODE_WIDTH, height: NODE_HEIGHT };
  });
  return { width, height, nodes: placed, rows: layerLabels(shape, tops, filled), columns: used.map((column) => lefts.get(column)!) };
}

/** Rows from the bottom: input, then heads and MLP of each layer, then the logits. */
function rowOf({ layers }: GraphShape, node: GraphNode): number {
  switch (node.kind) {
    case 'input':
      return 0;
    case 'head':
      return 1 + 2 * node.layer;
    case 'mlp':
      return 2 + 2 * node.layer;
    case 'logits':
      return 2 * layers + 1;
  }
}

function headOf(node: GraphNode): number {
  return node.kind === 'head' ? node.head : 0;
}

/** Layers that have nodes are named. */
function layerLabels({ layers }: GraphShape, tops: readonly number[], filled: ReadonlySet<number>): RowLabel[] {
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) => {
    const [heads, mlp] = [1 + 2 * layer, 2 + 2 * layer];
    const rows = [heads, mlp].filter((row) => filled.has(row));
    if (rows.length === 0) return [];
    const middle = rows.reduce((sum, row) => sum + tops[row]! + NODE_HEIGHT / 2, 0) / rows.length;
    return [{ text: `L${layer}`, y: middle }];
  });
}

/** Where edges leave a node: the middle of its upper side. */
export function outputOf({ x, y, width }: PlacedNode): Point {
  return { x: x + width / 2, y };
}

/** Where edges enter: of a head one place per port, q, k, v from left to right; else the middle of the lower side. */
export function inputOf(placed: PlacedNode, port?: Port): Point {
  const { x, y, width, height } = placed;
  if (!port) return { x: x + width / 2, y: y + height };
  return { x: x + (width * (PORTS.indexOf(port) + 0.5)) / PORTS.length, y: y + height + PORT_RADIUS };
}
