import { heapOf } from './heap';
import { nodeName, nodeNamed, receiverCount, senderAt, senderCount, senderIndex, senderOfReceiver, type Edge, type GraphShape } from './nodes';

export interface StrongPath {
  /** Node names from first to last. */
  nodes: string[];
  edges: Edge[];
  /** |score| of the weakest edge. */
  strength: number;
}

/** Between any two nodes the strongest edge, dense: row-major [from, to]; sizes of 0 are no edges. */
interface Hops {
  nodes: number;
  sizes: Float64Array;
  receivers: Int32Array;
}

/** The beginning of a path, and what the best path that begins so comes to. */
interface Beginning {
  nodes: number[];
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
  return pathsAlong(shape, hopsOf(shape, (use) => edges.forEach(({ sender, receiver, score }) => use(sender, receiver, score))), from, to, count);
}

/** The same of edges by their places in a matrix of scores [sender, receiver]: no object is made for each of millions. */
export function strongestPathsAmong(shape: GraphShape, scores: Float32Array, indices: ArrayLike<number>, from: string, to: string, count: number): StrongPath[] {
  const receivers = receiverCount(shape);
  const hops = hopsOf(shape, (use) => {
    for (let i = 0; i < indices.length; i++) use(Math.floor(indices[i]! / receivers), indices[i]! % receivers, scores[indices[i]!]!);
  });
  return pathsAlong(shape, hops, from, to, count);
}

function pathsAlong(shape: GraphShape, hops: Hops, from: string, to: string, count: number): StrongPath[] {
  const [start, end] = [ordinalOf(shape, from), ordinalOf(shape, to)];
  if (start >= end) return [];
  const { nodes: width, sizes, receivers } = hops;
  const widths = widthsTo(hops, start, end);
  const lengthsAt = new Map<number, Float64Array>();
  const lengthTo = (node: number, least: number): number => {
    let lengths = lengthsAt.get(least);
    if (!lengths) lengthsAt.set(least, (lengths = lengthsTo(hops, start, end, least)));
    return lengths[node]!;
  };
  // Best first: a beginning stands for every path that begins so, at the value of the best of them. Lengths are counted only for
  // those that come to the front.
  const queue = heapOf<Beginning>((a, b) => b.strength - a.strength || a.length - b.length || compareNodes(a.nodes, b.nodes));
  if (widths[start]! > 0) queue.push({ nodes: [start], strength: widths[start]!, length: 1, isExact: false });
  const paths: StrongPath[] = [];
  while (paths.length < count) {
    const best = queue.pop();
    if (!best) break;
    const last = best.nodes.at(-1)!;
    const edges = best.nodes.length - 1;
    if (!best.isExact) {
      queue.push({ ...best, length: edges + lengthTo(last, best.strength), isExact: true });
    } else if (last === end) {
      const between = best.nodes.slice(1);
      paths.push({ nodes: best.nodes.map((node) => nameOf(shape, node)), edges: between.map((node, i) => ({ sender: best.nodes[i]!, receiver: receivers[best.nodes[i]! * width + node]! })), strength: best.strength });
    } else {
      const strengthThrough = (node: number): number => Math.min(best.strength, sizes[last * width + node]!, widths[node]!);
      const least = weakestOf(count - paths.length, last + 1, end, strengthThrough);
      for (let node = last + 1; node <= end; node++) {
        const strength = strengthThrough(node);
        if (strength === 0 || strength < least) continue;
        queue.push({ nodes: [...best.nodes, node], strength, length: edges + (node === end ? 1 : 2), isExact: false });
      }
    }
  }
  return paths;
}

/**
 * The `count`-th largest of the strengths of these nodes, 0 if there are fewer: each is that of a whole path of its own, so that what
 * is weaker is not among the `count` strongest.
 */
function weakestOf(count: number, first: number, last: number, strengthOf: (node: number) => number): number {
  if (last - first + 1 <= count) return 0;
  const strengths = Float64Array.from({ length: last - first + 1 }, (_, i) => strengthOf(first + i)).sort();
  return strengths[strengths.length - count]!;
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

function hopsOf(shape: GraphShape, eachEdge: (use: (sender: number, receiver: number, score: number) => void) => void): Hops {
  const nodes = senderCount(shape) + 1;
  const nodeOf = Int32Array.from({ length: receiverCount(shape) }, (_, receiver) => senderOfReceiver(shape, receiver) ?? nodes - 1);
  const sizes = new Float64Array(nodes * nodes);
  const receivers = new Int32Array(nodes * nodes);
  eachEdge((sender, receiver, score) => {
    const place = sender * nodes + nodeOf[receiver]!;
    const size = Math.abs(score);
    if (size > sizes[place]! || (size === sizes[place] && receiver < receivers[place]!)) {
      sizes[place] = size;
      receivers[place] = receiver;
    }
  });
  return { nodes, sizes, receivers };
}

/** By node, the strength of its strongest path to the end: 0 for none. */
function widthsTo({ nodes, sizes }: Hops, start: number, end: number): Float64Array {
  const widths = new Float64Array(nodes);
  widths[end] = Infinity;
  for (let node = end - 1; node >= start; node--) {
    let widest = 0;
    for (let to = node + 1; to <= end; to++) widest = Math.max(widest, Math.min(sizes[node * nodes + to]!, widths[to]!));
    widths[node] = widest;
  }
  return widths;
}

/** By node, the number of edges of the shortest path to the end along edges of at least this size. */
function lengthsTo({ nodes, sizes }: Hops, start: number, end: number, least: number): Float64Array {
  const lengths = new Float64Array(nodes).fill(Infinity);
  lengths[end] = 0;
  for (let node = end - 1; node >= start; node--) {
    let shortest = Infinity;
    for (let to = node + 1; to <= end; to++) if (sizes[node * nodes + to]! >= least && lengths[to]! < shortest) shortest = lengths[to]!;
    lengths[node] = shortest + 1;
  }
  return lengths;
}

function compareNodes(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((node, i) => node !== b[i]);
  return differing === -1 ? a.length - b.length : a[differing]! - (b[differing] ?? -1);
}
