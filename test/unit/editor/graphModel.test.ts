import assert from 'node:assert/strict';
import { edgePositionsOf, edgesToPatch, GraphPages, overlapOfCircuits, selectedCircuit } from '../../../src/editor/graphModel';
import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { edgeName, edgeNamed, edgesOf, type Edge } from '../../../src/shared/graph/nodes';
import { shapeOf, withMeasuredPaths } from '../../../src/shared/graph/stored';
import { EDGE_SCORES, SENDER_SCORES } from '../../../src/shared/paths';
import { MOST_EDGES, type GraphPage, type GraphRequest } from '../../../src/shared/pathsProtocol';
import type { Run } from '../../../src/shared/run';
import { meanDifference } from '../../../src/shared/views';
import { exampleRun } from '../runs/exampleRun';
import { PATH_SCORES, pathsRun, withCircuit, withPairs, withPaths } from './pathsRun';

const run = pathsRun();
const shape = shapeOf(run);
const RAW = { pair: 'all', unit: 'raw' } as const;
const edge = (name: string): Edge => edgeNamed(shape, name)!;
const page = (request: Partial<GraphRequest>, of: Run = run): GraphPage => new GraphPages().page(of, { options: RAW, choose: { top: 100 }, mode: 'direct', ...request });
const names = ({ edges }: GraphPage): string[] => edges.map((each) => edgeName(shapeOf(run), each));
const strongest = Object.keys(PATH_SCORES);

