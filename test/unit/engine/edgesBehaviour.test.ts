import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { parseConfig } from '../../../src/engine/model/config';
import { planEdges } from '../../../src/engine/patching/edgesChecks';
import { checkEdges, edgesBytes, edgesResultBytes } from '../../../src/engine/patching/edgesMemory';
import { SENDER_SITES } from '../../../src/engine/patching/edgesSenders';
import { chunkBytes } from '../../../src/engine/patching/planMemory';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import { DIRECTIONS, type Direction, type IntegrationRule, type Metric, type TokenExperiment, type TokenPair, type Variant } from '../../../src/shared/experiment';
import { edgesOf, matrixIndex, receiverAt, receiverCount, receiverIndex, senderAt, senderCount, sendersInto, type GraphShape } from '../../../src/shared/graph/nodes';
import { edgePositionsName, EDGE_SCORES, SENDER_SCORES, type EdgeMethod, type EdgeResult } from '../../../src/shared/paths';
import type { AttributionResult } from '../../../src/shared/results';
import type { SiteName } from '../../../src/shared/sites';
import { withEngine } from './loaded';
import { pairScores, reference, type ReferenceCase } from './reference';
import { everyLookATenth, examplePair, expectedValues, loadParams, relativeError, remove, tooBigMessage, writeHashModel, WASM_FOLDER } from './support';

const file = reference<{ cases: ReferenceCase<unknown>[] }>('edges');
const SHAPE: GraphShape = { layers: 3, heads: 3 };
const [SENDERS, RECEIVERS] = [senderCount(SHAPE), receiverCount(SHAPE)];
const LOGITS = RECEIVERS - 1;
/** Sums of some dozen float32 numbers, over the largest. */
const ROUNDING = 2e-5;

/** Two lengths, several differences, and one that is read before its end. */
const PAIRS: TokenPair[] = [
  examplePair(3, 8, 2),
  { ...examplePair(5, 8, 0), corrupted: examplePair(5, 8, 0).clean.map((token, i) => ([0, 3, 6].includes(i) ? (token + 11) % 101 : token)) },
  { ...examplePair(7, 11, 4), at: 9 },
  { ...examplePair(9, 11, 9) },
];

