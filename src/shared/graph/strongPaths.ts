import { heapOf } from './heap';
import { nodeName, nodeNamed, receiverCount, senderAt, senderCount, senderIndex, senderOfReceiver, type Edge, type GraphShape } from './nodes';

export interface StrongPath {
  /** Node names from first to last. */
  nodes: string[];
  edges: Edge[];
  /** |score| of the weakest edge. */
  strength: number;
}

interface Hop {
  to: number;
  receiver: number;
  size: number;
}

/** The beginning of a path, and what the best path that begins so comes to. */
interface Beginning {
  nodes: number[];
  hops: Hop[];
  strength: number;
  /** Of the whole path: known to be reached by it (`isExact`), or not less than this. */
  length: number;
  isExact: boolean;
}

/**
 * The strongest paths between two nodes along these edges. A path is as strong as its weakest edge's |score|; ties go to the shorter,
 * then to the one through earlier nodes. Between two nodes it takes the strongest edge (of a head's inputs one); scores of 0 lead
 * nowhere. Throws RangeError for names of no nodes; no paths where there are none.
 */
export function strongestPaths(shape: GraphShape, edges: readonly (Edge & { score: number })[], from: string, to: string, count: number): StrongPath[] {
  const [start, end] = [ordinalOf(shape, from), ordinalOf(shape, to)];
  if (start === end) return [];
  const hops = hopsOf(shape, edges);
  const widths = widthsTo(hops, end);
  const lengthsAt = new Map<number, number[]>();
  const lengthTo = (node: number, least: number): number => {
    if (!lengthsAt.has(least)) lengthsAt.set(least, lengthsTo(hops, end, least));
    return lengthsAt.get(least)![node]!;
  };
  // Best first: a beginning stands for every path that begins so, at the value of the best of them. Lengths are counted only for
  // those that come to the front.
  const queue = heapOf<Beginning>((a, b) => b.strength - a.strength || a.length - b.length || compareNodes(a.nodes, b.nodes));
  if (widths[start]! > 0) queue.push({ nodes: [start], hops: [], strength: widths[start]!, length: 1, isExact: false });
  const paths: StrongPath[] = [];
  while (paths.length < count) {
    const best = queue.pop();
    if (!best) break;
    const last = best.nodes.at(-1)!;
    if (!best.isExact) {
      queue.push({ ...best, length: best.hops.length + lengthTo(last, best.strength), isExact: true });
    } else if (last === end) {
      paths.push({ nodes: best.nodes.map((node) => nameOf(shape, node)), edges: best.hops.map(({ receiver }, i) => ({ sender: best.nodes[i]!, receiver })), strength: best.strength });
    } else {
      for (const hop of hops[last]!) {
        const strength = Math.min(best.strength, hop.size, widths[hop.to]!);
        if (strength === 0) continue;
        queue.push({ nodes: [...best.nodes, hop.to], hops: [...best.hops, hop], strength, length: best.hops.length + (hop.to === end ? 1 : 2), isExact: false });
      }
    }
  }
  return paths;
}

/** Senders by their index, the logits after them: the order of the forward pass. */
function ordinalOf(shape: GraphShape, name: string): number {
  const node = nodeNamed(shape, name);
  if (!node) throw new RangeError(`there is no node ${name}`);
  return node.kind === 'logits' ? senderCount(shape) : senderIndex(shape, node);
}

function nameOf(shape: GraphShape, node: number): string {
  return node === senderCount(shape) ? 'logits' : nodeName(senderAt(shape, node));
}

/** By node, to every node it leads to the strongest edge. */
function hopsOf(shape: GraphShape, edges: readonly (Edge & { score: number })[]): Hop[][] {
  const nodes = senderCount(shape) + 1;
  const nodeOf = Int32Array.from({ length: receiverCount(shape) }, (_, receiver) => senderOfReceiver(shape, receiver) ?? nodes - 1);
  const sizes = new Float64Array(nodes * nodes);
  const receivers = new Int32Array(nodes * nodes);
  for (const { sender, receiver, score } of edges) {
    const place = sender * nodes + nodeOf[receiver]!;
    const size = Math.abs(score);
    if (size > sizes[place]! || (size === sizes[place] && receiver < receivers[place]!)) {
      sizes[place] = size;
      receivers[place] = receiver;
    }
  }
  return Array.from({ length: nodes }, (_, sender) => {
    const hops: Hop[] = [];
    for (let to = sender + 1; to < nodes; to++) {
      const place = sender * nodes + to;
      if (sizes[place]! > 0) hops.push({ to, receiver: receivers[place]!, size: sizes[place]! });
    }
    return hops;
  });
}

/** By node, the strength of its strongest path to the end: 0 for none. */
function widthsTo(hops: readonly Hop[][], end: number): number[] {
  const widths = new Array<number>(hops.length).fill(0);
  widths[end] = Infinity;
  for (let node = end - 1; node >= 0; node--) {
    for (const { to, size } of hops[node]!) widths[node] = Math.max(widths[node]!, Math.min(size, widths[to]!));
  }
  return widths;
}

/** By node, the number of edges of the shortest path to the end along edges of at least this size. */
function lengthsTo(hops: readonly Hop[][], end: number, least: number): number[] {
  const lengths = new Array<number>(hops.length).fill(Infinity);
  lengths[end] = 0;
  for (let node = end - 1; node >= 0; node--) {
    for (const { to, size } of hops[node]!) if (size >= least) lengths[node] = Math.min(lengths[node]!, 1 + lengths[to]!);
  }
  return lengths;
}

function compareNodes(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((node, i) => node !== b[i]);
  return differing === -1 ? a.length - b.length : a[differing]! - (b[differing] ?? -1);
}
