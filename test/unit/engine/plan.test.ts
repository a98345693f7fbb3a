import assert from 'node:assert/strict';
import { parseConfig } from '../../../src/engine/model/config';
import { checkLoad, weightBytes } from '../../../src/engine/model/memory';
import { planChunks } from '../../../src/engine/patching/plan';
import { checkRun, chunkBytes } from '../../../src/engine/patching/planMemory';
import { shareRuns } from '../../../src/engine/patching/sharing';
import type { TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import { tooBigMessage } from './support';

const GPT2 = parseConfig(JSON.stringify({ model_type: 'gpt2', n_layer: 12, n_head: 12, n_embd: 768, n_positions: 1024, vocab_size: 50257 }));
const XL = parseConfig(JSON.stringify({ model_type: 'gpt2', n_layer: 48, n_head: 25, n_embd: 1600, n_positions: 1024, vocab_size: 50257 }));

function pair(clean: number[], corrupted: number[]): TokenPair {
  return { clean, corrupted, correct: [1], incorrect: [2] };
}

/** Pair of `length` tokens that differs at `first`; `seed` makes prompts distinct. */
function made(length: number, first: number, seed = 0): TokenPair {
  const clean = Array.from({ length }, (_, i) => seed * 100 + i);
  return pair(clean, clean.map((token, i) => (i === first ? token + 20_000 : token)));
}

const plan = (pairs: TokenPair[], align?: 'end') => planChunks({ metric: 'logitDiff', direction: 'denoise', pairs, align }, GPT2);

describe('engine plans', () => {
  it('groups by token count, chunks by first difference too', () => {
    const { groups, chunks } = plan([made(5, 2), made(7, 2), made(5, 3), made(5, 2, 1)]);
    assert.deepEqual(groups, [{ pairs: [0, 2, 3], length: 5, positions: 'all' }, { pairs: [1], length: 7, positions: 'all' }]);
    assert.deepEqual(chunks.map(({ group, pairs, prefix }) => [group, pairs, prefix]), [[0, [0, 3], 2], [1, [1], 2], [0, [2], 3]]);
  });

  it('cuts many pairs into chunks of an even number of bounded size', () => {
    const { groups, chunks } = plan(Array.from({ length: 100 }, (_, i) => made(20, 5, i)));
    assert.equal(groups.length, 1);
    assert.deepEqual(chunks.flatMap(({ pairs }) => pairs), Array.from({ length: 100 }, (_, i) => i));
    assert.ok(chunks.every(({ pairs }) => pairs.length % 2 === 0 && pairs.length * 30 <= 256));
    assert.deepEqual(plan([made(600, 0), made(600, 0, 1)]).chunks.map(({ pairs }) => pairs), [[0], [1]]);
  });

  it('aligns pairs of unequal counts at the end, each keeping a position of its own', () => {
    const beginning = pair([1, 2, 3, 4, 5], [1, 2, 3]);
    const { groups, chunks } = plan([beginning, pair([1, 2, 3, 4, 5], [1, 9, 3, 4]), made(5, 1)], 'end');
    assert.deepEqual(groups, [{ pairs: [0, 1], length: 5, positions: 'last' }, { pairs: [2], length: 5, positions: 'all' }]);
    assert.deepEqual(chunks.map(({ prefix, cleanLength, corruptedLength }) => [prefix, cleanLength, corruptedLength]), [[2, 5, 3], [1, 5, 4], [1, 5, 5]]);
  });

  it('runs every distinct sequence once', () => {
    const [one, other] = [[0, 1, 2, 3], [0, 1, 20_002, 3]];
    // A pair and its mirror image, and two pairs of the same prompts.
    const base = [other, one, [0, 1, 8, 3], [0, 1, 8, 3]];
    const counterpart = [one, other, [0, 1, 7, 3], [0, 1, 7, 3]];
    assert.deepEqual(shareRuns(base, [counterpart], 2), {
      prefixes: [[0, 1]],
      runs: [
        { tokens: [[20_002, 3], [2, 3], [8, 3], [8, 3]], prefix: [0, 0, 0, 0] },
        { tokens: [[7, 3]], prefix: [0] },
      ],
      places: [[{ run: 0, sequence: 1 }, { run: 0, sequence: 0 }, { run: 1, sequence: 0 }, { run: 1, sequence: 0 }]],
    });
    const apart = shareRuns(base, [counterpart, [...base.slice(0, 2), [9, 9, 9], [4, 4, 4, 4]]], 2, true);
    assert.deepEqual(apart.prefixes, [[0, 1], [9, 9], [4, 4]]);
    assert.deepEqual(apart.runs.map(({ tokens }) => tokens), [[[20_002, 3], [2, 3], [8, 3], [8, 3]], [[2, 3], [20_002, 3], [7, 3], [4, 4]], [[9]]]);
    assert.deepEqual(apart.places[1], [{ run: 1, sequence: 1 }, { run: 1, sequence: 0 }, { run: 2, sequence: 0 }, { run: 1, sequence: 3 }]);
  });

  it('shares no prefix that an intervention, an ablation or the metric reaches into', () => {
    const prefixes = (change: Partial<TokenExperiment>, pairs = [made(9, 5)]) => planChunks({ metric: 'logitDiff', direction: 'noise', pairs, ...change }, GPT2).chunks.map(({ prefix, tail }) => [prefix, tail]);
    const z = { site: 'z', layer: 0 } as const;
    assert.deepEqual(prefixes({}), [[5, 1]]);
    assert.deepEqual(prefixes({}, [{ ...made(9, 5), at: 3 }]), [[3, 6]]);
    assert.deepEqual(prefixes({ metric: 'promptLogProb' }, [{ ...made(9, 5), range: [2, 4] }]), [[2, 7]]);
    assert.deepEqual(prefixes({ variant: { interventions: [{ unit: { ...z, position: 2 }, with: 'zero' }] } }), [[2, 1]]);
    assert.deepEqual(prefixes({ variant: { interventions: [{ unit: { ...z, position: -2 }, with: 'mean' }] } }), [[5, 1]]);
    assert.deepEqual(prefixes({ variant: { interventions: [{ unit: z, with: 'zero' }] } }), [[0, 1]]);
    assert.deepEqual(prefixes({ variant: { interventions: [{ unit: z, with: 'corrupted' }] } }), [[5, 1]]);
    assert.deepEqual(prefixes({ other: 'zero' }), [[0, 1]]);
    const next = { ...made(9, 5), clean: [0, 1, 2, 3, 4, 5, 6, 7, 9] };
    assert.deepEqual(prefixes({ other: 'resample', metric: 'promptLogProb' }, [made(9, 5), next]), [[5, 4]], 'the range is that of the own prompts');
    assert.deepEqual(prefixes({ other: 'resample', metric: 'promptLogProb' }, [made(9, 5), next].map((own) => ({ ...own, corrupted: undefined }))), [[0, 9]], 'or all of the prompt');
    assert.deepEqual(prefixes({ other: 'resample' }, [made(9, 5), { ...made(9, 5), clean: [0, 1, 7, 7, 7, 7, 7, 7, 7] }]), [[2, 1]]);
  });
});

describe('engine memory estimates', () => {

  it('count XNNPACK\'s second copy of the matrices, not of the embeddings, where our own kernels do not run', () => {
    for (const backend of ['cpu', 'wasm-simd', 'wasm-threads'] as const) assert.equal(weightBytes(GPT2, backend), 4 * (84_934_656 + 39_383_808));
    assert.equal(weightBytes(GPT2, 'wasm') - weightBytes(GPT2, 'cpu'), 4 * 84_934_656);
  });

  it('let GPT-2 small load in 2 GB, and refuse XL on wasm whatever is free', () => {
    checkLoad({ config: GPT2, parameters: 124_439_808 }, 'wasm-threads', 2e9);
    assert.match(tooBigMessage(() => checkLoad({ config: GPT2, parameters: 124_439_808 }, 'wasm-threads', 5e8)), /124 million parameters and needs about 0\.7 GB, but 0\.5 GB are free\. A model of about \d\d million/);
    assert.match(tooBigMessage(() => checkLoad({ config: XL, parameters: 1_557_611_200 }, 'wasm-simd', 1e12)), /the wasm-simd backend can hold 4\.0 GB/);
    checkLoad({ config: XL, parameters: 1_557_611_200 }, 'cpu', 1e12);
  });

  it('let the longest prompt of GPT-2 small run beside the model, and grow with what differs', () => {
    const whole = plan([made(1024, 0)]);
    const use = { sites: ['z', 'attn_out', 'mlp_out', 'resid_pre'], record: true } as const;
    checkRun(GPT2, whole, use, 'wasm-threads', 1e12);
    assert.match(tooBigMessage(() => checkRun(GPT2, whole, use, 'wasm-threads', 5e8)), /Pair 1 differs over 1024 tokens and needs about .* GB, but 0\.5 GB are free: about \d+ tokens from the first difference on would fit/);
    const late = plan([made(1024, 1020)]);
    assert.ok(chunkBytes(GPT2, late, late.chunks[0]!, use) < chunkBytes(GPT2, whole, whole.chunks[0]!, use) / 3);
    const ofProbability = planChunks({ metric: 'prob', direction: 'denoise', pairs: [made(1024, 0)] }, GPT2);
    const more = chunkBytes(GPT2, ofProbability, ofProbability.chunks[0]!, use) - chunkBytes(GPT2, whole, whole.chunks[0]!, use);
    assert.ok(more > 4 * 50_257 * 768 && more < 1.1 * 4 * 50_257 * 768, 'the gradient of a probability packs the unembedding');
  });
});
