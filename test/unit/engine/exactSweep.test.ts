import assert from 'node:assert/strict';
import { openCheckpoint } from '../../../src/engine/model/checkpoint';
import type { Matrix } from '../../../src/engine/model/matrix';
import { disposeWeights, loadWeights, type Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { patchExactly } from '../../../src/engine/patching/exact';
import { planExact, type ExactPlan } from '../../../src/engine/patching/exactPlan';
import { planChunks } from '../../../src/engine/patching/plan';
import type { TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import { SITE_NAMES, SITES, type SiteName } from '../../../src/shared/sites';
import { expectedValues, loadParams, relativeError, remove, WASM_FOLDER, writeHashModel } from './support';

const LENGTH = 8;
const CHANGED = 3;
const LAYERS = 4;

const pair = (seed: number): TokenPair => {
  const clean = Array.from({ length: LENGTH }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 300);
  return { clean, corrupted: clean.map((token, i) => (i === CHANGED ? (token + 7 + seed) % 300 : token)), correct: [(seed * 7 + 20) % 300], incorrect: [(seed * 7 + 61) % 300] };
};

describe('sweeps of exact patching', function () {
  let engine: LocalEngine;
  let folder: string;
  let model: Gpt2;

  before(async () => {
    folder = await writeHashModel((await expectedValues('four-layers')).checkpoint);
    engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
    await engine.load(loadParams(folder));
    ({ model } = await loadWeights(await openCheckpoint(folder), new Work()));
    assert.equal(model.config.layers, LAYERS);
  });
  after(async () => {
    disposeWeights(model);
    await engine.dispose();
    await remove(folder);
  });

  const experimentOf = (pairs: TokenPair[], change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs, ...change });
  const planOf = (cells: readonly PatchCell[], pairs: TokenPair[]): ExactPlan => planExact(planChunks(experimentOf(pairs), model.config), cells, model.config, 1e9);

  const PRODUCTS = ['query', 'key', 'value', 'output', 'mlpIn', 'mlpOut'] as const;
  type Counts = Record<(typeof PRODUCTS)[number], number[]>;

  /** Rows that each weight of each layer is multiplied with, beyond those of base and other runs. */
  const rowsOf = async (cells: readonly PatchCell[], pairs: TokenPair[]): Promise<Counts> => {
    const count = async (own: readonly PatchCell[]): Promise<Counts> => {
      const counts = Object.fromEntries(PRODUCTS.map((name) => [name, new Array<number>(LAYERS).fill(0)])) as Counts;
      const blocks = model.blocks.map((block, layer) => ({
        ...block,
        ...Object.fromEntries(PRODUCTS.map((name) => {
          const { weight, bias } = block[name];
          const counted: Pick<Matrix, 'times' | 'shape'> = {
            shape: weight.shape,
            times: (x, own) => {
              counts[name][layer]! += x.shape[0];
              return weight.times(x, own);
            },
          };
          return [name, { weight: counted, bias }];
        })),
      }));
      await patchExactly({ ...model, blocks }, planOf(own, pairs), new Work());
      return counts;
    };
    const [all, none] = [await count(cells), await count([])];
    return Object.fromEntries(PRODUCTS.map((name) => [name, all[name].map((rows, layer) => rows - none[name][layer]!)])) as Counts;
  };

  /** Of one sequence that runs from a position on, from a layer on: in the last layer only the last position is read. */
  const running = (layer: number, start: number): Counts => {
    const rows = Array.from({ length: LAYERS }, (_, own) => (own < layer ? 0 : LENGTH - start));
    const read = rows.map((count, own) => (own === LAYERS - 1 ? Math.min(1, count) : count));
    return { query: read, key: rows, value: rows, output: read, mlpIn: read, mlpOut: read };
  };
  const withOwn = (layer: number, counts: Counts, own: Partial<Record<keyof Counts, number>>): Counts =>
    Object.fromEntries(PRODUCTS.map((name) => [name, counts[name].map((rows, at) => rows + (at === layer ? (own[name] ?? 0) : 0))])) as Counts;

  describe('compute nothing that a patch cannot reach', () => {
    const MLP = { mlpIn: 1, mlpOut: 1 };
    const cases: [SiteName, Partial<Record<keyof Counts, number>>][] = [
      ['z', { output: 1, ...MLP }],
      ['attn_out', MLP],
      ['resid_mid', MLP],
      ['mlp_post', { mlpOut: 1 }],
      ['mlp_out', {}],
      ['resid_post', {}],
    ];
    for (const [site, own] of cases) {
      it(`${site}: within its layer only what comes after it, at the changed positions`, async () => {
        for (const position of [CHANGED, 5]) {
          assert.deepEqual(await rowsOf([{ site, layer: 1, group: 0, position }], [pair(1)]), withOwn(1, running(2, position), own));
        }
        // At all positions: from the first difference on.
        const changed = Object.fromEntries(Object.entries(own).map(([name, rows]) => [name, rows * (LENGTH - CHANGED)]));
        assert.deepEqual(await rowsOf([{ site, layer: 1 }], [pair(1)]), withOwn(1, running(2, CHANGED), changed));
        // In the last layer only what is read.
        assert.deepEqual(await rowsOf([{ site, layer: LAYERS - 1 }], [pair(1)]), withOwn(LAYERS - 1, running(LAYERS, 0), own));
      });
    }

    for (const site of ['resid_pre', 'q', 'k', 'v', 'pattern'] as const) {
      it(`${site}: from its layer and position on`, async () => {
        assert.deepEqual(await rowsOf([{ site, layer: 2, group: 0, position: 5 }], [pair(1)]), running(2, 5));
      });
    }

    it('no rows for positions before the first difference, for the same tokens, or for what nothing reads', async () => {
      const cells: PatchCell[] = [{ site: 'z', layer: 1, group: 0, position: 2 }, { site: 'resid_pre', layer: 0, group: 0, position: 5 }, { site: 'mlp_out', layer: LAYERS - 1, group: 0, position: 5 }];
      assert.deepEqual(await rowsOf(cells, [pair(1), pair(2)]), running(LAYERS, 0));
    });

    it('a whole sweep takes the sum of its cells, in one product for each weight of a layer', async () => {
      const positions = Array.from({ length: LENGTH }, (_, position) => position);
      const cells = positions.flatMap((position) => [1, 2].map((layer): PatchCell => ({ site: 'attn_out', layer, group: 0, position })));
      const found = await rowsOf(cells, [pair(1), pair(2)]);
      let expected = running(LAYERS, 0);
      const add = (own: Counts): Counts => Object.fromEntries(PRODUCTS.map((name) => [name, expected[name].map((rows, layer) => rows + own[name][layer]!)])) as Counts;
      for (const position of positions.slice(CHANGED)) for (const layer of [1, 2]) for (let row = 0; row < 2; row++) expected = add(withOwn(layer, running(layer + 1, position), MLP));
      assert.deepEqual(found, expected);
    });
  });

  it('give what whole forward passes give, for every site, at one position and at all', async () => {
    // The mean over one prompt is the prompt's own: the intervention replaces nothing, but keeps cells out of sweeps.
    const variant = { interventions: [{ unit: { site: 'resid_pre', layer: 0, position: 0 }, with: 'mean' } as const] };
    const cells = SITE_NAMES.flatMap((site) =>
      (SITES[site].axes.includes('layer') ? [0, 1, LAYERS - 1] : [undefined]).flatMap((layer): PatchCell[] => {
        const whole: PatchCell = { site, ...(layer !== undefined && { layer }) };
        return [whole, { ...whole, group: 0, position: CHANGED }, { ...whole, group: 0, position: 6 }, { ...whole, position: 'last' }, ...(site === 'z' || site === 'q' ? [{ ...whole, head: 1 }] : []), ...(site === 'mlp_post' ? [{ ...whole, neuron: 5 }] : [])];
      }),
    );
    for (const metric of ['logitDiff', 'promptLogProb'] as const) {
      const own = experimentOf([pair(1)], { direction: 'noise', metric });
      const swept = await engine.patch({ experiment: own, cells });
      const passed = await engine.patch({ experiment: { ...own, variant }, cells });
      assert.ok(swept.effects.some((effect) => Math.abs(effect) > 1e-3));
      assert.ok(relativeError(swept.effects, passed.effects) < 2e-5, `${metric}: ${relativeError(swept.effects, passed.effects)}`);
    }
  });
});
