import assert from 'node:assert/strict';
import { edgesOf, nodeName, nodeOfReceiver, PORTS, receiverAt, senderAt, senderCount, type GraphShape } from '../../../src/shared/graph/nodes';
import { edgeCurve, nearest, outlineOf, pointOn } from '../../../webview/paths/curve';
import { drawnGraph, edgesOnPath, PINNED_COLUMN } from '../../../webview/paths/drawnGraph';
import { colourOf, opacityOf, stepOf, STEPS, widthOf } from '../../../webview/paths/edgeScale';
import { edgeMatrix } from '../../../webview/paths/graphMatrix';
import { inputOf, layoutGraph, NODE_HEIGHT, outputOf, PORT_RADIUS, type Layout, type NodeOfColumn } from '../../../webview/paths/layout';
import { paletteFor } from '../../../webview/model/colour';
import type { GraphPage } from '../../../src/shared/pathsProtocol';

const GPT2: GraphShape = { layers: 12, heads: 12 };
const SMALL: GraphShape = { layers: 3, heads: 4 };

function everyNode(shape: GraphShape, columns: number): NodeOfColumn[] {
  const senders = Array.from({ length: senderCount(shape) }, (_, index) => ({ name: nodeName(senderAt(shape, index)), column: (index * 7) % columns }));
  return [...senders, { name: 'logits', column: columns - 1 }];
}

function overlaps({ nodes }: Layout): string[] {
  return nodes.flatMap((a, index) =>
    nodes.slice(index + 1).flatMap((b) => (a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height + 2 * PORT_RADIUS && b.y < a.y + a.height + 2 * PORT_RADIUS ? [`${a.name} ${b.name}`] : [])),
  );
}

const at = (layout: Layout, name: string) => layout.nodes.find((node) => node.name === name)!;

