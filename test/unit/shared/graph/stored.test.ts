import assert from 'node:assert/strict';
import { arrayNamed, packArrays } from '../../../../src/shared/arrays';
import { edgeName, edgesOf, matrixIndex, receiverCount, senderCount, type Edge } from '../../../../src/shared/graph/nodes';
import { edgeScores, exactEdges, hasEdges, measuredPaths, senderScores, shapeOf, withEdgeScores, withMeasuredPaths } from '../../../../src/shared/graph/stored';
import { withExact } from '../../../../src/shared/exact';
import { EDGE_SCORES, SENDER_SCORES, type EdgeResult } from '../../../../src/shared/paths';
import type { Run } from '../../../../src/shared/run';
import { meanDifference } from '../../../../src/shared/views';
import { exampleRun } from '../../runs/exampleRun';
import { sampleScores } from './samples';

/** Of a model of two layers with three heads: three pairs. */
const run = exampleRun();
const shape = shapeOf(run);
const perPair = [1, 2, 3].map((seed) => sampleScores(shape, seed));
const senders = senderCount(shape);

function exampleEdges(): Pick<EdgeResult, 'arrays' | 'seconds'> {
  const bySender = Float32Array.from({ length: 3 * senders }, (_, i) => Math.cos(i) / 7);
  const edges = new Float32Array(perPair.flatMap((scores) => [...scores]));
  const arrays = packArrays([
    { name: 'group0.paths.positions', axes: ['x'], shape: [1], data: Float32Array.of(8) },
    { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [3, senders], data: bySender },
    { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [3, senders, receiverCount(shape)], data: edges },
  ]);
  return { arrays, seconds: 1.5 };
}

const close = (actual: ArrayLike<number>, expected: ArrayLike<number>): void => {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) assert.ok(Math.abs(actual[i]! - expected[i]!) < 1e-6, `${i}: ${actual[i]} and ${expected[i]}`);
};

describe('a run’s edges', () => {
  const withEdges = withEdgeScores(run, exampleEdges(), { integrated: { steps: 5, rule: 'left' } });
  const bySender = arrayNamed(withEdges.arrays, SENDER_SCORES).data;

  it('know the model’s shape, from a run and from its manifest', () => {
    assert.deepEqual(shapeOf(run), { layers: 2, heads: 3 });
    assert.deepEqual(shapeOf(run.manifest), { layers: 2, heads: 3 });
  });

  it('are kept beside everything else, with their method', () => {
    assert.equal(hasEdges(run), false);
    assert.equal(hasEdges(withEdges), true);
    assert.deepEqual(withEdges.manifest.paths, { method: { integrated: { steps: 5, rule: 'left' } }, seconds: 1.5 });
    assert.deepEqual(Object.keys(withEdges.arrays.entries).sort(), [...Object.keys(run.arrays.entries), EDGE_SCORES, SENDER_SCORES].sort());
    for (const name of Object.keys(run.arrays.entries)) assert.deepEqual(arrayNamed(withEdges.arrays, name), arrayNamed(run.arrays, name));
    assert.equal(hasEdges(run), false, 'the run itself stays what it was');
  });

  it('take the place of those of another method, and what was measured stays', () => {
    const measured = withMeasuredPaths(withEdges, { mode: 'direct', edges: [edgesOf(shape)[4]!], effects: Float32Array.of(1, 2, 3) });
    const again = withEdgeScores(measured, { ...exampleEdges(), seconds: 9 }, {});
    assert.deepEqual(again.manifest.paths, { method: {}, seconds: 9 });
    assert.deepEqual(measuredPaths(again, 'direct'), measuredPaths(measured, 'direct'));
    assert.equal(again.arrays.data.length, measured.arrays.data.length);
  });

  it('are shown as maps are: means, shares, own effects, raw or normalised', () => {
    const mean = perPair[0]!.map((_, i) => (perPair[0]![i]! + perPair[1]![i]! + perPair[2]![i]!) / 3);
    const difference = meanDifference(run.manifest);
    close(edgeScores(withEdges, { pair: 'all', unit: 'raw' }), mean);
    close(edgeScores(withEdges, { pair: 'all', unit: 'normalised' }), mean.map((score) => score / difference));
    close(edgeScores(withEdges, { pair: 1, unit: 'raw' }), perPair[1]!.map((score) => score / 3));
    close(edgeScores(withEdges, { pair: 1, unit: 'raw', of: 'pair' }), perPair[1]!);
    close(edgeScores(withEdges, { pair: 1, unit: 'normalised', of: 'pair' }), perPair[1]!.map((score) => score / 0.5));
    const shares = [0, 1, 2].map((pair) => edgeScores(withEdges, { pair, unit: 'normalised' }));
    close(shares[0]!.map((share, i) => share + shares[1]![i]! + shares[2]![i]!), edgeScores(withEdges, { pair: 'all', unit: 'normalised' }));
    close(senderScores(withEdges, { pair: 2, unit: 'raw', of: 'pair' }), bySender.subarray(2 * senders));
    close(senderScores(withEdges, { pair: 'all', unit: 'raw' }), bySender.slice(0, senders).map((score, i) => (score + bySender[senders + i]! + bySender[2 * senders + i]!) / 3));
  });

  it('are not there where they were not attributed, nor normalised where nothing can be', () => {
    assert.throws(() => edgeScores(run, { pair: 'all', unit: 'raw' }), RangeError);
    const flat: Run = { ...withEdges, manifest: { ...withEdges.manifest, pairs: withEdges.manifest.pairs.map((pair) => ({ ...pair, metric: { clean: 1, corrupted: 1 } })) } };
    assert.throws(() => edgeScores(flat, { pair: 'all', unit: 'normalised' }), RangeError);
    assert.equal(edgeScores(flat, { pair: 'all', unit: 'raw' }).length, perPair[0]!.length);
  });
});