const of = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs: PAIRS, ...change });
const edgesOfPair = ({ arrays }: EdgeResult, pair: number): Float32Array => arrayNamed(arrays, EDGE_SCORES).data.subarray(pair * SENDERS * RECEIVERS, (pair + 1) * SENDERS * RECEIVERS);
const sendersOfPair = ({ arrays }: EdgeResult, pair: number): Float32Array => arrayNamed(arrays, SENDER_SCORES).data.subarray(pair * SENDERS, (pair + 1) * SENDERS);
const sum = (values: Iterable<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
const rowSums = (edges: Float32Array): number[] => Array.from({ length: SENDERS }, (_, sender) => sum(edges.subarray(sender * RECEIVERS, (sender + 1) * RECEIVERS)));
const fails = (call: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> =>
  assert.rejects(call, (error) => CircuitError.is(error, code) && (assert.match(error.message, message), true));

/** A site's attribution summed over positions: [layer(, head)]. */
function siteSum(result: AttributionResult, site: SiteName, pair: number): number[] {
  const { shape, data } = pairScores(result, site, pair);
  const [layers, positions, depth] = site === 'embed' ? [1, shape[0]!, 1] : [shape[0]!, shape[1]!, shape[2] ?? 1];
  return Array.from({ length: layers * depth }, (_, i) => sum(Array.from({ length: positions }, (__, position) => data[(Math.floor(i / depth) * positions + position) * depth + (i % depth)]!)));
}

/** What `attribute` says of every sender. */
function nodeScores(result: AttributionResult, pair: number): number[] {
  const [embed, z, mlp] = (['embed', 'z', 'mlp_out'] as const).map((site) => siteSum(result, site, pair));
  return Array.from({ length: SENDERS }, (_, index) => {
    const sender = senderAt(SHAPE, index);
    return sender.kind === 'input' ? embed![0]! : sender.kind === 'mlp' ? mlp![sender.layer]! : z![sender.layer * SHAPE.heads + sender.head]!;
  });
}

/** Half layers from the start of the stream: 2l is resid_pre of layer l, 2l + 1 its resid_mid. */
const senderDepth = (index: number): number => {
  const sender = senderAt(SHAPE, index);
  return sender.kind === 'input' ? 0 : 2 * sender.layer + (sender.kind === 'mlp' ? 2 : 1);
};
const receiverDepth = (index: number): number => {
  const receiver = receiverAt(SHAPE, index);
  return receiver.kind === 'logits' ? 2 * SHAPE.layers : 2 * receiver.layer + (receiver.kind === 'mlp' ? 1 : 0);
};

interface Case {
  name: string;
  change: Partial<TokenExperiment>;
  method: EdgeMethod;
  /** The variant of `attribute` whose gradients are the same. */
  variant: Variant;
}

const integrated = (rule: IntegrationRule, steps: number): EdgeMethod & Variant => ({ integrated: { rule, steps } });

const CASES: Case[] = [
  ...DIRECTIONS.flatMap((direction): Case[] => [
    { name: `EAP, ${direction}`, change: { direction }, method: {}, variant: {} },
    { name: `EAP, ${direction}, every LayerNorm frozen`, change: { direction }, method: { layerNorm: 'all' }, variant: { freezeLayerNorm: true } },
    { name: `EAP-IG, ${direction}`, change: { direction }, method: integrated('midpoint', 3), variant: integrated('midpoint', 3) },
    { name: `clean-corrupted, ${direction}`, change: { direction }, method: { bothGradients: true }, variant: { bothGradients: true } },
    { name: `continuation, ${direction}`, change: { direction, metric: 'continuation', pairs: PAIRS.map(({ at: _at, ...pair }) => ({ ...pair, correct: [...pair.correct, 4] })) }, method: {}, variant: {} },
  ]),
  { name: 'promptLogProb, EAP-IG, frozen', change: { metric: 'promptLogProb', pairs: PAIRS.map(({ at: _at, ...pair }) => ({ ...pair, range: [1, pair.clean.length - 2] })) }, method: { ...integrated('left', 2), layerNorm: 'all' }, variant: { ...integrated('left', 2), freezeLayerNorm: true } },
  { name: 'kl', change: { metric: 'kl' }, method: {}, variant: {} },
  { name: 'the other side zero', change: { direction: 'noise', other: 'zero' }, method: {}, variant: {} },
  { name: 'the other side the mean', change: { direction: 'noise', other: 'mean' }, method: {}, variant: {} },
  { name: 'the other side another pair', change: { direction: 'noise', other: 'resample' }, method: {}, variant: {} },
];

describe('edge attribution', function () {
  let engine: LocalEngine;
  withEngine('tiny-odd', (own) => void (engine = own));
  const run = (change: Partial<TokenExperiment> = {}, method: EdgeMethod = {}, receivers?: number[]): Promise<EdgeResult> => engine.edges({ experiment: of(change), method, ...(receivers && { receivers }) });

  describe('adds up', () => {
    for (const { name, change, method, variant } of CASES) {
      it(name, async () => {
        const result = await run(change, method);
        const nodes = await engine.attribute({ experiment: of({ ...change, variant }), sites: ['embed', 'z', 'mlp_out', 'resid_pre', 'resid_mid', 'resid_post'] });
        assert.deepEqual(result.groups, nodes.groups);
        assert.deepEqual(result.metric, nodes.metric);
        PAIRS.forEach((_, pair) => {
          const edges = edgesOfPair(result, pair);
          const truth = nodeScores(nodes, pair);
          const largest = Math.max(...truth.map(Math.abs), ...edges.map(Math.abs));
          const error = (values: ArrayLike<number>, wanted: ArrayLike<number>): number => relativeError([...Array.from(values), largest], [...Array.from(wanted), largest]);
          assert.ok(error(sendersOfPair(result, pair), truth) < ROUNDING, `senders of pair ${pair} against node attribution`);
          assert.ok(error(rowSums(edges), truth) < ROUNDING, `edges out of each sender of pair ${pair}`);
          // Output biases of attention belong to no sender; zero ablation takes them too.
          if (change.other === 'zero') return;
          // All edges across a cut of the residual stream: Σ over senders before it and receivers after it.
          const streams = [siteSum(nodes, 'resid_pre', pair), siteSum(nodes, 'resid_mid', pair), siteSum(nodes, 'resid_post', pair)] as const;
          const cuts = Array.from({ length: 2 * SHAPE.layers + 1 }, (_unused, depth) =>
            sum(edges.map((score, i) => (senderDepth(Math.floor(i / RECEIVERS)) <= depth && receiverDepth(i % RECEIVERS) >= depth ? score : 0))),
          );
          const stream = cuts.map((_unused, depth) => (depth === 2 * SHAPE.layers ? streams[2][SHAPE.layers - 1]! : streams[depth % 2]![depth >> 1]!));
          assert.ok(error(cuts, stream) < ROUNDING, `edges across each depth of pair ${pair}: ${cuts.join()} against ${stream.join()}`);
        });
      });
    }

    it('not with the receiver\'s LayerNorm alone frozen: those are other gradients than the senders\'', async () => {
      const result = await run({}, { layerNorm: 'receiver' });
      assert.ok(relativeError(rowSums(edgesOfPair(result, 1)), sendersOfPair(result, 1)) > 1e-2);
      assert.deepEqual(sendersOfPair(result, 1), sendersOfPair(await run(), 1));
    });

    it('over positions, which are exactly zero before the first difference', async () => {
      const receivers = [LOGITS, 4, 0, 12, 16, 19, LOGITS - 1];
      for (const change of [{}, { metric: 'promptLogProb', direction: 'noise' } as const, { metric: 'continuation' } as const]) {
        const pairs = PAIRS.map(({ at: _at, ...pair }) => pair);
        const result = await run({ ...change, pairs }, {}, receivers);
        result.groups.forEach(({ pairs: own, length }, group) => {
          const { axes, shape, data } = arrayNamed(result.arrays, edgePositionsName(group));
          assert.deepEqual(axes, ['pair', 'sender', 'receiver', 'position']);
          assert.deepEqual(shape, [own.length, SENDERS, receivers.length, length]);
          own.forEach((pair, row) => {
            const edges = edgesOfPair(result, pair);
            const size = Math.max(...edges.map(Math.abs));
            const first = pairs[pair]!.clean.findIndex((token, i) => token !== pairs[pair]!.corrupted![i]);
            for (let sender = 0; sender < SENDERS; sender++) {
              receivers.forEach((receiver, place) => {
                const start = ((row * SENDERS + sender) * receivers.length + place) * length;
                const cells = data.subarray(start, start + length);
                assert.ok(cells.subarray(0, first).every((cell) => cell === 0));
                assert.ok(Math.abs(sum(cells) - edges[sender * RECEIVERS + receiver]!) < ROUNDING * size);
              });
            }
          });
        });
      }
    });
  });

  it('gives 0 where there is no edge, and something at every edge', async () => {
    const result = await run({ direction: 'noise', other: 'zero' });
    const isEdge = new Set(edgesOf(SHAPE).map((edge) => matrixIndex(SHAPE, edge)));
    edgesOfPair(result, 2).forEach((score, index) => assert.equal(score !== 0, isEdge.has(index), `${Math.floor(index / RECEIVERS)} → ${index % RECEIVERS}`));
  });

  it('of an activation reaches the receivers that it depends on, and not the logits', async () => {
    const metric: Metric = { activation: 'neuron', layer: 1, neuron: 40 };
    const edges = edgesOfPair(await run({ metric }), 1);
    const mlp = receiverIndex(SHAPE, { kind: 'mlp', layer: 1 });
    const into = (receiver: number): number[] => Array.from({ length: SENDERS }, (_, sender) => edges[sender * RECEIVERS + receiver]!);
    // But for the input: where the neuron is read the prompts' tokens are the same.
    assert.deepEqual(into(mlp).map((score) => score !== 0), into(mlp).map((_, sender) => sender > 0 && sender < sendersInto(SHAPE, mlp)));
    for (let receiver = mlp + 1; receiver < RECEIVERS; receiver++) assert.ok(into(receiver).every((score) => score === 0));
  });

  it('puts the experiment\'s own variant aside, as far as it is a way of taking gradients', async () => {
    const plain = await run();
    const variant: Variant = { freezeLayerNorm: true, freezePattern: true, bothGradients: true };
    assert.deepEqual((await run({ variant })).arrays, plain.arrays);
    assert.deepEqual((await run({ variant: { integrated: { steps: 4, rule: 'right' } } })).arrays, plain.arrays);
  });

  describe('by integrated gradients', () => {
    const scores = async (method: EdgeMethod, direction: Direction = 'denoise'): Promise<Float32Array> => arrayNamed((await run({ direction, pairs: PAIRS.slice(0, 2) }, method)).arrays, EDGE_SCORES).data;

    it('one step from the left is EAP at this base, one from the right EAP at the other', async () => {
      assert.deepEqual(await scores(integrated('left', 1)), await scores({}));
      assert.ok(relativeError(await scores(integrated('right', 1)), await scores({}, 'noise')) < ROUNDING);
    });

    it('the mean of both is clean-corrupted', async () => {
      const [one, other] = [await scores({}), await scores({}, 'noise')];
      assert.ok(relativeError(await scores({ bothGradients: true }), one.map((value, i) => (value + other[i]!) / 2)) < ROUNDING);
    });

    for (const rule of ['left', 'right'] as const) {
      it(`has an error that halves as m doubles, ${rule}`, async () => {
        // Along other pairs this checkpoint's sharp attention switches within fewer steps than these.
        const pairs = [file.cases[0]!.experiment.pairs[3]!];
        const at = async (own: IntegrationRule, steps: number): Promise<Float32Array> => edgesOfPair(await run({ pairs }, integrated(own, steps)), 0);
        const truth = await at('midpoint', 96);
        const errors: number[] = [];
        for (const steps of [32, 64]) errors.push(Math.sqrt(sum((await at(rule, steps)).map((value, i) => (value - truth[i]!) ** 2))));
        const ratio = errors[1]! / errors[0]!;
        assert.ok(ratio > 0.45 && ratio < 0.55, `error of 64 steps over that of 32: ${ratio}`);
      });
    }
  });

  describe('refuses', () => {
    it('equal prompts', () => fails(run({ pairs: [PAIRS[0]!, { ...PAIRS[1]!, corrupted: PAIRS[1]!.clean }] }), 'experiment', /^Pair 2: .* equal/));
    it('unequal token counts, however they are aligned', async () => {
      const pairs = [{ ...PAIRS[0]!, corrupted: PAIRS[0]!.corrupted!.slice(1) }];
      await fails(run({ pairs }), 'experiment', /8 tokens, the corrupted 7/);
      await fails(run({ pairs, align: 'end' }), 'experiment', /^The edges of pair 1 cannot be attributed: .* unequal token counts/);
      await run({ align: 'end' });
    });
    it('variants that are not derived, saying which', async () => {
      const unit = { site: 'z', layer: 0, head: 1 } as const;
      await fails(run({ variant: { interventions: [{ unit, with: 'zero' }], qkFix: true } }), 'experiment', /not derived for interventions and the QK fix\. Leave them out/);
      await fails(run({ variant: { stopGradient: [unit] } }), 'experiment', /not derived for stopped gradients\. Leave it out/);
      await fails(run({ variant: { gradDrop: true } }), 'experiment', /not derived for GradDrop/);
    });
    it('methods that exclude each other or are none', async () => {
      await fails(run({}, { ...integrated('left', 5), bothGradients: true }), 'experiment', /cannot be combined/);
      await fails(run({}, integrated('left', 0)), 'experiment', /whole number of steps/);
      await fails(run({}, integrated('trapezoid' as never, 5)), 'experiment', /no integration rule "trapezoid"/);
      await fails(run({}, { layerNorm: 'none' as never }), 'experiment', /"none"; there are full, receiver, all/);
      await fails(run({ direction: 'noise', other: 'zero' }, { bothGradients: true }), 'experiment', /no second run/);
      await fails(run({ metric: 'kl' }, { bothGradients: true }), 'experiment', /cannot be combined/);
    });
    it('KL at the clean run, but not along integrated gradients', async () => {
      await fails(run({ metric: 'kl', direction: 'noise' }), 'experiment', /zero at the clean run/);
      await fails(run({ metric: 'kl', direction: 'noise' }, integrated('left', 1)), 'experiment', /zero at the clean run/);
      await run({ metric: 'kl', direction: 'noise' }, integrated('left', 2));
    });
    it('receivers that are not there', () => fails(run({}, {}, [0, RECEIVERS]), 'experiment', new RegExp(`no receiver ${RECEIVERS}; .* 0 to ${RECEIVERS - 1}`)));
    it('weights that overflow', async () => {
      const { checkpoint } = await expectedValues('tiny-odd');
      const [huge, sound] = [await writeHashModel(checkpoint, (_, tensors) => tensors.get('h.0.mlp.c_proj.weight')!.data.fill(3e38)), await writeHashModel(checkpoint)];
      await engine.load(loadParams(huge));
      await fails(run(), 'model-invalid', /overflowed/);
      await engine.load(loadParams(sound));
      await run();
      await remove(huge);
      await remove(sound);
    });
  });

  describe('as a call', () => {
    const receivers = [LOGITS, 3];

    it('gives the same numbers every time', async () => {
      const one = await run({}, integrated('midpoint', 2), receivers);
      const two = await run({}, integrated('midpoint', 2), receivers);
      assert.deepEqual(one.arrays, two.arrays);
      assert.deepEqual(one.metric, two.metric);
    });

    it('allocates nothing that stays over twenty calls, ended or cancelled', async () => {
      const methods: EdgeMethod[] = [{}, integrated('left', 2), { bothGradients: true, layerNorm: 'receiver' }, { layerNorm: 'all' }];
      await run({}, {}, receivers);
      const before = { ...tf.memory() };
      for (let i = 0; i < 20; i++) await run({ direction: i % 2 ? 'noise' : 'denoise', ...(i % 5 === 4 && { direction: 'noise', other: 'mean' }) }, methods[i % (i % 5 === 4 ? 2 : 4)], receivers);
      let cancelled = 0;
      for (let polls = 1; polls < 900; polls += 37) {
        let left = polls;
        const call = engine.edges({ experiment: of(), method: integrated('left', 2), receivers }, { isCancelled: () => --left < 0 });
        await call.catch((error: unknown) => {
          assert.ok(CircuitError.is(error, 'cancelled'));
          cancelled++;
        });
      }
      assert.ok(cancelled > 10);
      assert.equal(tf.memory().numTensors, before.numTensors);
      assert.equal(tf.memory().numBytes, before.numBytes);
    });

    it('stops at a signal, and serves the next call', async () => {
      const controller = new AbortController();
      const call = engine.edges({ experiment: of(), method: integrated('left', 200) }, { now: everyLookATenth(), signal: controller.signal, onProgress: ({ fraction }) => fraction > 0.1 && controller.abort() });
      await fails(call, 'cancelled', /./);
      await run();
    });

    it('reports progress from 0 to 1', async () => {
      for (const method of [{}, integrated('left', 5), { bothGradients: true }]) {
        const fractions: number[] = [];
        const stages = new Set<string>();
        await engine.edges({ experiment: of(), method }, { now: everyLookATenth(), onProgress: ({ stage, fraction }) => (fractions.push(fraction), stages.add(stage)) });
        assert.ok(fractions.every((fraction, i) => fraction <= 1 && fraction >= (fractions[i - 1] ?? 0)));
        assert.ok(fractions.at(-1)! > 0.9 && fractions[0]! < 0.1, fractions.join());
        assert.ok([...stages].every((stage) => /^Attributing edges, part \d of \d$/.test(stage)));
      }
    });
  });
});

describe('edge attribution where queries are scaled by layer', function () {
  it('adds up', async () => {
    const { checkpoint } = await expectedValues('tiny-odd');
    const folder = await writeHashModel(checkpoint, (fields) => Object.assign(fields, { scale_attn_by_inverse_layer_idx: true }));
    const engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
    try {
      await engine.load(loadParams(folder));
      const result = await engine.edges({ experiment: of(), method: {} });
      PAIRS.forEach((_, pair) => assert.ok(relativeError(rowSums(edgesOfPair(result, pair)), sendersOfPair(result, pair)) < ROUNDING));
    } finally {
      await engine.dispose();
      await remove(folder);
    }
  });
});

describe('memory estimates of edge attribution', () => {
  const config = parseConfig(JSON.stringify({ model_type: 'gpt2', n_layer: 12, n_head: 12, n_embd: 768, n_inner: 3072, n_positions: 1024, vocab_size: 50257 }));
  const plan = (length: number, pairs = 1, method: EdgeMethod = {}) => {
    const clean = Array.from({ length }, (_, i) => i + 1);
    const pair = (index: number): TokenPair => ({ clean: [...clean.slice(1), 1000 + index], corrupted: [0, ...clean.slice(2), 1000 + index], correct: [1], incorrect: [2] });
    return planEdges({ metric: 'logitDiff', direction: 'denoise', pairs: Array.from({ length: pairs }, (_, index) => pair(index)) }, method, [], config);
  };

  it('count the senders\' differences of all positions', () => {
    const bytes = (length: number): number => {
      const own = plan(length);
      return edgesBytes(config, own, own.chunks[0]!) - chunkBytes(config, own, own.chunks[0]!, { sites: SENDER_SITES, record: true });
    };
    assert.ok(bytes(501) - bytes(500) > 4 * 768 * senderCount({ layers: 12, heads: 12 }));
  });

  it('bound 64 pairs of 40 tokens by what is computed at a time', () => {
    const own = plan(40, 64);
    checkEdges(config, own, 0, 'wasm-threads', 6e8);
    assert.equal(edgesResultBytes(config, own, 0), 4 * 64 * 157 * 446);
  });

  it('refuse a prompt that is too long, saying what would fit, and what is wanted by position', () => {
    const message = tooBigMessage(() => checkEdges(config, plan(1000), 0, 'wasm-threads', 6e8));
    const fits = Number(/Pair 1 differs over 1000 tokens .*: about (\d+) tokens from the first difference on would fit/.exec(message)![1]);
    checkEdges(config, plan(fits), 0, 'wasm-threads', 6e8);
    assert.ok(fits > 50 && fits < 900, message);
    const positions = tooBigMessage(() => checkEdges(config, plan(40, 64), 445, 'wasm-threads', 6e8));
    const fewer = Number(/Edges by position into 445 receivers need about .*: there is room for (\d+) at a time/.exec(positions)![1]);
    checkEdges(config, plan(40, 64), fewer, 'wasm-threads', 6e8);
    assert.ok(fewer > 0 && fewer < 445, positions);
  });

  it('are made before the call', async () => {
    const { checkpoint } = await expectedValues('tiny-odd');
    const folder = await writeHashModel(checkpoint);
    let free = Infinity;
    const engine = new LocalEngine({ wasmFolder: WASM_FOLDER, freeMemory: () => free });
    try {
      await engine.load(loadParams(folder, { backend: 'cpu' }));
      free = 1e5;
      await fails(engine.edges({ experiment: of(), method: {} }), 'too-big', /Pair 1 differs over \d+ tokens and needs about .* would fit/);
      free = Infinity;
      await engine.edges({ experiment: of(), method: {} });
    } finally {
      await engine.dispose();
      await remove(folder);
    }
  });
});
