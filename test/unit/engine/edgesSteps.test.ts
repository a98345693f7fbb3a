import assert from 'node:assert/strict';
import { keepRows } from '../../../src/engine/model/knownRows';
import type { Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { attributeEdges } from '../../../src/engine/patching/edges';
import { planEdges } from '../../../src/engine/patching/edgesChecks';
import { stepBatches } from '../../../src/engine/patching/edgesSteps';
import { metricSign } from '../../../src/engine/patching/metricSign';
import { arrayNamed } from '../../../src/shared/arrays';
import { DIRECTIONS, type Direction, type IntegrationRule, type LogitMetric, type Metric, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import { receiverCount, senderCount } from '../../../src/shared/graph/nodes';
import { EDGE_SCORES, SENDER_SCORES, type EdgeMethod } from '../../../src/shared/paths';
import { withModel } from './loaded';
import { examplePair, relativeError } from './support';

/** fp32 rounding of products of other heights, and of mixtures from the other end. */
const ROUNDING = 2e-5;
const ROOM = 1 << 26;
const RULES: readonly IntegrationRule[] = ['left', 'midpoint', 'right'];

/** The same prompts and answers, either in the other's place. */
function mirrored(pair: TokenPair & { corrupted: number[] }): TokenPair & { corrupted: number[] } {
  return { ...pair, clean: pair.corrupted, corrupted: pair.clean, correct: pair.incorrect, incorrect: pair.correct };
}

const ONE = examplePair(3, 9, 4);
const TWO = examplePair(4, 9, 4);
const COUPLES = [ONE, mirrored(ONE), TWO, mirrored(TWO)];

const of = (pairs: TokenPair[], change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs, ...change });
const by = (rule: IntegrationRule, steps: number): EdgeMethod => ({ integrated: { rule, steps } });

describe('inputs of integrated edge attribution', () => {
  const config = { layers: 2, heads: 2, dModel: 8, dHead: 4, dMlp: 16, vocabulary: 101, context: 32 } as Gpt2['config'];
  const batches = (pairs: TokenPair[], method: EdgeMethod, change: Partial<TokenExperiment> = {}, direction: Direction = 'denoise'): ReturnType<typeof stepBatches> => {
    const plan = planEdges(of(pairs, { direction, ...change }), method, [], config);
    return plan.chunks.flatMap((chunk) => stepBatches(plan, chunk, direction));
  };
  /** Inputs and backward passes, of prompts and between them. */
  const counts = (...given: Parameters<typeof batches>): Record<string, [number, number]> => {
    const found: Record<string, [number, number]> = {};
    for (const { at, inputs } of batches(...given)) {
      const [count, passes] = found[at] ?? [0, 0];
      found[at] = [count + inputs.length, passes + inputs.reduce((sum, own) => sum + own.passes.length, 0)];
    }
    return found;
  };

  it('are the base prompts alone without steps', () => {
    assert.deepEqual(counts(COUPLES, {}), { base: [4, 4] });
  });

  it('are shared between a pair and its mirror image, the forward and the backward pass', () => {
    for (const direction of DIRECTIONS) {
      assert.deepEqual(counts(COUPLES, by('left', 5), {}, direction), { base: [4, 4], between: [8, 8] });
      assert.deepEqual(counts(COUPLES, by('right', 5), {}, direction), { base: [4, 4], between: [8, 8] });
      assert.deepEqual(counts(COUPLES, by('midpoint', 5), {}, direction), { between: [10, 10] });
    }
  });

  it('are each pair\'s own where no other pair has its prompts', () => {
    const alone = [ONE, TWO];
    assert.deepEqual(counts(alone, by('left', 5)), { base: [2, 2], between: [8, 8] });
    assert.deepEqual(counts(alone, by('right', 5)), { other: [2, 2], between: [8, 8] });
    assert.deepEqual(counts(alone, by('midpoint', 5)), { between: [10, 10] });
    assert.deepEqual(counts([ONE, mirrored(ONE), TWO], by('left', 5)), { base: [3, 3], between: [8, 8] });
  });

  it('are run forward once and backward for each of two metrics', () => {
    const other = { ...mirrored(ONE), incorrect: [77] };
    assert.deepEqual(counts([ONE, other], by('midpoint', 4)), { between: [4, 8] });
    assert.deepEqual(counts([ONE, mirrored(ONE)], by('midpoint', 4), { metric: 'logProb' }), { between: [4, 8] });
    assert.deepEqual(counts([ONE, { ...mirrored(ONE), correct: ONE.correct }], by('midpoint', 4), { metric: 'logProb' }), { between: [4, 4] });
    // Those with one pass and those with two are run apart.
    assert.deepEqual(batches([ONE, other, TWO], by('midpoint', 3)).map(({ inputs }) => inputs.map(({ passes }) => passes.length)), [[2, 2, 2], [1, 1, 1]]);
  });

  it('are not shared by prompts that only have the answers in common', () => {
    const swapped = { ...TWO, correct: ONE.incorrect, incorrect: ONE.correct };
    assert.deepEqual(counts([ONE, swapped], by('left', 3)), { base: [2, 2], between: [4, 4] });
  });

  it('have the other pair\'s share of the way and its sign', () => {
    const [batch] = batches([ONE, mirrored(ONE)], by('midpoint', 2));
    const shared = (pair: number): object => ({ pair, share: 0.25, passes: [{ pair, uses: [{ pair, sign: 1 }, { pair: 1 - pair, sign: -1 }] }] });
    assert.deepEqual(batch, { at: 'between', inputs: [shared(0), shared(1)] });
  });
});

describe('the sign between two pairs\' metrics', () => {
  const swapped = { ...TWO, correct: ONE.incorrect, incorrect: ONE.correct };
  const sign = (metric: Metric, other: TokenPair): number | undefined => metricSign(metric, ONE, other);

  it('is −1 for answers that change places, in differences between them', () => {
    for (const metric of ['logitDiff', 'probDiff', { activation: 'directLogit', layer: 1 }] as const) {
      assert.equal(sign(metric, swapped), -1);
      assert.equal(sign(metric, { ...swapped, incorrect: [50] }), undefined);
      assert.equal(sign(metric, { ...TWO, correct: ONE.correct, incorrect: ONE.incorrect }), 1);
    }
    const many = { ...ONE, correct: [5, 6, 6], incorrect: [7] };
    assert.equal(metricSign('logitDiff', many, { ...many, correct: [7], incorrect: [6, 5, 6] }), -1);
    assert.equal(metricSign('logitDiff', many, { ...many, correct: [7], incorrect: [6, 5, 5] }), undefined);
  });

  it('is none elsewhere, unless the metric is the same', () => {
    for (const metric of ['logProb', 'prob', 'logitMinusMean'] as const) {
      assert.equal(sign(metric, swapped), undefined);
      assert.equal(sign(metric, { ...TWO, correct: ONE.correct }), 1);
    }
    for (const metric of ['kl', 'promptLogProb', 'continuation'] as const) assert.equal(sign(metric, ONE), undefined);
    assert.equal(sign('a metric still unknown' as Metric, ONE), undefined);
    assert.equal(sign({ activation: 'neuron', layer: 0, neuron: 3 }, swapped), 1);
    assert.equal(metricSign({ activation: 'attention', layer: 0, head: 1 }, { ...ONE, source: 2 }, { ...TWO, source: 2 }), 1);
    assert.equal(metricSign({ activation: 'attention', layer: 0, head: 1 }, { ...ONE, source: 2 }, { ...TWO, source: 3 }), undefined);
  });

  it('is none where they are read at different places', () => {
    assert.equal(sign('logitDiff', { ...swapped, at: 7 }), undefined);
    assert.equal(sign('logitDiff', { ...swapped, at: ONE.clean.length - 1 }), -1);
  });
});

describe('edge attribution by steps that pairs share', function () {
  let model: Gpt2;
  withModel('tiny-odd', (loaded) => (model = loaded));

  interface Found {
    /** [pair][sender · receiver], [pair][sender] */
    edges: Float32Array[];
    senders: Float32Array[];
    count: number;
  }

  async function scored(pairs: TokenPair[], method: EdgeMethod, change: Partial<TokenExperiment> = {}, room = ROOM): Promise<Found> {
    keepRows(model, room);
    let count = 0;
    const advance = Work.prototype.advance;
    // One for each row of a forward pass, two for each of a backward pass, one for each of the senders and of a contraction.
    Work.prototype.advance = function (amount) {
      count += amount;
      advance.call(this, amount);
    };
    try {
      const { arrays } = await attributeEdges(model, { experiment: of(pairs, change), method }, ['wasm-simd', 1e10]);
      const rows = (name: string, width: number): Float32Array[] => pairs.map((_, pair) => arrayNamed(arrays, name).data.subarray(pair * width, (pair + 1) * width));
      const [senders, receivers] = [senderCount(model.config), receiverCount(model.config)];
      return { edges: rows(EDGE_SCORES, senders * receivers), senders: rows(SENDER_SCORES, senders), count: count / model.config.layers };
    } finally {
      Work.prototype.advance = advance;
    }
  }

  async function sameAsAlone(pairs: TokenPair[], method: EdgeMethod, change: Partial<TokenExperiment> = {}, room?: number): Promise<void> {
    const together = await scored(pairs, method, change, room);
    for (const [index, pair] of pairs.entries()) {
      const alone = await scored([pair], method, change, room);
      for (const part of ['edges', 'senders'] as const) {
        const error = relativeError(together[part][index]!, alone[part][0]!);
        assert.ok(error < ROUNDING, `${part} of pair ${index}, ${JSON.stringify([method, change])}: ${error}`);
      }
    }
  }

  for (const rule of RULES) {
    it(`gives what each pair gives alone, ${rule}`, async () => {
      for (const steps of [1, 2, 5]) {
        for (const direction of DIRECTIONS) await sameAsAlone(COUPLES, by(rule, steps), { direction });
      }
      for (const layerNorm of ['receiver', 'all'] as const) await sameAsAlone(COUPLES, { ...by(rule, 3), layerNorm });
      await sameAsAlone([TWO, ...COUPLES.slice(0, 2), { ...mirrored(TWO), incorrect: [77] }], by(rule, 3));
    });
  }

  it('gives it where nothing is known of the prompts', async () => {
    for (const rule of RULES) await sameAsAlone([...COUPLES, ONE], by(rule, 3), {}, 0);
    await sameAsAlone([ONE, ONE, TWO], {}, {}, 0);
  });

  it('gives it with every metric', async () => {
    const metrics: LogitMetric[] = ['logProb', 'prob', 'probDiff', 'logitMinusMean', 'kl', 'promptLogProb'];
    for (const metric of metrics) await sameAsAlone(COUPLES, by('midpoint', 2), { metric });
    await sameAsAlone(COUPLES.map((pair) => ({ ...pair, correct: [...pair.correct, 5], incorrect: [...pair.incorrect, 6] })), by('midpoint', 2), { metric: 'continuation' });
    await sameAsAlone(COUPLES.map((pair) => ({ ...pair, source: 4 })), by('right', 2), { metric: { activation: 'attention', layer: 1, head: 1 } });
    await sameAsAlone(COUPLES, by('left', 2), { metric: { activation: 'directLogit', layer: 2, head: 0 } });
  });

  it('gives it under an ablation, whose inputs are shared by pairs of one clean prompt only', async () => {
    await sameAsAlone([...COUPLES, { ...ONE, corrupted: TWO.corrupted }], by('left', 2), { direction: 'noise', other: 'zero' });
  });

  it('runs no more rows than there are distinct inputs and metrics', async () => {
    const length = 5;
    // Every position of eight prompts but the four that each couple shares; senders and contraction of each pair.
    const forward = (prompts: number, prefixes: number): number => 4 * prefixes + length * prompts;
    const each = (pairs: number): number => 2 * pairs * length;
    const count = async (pairs: TokenPair[], rule: IntegrationRule, change: Partial<TokenExperiment> = {}): Promise<number> => (await scored(pairs, by(rule, 5), change)).count;
    const steps = (known: number, between: number, passes = between): number => length * (between + 2 * (known + passes));
    for (const rule of ['left', 'right'] as const) {
      assert.equal(await count(COUPLES, rule), forward(4, 2) + each(4) + steps(4, 8));
      assert.equal(await count([ONE, TWO], rule), forward(4, 2) + each(2) + steps(2, 8));
      assert.equal(await count([ONE, mirrored(ONE), TWO], rule), forward(4, 2) + each(3) + steps(3, 8));
      assert.equal(await count(COUPLES, rule, { metric: 'logProb' }), forward(4, 2) + each(4) + steps(4, 8, 16));
    }
    assert.equal(await count(COUPLES, 'midpoint'), forward(4, 2) + each(4) + steps(0, 10));
    assert.equal(await count([ONE, { ...TWO, correct: ONE.incorrect, incorrect: ONE.correct }], 'left'), forward(4, 2) + each(2) + steps(2, 8), 'answers in common, prompts not');
  });
});
