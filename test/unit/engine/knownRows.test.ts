import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { keepRows, type KnownRows } from '../../../src/engine/model/knownRows';
import { lastLogits } from '../../../src/engine/model/logits';
import type { Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { attribute } from '../../../src/engine/patching/attribution';
import { patchExactly } from '../../../src/engine/patching/exact';
import { planExact } from '../../../src/engine/patching/exactPlan';
import { intervene } from '../../../src/engine/patching/intervene';
import { lens } from '../../../src/engine/patching/lens';
import { planChunks } from '../../../src/engine/patching/plan';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { withModel } from './loaded';
import { examplePair, examplePrompt, expectedValues, loadParams, relativeError, remove, WASM_FOLDER, writeHashModel } from './support';

/** fp32 rounding of products of other heights. */
const ROUNDING = 2e-6;
const ROOM = 1 << 26;

/** Counts rows · layers: one for each row of a forward pass, two for each of a backward pass. */
class Counting extends Work {
  count = 0;

  override advance(amount: number): void {
    this.count += amount;
    super.advance(amount);
  }
}

/** Token positions, each with what stands before it. */
function distinct(prompts: readonly (readonly number[])[]): number {
  return new Set(prompts.flatMap((tokens) => tokens.map((_, end) => tokens.slice(0, end + 1).join()))).size;
}

function promptsOf(pairs: readonly TokenPair[]): number[][] {
  return pairs.flatMap(({ clean, corrupted = [] }) => [clean, corrupted]);
}

describe('rows that are known of earlier forward passes', function () {
  let model: Gpt2;
  withModel('tiny-odd', (loaded) => (model = loaded));
  // Other tests of this process share no model with these, but these do with one another.
  let rows: KnownRows;
  beforeEach(() => (rows = keepRows(model, ROOM)));

  const early = examplePair(3, 9, 3);
  const late = examplePair(4, 9, 6);
  // Differ from each other at 3 and from a third at 7; a prompt that is clean here and corrupted there; one that another begins with.
  const template = examplePrompt(3, 9);
  const sameTemplate = { ...late, clean: template, corrupted: template.map((token, i) => (i === 7 ? token + 1 : token)) };
  const mirrored = { ...early, clean: early.corrupted, corrupted: early.clean };
  const shorter = { ...early, clean: early.clean.slice(0, 7), corrupted: early.corrupted.slice(0, 7) };
  const pairs: TokenPair[] = [early, late, sameTemplate, mirrored, shorter];

  const experiment = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs, ...change });
  const attributed = async (own: TokenExperiment, sites: readonly SiteName[] = SITE_NAMES, work = new Counting()): Promise<{ values: Float32Array; metric: number[]; count: number }> => {
    const { arrays, metric } = await attribute(model, planChunks(own, model.config), sites, work);
    return { values: arrays.data, metric: [...metric.clean, ...(metric.corrupted ?? [])], count: work.count };
  };
  const backwardRows = (own: TokenExperiment): number => planChunks(own, model.config).chunks.reduce((sum, { pairs: { length }, prefix, cleanLength }) => sum + length * (cleanLength - prefix), 0);
  const layers = (): number => model.config.layers;
  const exactly = (own: TokenExperiment, cells: PatchCell[], work: Work): ReturnType<typeof patchExactly> => {
    const plan = planChunks(own, model.config);
    return patchExactly(model, planExact(plan, cells, model.config, 1e9), work);
  };

  it('are computed once for every distinct position, wherever pairs differ and whichever side asks', async () => {
    const { count } = await attributed(experiment(), []);
    assert.equal(count, layers() * distinct(promptsOf(pairs)));
    keepRows(model, 0);
    assert.ok((await attributed(experiment(), [])).count > 1.3 * count, 'which without them is more');
  });

  it('give what passes of their own give, at every site, in every variant', async () => {
    const changes: Partial<TokenExperiment>[] = [
      {},
      { direction: 'noise' },
      { metric: 'prob', direction: 'noise' },
      { metric: { activation: 'attention', layer: 1, head: 2 }, pairs: pairs.map((pair) => ({ ...pair, source: 2 })) },
      { metric: 'continuation', pairs: [early, late].map((pair) => ({ ...pair, correct: [5, 6], incorrect: [9, 3] })) },
      { metric: 'promptLogProb', pairs: [early, late].map((pair) => ({ ...pair, range: [4, 6] as [number, number] })) },
      { other: 'resample', direction: 'noise', pairs: pairs.slice(0, 4) },
      { other: 'zero', direction: 'noise' },
      { variant: { integrated: { steps: 2, rule: 'left' } } },
      { variant: { bothGradients: true } },
      { pairs: pairs.slice(0, 4), variant: { interventions: [{ unit: { site: 'z', layer: 1, head: 1, position: 5 }, with: 'resample' }, { unit: { site: 'mlp_out', layer: 0, position: 'last' }, with: 'corrupted' }] } },
    ];
    for (const change of changes) {
      const own = experiment(change);
      rows = keepRows(model, ROOM);
      const shared = await attributed(own);
      assert.ok(rows.bytes > 0);
      const again = await attributed(own);
      keepRows(model, 0);
      const plain = await attributed(own);
      for (const found of [shared, again]) {
        assert.ok(relativeError(found.values, plain.values) < ROUNDING, `${JSON.stringify(change)}: ${relativeError(found.values, plain.values)}`);
        assert.ok(relativeError(found.metric, plain.metric) < ROUNDING, JSON.stringify(change));
      }
      assert.deepEqual(again.values, shared.values);
    }
    const [qk, drop] = [{ qkFix: true }, { gradDrop: true }];
    for (const variant of [qk, drop]) {
      rows = keepRows(model, ROOM);
      const shared = await attributed(experiment({ variant }), ['q', 'k', 'z', 'attn_out']);
      keepRows(model, 0);
      assert.ok(relativeError(shared.values, (await attributed(experiment({ variant }), ['q', 'k', 'z', 'attn_out'])).values) < ROUNDING);
    }
  });

  it('leave a run with another metric, direction or site its backward pass only', async () => {
    await attributed(experiment(), ['z']);
    for (const change of [{ metric: 'prob' }, { metric: 'logProb', direction: 'noise' }] as const) {
      const own = experiment(change);
      assert.equal((await attributed(own, ['mlp_post', 'pattern'])).count, 2 * layers() * backwardRows(own));
    }
  });

  it('leave exact patching, logits and the lens nothing to run but patches', async () => {
    await attributed(experiment());
    const cells: PatchCell[] = [{ site: 'z', layer: 1, head: 0 }, { site: 'resid_pre', layer: 0, position: 6, group: 0 }, { site: 'pattern', layer: 2, head: 1 }, { site: 'k', layer: 0 }];
    const prompts = promptsOf(pairs);
    const known = { patch: new Counting(), logits: new Counting(), lens: new Counting() };
    await exactly(experiment(), [], known.patch);
    const found = { effects: (await exactly(experiment(), cells, new Work())).effects, logits: await lastLogits(model, prompts, known.logits), lens: await lens(model, experiment(), known.lens) };
    assert.deepEqual(Object.values(known).map(({ count }) => count), [0, 0, 0]);
    keepRows(model, 0);
    const plain = { patch: new Counting(), logits: new Counting() };
    await exactly(experiment(), [], plain.patch);
    assert.ok(plain.patch.count > 0);
    const { effects } = await exactly(experiment(), cells, new Work());
    assert.deepEqual([...found.effects].map(Number.isNaN), [...effects].map(Number.isNaN), 'a cell of one group is none of the other\'s');
    const [own, whole] = [found.effects, effects].map((values) => values.filter((value) => !Number.isNaN(value)));
    assert.ok(relativeError(own!, whole!) < 10 * ROUNDING, `${relativeError(own!, whole!)}`);
    const logits = await lastLogits(model, prompts, plain.logits);
    assert.equal(plain.logits.count, layers() * promptsOf(pairs).flat().length);
    logits.forEach((own, i) => assert.ok(relativeError(found.logits[i]!, own) < ROUNDING));
    assert.ok(relativeError(found.lens.arrays.data, (await lens(model, experiment(), new Work())).arrays.data) < 10 * ROUNDING);
  });

  it('do not hold what interventions made of a run', async () => {
    const variant = { interventions: [{ unit: { site: 'z', layer: 0, head: 1, position: 4 }, with: 'zero' }] } as const;
    await intervene(model, planChunks(experiment({ variant: { interventions: [...variant.interventions] } }), model.config), 3, new Work());
    const after = await attributed(experiment());
    keepRows(model, 0);
    assert.ok(relativeError(after.values, (await attributed(experiment())).values) < ROUNDING);
  });

  it('serve no prompt that differs in a token', async () => {
    const prompt = examplePrompt(5, 8);
    const changed = prompt.map((token, i) => (i === 2 ? token + 1 : token));
    await lastLogits(model, [prompt], new Work());
    const work = new Counting();
    const [own] = await lastLogits(model, [changed], work);
    assert.equal(work.count, layers() * 6, 'two positions are the same');
    keepRows(model, 0);
    assert.ok(relativeError(own!, (await lastLogits(model, [changed], new Work()))[0]!) < ROUNDING);
  });

  it('keep within their bound, the least recently used going first', async () => {
    const prompts = [1, 2, 3].map((seed) => examplePrompt(seed, 10).map((token) => (token + seed) % 101));
    const countOf = async (prompt: number): Promise<number> => {
      const work = new Counting();
      await lastLogits(model, [prompts[prompt]!], work);
      assert.ok(rows.bytes <= bound);
      return work.count / layers();
    };
    let bound = ROOM;
    await countOf(0);
    bound = Math.round(2.5 * rows.bytes);
    rows.limit(bound);
    assert.deepEqual([await countOf(1), await countOf(0), await countOf(2), await countOf(0), await countOf(1)], [10, 0, 10, 0, 10]);
    rows.limit((bound = 0));
    assert.equal(rows.bytes, 0);
    assert.equal(await countOf(0), 10, 'without any room nothing is kept');
    assert.equal(rows.bytes, 0);
  });

  it('of a set that is larger than the bound keep its beginning', async () => {
    // As many pairs as make several chunks.
    const many = experiment({ pairs: Array.from({ length: 60 }, (_, seed) => examplePair(seed, 12, 4)) });
    const first = await attributed(many, ['z']);
    assert.ok(planChunks(many, model.config).chunks.length > 2);
    const all = rows.bytes;
    rows = keepRows(model, all / 2);
    const bounded = await attributed(many, ['z']);
    assert.equal(bounded.count, first.count);
    assert.ok(rows.bytes <= all / 2 && rows.bytes > all / 4);
    const again = await attributed(many, ['z']);
    const forwards = (count: number): number => count - 2 * layers() * backwardRows(many);
    assert.ok(forwards(again.count) < 0.75 * forwards(first.count), `${forwards(again.count)} of ${forwards(first.count)}`);
    assert.ok(relativeError(again.values, first.values) < ROUNDING);
  });

  it('are whole or not there after a call was cancelled, and hold no tensors', async () => {
    const before = { ...tf.memory() };
    for (let polls = 1; polls < 60; polls += 5) {
      let left = polls;
      await assert.rejects(attributed(experiment(), ['z'], new Counting({ isCancelled: () => --left < 0 })), (error) => CircuitError.is(error, 'cancelled'));
    }
    const after = await attributed(experiment());
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numBytes, before.numBytes);
    keepRows(model, 0);
    assert.ok(relativeError(after.values, (await attributed(experiment())).values) < ROUNDING);
  });
});

