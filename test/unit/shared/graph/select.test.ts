import assert from 'node:assert/strict';
import { edgesIn, emptyMask, fullMask, maskOf, maskSize, type EdgeMask } from '../../../../src/shared/graph/mask';
import { edgeAt, edgeCount, edgeIndices, edgeName, edgesOf, matrixIndex, nodeName, nodeOfReceiver, receiverAt, senderAt, type Edge, type GraphShape } from '../../../../src/shared/graph/nodes';
import { prune } from '../../../../src/shared/graph/prune';
import { seededRandom } from '../../../../src/shared/graph/random';
import { rankedIndices, selectCircuit, strongestEdges } from '../../../../src/shared/graph/select';
import { GPT2_SMALL, indexNamed, maskNamed, sampleMask, sampleScores, SMALL } from './samples';

const SHAPES: GraphShape[] = [{ layers: 1, heads: 2 }, SMALL, { layers: 4, heads: 3 }];

/** By |score|, ties by matrix index: the order that everything is held to, by a plain comparison. */
function byStrength(shape: GraphShape, scores: Float32Array): Edge[] {
  return edgesOf(shape).sort((a, b) => {
    const [i, j] = [matrixIndex(shape, a), matrixIndex(shape, b)];
    return Math.abs(scores[j]!) - Math.abs(scores[i]!) || i - j;
  });
}

const fromOf = (shape: GraphShape, { sender }: Edge): string => nodeName(senderAt(shape, sender));
const toOf = (shape: GraphShape, { receiver }: Edge): string => nodeName(nodeOfReceiver(receiverAt(shape, receiver)));

/** Word by word: of all edges into a node that is in, the strongest that is not chosen yet. */
function greedily(shape: GraphShape, scores: Float32Array, count: number): EdgeMask {
  const inside = new Set(['logits']);
  const left = byStrength(shape, scores);
  const chosen: Edge[] = [];
  while (chosen.length < count) {
    const next = left.findIndex((edge) => inside.has(toOf(shape, edge)));
    if (next === -1) break;
    const [edge] = left.splice(next, 1);
    chosen.push(edge!);
    inside.add(fromOf(shape, edge!));
  }
  return maskOf(shape, chosen);
}

/** Word by word: while some node has edges but none in (not the input) or none out (not the logits), its edges go. */
function withoutDangling(shape: GraphShape, mask: EdgeMask): EdgeMask {
  let edges = edgesIn(shape, mask);
  for (;;) {
    const sources = new Set(edges.map((edge) => fromOf(shape, edge))).add('logits');
    const targets = new Set(edges.map((edge) => toOf(shape, edge))).add('input');
    const kept = edges.filter((edge) => [fromOf(shape, edge), toOf(shape, edge)].every((node) => sources.has(node) && targets.has(node)));
    if (kept.length === edges.length) return maskOf(shape, edges);
    edges = kept;
  }
}

describe('ranking edges', () => {
  it('is by falling size, ties by index', () => {
    for (const shape of [...SHAPES, GPT2_SMALL]) {
      for (const steps of [undefined, 4]) {
        const scores = sampleScores(shape, 7, steps);
        assert.deepEqual(Array.from(rankedIndices(shape, scores), (index) => edgeAt(shape, index)), byStrength(shape, scores));
      }
    }
  });

  it('takes tiny and huge sizes, −0 and scores that lie in the middle of a buffer for what they are', () => {
    const shape = { layers: 1, heads: 1 };
    const buffer = new Float32Array(emptyMask(shape).length + 3);
    const scores = buffer.subarray(3);
    const values = [1e-45, -3e38, -0, 0, 1e-38, -1, 1.0000001, -1e-44];
    edgeIndices(shape).forEach((index, i) => (scores[index] = values[i]!));
    assert.equal(edgeCount(shape), values.length);
    assert.deepEqual(Array.from(rankedIndices(shape, scores), (index) => edgeAt(shape, index)), byStrength(shape, scores));
    assert.equal(strongestEdges(shape, scores).length, 6, 'zeros of either sign are left out');
  });

  it('leaves exact zeros out of the strongest edges, and only these', () => {
    const scores = sampleScores(SMALL, 5, 3);
    const strongest = strongestEdges(SMALL, scores);
    assert.ok(strongest.length > 0 && strongest.length < edgeCount(SMALL));
    assert.deepEqual(strongest, byStrength(SMALL, scores).filter((edge) => scores[matrixIndex(SMALL, edge)] !== 0));
    assert.deepEqual(strongestEdges(SMALL, new Float32Array(scores.length)), []);
  });
});

