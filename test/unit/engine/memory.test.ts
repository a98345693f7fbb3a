import assert from 'node:assert/strict';
import { parseConfig } from '../../../src/engine/model/config';
import { checkPrompts, passBytes, siteFloats } from '../../../src/engine/model/memory';
import { planChunks, type Plan } from '../../../src/engine/patching/plan';
import { checkPatch, checkRun, chunkBytes } from '../../../src/engine/patching/planMemory';
import type { TokenExperiment } from '../../../src/shared/experiment';
import { DEFAULT_SITES, HEAD_EVERY, type SiteName } from '../../../src/shared/sites';
import { tooBigMessage } from './support';

const GPT2 = parseConfig(JSON.stringify({ model_type: 'gpt2', n_layer: 12, n_head: 12, n_embd: 768, n_inner: 3072, n_positions: 1024, vocab_size: 50257 }));

describe('memory estimates of the engine\'s calls', () => {
  const plan = (length: number, first: number, change: Partial<TokenExperiment> = {}): Plan => {
    const clean = Array.from({ length }, (_, i) => i + 1);
    const corrupted = change.other ? undefined : clean.map((token, i) => (i === first ? 0 : token));
    return planChunks({ metric: 'logitDiff', direction: 'noise', pairs: [{ clean, corrupted, correct: [1], incorrect: [2] }], ...change }, GPT2);
  };
  const bytes = (own: Plan, sites = DEFAULT_SITES): number => chunkBytes(GPT2, own, own.chunks[0]!, { sites, record: true });

  const places = (sites: readonly SiteName[]): { site: SiteName; layer: number }[] => sites.flatMap((site) => Array.from({ length: 12 }, (_, layer) => ({ site, layer })));

  it('know a site\'s size', () => {
    assert.deepEqual((['z', 'mlp_post', 'pattern'] as const).map((site) => siteFloats(GPT2, site, 5, 15)), [5 * 768, 5 * 3072, 12 * 5 * 15]);
  });

  it('count captured sites by their size, layers and runs', () => {
    const pass = { sequences: 2, length: 15, prefix: 10, sites: ['mlp_post'], runs: 2, record: false } as const;
    const none = passBytes(GPT2, { ...pass, sites: [] });
    assert.equal(passBytes(GPT2, pass) - none, 4 * 2 * 2 * 12 * 5 * 3072);
    assert.equal(passBytes(GPT2, { ...pass, layers: 1 }) - none, 4 * 2 * 2 * 5 * 3072);
    assert.equal(passBytes(GPT2, { ...pass, rows: 1 }) - none, 4 * 2 * 2 * 12 * 3072);
    assert.ok(passBytes(GPT2, { ...pass, record: true }) > passBytes(GPT2, pass));
  });

  it('a long prompt\'s patterns do not fit the wasm heap, one site of it does', () => {
    const own = plan(1024, 0);
    assert.match(tooBigMessage(() => checkRun(GPT2, own, { sites: DEFAULT_SITES, record: true }, 'wasm-threads', 1e12)), /differs over 1024 tokens .* or fewer sites at a time/);
    checkRun(GPT2, own, { sites: ['z'], record: true }, 'wasm-threads', 1e12);
    checkRun(GPT2, own, { sites: ['pattern'], layers: 1, record: true }, 'wasm-threads', 1e12);
  });

  it('grow with variants and interventions, and say that an ablated prompt is run whole', () => {
    const plain = bytes(plan(100, 50), ['z']);
    assert.ok(bytes(plan(100, 50, { variant: { qkFix: true } }), ['z']) > plain);
    const interventions = [{ unit: { site: 'mlp_post', layer: 0 }, with: 'corrupted' } as const];
    assert.ok(bytes(plan(100, 50, { variant: { interventions } }), ['z']) > plain);
    assert.match(tooBigMessage(() => checkRun(GPT2, plan(1000, 0, { other: 'zero' }), { sites: ['z'], record: true }, 'cpu', 1e8)), /Pair 1 is run over all its 1000 tokens and needs about .* but 0.1 GB are free: about \d+ tokens would fit/);
  });

  it('of exact patching count the runs, not the cells, and say what would fit', () => {
    checkPatch(GPT2, plan(15, 10), places(HEAD_EVERY), 'wasm-threads', 1e8);
    checkPatch(GPT2, plan(1000, 0), places(['z']), 'wasm-threads', 1.5e8);
    const message = tooBigMessage(() => checkPatch(GPT2, plan(1000, 0), places(HEAD_EVERY), 'wasm-threads', 1.5e8));
    const fits = Number(/about (\d+) tokens from the first difference on would fit/.exec(message)![1]);
    checkPatch(GPT2, plan(fits, 0), places(HEAD_EVERY), 'wasm-threads', 1.5e8);
    assert.ok(fits > 100 && fits < 1000, message);
  });

  it('of exact patching count the means that are taken, of the layers that are patched', () => {
    const own = plan(1000, 0, { other: 'mean' });
    checkPatch(GPT2, own, [{ site: 'pattern', layer: 3 }, { site: 'z', layer: 11 }], 'wasm-threads', 7e8);
    const message = tooBigMessage(() => checkPatch(GPT2, own, places(['pattern']), 'wasm-threads', 7e8));
    const fits = Number(/about (\d+) tokens would fit/.exec(message)![1]);
    checkPatch(GPT2, plan(fits, 0, { other: 'mean' }), places(['pattern']), 'wasm-threads', 7e8);
    assert.ok(fits > 100 && fits < 1000, message);
    const interventions = [{ unit: { site: 'pattern', layer: 0 }, with: 'mean' } as const];
    checkPatch(GPT2, plan(1000, 0, { other: 'zero' }), places(['z']), 'wasm-threads', 1.5e8);
    tooBigMessage(() => checkPatch(GPT2, plan(1000, 0, { other: 'zero', variant: { interventions } }), places(['z']), 'wasm-threads', 1.5e8));
  });

  it('of attribution count the means of every length', () => {
    const prompts = [20, 30, 40].map((length) => Array.from({ length }, (_, i) => i + 1));
    const of = (other: 'zero' | 'mean'): number => {
      const own = planChunks({ metric: 'logitDiff', direction: 'noise', other, pairs: prompts.map((clean) => ({ clean, correct: [1], incorrect: [2] })) }, GPT2);
      return chunkBytes(GPT2, own, own.chunks[0]!, { sites: ['z'], record: true });
    };
    assert.equal(of('mean') - of('zero'), 4 * 12 * 768 * (20 + 30 + 40));
  });

  it('of predictions know the longest prompt', () => {
    const prompts = [[1, 2, 3], Array.from({ length: 1000 }, () => 1)];
    checkPrompts(GPT2, prompts, { sites: [], tail: 1 }, 'wasm-threads', 1e9);
    assert.match(tooBigMessage(() => checkPrompts(GPT2, prompts, { sites: [], tail: 1 }, 'wasm-threads', 1.2e8)), /Prompt 2 has 1000 tokens and needs about .*, but 0.1 GB are free: about \d+ tokens would fit/);
  });
});
