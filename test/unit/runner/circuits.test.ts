import assert from 'node:assert/strict';
import { circuitCurve, randomBaseline } from '../../../src/runner/circuits/curve';
import { evaluateAll, measureCircuit, type Evaluate } from '../../../src/runner/circuits/evaluate';
import { extractCircuit } from '../../../src/runner/circuits/extract';
import { minimality } from '../../../src/runner/circuits/minimality';
import { refine } from '../../../src/runner/circuits/refine';
import { stabilityOf } from '../../../src/runner/circuits/stability';
import { packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { edgesIn, fullMask, maskOf, maskSize, type EdgeMask } from '../../../src/shared/graph/mask';
import { edgeCount, edgeName, edgeNamed, edgesOf, matrixIndex, receiverCount, senderCount, type Edge, type GraphShape } from '../../../src/shared/graph/nodes';
import { seededRandom } from '../../../src/shared/graph/random';
import { withEdgeScores } from '../../../src/shared/graph/stored';
import { EDGE_SCORES, SENDER_SCORES } from '../../../src/shared/paths';
import type { Progress } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import { exampleRun } from '../runs/exampleRun';

const SHAPE: GraphShape = { layers: 2, heads: 3 };
const TOTAL = edgeCount(SHAPE);
const named = (...names: string[]): Edge[] => names.map((name) => edgeNamed(SHAPE, name)!);
const names = (mask: EdgeMask): string[] => edgesIn(SHAPE, mask).map((edge) => edgeName(SHAPE, edge));

/** Every edge is worth its weight, and two pairs see half of it and one and a half times it; −3 without any. */
function linear(weightOf: (edge: Edge) => number): Evaluate & { calls: EdgeMask[][] } {
  const value = (mask: EdgeMask): number => edgesIn(SHAPE, mask).reduce((sum, edge) => sum + weightOf(edge), -3);
  const calls: EdgeMask[][] = [];
  const evaluate: Evaluate = async (masks, call) => {
    calls.push(masks);
    call?.onProgress?.({ stage: 'Running', fraction: 1, done: masks.length });
    const perPair = (metric: number): number[] => [metric * 0.5, metric * 1.5];
    return { values: masks.map((mask) => perPair(value(mask))), clean: perPair(value(fullMask(SHAPE))), empty: perPair(-3), backend: { name: 'cpu', threads: 1 }, seconds: 1 };
  };
  return Object.assign(evaluate, { calls });
}

const close = (actual: number | null | undefined, expected: number): void => assert.ok(typeof actual === 'number' && Math.abs(actual - expected) < 1e-9, `${actual} for ${expected}`);

describe('circuits over a way to run them', () => {
  it('runs many in parts, on one scale of progress', async () => {
    const evaluate = linear(() => 1);
    const seen: Progress[] = [];
    const masks = edgesOf(SHAPE).concat(edgesOf(SHAPE)).map((edge) => maskOf(SHAPE, [edge]));
    const { metrics, full, empty } = await evaluateAll(masks, evaluate, { onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(evaluate.calls.map(({ length }) => length), [128, 2 * TOTAL - 128]);
    assert.ok(metrics.length === masks.length && metrics.every((metric) => metric === -2));
    assert.deepEqual([full, empty], [TOTAL - 3, -3]);
    assert.deepEqual(seen.map(({ done }) => done), [128, 2 * TOTAL]);
    close(seen[0]!.fraction, 128 / (2 * TOTAL));
    close(seen[1]!.fraction, 1);
  });

  it('stops between parts, and tells a metric that is no number', async () => {
    const abort = new AbortController();
    const evaluate: Evaluate = (masks, call) => {
      abort.abort();
      return linear(() => 1)(masks, call);
    };
    await assert.rejects(evaluateAll(Array.from({ length: 130 }, () => fullMask(SHAPE)), evaluate, { signal: abort.signal }), (error) => CircuitError.is(error, 'cancelled'));
    await assert.rejects(evaluateAll([fullMask(SHAPE)], linear(() => NaN)), (error) => CircuitError.is(error, 'internal'));
  });

  it('measures faithfulness, and what is left when the circuit is knocked out', async () => {
    const circuit = named('input->m0', 'm0->logits');
    const weights = new Map(circuit.map((edge) => [matrixIndex(SHAPE, edge), 2]));
    const measured = await measureCircuit(SHAPE, maskOf(SHAPE, circuit), 'zero', linear((edge) => weights.get(matrixIndex(SHAPE, edge)) ?? 1 / (TOTAL - 2)));
    assert.deepEqual([measured.ablation, measured.metric, measured.empty], ['zero', 1, -3]);
    close(measured.full, 2);
    close(measured.value, 4 / 5);
    close(measured.knockedOut, 1 / 5);
    assert.equal((await measureCircuit(SHAPE, maskOf(SHAPE, circuit), 'zero', linear(() => 0))).value, null, 'where full and empty do not differ');
  });

  it('extracts a circuit and says how', async () => {
    const scores = new Float32Array(senderCount(SHAPE) * receiverCount(SHAPE));
    const strong = named('input->a0.h1<v>', 'a0.h1->m1', 'm1->logits', 'a0.h2->logits');
    strong.forEach((edge, i) => (scores[matrixIndex(SHAPE, edge)] = -10 + i));
    const extraction = { shape: SHAPE, scores, method: { integrated: { steps: 5, rule: 'left' as const } }, prune: true, ablation: 'corrupted' as const, name: 'mine', createdAt: new Date(0) };
    const { circuit, mask, chosen } = await extractCircuit({ ...extraction, selection: { by: 'top', edges: 4 } }, linear(() => 1));
    assert.equal(chosen, 4);
    assert.deepEqual(circuit.edges, ['input->a0.h1<v>', 'a0.h1->m1', 'm1->logits'], 'a0.h2 gets nothing from the input');
    assert.equal(maskSize(mask), 3);
    assert.deepEqual([circuit.name, circuit.origin, circuit.createdAt], ['mine', 'top 4 of EAP-IG (5 steps, left), LayerNorm in full, pruned', '1970-01-01T00:00:00.000Z']);
    close(circuit.faithfulness!.value, 3 / TOTAL);
    const whole = await extractCircuit({ ...extraction, selection: { by: 'threshold', threshold: 7 }, prune: false, method: { layerNorm: 'all' } }, linear(() => 1));
    assert.deepEqual([whole.circuit.edges.length, whole.circuit.origin], [4, 'edges of at least 7 of EAP, every LayerNorm frozen']);
  });

  describe('the curve', () => {
    const scores = Float32Array.from({ length: senderCount(SHAPE) * receiverCount(SHAPE) }, (_, i) => 1000 - i);

    it('has a point for every budget of an edge or more, and says how many there are not', async () => {
      const evaluate = linear(() => 1);
      const { points, leftOut, cpr, cmd, full, empty } = await circuitCurve({ shape: SHAPE, scores, by: 'top', random: 3, seed: 1 }, evaluate);
      assert.deepEqual(points.map(({ share, chosen }) => [share, chosen]), [0.02, 0.05, 0.1, 0.2, 0.5, 1].map((share) => [share, Math.floor(share * TOTAL)]));
      assert.equal(leftOut, 4);
      points.forEach(({ edges, faithfulness, random, chosen }) => {
        close(faithfulness, edges / TOTAL);
        close(random!.mean, chosen / TOTAL);
      });
      assert.deepEqual([points.at(-1)!.faithfulness, full, empty], [1, TOTAL - 3, -3]);
      assert.equal(evaluate.calls[0]!.length, 5 * 4 + 2, 'of all edges there is one circuit');
      let area = 0;
      points.slice(1).forEach((point, i) => (area += ((point.share - points[i]!.share) * (point.faithfulness! + points[i]!.faithfulness!)) / 2));
      close(cpr, area);
      close(cmd, points.at(-1)!.share - points[0]!.share - area);
    });

    it('draws the same random circuits from the same seed, and none when none are asked for', async () => {
      const random = seededRandom(3);
      const weights = edgesOf(SHAPE).map(() => random());
      const weigh = (edge: Edge): number => weights[edgesOf(SHAPE).findIndex(({ sender, receiver }) => sender === edge.sender && receiver === edge.receiver)]!;
      const baseline = (seed: number) => randomBaseline(SHAPE, 10, 5, seed, linear(weigh));
      assert.deepEqual(await baseline(1), await baseline(1));
      assert.notDeepEqual(await baseline(1), await baseline(2));
      const { low, mean, high } = (await baseline(1))!;
      assert.ok(low < mean && mean < high);
      const { points } = await circuitCurve({ shape: SHAPE, scores, by: 'greedy', random: 0, seed: 1 }, linear(() => 1));
      assert.ok(points.every((point) => !('random' in point)));
      assert.equal(await randomBaseline(SHAPE, 10, 5, 1, linear(() => 0)), undefined);
    });

    it('has no areas where full and empty do not differ', async () => {
      const { points, cpr, cmd } = await circuitCurve({ shape: SHAPE, scores, by: 'top', random: 2, seed: 1 }, linear(() => 0));
      assert.deepEqual([cpr, cmd, points[0]!.faithfulness, points[0]!.random], [null, null, null, undefined]);
    });
  });

  it('says what each edge of a circuit is good for, strongest first, harmful ones last', async () => {
    const circuit = named('input->m0', 'm0->m1', 'm0->logits', 'm1->logits');
    const weights = [1, 4, -2, 2];
    const evaluate = linear((edge) => weights[circuit.findIndex(({ sender, receiver }) => sender === edge.sender && receiver === edge.receiver)] ?? 5 / (TOTAL - 4));
    const losses = await minimality(SHAPE, maskOf(SHAPE, circuit), evaluate);
    assert.deepEqual(losses.map(({ edge }) => edgeName(SHAPE, edge)), ['m0->m1', 'm1->logits', 'input->m0', 'm0->logits']);
    losses.forEach(({ loss }, i) => close(loss, [4, 2, 1, -2][i]! / 10));
    assert.equal(evaluate.calls[0]!.length, 5);
    assert.deepEqual(await minimality(SHAPE, maskOf(SHAPE, []), evaluate), []);
  });

  describe('ACDC’s refinement', () => {
    const circuit = named('input->m0', 'input->a0.h0<q>', 'a0.h0->m0', 'm0->m1', 'm0->logits', 'm1->logits', 'a0.h0->logits');
    const weighing = (weights: Record<string, number>): ReturnType<typeof linear> => linear((edge) => weights[edgeName(SHAPE, edge)] ?? 0);

    it('removes what the metric falls by less than the threshold without, from the logits down', async () => {
      const evaluate = weighing({ 'input->m0': 1, 'm0->m1': 1, 'm1->logits': 1, 'm0->logits': 0.2, 'a0.h0->logits': -1, 'a0.h0->m0': 0.5, 'input->a0.h0<q>': 1 });
      const { mask, removed, tried } = await refine(SHAPE, maskOf(SHAPE, circuit), 0.5, evaluate);
      // Exactly the threshold is no fall of less.
      assert.deepEqual(names(mask), names(maskOf(SHAPE, named('input->m0', 'input->a0.h0<q>', 'a0.h0->m0', 'm0->m1', 'm1->logits'))));
      assert.deepEqual([removed, tried], [2, 7]);
      const gone = evaluate.calls.slice(1).map(([own]) => names(maskOf(SHAPE, circuit)).filter((name) => !names(own!).includes(name)).at(-1));
      assert.equal(gone.length, 7);
      assert.ok(!names(evaluate.calls[1]![0]!).includes('m1->logits'), 'of the logits the latest sender first');
    });

    it('judges each edge against what is left, and does not try edges into nodes that nothing leads out of', async () => {
      // Each is worth 0.3 as long as another is there, the last one much more; nothing comes without the head's query.
      const logits = named('m0->logits', 'm1->logits', 'a0.h0->logits');
      const query = matrixIndex(SHAPE, named('input->a0.h0<q>')[0]!);
      const evaluate: Evaluate = async (masks) => {
        const value = (mask: EdgeMask): number => (mask[query] ? [0, 3, 3.3, 3.6][logits.filter((edge) => mask[matrixIndex(SHAPE, edge)] === 1).length]! : 0);
        return { values: masks.map((mask) => [value(mask)]), clean: [3.6], empty: [0], backend: { name: 'cpu', threads: 1 }, seconds: 0 };
      };
      const { mask, tried } = await refine(SHAPE, maskOf(SHAPE, circuit), 0.5, evaluate);
      assert.deepEqual(names(mask), ['input->a0.h0<q>', 'a0.h0->logits']);
      assert.equal(tried, 4, 'the three into the logits and the one into the head');
    });

    it('can be cancelled', async () => {
      await assert.rejects(refine(SHAPE, maskOf(SHAPE, circuit), 0.5, linear(() => 1), { signal: AbortSignal.abort() }), (error) => CircuitError.is(error, 'cancelled'));
    });
  });

  describe('stability', () => {
    const cells = senderCount(SHAPE) * receiverCount(SHAPE);
    const edged = (scoreOf: (index: number, pair: number) => number): Run => {
      const run = exampleRun();
      const shape = [3, senderCount(SHAPE), receiverCount(SHAPE)];
      const data = Float32Array.from({ length: 3 * cells }, (_, i) => scoreOf(i % cells, Math.floor(i / cells)));
      const arrays = packArrays([{ name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape, data }, { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: shape.slice(0, 2), data: new Float32Array(3 * shape[1]!) }]);
      return withEdgeScores(run, { arrays, seconds: 1 }, {});
    };

    it('is 1 where all pairs say the same, and less where they do not', async () => {
      const same = await stabilityOf(edged((index) => index), { by: 'top', edges: 10 }, false, { seed: 1 });
      assert.deepEqual([same.mean, same.low, same.high, same.samples], [1, 1, 1, 100]);
      const differing = await stabilityOf(edged((index, pair) => Math.sin(index * (pair + 1))), { by: 'top', edges: 10 }, false, { seed: 1, samples: 50 });
      assert.ok(differing.mean < 1 && differing.low < differing.high && differing.samples === 50);
      assert.deepEqual(await stabilityOf(edged((index, pair) => Math.sin(index * (pair + 1))), { by: 'top', edges: 10 }, false, { seed: 1, samples: 50 }), differing);
    });

    it('takes attributed edges of several pairs', async () => {
      await assert.rejects(stabilityOf(exampleRun(), { by: 'top', edges: 10 }, false, { seed: 1 }), /not attributed yet/);
      const run = edged((index) => index);
      await assert.rejects(stabilityOf({ ...run, manifest: { ...run.manifest, pairs: run.manifest.pairs.slice(0, 1) } }, { by: 'top', edges: 10 }, false, { seed: 1 }), /With one pair/);
    });
  });
});
