import assert from 'node:assert/strict';
import { budgetsOf, cprCmd, faithfulnessOf, MIB_BUDGETS } from '../../../../src/shared/graph/faithfulness';
import { edgesIn, emptyMask, fullMask, maskSize } from '../../../../src/shared/graph/mask';
import { edgeCount, edgeIndices, isEdge } from '../../../../src/shared/graph/nodes';
import { jaccard, overlapOf } from '../../../../src/shared/graph/overlap';
import { randomCircuit, seededRandom } from '../../../../src/shared/graph/random';
import { selectCircuit } from '../../../../src/shared/graph/select';
import { bootstrapSteps, type BootstrapOverlap } from '../../../../src/shared/graph/stability';
import { GPT2_SMALL, maskNamed, sampleScores, SMALL } from './samples';

const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} and ${expected}`);

describe('faithfulness', () => {
  it('is 0 at the empty circuit, 1 at the full one, and may lie outside', () => {
    assert.equal(faithfulnessOf({ metric: -1, full: 3, empty: -1 }), 0);
    assert.equal(faithfulnessOf({ metric: 3, full: 3, empty: -1 }), 1);
    assert.equal(faithfulnessOf({ metric: 2, full: 3, empty: -1 }), 0.75);
    assert.equal(faithfulnessOf({ metric: 5, full: 3, empty: -1 }), 1.5);
    assert.equal(faithfulnessOf({ metric: 0, full: -1, empty: 1 }), 0.5, 'also where the metric falls');
  });

  it('is none where full and empty do not differ', () => {
    assert.equal(faithfulnessOf({ metric: 2, full: 1, empty: 1 }), null);
    assert.equal(faithfulnessOf({ metric: 2, full: 1.0005, empty: 1 }), null);
  });

  it('has MIB’s budgets, in whole edges', () => {
    assert.deepEqual(budgetsOf(GPT2_SMALL), { budgets: [32, 64, 162, 324, 649, 1624, 3249, 6498, 16245, 32491].map((edges, i) => ({ share: MIB_BUDGETS[i]!, edges })), leftOut: 0 });
    const small = budgetsOf(SMALL);
    assert.equal(edgeCount(SMALL), 46);
    assert.deepEqual(small, { budgets: [[0.05, 2], [0.1, 4], [0.2, 9], [0.5, 23], [1, 46]].map(([share, edges]) => ({ share, edges })), leftOut: 5 });
  });

  it('sums up to MIB’s areas', () => {
    assert.deepEqual(cprCmd([{ share: 0, faithfulness: 0 }, { share: 1, faithfulness: 1 }]), { cpr: 0.5, cmd: 0.5 });
    assert.deepEqual(cprCmd([{ share: 0.5, faithfulness: 2 }, { share: 1, faithfulness: 2 }]), { cpr: 1, cmd: 0.5 });
    // By hand: 0.1·(0.2+0.6)/2 + 0.4·(0.6+1.4)/2 + 0.5·(1.4+1)/2, and with |1 − f|: 0.1·(0.8+0.4)/2 + 0.4·(0.4+0.4)/2 + 0.5·0.4/2.
    const points = [{ share: 0.1, faithfulness: 0.6 }, { share: 1, faithfulness: 1 }, { share: 0, faithfulness: 0.2 }, { share: 0.5, faithfulness: 1.4 }];
    const { cpr, cmd } = cprCmd(points);
    near(cpr!, 0.04 + 0.4 + 0.6);
    near(cmd!, 0.06 + 0.16 + 0.1);
    assert.deepEqual(points.map(({ share }) => share), [0.1, 1, 0, 0.5], 'the points stay in their order');
  });

  it('gives MIB’s published curve of GPT-2 small the area that it has', () => {
    // MIB's README, IOI: the published file's faithfulness at the ten budgets. The areas are trapezoids in exact decimals.
    const curve = [0.0232, 0.2393, 0.4988, 0.803, 0.8813, 0.9203, 0.9357, 0.9672, 0.9781, 1];
    const { cpr, cmd } = cprCmd(MIB_BUDGETS.map((share, i) => ({ share, faithfulness: curve[i]! })));
    near(cpr!, 0.96780340);
    near(cmd!, 0.03119660);
  });

  it('has no areas without two points, or with one that is none', () => {
    for (const points of [[], [{ share: 1, faithfulness: 1 }], [{ share: 0.5, faithfulness: null }, { share: 1, faithfulness: 1 }]]) assert.deepEqual(cprCmd(points), { cpr: null, cmd: null });
  });
});

describe('overlap of circuits', () => {
  it('is what both have of what either has', () => {
    const [a, b] = [maskNamed(SMALL, 'input->m0', 'm0->logits', 'm0->m1'), maskNamed(SMALL, 'input->m0', 'm0->logits', 'm1->logits', 'input->m1')];
    assert.deepEqual(overlapOf(a, b), { shared: 2, either: 5, jaccard: 0.4 });
    assert.equal(jaccard(a, b), jaccard(b, a));
    assert.equal(jaccard(a, a), 1);
    assert.equal(jaccard(a, emptyMask(SMALL)), 0);
    assert.equal(jaccard(emptyMask(SMALL), emptyMask(SMALL)), 1);
    assert.throws(() => jaccard(a, emptyMask(GPT2_SMALL)), RangeError);
  });
});

describe('random circuits', () => {
  it('have as many edges as asked for, and are the same for the same seed', () => {
    for (const edges of [0, 1, 20, 45, 46]) {
      const mask = randomCircuit(SMALL, edges, seededRandom(5));
      assert.equal(maskSize(mask), edges);
      assert.ok(edgesIn(SMALL, mask).every((edge) => isEdge(SMALL, edge)));
      assert.equal(edgesIn(SMALL, mask).length, edges, 'none where there is no edge');
      assert.deepEqual(mask, randomCircuit(SMALL, edges, seededRandom(5)));
    }
    assert.notDeepEqual(randomCircuit(SMALL, 20, seededRandom(5)), randomCircuit(SMALL, 20, seededRandom(6)));
    assert.deepEqual(randomCircuit(SMALL, 46, seededRandom(1)), fullMask(SMALL));
    for (const edges of [47, -1, 0.5]) assert.throws(() => randomCircuit(SMALL, edges, seededRandom(1)), /there are 46 edges/);
  });

  it('have every edge equally often', () => {
    const random = seededRandom(17);
    const counts = new Map<number, number>();
    const draws = 4000;
    for (let i = 0; i < draws; i++) randomCircuit(SMALL, 10, random).forEach((cell, index) => counts.set(index, (counts.get(index) ?? 0) + cell));
    const expected = (draws * 10) / 46;
    const deviations = Array.from(edgeIndices(SMALL), (index) => Math.abs(counts.get(index)! - expected) / Math.sqrt((expected * 36) / 46));
    assert.ok(Math.max(...deviations) < 4, `${Math.max(...deviations)} standard deviations`);
  });

  it('are drawn with numbers that fill [0, 1)', () => {
    const random = seededRandom(3);
    const numbers = Array.from({ length: 10_000 }, random);
    assert.ok(numbers.every((number) => number >= 0 && number < 1));
    const tenths = new Array<number>(10).fill(0);
    for (const number of numbers) tenths[Math.floor(number * 10)]!++;
    assert.ok(tenths.every((count) => Math.abs(count - 1000) < 130), tenths.join());
    assert.equal(new Set(numbers).size > 9990, true);
  });
});

function bootstrapOverlap(...of: Parameters<typeof bootstrapSteps>): BootstrapOverlap {
  const steps = bootstrapSteps(...of);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

describe('stability of a circuit', () => {
  const cells = emptyMask(SMALL).length;
  const stacked = (...pairs: Float32Array[]): Float32Array => {
    const all = new Float32Array(pairs.length * cells);
    pairs.forEach((scores, pair) => all.set(scores, pair * cells));
    return all;
  };
  const top10 = { by: 'top', edges: 10 } as const;

  it('is whole where all pairs agree, or where there is one', () => {
    const scores = sampleScores(SMALL, 1);
    for (const perPair of [stacked(scores, scores, scores), stacked(scores)]) {
      assert.deepEqual(bootstrapOverlap(SMALL, perPair, top10, true, { samples: 20, random: seededRandom(1) }), { mean: 1, low: 1, high: 1, samples: 20 });
    }
  });

  it('is the overlap with circuits of pairs drawn anew', () => {
    const pairs = [1, 2, 3, 4].map((seed) => sampleScores(SMALL, seed));
    for (const pruned of [false, true]) {
      const { mean, low, high, samples } = bootstrapOverlap(SMALL, stacked(...pairs), top10, pruned, { samples: 41, random: seededRandom(8) });
      // The same draws once more, by the definition.
      const random = seededRandom(8);
      const circuitOf = (drawn: Float32Array[]) => selectCircuit(SMALL, Float32Array.from({ length: cells }, (_, i) => drawn.reduce((sum, scores) => sum + scores[i]!, 0) / drawn.length), top10, pruned).mask;
      const whole = circuitOf(pairs);
      const overlaps = Array.from({ length: 41 }, () => jaccard(whole, circuitOf(pairs.map(() => pairs[Math.floor(random() * 4)]!)))).sort((a, b) => a - b);
      near(mean, overlaps.reduce((sum, overlap) => sum + overlap, 0) / 41);
      // Of 41 in order 5 % are two.
      near(low, overlaps[2]!);
      near(high, overlaps[38]!);
      assert.equal(samples, 41);
      assert.ok(low < mean && mean < high);
    }
  });

  it('is smaller, the less the pairs agree', () => {
    const common = sampleScores(SMALL, 9);
    const meanWith = (noise: number): number => {
      const pairs = [1, 2, 3, 4, 5, 6].map((seed) => sampleScores(SMALL, seed).map((score, i) => common[i]! + noise * score));
      return bootstrapOverlap(SMALL, stacked(...pairs), top10, false, { samples: 100, random: seededRandom(2) }).mean;
    };
    const means = [0.01, 0.3, 3].map(meanWith);
    assert.ok(means[0]! > means[1]! && means[1]! > means[2]!, means.join());
  });

  it('needs a sample', () => {
    assert.throws(() => bootstrapOverlap(SMALL, stacked(sampleScores(SMALL, 1)), top10, false, { samples: 0, random: seededRandom(1) }), RangeError);
  });

  it('holds at GPT-2 small’s size', () => {
    const perPair = new Float32Array(20 * emptyMask(GPT2_SMALL).length);
    for (let pair = 0; pair < 20; pair++) perPair.set(sampleScores(GPT2_SMALL, pair), pair * emptyMask(GPT2_SMALL).length);
    const { mean, low, high, samples } = bootstrapOverlap(GPT2_SMALL, perPair, { by: 'top', edges: 400 }, true, { samples: 20, random: seededRandom(1) });
    assert.equal(samples, 20);
    assert.ok(low >= 0 && low <= mean && mean <= high && high <= 1 && mean > 0 && mean < 1, `${low} ${mean} ${high}`);
  });
});