describe('the graph of a run', () => {
  it('has the strongest edges first, and none of exactly zero', () => {
    const top = page({ choose: { top: 3 } });
    assert.deepEqual(names(top), strongest.slice(0, 3));
    assert.deepEqual(top.edges.map(({ score }) => score), [8, -7, 6]);
    assert.deepEqual([top.count, top.total, top.weakest, top.strongest], [3, edgesOf(shape).length, 6, 8]);
    const all = page({});
    assert.deepEqual([names(all), all.count, all.weakest], [strongest, 8, 1]);
    assert.deepEqual(page({ choose: { top: 0 } }), { edges: [], nodes: [], columns: [], count: 0, total: top.total, weakest: 0, strongest: 8 });
  });

  it('has every edge of at least the threshold, in the view’s units', () => {
    assert.deepEqual(names(page({ choose: { threshold: 4 } })), strongest.slice(0, 5));
    const normalised = { pair: 'all', unit: 'normalised' } as const;
    const difference = meanDifference(run.manifest);
    assert.deepEqual(names(page({ options: normalised, choose: { threshold: 3.999 / difference } })), strongest.slice(0, 5));
    assert.ok(Math.abs(page({ options: normalised }).strongest - 8 / difference) < 1e-6);
  });

  it('never has more than can be drawn, and counts the rest', () => {
    const large = exampleRun();
    large.manifest.model = { ...large.manifest.model, layers: 8, heads: 8 };
    const edges = edgesOf(shapeOf(large));
    assert.ok(edges.length > MOST_EDGES);
    const dense = withPaths(large, Object.fromEntries(edges.map((each, i) => [edgeName(shapeOf(large), each), 1 + i])));
    const edgesAlone = { manifest: dense.manifest, arrays: packArrays([EDGE_SCORES, SENDER_SCORES].map((name) => ({ name, ...arrayNamed(dense.arrays, name) }))) };
    const all = page({ choose: { threshold: 0 } }, edgesAlone);
    assert.deepEqual([all.edges.length, all.count, all.total], [MOST_EDGES, edges.length, edges.length]);
    assert.equal(all.weakest, edges.length - MOST_EDGES + 1);
    assert.equal(page({ choose: { top: 3000 } }, edgesAlone).count, 3000);
    assert.equal(all.columns[0], 'position not attributed', 'no site is held');
  });

  it('of some nodes has the edges into and out of these', () => {
    assert.deepEqual(names(page({ focus: ['a1.h0'] })), ['a1.h0->logits', 'a0.h1->a1.h0<v>', 'm0->a1.h0<q>']);
    assert.deepEqual(names(page({ focus: ['m0', 'logits'], choose: { top: 3 } })), ['a1.h0->logits', 'input->m0', 'm0->a1.h0<q>'], 'the strongest of these');
    assert.equal(page({ focus: ['m0'], choose: { threshold: 2 } }).count, 2);
    assert.deepEqual(page({ focus: [] }).count, 0);
  });

  it('of a kept circuit has its edges, also those that score nothing', () => {
    const kept = withCircuit(run, 'mine', ['input->m1', 'a1.h0->logits', 'a0.h0->m0']);
    assert.deepEqual(names(page({ circuit: 0 }, kept)), ['a1.h0->logits', 'input->m1', 'a0.h0->m0']);
    assert.deepEqual(names(page({ circuit: 0, choose: { threshold: 2 } }, kept)), ['a1.h0->logits', 'input->m1']);
    const foreign = withCircuit(run, 'of another model', ['a7.h0->logits']);
    assert.throws(() => page({ circuit: 0 }, foreign), (error) => CircuitError.is(error, 'run-file') && /a7\.h0->logits/.test(error.message));
  });

  it('between two nodes has the strongest paths, as strong as their weakest edges', () => {
    const between = page({ between: { from: 'input', to: 'logits', paths: 2 } });
    assert.deepEqual(between.paths, [
      { nodes: ['input', 'a0.h1', 'a1.h0', 'logits'], strength: 6 },
      { nodes: ['input', 'm0', 'a1.h0', 'logits'], strength: 4 },
    ]);
    assert.deepEqual(names(between), ['a1.h0->logits', 'a0.h1->a1.h0<v>', 'input->a0.h1<k>', 'input->m0', 'm0->a1.h0<q>']);
    assert.equal(between.count, 5);
    const inCircuit = withCircuit(run, 'mine', ['input->m1', 'm1->logits']);
    assert.deepEqual(page({ circuit: 0, between: { from: 'input', to: 'logits', paths: 5 } }, inCircuit).paths, [{ nodes: ['input', 'm1', 'logits'], strength: 2 }]);
    assert.deepEqual(page({ between: { from: 'logits', to: 'input', paths: 5 } }).paths, []);
  });

  it('has the ends of its edges with their own scores, and of the logits the whole difference', () => {
    const { nodes } = page({ choose: { top: 4 } });
    assert.deepEqual(nodes.map(({ name }) => name), ['input', 'a0.h1', 'm0', 'a1.h0', 'logits']);
    assert.deepEqual(nodes.map(({ score }) => score), [13, -7, -4, 8, meanDifference(run.manifest)]);
    const own = { pair: 2, unit: 'raw', of: 'pair' } as const;
    const ofPair = withPaths(exampleRun(), { 'a1.h0->logits': [1, 2, 3] });
    assert.deepEqual(page({ options: own }, ofPair).nodes.map(({ score }) => score), [3, 2.5]);
    assert.deepEqual(page({ options: { ...own, unit: 'normalised' } }, ofPair).nodes.at(-1)!.score, 1);
    assert.ok(Math.abs(page({ options: { pair: 2, unit: 'raw' } }, ofPair).edges[0]!.score - 1) < 1e-6, 'a pair’s share of the mean');
  });

  it('has exact effects of the mode asked for beside the scores, where they were measured', () => {
    const measured = withMeasuredPaths(run, { mode: 'direct', edges: [edge('input->m0')], effects: Float32Array.of(3, 6, 9) });
    assert.deepEqual(page({}, measured).edges.map(({ exact }) => exact), [undefined, undefined, undefined, 6, ...new Array<undefined>(4)]);
    assert.ok(page({ mode: 'throughMlps' }, measured).edges.every((each) => !('exact' in each)));
  });

  it('is ranked anew when the edges were attributed again, or of another view', () => {
    const pages = new GraphPages();
    const first = (of: Run, options: GraphRequest['options'] = RAW): string => edgeName(shape, pages.page(of, { options, choose: { top: 1 }, mode: 'direct' }).edges[0]!);
    assert.equal(first(run), 'a1.h0->logits');
    assert.equal(first(withPaths(run, { 'input->m1': [0, 0, 1], 'm0->m1': [2, 2, 0] }, { bothGradients: true })), 'm0->m1');
    assert.equal(first(withPaths(run, { 'input->m1': [0, 0, 1], 'm0->m1': [2, 2, 0] }, {}), { pair: 2, unit: 'raw' }), 'input->m1');
    assert.equal(first(run), 'a1.h0->logits');
  });

  it('is refused of a run whose edges are not attributed', () => {
    assert.throws(() => page({}, exampleRun()), (error) => CircuitError.is(error, 'experiment'));
  });

  it('selects circuits as they would be, and keeps nothing', () => {
    const select = (selection: Parameters<typeof selectedCircuit>[1]['selection'], prune = true): number[] => {
      const { edges, nodes, chosen, total } = selectedCircuit(run, { options: RAW, selection, prune });
      assert.equal(total, edgesOf(shape).length);
      return [chosen, edges, nodes];
    };
    assert.deepEqual(select({ by: 'top', edges: 4 }), [4, 3, 4], 'input->m0 leads nowhere');
    assert.deepEqual(select({ by: 'top', edges: 4 }, false), [4, 4, 5]);
    assert.deepEqual(select({ by: 'threshold', threshold: 4 }), [5, 5, 5]);
    assert.deepEqual(select({ by: 'greedy', edges: 3 }), [3, 3, 4]);
    assert.throws(() => selectedCircuit(exampleRun(), { options: RAW, selection: { by: 'top', edges: 1 }, prune: true }), (error) => CircuitError.is(error, 'experiment'));
  });

  it('says how far two circuits overlap', () => {
    const kept = withCircuit(withCircuit(run, 'one', ['input->m0', 'm0->logits']), 'other', ['input->m0', 'm1->logits']);
    assert.deepEqual(overlapOfCircuits(kept, [0, 1]), { shared: 1, either: 3, jaccard: 1 / 3 });
  });

  it('patches the edges named, or the strongest of the view', () => {
    assert.deepEqual(edgesToPatch(run, { edges: [edge('m0->m1')], options: RAW, mode: 'direct' }), [edge('m0->m1')]);
    assert.deepEqual(edgesToPatch(run, { edges: { top: 2 }, options: RAW, mode: 'direct' }), [edge('a1.h0->logits'), edge('a0.h1->a1.h0<v>')]);
    assert.equal(edgesToPatch(run, { edges: { top: 1000 }, options: RAW, mode: 'direct' }).length, 8);
  });
});