describe('selecting circuits', () => {
  it('takes the strongest edges', () => {
    for (const steps of [undefined, 3]) {
      const scores = sampleScores(SMALL, 11, steps);
      for (const edges of [0, 1, 5, 17, edgeCount(SMALL), 1000]) {
        const { mask, chosen } = selectCircuit(SMALL, scores, { by: 'top', edges }, false);
        assert.equal(chosen, Math.min(edges, edgeCount(SMALL)));
        assert.deepEqual(mask, maskOf(SMALL, byStrength(SMALL, scores).slice(0, edges)));
      }
    }
  });

  it('takes every edge from a threshold on, that itself included', () => {
    const scores = sampleScores(SMALL, 13, 4);
    for (const threshold of [0, 0.25, 0.3, 0.75, 1, 1.01]) {
      const { mask, chosen } = selectCircuit(SMALL, scores, { by: 'threshold', threshold }, false);
      const expected = edgesOf(SMALL).filter((edge) => Math.abs(scores[matrixIndex(SMALL, edge)]!) >= threshold);
      assert.deepEqual(edgesIn(SMALL, mask), expected);
      assert.equal(chosen, expected.length);
    }
    assert.equal(selectCircuit(SMALL, scores, { by: 'threshold', threshold: 0 }, false).chosen, edgeCount(SMALL));
  });

  it('chooses greedily as the definition says', () => {
    for (const shape of SHAPES) {
      for (let seed = 0; seed < 8; seed++) {
        const scores = sampleScores(shape, seed, seed % 2 === 0 ? undefined : 3);
        for (const edges of [0, 1, 2, 3, 7, 12, 20, 1000]) {
          const { mask, chosen } = selectCircuit(shape, scores, { by: 'greedy', edges }, false);
          assert.deepEqual(mask, greedily(shape, scores, edges), `${shape.layers} layers, seed ${seed}, ${edges} edges`);
          assert.equal(chosen, Math.min(edges, edgeCount(shape)));
        }
      }
    }
  });

  it('reaches greedily only what leads to the logits', () => {
    const scores = sampleScores(SMALL, 2);
    scores[indexNamed(SMALL, 'input->a0.h0<q>')] = 100;
    assert.equal(selectCircuit(SMALL, scores, { by: 'top', edges: 1 }, false).mask[indexNamed(SMALL, 'input->a0.h0<q>')], 1);
    assert.match(edgeName(SMALL, edgesIn(SMALL, selectCircuit(SMALL, scores, { by: 'greedy', edges: 1 }, false).mask)[0]!), /->logits$/);
  });

  it('prunes when asked, and says how many edges there were before', () => {
    const scores = sampleScores({ layers: 4, heads: 3 }, 4);
    for (const selection of [{ by: 'top', edges: 25 }, { by: 'threshold', threshold: 0.9 }, { by: 'greedy', edges: 25 }] as const) {
      const whole = selectCircuit({ layers: 4, heads: 3 }, scores, selection, false);
      const pruned = selectCircuit({ layers: 4, heads: 3 }, scores, selection, true);
      assert.deepEqual(pruned.mask, withoutDangling({ layers: 4, heads: 3 }, whole.mask));
      assert.equal(pruned.chosen, maskSize(whole.mask));
      assert.ok(maskSize(pruned.mask) < pruned.chosen);
    }
  });

  it('refuses numbers that are none', () => {
    const scores = sampleScores(SMALL, 1);
    for (const edges of [-1, 0.5, NaN, Infinity]) {
      assert.throws(() => selectCircuit(SMALL, scores, { by: 'top', edges }, true), RangeError);
      assert.throws(() => selectCircuit(SMALL, scores, { by: 'greedy', edges }, true), RangeError);
    }
    for (const threshold of [-1, NaN]) assert.throws(() => selectCircuit(SMALL, scores, { by: 'threshold', threshold }, true), RangeError);
  });

  it('chooses at GPT-2 small’s size as it does in a small graph', () => {
    const scores = sampleScores(GPT2_SMALL, 1);
    for (const by of ['top', 'greedy'] as const) {
      for (const edges of [30, 300, 3000, 30_000]) assert.equal(selectCircuit(GPT2_SMALL, scores, { by, edges }, true).chosen, edges);
    }
  });
});

describe('pruning', () => {
  it('drops dangling nodes until there are none', () => {
    const random = seededRandom(99);
    let [some, none] = [0, 0];
    for (const shape of SHAPES) {
      for (let seed = 0; seed < 60; seed++) {
        const mask = sampleMask(shape, seed, random());
        const pruned = prune(shape, mask);
        assert.deepEqual(pruned, withoutDangling(shape, mask), `${shape.layers} layers, seed ${seed}`);
        assert.deepEqual(prune(shape, pruned), pruned);
        if (maskSize(pruned) > 0) some++;
        else none++;
      }
    }
    assert.ok(some > 20 && none > 5, 'both ends are tried');
  });

  it('keeps the whole graph and nothing of one that does not reach through', () => {
    assert.deepEqual(prune(SMALL, fullMask(SMALL)), fullMask(SMALL));
    assert.equal(maskSize(prune(SMALL, maskNamed(SMALL, 'input->a0.h0<v>', 'a0.h0->a1.h1<q>', 'm0->logits'))), 0);
  });

  it('lets a head pass from any of its inputs', () => {
    const path = ['input->a0.h0<v>', 'a0.h0->a1.h1<q>', 'a1.h1->logits'];
    assert.deepEqual(prune(SMALL, maskNamed(SMALL, ...path, 'm0->a1.h1<k>', 'a0.h0->a1.h0<v>')), maskNamed(SMALL, ...path));
  });

  it('leaves cells alone that are no edges', () => {
    const everything = emptyMask(SMALL).fill(1);
    assert.deepEqual(prune(SMALL, everything), fullMask(SMALL));
  });
});
