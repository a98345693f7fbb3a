import assert from 'node:assert/strict';
import { parseConfig } from '../../../src/engine/model/config';
import { planBatches, planSweeps, sequencesAtOnce, type Patch } from '../../../src/engine/patching/exactBatches';
import { checkCells, partOf, type Part } from '../../../src/engine/patching/exactCells';
import { overwrite, rowsOf, siteValues } from '../../../src/engine/patching/exactCopy';
import { batchesOf, planExact, type ExactPlan } from '../../../src/engine/patching/exactPlan';
import { reaches, sightOf } from '../../../src/engine/patching/exactReach';
import { planChunks } from '../../../src/engine/patching/plan';
import { CircuitError } from '../../../src/shared/errors';
import type { TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import type { PairGroup, PatchCell } from '../../../src/shared/results';
import { HEAD_EVERY } from '../../../src/shared/sites';

const small = (change: object = {}) => parseConfig(JSON.stringify({ model_type: 'gpt2', n_layer: 3, n_head: 2, n_embd: 4, n_inner: 8, n_positions: 32, vocab_size: 50, ...change }));
const GPT2 = { n_layer: 12, n_head: 12, n_embd: 768, n_inner: 3072, n_positions: 1024, vocab_size: 50257 };
const GROUPS: PairGroup[] = [{ pairs: [0, 1], length: 6, positions: 'all' }, { pairs: [2], length: 4, positions: 'last' }];
const PAIR: TokenPair = { clean: [1, 2, 3, 4, 5, 6], corrupted: [1, 2, 9, 4, 5, 6], correct: [7], incorrect: [8] };

describe('exact patching: cells', () => {
  const refuses = (cell: PatchCell, message: RegExp, groups = GROUPS): void =>
    assert.throws(() => checkCells([{ site: 'z', layer: 0 }, cell], groups, small()), (error) => CircuitError.is(error, 'experiment') && (assert.match(error.message, /^Cell 2 cannot be patched: /), assert.match(error.message, message), true));

  it('refuses what is not there and says what is', () => {
    refuses({ site: 'w' as never }, /no site "w"; there are z, q,/);
    refuses({ site: 'z' }, /names no layer; z has one in each of 0 to 2/);
    refuses({ site: 'z', layer: 3 }, /no layer 3; this model has layers 0 to 2/);
    refuses({ site: 'z', layer: 0.5 }, /no layer 0.5/);
    refuses({ site: 'embed', layer: 0 }, /belongs to no layer/);
    refuses({ site: 'z', layer: 0, head: 2 }, /no head 2; this model has heads 0 to 1/);
    refuses({ site: 'mlp_out', layer: 0, head: 0 }, /mlp_out has no heads; z, q, k, v, pattern, scores have/);
    refuses({ site: 'mlp_post', layer: 0, neuron: 8 }, /no neuron 8; this model has neurons 0 to 7/);
    refuses({ site: 'mlp_out', layer: 0, neuron: 0 }, /no neurons; mlp_post has/);
    refuses({ site: 'z', layer: 0, source: 1, group: 0 }, /no source positions; pattern and scores have/);
    refuses({ site: 'z', layer: 0, group: 2 }, /no group 2; the pairs form groups 0 to 1/);
    refuses({ site: 'z', layer: 0, position: 2 }, /name their group/);
    refuses({ site: 'z', layer: 0, group: 0, position: 6 }, /no position 6 in group 0; its prompts have positions 0 to 5/);
    refuses({ site: 'pattern', layer: 0, group: 0, source: -7 }, /no position -7/);
    refuses({ site: 'z', layer: 0, group: 1, position: 1 }, /only the metric's position/);
    refuses({ site: 'pattern', layer: 0 }, /pattern cannot be exchanged between prompts of unequal length/);
  });

  it('takes everything else', () => {
    checkCells([{ site: 'pattern', layer: 2, group: 0, head: 1, position: -6, source: 5 }, { site: 'z', layer: 0, position: 'last' }, { site: 'z', layer: 0, group: 1, position: 0 }, { site: 'embed' }, { site: 'mlp_post', layer: 1, neuron: 7 }], GROUPS, small());
  });

  it('finds the part of the base run that a cell stands for', () => {
    const place = { group: GROUPS[0]!, baseLength: 6, otherLength: 6, appended: 0 };
    const range = (cell: Partial<PatchCell>, own = place, pair = PAIR): number[] => {
      const { first, end, shift } = partOf({ site: 'z', layer: 1, ...cell }, own, pair);
      return [first, end, shift];
    };
    assert.deepEqual(range({}), [0, 6, 0]);
    assert.deepEqual(range({ position: 'last' }), [5, 6, 0]);
    assert.deepEqual(range({ position: 'last' }, place, { ...PAIR, at: 3 }), [3, 4, 0]);
    assert.deepEqual(range({ position: -2 }), [4, 5, 0]);
    assert.deepEqual(range({}, { ...place, baseLength: 8, otherLength: 8, appended: 2 }), [0, 6, 0], 'a continuation is not patched');
    assert.deepEqual(range({ position: -2 }, { ...place, baseLength: 8, otherLength: 8, appended: 2 }), [4, 5, 0]);
    const unequal = { group: GROUPS[1]!, baseLength: 7, otherLength: 4, appended: 0 };
    for (const cell of [{}, { position: 'last' }, { position: 0 }] as const) assert.deepEqual(range(cell, unequal, { ...PAIR, clean: [1, 2, 3, 4], at: 2 }), [5, 6, -3]);
  });
});

describe('exact patching: what reaches the metric', () => {
  const part = (site: Part['site'], layer: number, first: number, end = first + 1, change: Partial<Part> = {}): Part => ({ site, layer, first, end, shift: 0, ...change });

  it('in the last layer only what is written at the positions that are read, or read from them', () => {
    const sight = sightOf('logitDiff', PAIR, 3, 6);
    for (const site of ['z', 'q', 'pattern', 'scores', 'attn_out', 'resid_mid', 'mlp_post', 'mlp_out', 'resid_post'] as const) {
      assert.ok(!reaches(part(site, 2, 4), sight), site);
      assert.ok(reaches(part(site, 2, 5), sight), site);
      assert.ok(reaches(part(site, 1, 0), sight), site);
    }
    for (const site of ['resid_pre', 'k', 'v'] as const) assert.ok(reaches(part(site, 2, 0), sight), site);
  });

  it('nothing after the metric\'s position, and no source after its destination', () => {
    const sight = sightOf('prob', { ...PAIR, at: 3 }, 3, 6);
    assert.ok(reaches(part('resid_pre', 0, 3), sight));
    assert.ok(!reaches(part('resid_pre', 0, 4), sight));
    assert.ok(!reaches(part('pattern', 0, 2, 3, { source: 3 }), sight));
    assert.ok(reaches(part('pattern', 0, 0, 6, { source: 3 }), sight));
    assert.ok(!reaches(part('pattern', 0, 4, 4), sight));
  });

  it('for predictions over a range, each of its positions', () => {
    const sight = sightOf('promptLogProb', { ...PAIR, range: [1, 3] }, 3, 6);
    assert.deepEqual([0, 1, 3, 4].map((position) => reaches(part('z', 2, position), sight)), [false, true, true, false]);
  });

  it('for an attention weight, what its row is made of', () => {
    const sight = sightOf({ activation: 'attention', layer: 1, head: 1 }, { ...PAIR, at: 4, source: 2 }, 3, 6);
    const seen: [Part, boolean][] = [
      [part('mlp_out', 0, 3), true],
      [part('mlp_out', 0, 5), false],
      [part('resid_pre', 1, 3), true],
      [part('q', 1, 4, 5, { head: 1 }), true],
      [part('q', 1, 4, 5, { head: 0 }), false],
      [part('q', 1, 3), false],
      [part('k', 1, 0), true],
      [part('v', 1, 0), false],
      [part('scores', 1, 4, 5, { source: 0 }), true],
      [part('pattern', 1, 4, 5, { source: 0 }), false],
      [part('pattern', 1, 4, 5, { source: 2 }), true],
      [part('pattern', 1, 4), true],
      [part('z', 1, 4), false],
      [part('resid_pre', 2, 0), false],
    ];
    for (const [own, expected] of seen) assert.equal(reaches(own, sight), expected, JSON.stringify(own));
  });

  it('for a neuron, what its layer reads at its position', () => {
    const sight = sightOf({ activation: 'neuron', layer: 1, neuron: 3 }, { ...PAIR, at: 4 }, 3, 6);
    const seen: [Part, boolean][] = [
      [part('z', 1, 4), true],
      [part('z', 1, 3), false],
      [part('v', 1, 0), true],
      [part('mlp_post', 1, 4, 5, { neuron: 3 }), true],
      [part('mlp_post', 1, 4, 5, { neuron: 2 }), false],
      [part('mlp_out', 1, 4), false],
      [part('resid_post', 0, 2), true],
      [part('resid_pre', 2, 4), false],
    ];
    for (const [own, expected] of seen) assert.equal(reaches(own, sight), expected, JSON.stringify(own));
  });
});

describe('exact patching: batches', () => {
  const patch = (cell: number, layer: number, first: number, row = 0): Patch => ({ cell, row, part: { site: 'z', layer, first, end: first + 1, shift: 0 } });
  const limits = { length: 10, prefix: 4, tail: 1, latestLayer: 11, sequences: () => 5 };

  it('hold every patch once, of one layer, and start at the first patched position', () => {
    const patches = Array.from({ length: 60 }, (_, i) => patch(i, i % 3, 2 + (i % 7), i % 4));
    const batches = planBatches(patches, { ...limits, sequences: () => 20 });
    assert.deepEqual(batches.flatMap((batch) => batch.patches.map(({ cell }) => cell)).sort((a, b) => a - b), patches.map(({ cell }) => cell));
    for (const { layer, start, patches: own } of batches) {
      assert.ok(own.length <= 20 && own.every(({ part }) => part.layer === layer && Math.max(4, part.first) >= start));
      assert.equal(start, Math.min(...own.map(({ part }) => Math.max(4, part.first))));
    }
  });

  it('are not opened anew for a later start while they are small', () => {
    const starts = (count: number): number[] => planBatches([...Array.from({ length: count }, (_, i) => patch(i, 0, 4)), patch(99, 0, 8)], { ...limits, sequences: () => 50 }).map(({ start }) => start);
    assert.deepEqual(starts(2), [4]);
    assert.deepEqual(starts(8), [4, 8]);
  });

  it('start where the metric begins to read, and at the layer that it reads', () => {
    const [batch] = planBatches([patch(0, 7, 9)], { ...limits, tail: 4, latestLayer: 2 });
    assert.deepEqual([batch!.layer, batch!.start], [2, 6]);
  });

  it('of a sweep hold every patch once, of any layers and starts, in as few batches as can be, of equal shares', () => {
    const patches = Array.from({ length: 61 }, (_, i) => patch(i, i % 3, 4 + (i % 6)));
    const startOf = ({ part }: Patch): number => part.first;
    // Of layer 0 a fifth of a batch, of layer 2 a fifteenth.
    const shareOf = ({ part }: Patch): number => 1 / (5 + 5 * part.layer);
    const batches = planSweeps([...patches].reverse(), startOf, shareOf);
    assert.deepEqual(batches.flatMap((batch) => batch.patches.map(({ cell }) => cell)).sort((a, b) => a - b), patches.map(({ cell }) => cell));
    const layers = batches.flatMap((batch) => batch.patches.map(({ part }) => part.layer));
    assert.deepEqual(layers, [...layers].sort((a, b) => a - b));
    const shares = batches.map((batch) => batch.patches.reduce((sum, own) => sum + shareOf(own), 0));
    const total = shares.reduce((sum, share) => sum + share, 0);
    assert.equal(batches.length, Math.ceil(total));
    for (const share of shares) assert.ok(Math.abs(share - total / batches.length) < 1 / 5, shares.join());
    for (const { layer, start, patches: own } of batches) {
      assert.equal(layer, Math.min(...own.map(({ part }) => part.layer)));
      assert.equal(start, Math.min(...own.map(startOf)));
    }
    assert.ok(batches.some(({ patches: own }) => new Set(own.map(({ part }) => part.layer)).size > 1));
    assert.deepEqual(planSweeps([], startOf, shareOf), []);
    assert.equal(planSweeps(patches.slice(0, 5), startOf, () => 0.2).length, 1, 'a full batch is one');
  });

  it('are as large as time, rows and memory allow', () => {
    const sizeOf = (length: number, bytes: number): ((layer: number, start: number) => number) => sequencesAtOnce(small(GPT2), length, bytes);
    // 2 · 85 million weights · 5 rows at layer 0 are 0.85 GFLOP, a twelfth of that at the last layer, where rows bound it.
    const free = sizeOf(15, Infinity);
    assert.ok(free(0, 10) >= 24 && free(0, 10) <= 28, String(free(0, 10)));
    assert.equal(free(11, 10), 102);
    assert.equal(sequencesAtOnce(small(), 15, Infinity)(0, 7), 64);
    assert.equal(sizeOf(1024, 1)(0, 0), 1);
    assert.ok(sizeOf(15, 64e6)(11, 10) < free(11, 10));
  });
});

describe('exact patching: plan', () => {
  const experiment = (pairs: TokenPair[]): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs });
  const every: PatchCell[] = HEAD_EVERY.flatMap((site) => [2, 0, 1].flatMap((layer) => [0, 1].map((head) => ({ site, layer, head }))));
  const plan = (pairs: TokenPair[], cells = every, free = 1e9, config = small()): ExactPlan => planExact(planChunks(experiment(pairs), config), cells, config, free);

  it('measures every cell in one block, by layer, joins layers where a block has room, and counts the work', () => {
    const own = plan([PAIR]);
    assert.deepEqual(own.blocks.flat().sort((a, b) => a - b), every.map((_, index) => index));
    const layers = own.blocks.flat().map((index) => every[index]!.layer!);
    assert.deepEqual(layers, [...layers].sort((a, b) => a - b));
    assert.ok(own.blocks.length < 3, `${own.blocks.length} blocks of three layers`);
    // Prefix 2, base 4, other 4 rows; 10 cells in each layer, from it on.
    assert.equal(own.work, 3 * (2 + 4 + 4) + 10 * 4 * (3 + 2 + 1));
  });

  it('goes layer by layer and runs the prompts again for each where they cannot be kept', () => {
    const [rich, poor] = [plan([PAIR]), plan([PAIR], every, 1000)];
    assert.deepEqual([rich.keeps, poor.keeps, poor.blocks.length], [true, false, 3]);
    assert.equal(poor.work - rich.work, 2 * 3 * (2 + 4 + 4));
  });

  it('starts with few cells on a large model so that finished ones come often', () => {
    const config = small(GPT2);
    const cells = Array.from({ length: 144 }, (_, i): PatchCell => ({ site: 'z', layer: Math.floor(i / 12), head: i % 12 }));
    const own = plan(Array.from({ length: 8 }, () => PAIR), cells, 4e9, config);
    assert.ok(own.blocks[0]!.length <= 2 && own.blocks.at(-1)!.length >= 8, own.blocks.map(({ length }) => length).join());
  });

  it('ends a block where its batches are worth it, however many groups of pairs they are of', () => {
    const config = small(GPT2);
    const cells = Array.from({ length: 288 }, (_, i): PatchCell => ({ site: i % 2 === 0 ? 'z' : 'v', layer: Math.floor(i / 24), head: i % 12 }));
    // Eight pairs that differ at eight places: as many jobs.
    const clean = Array.from({ length: 15 }, (_, i) => i + 1);
    const pairs = Array.from({ length: 8 }, (_, i): TokenPair => ({ ...PAIR, clean, corrupted: clean.map((token, at) => (at === 5 + i ? 40 : token)) }));
    const own = plan(pairs, cells, 4e9, config);
    assert.equal(own.jobs.length, 8);
    assert.deepEqual(own.blocks.flat().sort((a, b) => a - b), cells.map((_, index) => index));
    for (const block of own.blocks) {
      const batches = own.jobs.map((job) => batchesOf({ ...own, config }, job, block));
      const limits = own.jobs.map((job) => sequencesAtOnce(config, job.baseLength, own.batchBytes));
      const shares = batches.map((each, i) => each.reduce((sum, { layer, start, patches }) => sum + patches.length / limits[i]!(layer, start), 0));
      const rows = batches.map((each) => each.reduce((sum, { start, patches }) => sum + patches.length * (15 - start), 0));
      const needed = Math.ceil(48 / Math.min(...rows.map((own) => own / block.length)));
      const isLong = shares.reduce((sum, share) => sum + share, 0) > 1 + 1 / block.length;
      assert.ok(!isLong || block.length <= needed, `${block.length} cells where ${needed} are worth it`);
    }
  });

  it('plans no pass for a patch that reaches nothing or changes nothing', () => {
    const patchesFor = (cell: PatchCell): number => {
      const own = plan([PAIR], [cell]);
      return batchesOf({ ...own, config: small() }, own.jobs[0]!, [0]).reduce((sum, { patches }) => sum + patches.length, 0);
    };
    assert.equal(patchesFor({ site: 'z', layer: 2, group: 0, position: 4 }), 0);
    assert.equal(patchesFor({ site: 'z', layer: 0, group: 0, position: 1 }), 0, 'before the first difference');
    assert.equal(patchesFor({ site: 'resid_pre', layer: 0, group: 0, position: 3 }), 0, 'the same token');
    assert.equal(patchesFor({ site: 'embed', group: 0, position: -1 }), 0, 'the same token');
    assert.equal(patchesFor({ site: 'resid_pre', layer: 1, group: 0, position: 3 }), 1);
    assert.equal(patchesFor({ site: 'embed' }), 1);
  });
});