describe('an edge by position', () => {
  const senders = 9;
  const positionsOf = (group: number, pairs: number, length: number): Parameters<typeof packArrays>[0][number] => ({
    name: `group${group}.paths.positions`,
    axes: ['pair', 'sender', 'receiver', 'position'],
    shape: [pairs, senders, 1, length],
    data: Float32Array.from({ length: pairs * senders * length }, (_, i) => 1000 * group + i),
  });
  const arrays = packArrays([positionsOf(0, 2, 3), positionsOf(1, 1, 4)]);

  it('is of each length group that has pairs in view, in its units', () => {
    const of = (pair: 'all' | number): unknown => edgePositionsOf(withPairs(run, () => ({})), { edge: { sender: 2, receiver: 6 }, options: { pair, unit: 'raw', of: 'pair' } }, { arrays });
    assert.deepEqual(of(2), [{ group: 0, scores: [33, 34, 35] }]);
    assert.deepEqual(of(1), [{ group: 1, scores: [1008, 1009, 1010, 1011] }]);
    const all = of('all') as { group: number; scores: number[] }[];
    assert.deepEqual(all.map(({ group, scores }) => [group, scores.map((score) => Math.round(3 * score))]), [[0, [39, 41, 43]], [1, [1008, 1009, 1010, 1011]]]);
  });
});
