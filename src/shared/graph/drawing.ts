import { edgesIn, type EdgeMask } from './mask';
import { matrixIndex, nodeName, nodeOfReceiver, receiverAt, senderAt, type GraphNode, type GraphShape, type Port } from './nodes';

/** A circuit as texts for other programs draw it. */

export interface DrawingOptions {
  title?: string;
  /** Free names of nodes, by `nodeName`. */
  names?: Readonly<Record<string, string>>;
}

export interface Drawing {
  title?: string;
  /** In the order of the forward pass; `rank` is the same for the heads of a layer. */
  nodes: { id: string; name?: string; rank: string }[];
  edges: { from: string; to: string; port?: Port; score: number; colour: string; width: number }[];
}

/** As on the screen: supports the correct answer, or counts against it. */
const POSITIVE = '#2166ac';
const NEGATIVE = '#b2182b';
const THINNEST = 0.6;
const THICKEST = 5;

/** The nodes that a circuit's edges touch, and these, coloured by sign and as wide as their |score| beside the strongest of them. */
export function drawingOf(shape: GraphShape, mask: EdgeMask, scores: Float32Array, { title, names = {} }: DrawingOptions = {}): Drawing {
  const drawn = edgesIn(shape, mask).map((edge) => ({ from: senderAt(shape, edge.sender) as GraphNode, to: receiverAt(shape, edge.receiver), score: scores[matrixIndex(shape, edge)]! }));
  const strongest = drawn.reduce((largest, { score }) => Math.max(largest, Math.abs(score)), 0);
  const touched = new Map(drawn.flatMap(({ from, to }) => [from, nodeOfReceiver(to)]).map((node) => [nodeName(node), node]));
  return {
    title: title === undefined ? undefined : oneLine(title),
    nodes: [...touched]
      .sort(([, a], [, b]) => placeOf(a) - placeOf(b))
      .map(([id, node]) => ({ id, rank: node.kind === 'head' ? `a${node.layer}` : id, ...(Object.hasOwn(names, id) && { name: oneLine(names[id]!) }) })),
    edges: drawn.map(({ from, to, score }) => ({
      from: nodeName(from),
      to: nodeName(nodeOfReceiver(to)),
      ...(to.kind === 'head' && { port: to.port }),
      score,
      colour: score < 0 ? NEGATIVE : POSITIVE,
      width: THINNEST + (strongest === 0 ? 0 : (THICKEST - THINNEST) * (Math.abs(score) / strongest)),
    })),
  };
}

/** Rises along the forward pass: heads by layer and number, each layer's MLP after them. */
function placeOf(node: GraphNode): number {
  switch (node.kind) {
    case 'input':
      return -1;
    case 'logits':
      return Infinity;
    case 'head':
      return node.layer + node.head / 1e6;
    case 'mlp':
      return node.layer + 0.5;
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
}

/** The digits that a reader compares. */
export function scoreText(score: number): string {
  return String(Number(score.toPrecision(4)));
}