describe('the layout of the paths’ graph', () => {
  it('lets no two nodes overlap, ports included, also where all of GPT-2 stands in one column', () => {
    for (const columns of [1, 4, 15]) assert.deepEqual(overlaps(layoutGraph(GPT2, everyNode(GPT2, columns), Array.from({ length: columns }, (_, column) => String(column)))), [], `${columns} columns`);
  });

  it('is the same for the same nodes, in whatever order they come', () => {
    const nodes = everyNode(SMALL, 3);
    const [one, other] = [layoutGraph(SMALL, nodes, ['a', 'b', 'c']), layoutGraph(SMALL, [...nodes].reverse(), ['a', 'b', 'c'])];
    const byName = ({ nodes: placed }: Layout) => [...placed].sort((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(byName(one), byName(other));
    assert.deepEqual([one.width, one.height, one.rows, one.columns], [other.width, other.height, other.rows, other.columns]);
  });

  it('has layers upward: every edge leads up, heads below their layer’s MLP', () => {
    const layout = layoutGraph(SMALL, everyNode(SMALL, 2), ['a', 'b']);
    for (const { sender, receiver } of edgesOf(SMALL)) {
      const [from, to] = [at(layout, nodeName(senderAt(SMALL, sender))), at(layout, nodeName(nodeOfReceiver(receiverAt(SMALL, receiver))))];
      assert.ok(to.y + to.height < from.y, `${from.name} -> ${to.name}`);
    }
    assert.ok(at(layout, 'm1').y < at(layout, 'a1.h0').y);
    assert.deepEqual(layout.rows.map(({ text }) => text), ['L0', 'L1', 'L2']);
    assert.ok(layout.rows[0]!.y > layout.rows[2]!.y);
  });

  it('keeps columns in their order and leaves out those that nobody stands in', () => {
    const layout = layoutGraph(SMALL, [{ name: 'input', column: 0 }, { name: 'a1.h2', column: 2 }, { name: 'logits', column: 3 }], ['S1', 'IO', 'S2', 'END']);
    assert.deepEqual(layout.columns.map(({ text }) => text), ['S1', 'S2', 'END']);
    assert.ok(at(layout, 'input').x < at(layout, 'a1.h2').x && at(layout, 'a1.h2').x < at(layout, 'logits').x);
    for (const { x, width } of layout.nodes) assert.ok(x >= 0 && x + width <= layout.width);
    for (const { y } of layout.nodes) assert.ok(y >= 0 && y + NODE_HEIGHT <= layout.height);
  });

  it('leaves no room above the highest and below the lowest layer that is drawn', () => {
    const low = layoutGraph(GPT2, [{ name: 'a0.h1', column: 0 }, { name: 'a2.h3', column: 0 }], ['END']);
    const high = layoutGraph(GPT2, [{ name: 'a9.h1', column: 0 }, { name: 'a11.h3', column: 0 }], ['END']);
    assert.equal(low.height, high.height);
    assert.equal(at(low, 'a2.h3').y, at(high, 'a11.h3').y);
    const near = layoutGraph(GPT2, [{ name: 'a0.h1', column: 0 }, { name: 'a1.h3', column: 0 }], ['END']);
    assert.ok(near.height < low.height, 'a layer without nodes between two others keeps its room');
  });

  it('puts heads of one place side by side by their number, and their ports q, k, v from left to right', () => {
    const layout = layoutGraph({ layers: 1, heads: 12 }, [10, 2, 7].map((head) => ({ name: `a0.h${head}`, column: 0 })), ['END']);
    assert.deepEqual([...layout.nodes].sort((a, b) => a.x - b.x).map(({ name }) => name), ['a0.h2', 'a0.h7', 'a0.h10']);
    const head = at(layout, 'a0.h7');
    const xs = PORTS.map((port) => inputOf(head, port).x);
    assert.ok(head.x < xs[0]! && xs[0]! + 2 * PORT_RADIUS <= xs[1]! && xs[1]! + 2 * PORT_RADIUS <= xs[2]! && xs[2]! < head.x + head.width);
    assert.ok(inputOf(head, 'q').y > outputOf(head).y);
  });

  it('refuses a node of another model', () => {
    assert.throws(() => layoutGraph(SMALL, [{ name: 'a9.h9', column: 0 }], ['END']), /a9\.h9 is no node of a model of 3 layers and 4 heads/);
  });
});

describe('curves of the paths’ edges', () => {
  it('begin and end at their nodes and run upward there', () => {
    const curve = edgeCurve({ x: 10, y: 300 }, { x: 200, y: 40 });
    assert.deepEqual([pointOn(curve, 0), pointOn(curve, 1)], [{ x: 10, y: 300 }, { x: 200, y: 40 }]);
    assert.ok(pointOn(curve, 0.02).y < 300 && pointOn(curve, 0.98).y > 40);
  });

  it('bow out of a column that they would run along', () => {
    const curve = edgeCurve({ x: 50, y: 600 }, { x: 50, y: 0 });
    assert.ok(Math.abs(pointOn(curve, 0.5).x - 50) > 40);
    assert.equal(pointOn(edgeCurve({ x: 50, y: 60 }, { x: 50, y: 0 }), 0.5).x, 50);
  });

  it('are found by a point near them, the nearest first, and not from afar', () => {
    const curves = [edgeCurve({ x: 0, y: 100 }, { x: 0, y: 50 }), edgeCurve({ x: 20, y: 100 }, { x: 20, y: 50 })].map(outlineOf);
    assert.deepEqual([nearest(curves, { x: 3, y: 75 }, 6), nearest(curves, { x: 16, y: 75 }, 6), nearest(curves, { x: 10, y: 75 }, 6), nearest(curves, { x: 0, y: 120 }, 6)], [0, 1, -1, -1]);
  });
});

describe('how the paths’ edges look', () => {
  it('wider, stronger in colour and more opaque the larger |score|, in as many steps as there are strokes', () => {
    const palette = paletteFor('#1f1f1f');
    const steps = Array.from({ length: 400 }, (_, i) => stepOf((i / 399) * 0.3, 0.3));
    assert.equal(steps[0], 0);
    assert.deepEqual([...new Set(steps.slice(1))], Array.from({ length: STEPS }, (_, i) => i + 1));
    for (let step = 2; step <= STEPS; step++) assert.ok(widthOf(step) > widthOf(step - 1) && opacityOf(step, 40) > opacityOf(step - 1, 40));
    assert.ok(opacityOf(1, 2000) < opacityOf(1, 40), 'a crowd is fainter');
    assert.notEqual(colourOf(3, 1, palette), colourOf(3, -1, palette));
    assert.equal(stepOf(-0.3, 0.3), stepOf(0.3, 0.3));
    assert.equal(stepOf(0.1, 0), 0, 'nothing is drawn of a graph without scores');
  });
});

/** a0.h0 → a1.h1 by q and v, m0 → a1.h1 k, a1.h1 → a2.h3 k, a0.h0 → logits */
const page: GraphPage = {
  edges: [
    { sender: 1, receiver: 22, score: -0.4 },
    { sender: 1, receiver: 14, score: 0.3, exact: 0.2 },
    { sender: 7, receiver: 33, score: 0.2 },
    { sender: 5, receiver: 18, score: 0.1 },
    { sender: 1, receiver: 39, score: 0.05 },
  ],
  nodes: ['a0.h0', 'm0', 'a1.h1', 'a2.h3', 'logits'].map((name, column) => ({ name, score: column, column: 0 })),
  columns: ['END'],
  count: 5,
  total: 300,
  weakest: 0.05,
  strongest: 0.4,
};

describe('a page of the paths’ graph', () => {
  it('knows the ends, names and scales of its edges', () => {
    const graph = drawnGraph(SMALL, page, []);
    assert.deepEqual(graph.names, ['a0.h0->a1.h1<v>', 'a0.h0->a1.h1<q>', 'a1.h1->a2.h3<k>', 'm0->a1.h1<k>', 'a0.h0->logits']);
    assert.deepEqual([graph.largest, graph.largestNode], [0.4, 3], 'the logits’ whole difference does not fade the other nodes');
  });

  it('keeps pinned nodes that have no edge, in a column of their own', () => {
    const graph = drawnGraph(SMALL, page, ['a2.h0', 'a0.h0']);
    assert.deepEqual(graph.layout.columns.map(({ text }) => text), ['END', PINNED_COLUMN]);
    assert.equal(graph.layout.nodes.filter(({ name }) => name === 'a0.h0').length, 1);
    assert.ok(at(graph.layout, 'a2.h0').x > at(graph.layout, 'a2.h3').x);
  });

  it('finds the edges of a path, of a head’s inputs the strongest', () => {
    assert.deepEqual([...edgesOnPath(drawnGraph(SMALL, page, []), ['a0.h0', 'a1.h1', 'a2.h3'])], [0, 2]);
  });

  it('is a matrix of heads: inputs added up or one of them, NaN where nothing is drawn', () => {
    const graph = drawnGraph(SMALL, page, []);
    const sum = edgeMatrix(SMALL, graph, 'all');
    assert.deepEqual([sum.senders, sum.receivers], [['a0.h0', 'a1.h1'], ['a1.h1', 'a2.h3']]);
    assert.deepEqual([...sum.matrix.values].map((value) => Number(value.toFixed(4))), [-0.1, NaN, NaN, 0.2]);
    assert.deepEqual(sum.edges, [[0, 1], [], [], [2]]);
    const value = edgeMatrix(SMALL, graph, 'v');
    assert.deepEqual([value.senders, value.receivers, [...value.edges]], [['a0.h0'], ['a1.h1'], [[0]]]);
    assert.deepEqual(edgeMatrix(SMALL, { ...graph, ends: [], page: { ...page, edges: [] } }, 'all').senders, []);
  });
});
