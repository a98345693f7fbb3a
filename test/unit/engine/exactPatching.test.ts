import assert from 'node:assert/strict';
import type { LocalEngine } from '../../../src/engine/client/localEngine';
import { DIRECTIONS, type Intervention, type Metric, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import { hasHeads, SITE_NAMES, SITES } from '../../../src/shared/sites';
import { plainPatch, type PlainModel } from './exactOracle';
import { withEngine } from './loaded';

/** fp32 against double precision, relative to the largest effect of the cells compared. */
const CLOSE = 1e-4;

describe('exact patching against the plain oracle', function () {
  let engine: LocalEngine;
  let plain: PlainModel;
  withEngine('tiny-odd', (...loaded) => ([engine, plain] = loaded));

  const LAYERS = 3;
  const pair = (seed: number, change: Partial<TokenPair> = {}): TokenPair => {
    const clean = Array.from({ length: 6 }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 101);
    const corrupted = clean.map((token, i) => (i === 2 || i === 4 ? (token + 1 + seed) % 101 : token));
    return { clean, corrupted, correct: [(seed * 7 + 20) % 101], incorrect: [(seed * 7 + 61) % 101], ...change };
  };

  /** Every granularity of a site in a layer, for prompts of six tokens. */
  const cellsOf = (layer: number): PatchCell[] =>
    SITE_NAMES.flatMap((site): PatchCell[] => {
      const whole: PatchCell = SITES[site].axes.includes('layer') ? { site, layer } : { site };
      const features: PatchCell[] = [whole, ...(hasHeads(site) ? [{ ...whole, head: 1 }] : []), ...(site === 'mlp_post' ? [{ ...whole, neuron: 7 }] : [])];
      const placed = features.flatMap((cell): PatchCell[] => [cell, { ...cell, position: 'last' }, { ...cell, group: 0, position: 4 }, { ...cell, group: 0, position: -3 }]);
      const sourced = site === 'pattern' || site === 'scores' ? placed.flatMap((cell) => [{ ...cell, group: 0, source: 1 }, { ...cell, group: 0, source: -2 }]) : [];
      return [...placed, ...sourced];
    });

  const compare = async (experiment: TokenExperiment, cells: readonly PatchCell[], what: string): Promise<Float32Array> => {
    const count = experiment.pairs.length;
    const result = await engine.patch({ experiment, cells });
    assert.equal(result.effects.length, cells.length * count);
    const expected = cells.flatMap((cell) => {
      const values = new Array<number>(count).fill(NaN);
      result.groups.forEach(({ pairs }, group) => {
        if (cell.group !== undefined && cell.group !== group) return;
        plainPatch(plain, experiment, pairs, cell).forEach((effect, i) => (values[pairs[i]!] = effect));
      });
      return values;
    });
    const largest = Math.max(...expected.map((effect) => Math.abs(effect) || 0));
    assert.ok(largest > 1e-3, `${what}: nothing is patched`);
    expected.forEach((effect, i) => {
      const found = result.effects[i]!;
      const message = `${what}: ${JSON.stringify(cells[Math.floor(i / count)])} of pair ${i % count}: ${found}, expected ${effect}`;
      assert.equal(Number.isNaN(found), Number.isNaN(effect), message);
      if (!Number.isNaN(effect)) assert.ok(Math.abs(found - effect) <= CLOSE * largest, `${message}, largest ${largest}`);
    });
    return result.effects;
  };

  for (const direction of DIRECTIONS) {
    for (let layer = 0; layer < LAYERS; layer++) {
      it(`every site and granularity of layer ${layer}, ${direction}`, async () => {
        await compare({ metric: 'logitDiff', direction, pairs: [pair(1), pair(5, { at: 4 })] }, cellsOf(layer), direction);
      });
    }
  }

  const metrics: [Metric, Partial<TokenPair>][] = [
    ['logProb', {}],
    ['prob', { at: 4 }],
    ['probDiff', { correct: [3, 9], incorrect: [4] }],
    ['logitMinusMean', {}],
    ['kl', {}],
    ['promptLogProb', {}],
    ['promptLogProb', { range: [1, 3] }],
    ['continuation', { correct: [3, 9, 11], incorrect: [4] }],
    ['continuation', { correct: [3], incorrect: [] }],
    [{ activation: 'attention', layer: 1, head: 1 }, { at: 4, source: 2 }],
    [{ activation: 'neuron', layer: 1, neuron: 7 }, { at: 4 }],
    [{ activation: 'directLogit', layer: 1, head: 1 }, {}],
    [{ activation: 'directLogit', layer: 1 }, {}],
  ];
  /** Some of every site's cells, the layers by turns. */
  const someCells = (): PatchCell[] => [0, 1, 2].flatMap((layer) => cellsOf(layer).filter((_, index) => index % 3 === layer));

  for (const [metric, change] of metrics) {
    it(`every site for the metric ${JSON.stringify(metric)} ${JSON.stringify(change)}`, async () => {
      for (const direction of DIRECTIONS) {
        await compare({ metric, direction, pairs: [pair(1, change), pair(5, change)] }, someCells(), direction);
      }
    });
  }

  for (const other of ['zero', 'mean', 'resample'] as const) {
    it(`every site ablated by ${other}`, async () => {
      const pairs = [pair(1), pair(5), pair(9)].map(({ corrupted: _, ...own }) => own);
      await compare({ metric: 'logitDiff', direction: 'noise', other, pairs }, someCells(), other);
      await compare({ metric: 'continuation', direction: 'noise', other, pairs: pairs.map((own) => ({ ...own, correct: [3, 9] })) }, [{ site: 'z', layer: 1 }, { site: 'pattern', layer: 0, head: 2 }, { site: 'resid_pre', layer: 0, position: 'last' }], other);
    });
  }

  it('every site in a base run with interventions, which are done again in every patched run', async () => {
    const interventions: Intervention[] = [
      { unit: { site: 'z', layer: 1, head: 0 }, with: 'zero' },
      { unit: { site: 'resid_pre', layer: 0, position: 3 }, with: 'corrupted' },
      { unit: { site: 'mlp_out', layer: 0, position: 'last' }, with: 'mean' },
      { unit: { site: 'v', layer: 2, head: 1, position: 1 }, with: 'resample' },
      { unit: { site: 'pattern', layer: 1, head: 2, position: -2, source: 0 }, with: 'corrupted' },
    ];
    for (const direction of DIRECTIONS) {
      for (const metric of ['logitDiff', 'kl', 'continuation'] as const) {
        await compare({ metric, direction, variant: { interventions }, pairs: [pair(1), pair(5)] }, someCells().filter((_, index) => metric === 'logitDiff' || index % 4 === 0), `${metric}, ${direction}`);
      }
    }
  });

  it('every site ablated by zero or mean, with interventions by the other one', async () => {
    const pairs = [pair(1), pair(5), pair(9)].map(({ corrupted: _, ...own }) => own);
    for (const [other, source] of [['zero', 'mean'], ['mean', 'zero'], ['resample', 'mean']] as const) {
      const interventions: Intervention[] = [{ unit: { site: 'z', layer: 0, head: 0 }, with: source }, { unit: { site: 'mlp_out', layer: 1, position: 'last' }, with: source }];
      await compare({ metric: 'logitDiff', direction: 'noise', other, variant: { interventions }, pairs }, someCells(), `${other}, ${source}`);
    }
  });

  it('pairs of unequal lengths, at the metric\'s position', async () => {
    const longer = pair(1);
    const pairs = [{ ...longer, corrupted: [7, ...longer.corrupted!] }, pair(5), { ...longer, clean: longer.clean.slice(1), corrupted: pair(3).clean, at: 3 }];
    const cells = cellsOf(1).concat(cellsOf(2)).filter(({ site, group, position }) => site !== 'pattern' && site !== 'scores' && (group === undefined || position === undefined));
    for (const direction of DIRECTIONS) await compare({ metric: 'logitDiff', direction, align: 'end', pairs }, [...cells, { site: 'z', layer: 0, group: 0, position: 0 }], direction);
  });

  it('pairs of several lengths and first differences, more of them than one chunk holds', async () => {
    const many = Array.from({ length: 70 }, (_, seed) => pair(seed, seed % 3 === 0 ? { clean: pair(seed).clean.slice(2), corrupted: pair(seed).corrupted!.slice(2) } : {}));
    const cells: PatchCell[] = [{ site: 'z', layer: 1, head: 2 }, { site: 'v', layer: 0, group: 1, position: 4 }, { site: 'pattern', layer: 1, head: 0, group: 0, position: -1, source: 0 }, { site: 'resid_mid', layer: 0, position: 'last' }, { site: 'z', layer: 1, head: 2 }];
    const effects = await compare({ metric: 'logitDiff', direction: 'denoise', pairs: many }, cells, 'many pairs');
    assert.deepEqual(effects.subarray(0, many.length), effects.subarray(4 * many.length), 'a cell that is asked for twice has one effect');
  });
});