describe('rows that an engine keeps', function () {
  it('go with their model, and with a bound of nothing are not kept', async () => {
    const { checkpoint } = await expectedValues('tiny-odd');
    const folders = [await writeHashModel(checkpoint), await writeHashModel(checkpoint, (_, tensors) => tensors.get('h.1.mlp.c_proj.weight')!.data.reverse())];
    const prompts = [examplePrompt(1, 8), examplePrompt(2, 5)];
    const logitsOf = async (engine: LocalEngine, folder: string): Promise<Float32Array[]> => {
      await engine.load(loadParams(folder));
      await engine.logits({ prompts });
      return engine.logits({ prompts });
    };
    const keeping = new LocalEngine({ wasmFolder: WASM_FOLDER });
    const kept = [await logitsOf(keeping, folders[0]!), await logitsOf(keeping, folders[1]!), await logitsOf(keeping, folders[0]!)];
    await keeping.dispose();
    const plain = new LocalEngine({ wasmFolder: WASM_FOLDER, keptBytes: 0 });
    const anew = [await logitsOf(plain, folders[0]!), await logitsOf(plain, folders[1]!)];
    await plain.dispose();
    for (const folder of folders) await remove(folder);
    assert.ok(relativeError(anew[1]![0]!, anew[0]![0]!) > 1e-2, 'the models differ');
    [anew[0]!, anew[1]!, anew[0]!].forEach((own, i) => own.forEach((logits, prompt) => assert.ok(relativeError(kept[i]![prompt]!, logits) < ROUNDING, `load ${i}, prompt ${prompt}`)));
  });
});
