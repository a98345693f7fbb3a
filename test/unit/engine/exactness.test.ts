import assert from 'node:assert/strict';
import type { LocalEngine } from '../../../src/engine/client/localEngine';
import { arrayNamed } from '../../../src/shared/arrays';
import { DIRECTIONS, type Direction, type TokenPair } from '../../../src/shared/experiment';
import { groupArrayName, type AttributionResult } from '../../../src/shared/results';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { oracleAttribution, oracleLogits, oraclePatchedMetric, type OracleModel } from './oracle';
import { withEngine } from './loaded';
import { relativeError, siteError } from './support';

/** fp32 rounding of two different orders of summation, relative to a site's largest value. */
const ROUNDING = 5e-5;

describe('engine against the plain oracle', function () {
  let engine: LocalEngine;
  let oracle: OracleModel;
  withEngine('tiny-odd', (...loaded) => ([engine, oracle] = loaded));

  const site = (result: AttributionResult, name: SiteName, pair = 0): Float32Array => {
    const group = result.groups.findIndex(({ pairs }) => pairs.includes(pair));
    const { data, shape } = arrayNamed(result.arrays, groupArrayName(group, name));
    const width = data.length / shape[0]!;
    const row = result.groups[group]!.pairs.indexOf(pair);
    return data.subarray(row * width, (row + 1) * width);
  };
  const attribute = (pairs: TokenPair[], direction: Direction, sites: readonly SiteName[] = SITE_NAMES): Promise<AttributionResult> =>
    engine.attribute({ experiment: { metric: 'logitDiff', direction, pairs }, sites });

  it('equals it for every first differing position, in both directions', async () => {
    const length = 9;
    for (let first = 0; first < length; first++) {
      const pair = madePair(length, first, 7 * first);
      for (const direction of DIRECTIONS) {
        const result = await attribute([pair], direction);
        const expected = oracleAttribution(oracle, pair, direction);
        for (const name of SITE_NAMES) {
          const error = siteError(site(result, name), expected.sites, name);
          assert.ok(error < ROUNDING, `${name}, first difference at ${first}, ${direction}: ${error}`);
        }
        assert.ok(Math.abs(result.metric.clean[0]! - expected.metric.clean) < 1e-4);
        assert.ok(Math.abs(result.metric.corrupted![0]! - expected.metric.corrupted!) < 1e-4);
      }
    }
  });

  it('gives exact zeros before the first difference, and in the last layer before the last position', async () => {
    const { n_layer: layers } = oracle.config;
    const pair = madePair(9, 4, 3);
    const result = await attribute([pair], 'denoise');
    for (const name of SITE_NAMES) {
      const values = site(result, name);
      const rows = name === 'embed' ? 1 : layers;
      const depth = values.length / rows / 9;
      for (let layer = 0; layer < rows; layer++) {
        const reachesOthers = ['resid_pre', 'k', 'v', 'embed'].includes(name);
        const zeros = layer === layers - 1 && !reachesOthers ? 8 : 4;
        const row = values.subarray(layer * 9 * depth, (layer + 1) * 9 * depth);
        assert.ok(row.subarray(0, zeros * depth).every((value) => value === 0), `${name}, layer ${layer}`);
        // The last token is the same in both prompts, so what is computed of it alone is too.
        const isSame = layer === 0 && ['embed', 'resid_pre', 'q', 'k', 'v'].includes(name);
        assert.equal(row.subarray(8 * depth).some((value) => value !== 0), !isSame, `${name}, layer ${layer}, last position`);
      }
    }
  });

  it('gives pairs that are aligned at the end and share a prompt the values that each has alone', async () => {
    const own = madePair(9, 4, 1);
    const shorter = [own.corrupted!.slice(0, -2), [...own.corrupted!.slice(0, 5), 3, 2]];
    const sharedClean = shorter.map((corrupted): TokenPair => ({ ...own, corrupted }));
    const sharedCorrupted = shorter.map((clean): TokenPair => ({ ...own, clean, corrupted: own.clean }));
    // Source positions of prompts of unequal lengths do not correspond.
    const sites = SITE_NAMES.filter((name) => name !== 'scores' && name !== 'pattern');
    for (const pairs of [sharedClean, sharedCorrupted]) {
      for (const direction of DIRECTIONS) {
        const together = await engine.attribute({ experiment: { metric: 'logitDiff', direction, align: 'end', pairs }, sites });
        for (const [index, pair] of pairs.entries()) {
          const alone = await engine.attribute({ experiment: { metric: 'logitDiff', direction, align: 'end', pairs: [pair] }, sites });
          for (const name of sites) {
            const error = relativeError(site(together, name, index), site(alone, name));
            assert.ok(error < ROUNDING, `${name}, pair ${index}, ${direction}: ${error}`);
          }
        }
      }
    }
  });

  it('equals it for many pairs of several lengths at once, shared prefixes and mirrored pairs among them', async () => {
    const one = madePair(9, 4, 1);
    const two = madePair(9, 4, 2);
    const mirrored = { clean: one.corrupted!, corrupted: one.clean, correct: one.incorrect, incorrect: one.correct };
    const sharing = { ...two, clean: [...one.clean.slice(0, 4), ...two.clean.slice(4)], corrupted: [...one.clean.slice(0, 4), ...two.corrupted!.slice(4)] };
    const pairs = [one, madePair(6, 5, 3), two, mirrored, madePair(9, 0, 4), sharing, madePair(1, 0, 5), { ...one, correct: [3, 4, 3], incorrect: [8] }];
    for (const direction of DIRECTIONS) {
      const result = await attribute(pairs, direction);
      assert.deepEqual(result.groups.map(({ length, positions, pairs: own }) => [length, positions, own]), [[9, 'all', [0, 2, 3, 4, 5, 7]], [6, 'all', [1]], [1, 'all', [6]]]);
      pairs.forEach((pair, index) => {
        const expected = oracleAttribution(oracle, pair, direction);
        for (const name of SITE_NAMES) {
          const error = siteError(site(result, name, index), expected.sites, name);
          assert.ok(error < ROUNDING, `pair ${index}, ${name}, ${direction}: ${error}`);
        }
      });
    }
  });

  it('gives the same values for fewer sites, in any order', async () => {
    const pair = madePair(8, 2, 6);
    const all = await attribute([pair], 'denoise');
    for (const sites of [['z'], ['resid_pre'], ['mlp_out', 'attn_out']] as SiteName[][]) {
      const some = await attribute([pair], 'denoise', sites);
      assert.deepEqual(Object.keys(some.arrays.entries), sites.map((name) => groupArrayName(0, name)));
      for (const name of sites) assert.deepEqual(site(some, name), site(all, name));
    }
  });

  it('computes logits of prompts of several lengths, and predictions from them', async () => {
    const prompts = [[5], [1, 2, 3], madePair(24, 3, 8).clean, [100, 0, 50]];
    const logits = await engine.logits({ prompts });
    const vocabulary = oracle.config.vocab_size;
    prompts.forEach((prompt, index) => {
      assert.ok(relativeError(logits[index]!, oracleLogits(oracle, prompt).subarray((prompt.length - 1) * vocabulary)) < ROUNDING);
    });
    const predictions = await engine.predict({ prompts, top: 4 });
    predictions.forEach((own, index) => {
      const sorted = [...logits[index]!].sort((a, b) => b - a);
      assert.deepEqual(own.map(({ logit }) => logit), sorted.slice(0, 4));
      assert.ok(own.every(({ token, logit }) => logits[index]![token] === logit));
      const sum = sorted.reduce((total, logit) => total + Math.exp(logit - sorted[0]!), 0);
      assert.ok(Math.abs(own[0]!.probability - 1 / sum) < 1e-9);
    });
  });

  describe('invariants', () => {
    it('head attributions of a layer sum to attn_out: the output bias has no difference', async () => {
      for (const direction of DIRECTIONS) {
        const result = await attribute([madePair(9, 2, 9)], direction);
        const heads = oracle.config.n_head;
        const z = site(result, 'z');
        const sums = Float32Array.from({ length: z.length / heads }, (_, cell) => z.subarray(cell * heads, (cell + 1) * heads).reduce((sum, value) => sum + value, 0));
        assert.ok(relativeError(sums, site(result, 'attn_out')) < ROUNDING);
      }
    });

    it('replacing resid_pre of layer 0 by the clean one restores the clean metric, and only the changed position counts', async () => {
      const pair = madePair(9, 4, 10);
      const result = await attribute([pair], 'denoise');
      const patched = oraclePatchedMetric(oracle, pair.corrupted!, pair.clean, pair, 'resid_pre', 0, 1, (position) => position === 4);
      assert.ok(Math.abs(patched - result.metric.clean[0]!) < 1e-4);
      const first = site(result, 'resid_pre').subarray(0, 9);
      assert.ok(first.every((value, position) => (value !== 0) === (position === 4)));
    });

    it('is the slope of the metric along clean − corrupted, at every site', async () => {
      const pair = madePair(9, 3, 11);
      const { n_layer: layers, n_head: heads } = oracle.config;
      for (const direction of DIRECTIONS) {
        const [base, other] = direction === 'denoise' ? [pair.corrupted!, pair.clean] : [pair.clean, pair.corrupted!];
        // Positive supports the correct answer in both directions: noising removes clean activations.
        const sign = direction === 'denoise' ? 1 : -1;
        const result = await attribute([pair], direction);
        for (const name of SITE_NAMES) {
          const values = site(result, name);
          const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          const rows = name === 'embed' ? 1 : layers;
          const depth = values.length / rows / 9;
          for (let layer = 0; layer < rows; layer++) {
            // The last token is the same in both prompts: its embedding has no difference.
            const position = layer === 0 && ['embed', 'resid_pre', 'q', 'k', 'v'].includes(name) ? 3 : 8;
            const index = layer % depth;
            const where = (p: number, feature: number, head: number): boolean => p === position && (depth === 1 || (depth === heads ? head : feature) === index);
            const across = (step: number): number => {
              const [up, down] = [step, -step].map((amount) => oraclePatchedMetric(oracle, base, other, pair, name, layer, amount, where)) as [number, number];
              return (sign * (up - down)) / (2 * step);
            };
            const slope = (4 * across(1e-2) - across(2e-2)) / 3;
            const value = values[(layer * 9 + position) * depth + index]!;
            assert.ok(Math.abs(slope - value) <= 1e-3 * largest, `${name}, layer ${layer}, ${direction}: slope ${slope}, attribution ${value}, of at most ${largest}`);
          }
        }
      }
    });

    it('denoising one pair is noising its mirror image', async () => {
      const pair = madePair(9, 3, 12);
      const mirrored = { clean: pair.corrupted!, corrupted: pair.clean, correct: pair.incorrect, incorrect: pair.correct };
      const [one, other] = [await attribute([pair], 'denoise'), await attribute([mirrored], 'noise')];
      for (const name of SITE_NAMES) assert.ok(relativeError(site(one, name), site(other, name)) < ROUNDING, name);
      assert.ok(Math.abs(one.metric.clean[0]! + other.metric.corrupted![0]!) < 1e-5);
    });
  });
});

/** Prompts that first differ at `first`, and at one later position too; ids below 101. */
export function madePair(length: number, first: number, seed: number): TokenPair {
  const clean = Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 101);
  const corrupted = clean.map((token, i) => (i === first || i === first + 2 ? (token + 1 + ((seed + i) % 99)) % 101 : token));
  return { clean, corrupted: first + 2 < length && first % 3 === 0 ? corrupted : corrupted.map((token, i) => (i === first ? token : clean[i]!)), correct: [(seed * 7 + 20) % 101], incorrect: [(seed * 7 + 61) % 101] };
}