describe('a run’s patched paths', () => {
  const [a, b, c] = [edgesOf(shape)[0]!, edgesOf(shape)[20]!, edgesOf(shape).at(-1)!] as [Edge, Edge, Edge];
  const first = withMeasuredPaths(run, { mode: 'direct', edges: [a, b], effects: Float32Array.of(1, 2, 3, 4, 5, 6) });

  it('are none at first', () => {
    assert.deepEqual(measuredPaths(run, 'direct'), { mode: 'direct', edges: [], effects: new Float32Array(0) });
    assert.equal(exactEdges(run, 'direct', { pair: 'all', unit: 'raw' }).size, 0);
  });

  it('come back by mode', () => {
    assert.deepEqual(measuredPaths(first, 'direct'), { mode: 'direct', edges: [a, b], effects: Float32Array.of(1, 2, 3, 4, 5, 6) });
    assert.deepEqual(measuredPaths(first, 'throughMlps').edges, []);
    const both = withMeasuredPaths(first, { mode: 'throughMlps', edges: [b], effects: Float32Array.of(-1, -2, -3) });
    assert.deepEqual(measuredPaths(both, 'direct'), measuredPaths(first, 'direct'));
    assert.deepEqual(measuredPaths(both, 'throughMlps'), { mode: 'throughMlps', edges: [b], effects: Float32Array.of(-1, -2, -3) });
  });

  it('replace what was measured before in the same mode', () => {
    const again = withMeasuredPaths(first, { mode: 'direct', edges: [c, b], effects: Float32Array.of(7, 8, 9, 10, 11, 12) });
    assert.deepEqual(measuredPaths(again, 'direct'), { mode: 'direct', edges: [a, b, c], effects: Float32Array.of(1, 2, 3, 10, 11, 12, 7, 8, 9) });
    assert.deepEqual(measuredPaths(first, 'direct').edges, [a, b], 'the run itself stays what it was');
  });

  it('stand in the view’s units, by edge', () => {
    const index = matrixIndex(shape, b);
    const difference = meanDifference(run.manifest);
    assert.deepEqual([...exactEdges(first, 'direct', { pair: 'all', unit: 'raw' })], [[matrixIndex(shape, a), 2], [index, 5]], edgeName(shape, b));
    close([exactEdges(first, 'direct', { pair: 'all', unit: 'normalised' }).get(index)!], [5 / difference]);
    close([exactEdges(first, 'direct', { pair: 1, unit: 'raw' }).get(index)!], [5 / 3]);
    assert.equal(exactEdges(first, 'direct', { pair: 1, unit: 'normalised', of: 'pair' }).get(index), 10);
    assert.equal(exactEdges(first, 'directFrozen', { pair: 'all', unit: 'raw' }).size, 0);
  });

  it('live beside exact effects of cells', () => {
    const all = withMeasuredPaths(withExact(first, { cells: [{ site: 'z', layer: 0, head: 1 }], effects: Float32Array.of(1, 2, 3) }), { mode: 'direct', edges: [c], effects: Float32Array.of(0, 0, 1) });
    assert.deepEqual(measuredPaths(all, 'direct').edges, [a, b, c]);
    assert.deepEqual([...arrayNamed(all.arrays, 'exact.effects').data], [1, 2, 3]);
  });
});