describe('exact patching: copying parts', () => {
  const count = (size: number): Float32Array => Float32Array.from({ length: size }, (_, i) => i + 1);
  const part = (change: Partial<Part>): Part => ({ site: 'z', layer: 0, first: 0, end: 99, shift: 0, ...change });

  it('overwrites rows, heads within them, single features, and nothing before the first position that is held', () => {
    // Two sequences of the last two of five positions, four features in heads of two.
    const target = siteValues('z', new Float32Array(16), [4, 4], 2, 5);
    const source = { values: siteValues('z', count(12), [3, 4], 1, 5), sequence: 0 };
    overwrite(target, 1, part({ head: 1, first: 2, end: 4 }), source, 2);
    assert.deepEqual([...target.data], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 0, 0, 0, 0]);
    overwrite(target, 0, part({ neuron: 0 }), source, 2);
    assert.deepEqual([...target.data.subarray(0, 8)], [5, 0, 0, 0, 9, 0, 0, 0]);
    overwrite(target, 1, part({}), undefined, 2);
    assert.deepEqual([...target.data.subarray(8)], new Array(8).fill(0));
  });

  it('overwrites heads and sources of a pattern', () => {
    const target = siteValues('pattern', new Float32Array(12), [1, 2, 2, 3], 1, 3);
    const source = { values: siteValues('pattern', count(12), [1, 2, 2, 3], 1, 3), sequence: 0 };
    overwrite(target, 0, part({ head: 1, first: 2, end: 3, source: 1 }), source, 2);
    assert.deepEqual([...target.data], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 0]);
    overwrite(target, 0, part({ first: 1, end: 2 }), source, 2);
    assert.deepEqual([...target.data], [1, 2, 3, 0, 0, 0, 7, 8, 9, 0, 11, 0]);
  });

  it('takes from another place in prompts of another length', () => {
    const target = siteValues('mlp_out', new Float32Array(2), [1, 2], 1, 6);
    overwrite(target, 0, part({ first: 5, end: 6, shift: -3 }), { values: siteValues('mlp_out', count(6), [3, 2], 1, 3), sequence: 0 }, 1);
    assert.deepEqual([...target.data], [5, 6]);
  });

  it('takes rows from a position on, in any order of sequences', () => {
    const values = siteValues('resid_pre', count(6), [6, 1], 2, 5);
    assert.deepEqual([...rowsOf(values, [1, 0, 1], 3)], [5, 6, 2, 3, 5, 6]);
  });
});
