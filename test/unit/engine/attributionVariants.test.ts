import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { LocalEngine } from '../../../src/engine/client/localEngine';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { DIRECTIONS, INTEGRATION_RULES, type IntegrationRule, type TokenExperiment, type TokenPair, type Variant } from '../../../src/shared/experiment';
import { groupArrayName, type AttributionResult } from '../../../src/shared/results';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { oracleAttribution, type OracleModel } from './oracle';
import { withEngine } from './loaded';
import { relativeError, siteError } from './support';

const Z = { site: 'z', layer: 1, head: 2 } as const;
const MLP = { site: 'mlp_out', layer: 0 } as const;

const VARIANTS: [string, Variant][] = [
  ['frozen LayerNorms', { freezeLayerNorm: true }],
  ['frozen patterns', { freezePattern: true }],
  ['integrated gradients, left', { integrated: { steps: 2, rule: 'left' } }],
  ['integrated gradients, midpoint, LayerNorms frozen', { integrated: { steps: 3, rule: 'midpoint' }, freezeLayerNorm: true }],
  ['both gradients', { bothGradients: true }],
  ['the QK fix', { qkFix: true }],
  ['GradDrop', { gradDrop: true }],
  ['GradDrop with the QK fix', { gradDrop: true, qkFix: true, freezeLayerNorm: true }],
  ['stopped gradients', { stopGradient: [Z, { site: 'mlp_post', layer: 1, neuron: 5 }, { site: 'resid_mid', layer: 0, position: -2 }, { site: 'k', layer: 0, head: 0 }, { site: 'pattern', layer: 2, head: 1, source: 0 }] }],
  ['one head replaced by the other side', { interventions: [{ unit: Z, with: 'corrupted' }] }],
  ['an MLP zeroed and a head averaged at the end', { interventions: [{ unit: MLP, with: 'zero' }, { unit: { ...Z, position: 'last' }, with: 'mean' }] }],
  ['one position of queries and a pattern cell resampled', { interventions: [{ unit: { site: 'q', layer: 1, position: -2 }, with: 'resample' }, { unit: { site: 'pattern', layer: 0, head: 1, position: 'last', source: 1 }, with: 'resample' }] }],
  ['scores and an embedding replaced, gradients integrated', { integrated: { steps: 2, rule: 'right' }, interventions: [{ unit: { site: 'scores', layer: 1, head: 0 }, with: 'mean' }, { unit: { site: 'embed', position: 0 }, with: 'zero' }] }],
];

describe('attribution variants against the plain oracle', function () {
  let engine: LocalEngine;
  let oracle: OracleModel;
  withEngine('tiny-odd', (...loaded) => ([engine, oracle] = loaded));

  /** Prompts that first differ at `first`, and a few times after it. */
  const made = (length: number, first: number, seed: number): TokenPair => {
    const clean = Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 101);
    const corrupted = clean.map((token, i) => (i === first || (i > first && (i + seed) % 3 === 0) ? (token + 1 + ((seed + i) % 99)) % 101 : token));
    return { clean, corrupted, correct: [(seed * 7 + 20) % 101], incorrect: [(seed * 7 + 61) % 101] };
  };
  const of = (result: AttributionResult, name: SiteName, pair = 0): Float32Array => {
    const group = result.groups.findIndex(({ pairs }) => pairs.includes(pair));
    const { data, shape } = arrayNamed(result.arrays, groupArrayName(group, name));
    const width = data.length / shape[0]!;
    const row = result.groups[group]!.pairs.indexOf(pair);
    return data.subarray(row * width, (row + 1) * width);
  };
  const attribute = (change: Partial<TokenExperiment> & { pairs: TokenPair[] }, sites: readonly SiteName[] = SITE_NAMES): Promise<AttributionResult> => engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', ...change }, sites });
  const errorsOf = async (change: Partial<TokenExperiment> & { pairs: TokenPair[] }): Promise<{ error: number; where: string }> => {
    const result = await attribute(change);
    let worst = { error: 0, where: '' };
    change.pairs.forEach((pair, index) => {
      const pairs = change.pairs.filter(({ clean }) => clean.length === pair.clean.length);
      const expected = oracleAttribution(oracle, pair, { direction: 'denoise', ...change, pairs });
      assert.ok(Math.abs(result.metric.clean[index]! - expected.metric.clean) < 1e-4);
      if (expected.metric.corrupted === undefined) assert.equal(result.metric.corrupted, undefined);
      else assert.ok(Math.abs(result.metric.corrupted![index]! - expected.metric.corrupted) < 1e-4);
      for (const name of SITE_NAMES) {
        const error = siteError(of(result, name, index), expected.sites, name);
        if (!(error <= worst.error)) worst = { error, where: `${name}, pair ${index}` };
      }
    });
    return worst;
  };

  const lines: string[] = [];
  after(() => console.log(lines.map((line) => `      ${line}`).join('\n')));

  VARIANTS.forEach(([what, variant], index) => {
    it(`${what}`, async () => {
      // A length of two pairs and one of another; where they first differ changes from variant to variant.
      const [long, short] = [5 + (index % 4), 4 + (index % 3)];
      const resamples = variant.interventions?.some((own) => own.with === 'resample');
      const pairs = [made(long + 1, 1 + (index % (long - 1)), index), made(long + 1, 1 + ((index * 3 + 1) % long), index + 40), ...(resamples ? [] : [made(short, index % short, index + 80)])];
      for (const direction of DIRECTIONS) {
        const { error, where } = await errorsOf({ direction, variant, pairs });
        lines.push(`${what}, ${direction}: ${error.toExponential(0)}`);
        assert.ok(error < 2e-4, `${where}, ${direction}: ${error}`);
      }
    });
  });

  for (const other of ['zero', 'mean', 'resample'] as const) {
    it(`other: ${other}`, async () => {
      const pairs = [made(7, 2, 5), made(7, 4, 6), made(7, 1, 7), made(4, 2, 8), made(4, 0, 9)].map(({ corrupted, ...pair }) => (other === 'resample' ? { ...pair, corrupted } : pair));
      const variants: Variant[] = [{}, { qkFix: true }, { integrated: { steps: 2, rule: 'left' } }, { interventions: [{ unit: Z, with: 'corrupted' }] }, ...(other === 'resample' ? [{ bothGradients: true }] : [])];
      for (const variant of variants) {
        const { error, where } = await errorsOf({ direction: 'noise', other, variant, pairs });
        lines.push(`other ${other}, ${JSON.stringify(variant)}: ${error.toExponential(0)}`);
        assert.ok(error < 2e-4, `${where}, ${JSON.stringify(variant)}: ${error}`);
      }
    });
  }

  describe('invariants', () => {
    const pair = made(8, 3, 3);
    const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);

    it('effects at resid_pre of layer 0 are those at the embedding, at z those at attn_out, and a pattern is what its cells are', async () => {
      for (const variant of VARIANTS.map(([, own]) => own).filter(({ interventions, stopGradient, gradDrop }) => !interventions && !stopGradient && !gradDrop)) {
        const result = await attribute({ pairs: [pair], variant });
        assert.deepEqual(of(result, 'resid_pre').subarray(0, 8), of(result, 'embed'));
        const z = of(result, 'z');
        const byRow = Float32Array.from({ length: z.length / 3 }, (_, row) => sum(z.subarray(row * 3, row * 3 + 3)));
        assert.ok(relativeError(byRow, of(result, 'attn_out')) < 1e-4);
      }
    });

    it('integrated over the embedding, effects sum to M_clean − M_corrupted: the error halves as steps double, midpoint under 1 % at 32', async () => {
      const gentle = { ...pair, corrupted: pair.clean.map((token, i) => (i === 6 ? 50 : token)) };
      const missing = async (rule: IntegrationRule, steps: number): Promise<number> => {
        const result = await attribute({ pairs: [gentle], variant: { integrated: { steps, rule } } }, ['embed']);
        return sum(of(result, 'embed')) - (result.metric.clean[0]! - result.metric.corrupted![0]!);
      };
      const whole = await attribute({ pairs: [gentle] }, ['embed']).then(({ metric }) => Math.abs(metric.clean[0]! - metric.corrupted![0]!));
      for (const rule of INTEGRATION_RULES) {
        const errors = [await missing(rule, 16), await missing(rule, 32)] as [number, number];
        lines.push(`integrated, ${rule}, error at 16 and 32 steps: ${errors.map((error) => (error / whole).toExponential(1)).join(', ')}`);
        const ratio = errors[1] / errors[0];
        if (rule === 'midpoint') assert.ok(Math.abs(errors[1]) < 0.01 * whole && ratio < 0.3, errors.join(', '));
        else assert.ok(ratio > 0.45 && ratio < 0.55, errors.join(', '));
      }
    });

    it('left, right and midpoint are one at the ends: one step from the base run is the plain gradient', async () => {
      const plain = await attribute({ pairs: [pair] });
      const left = await attribute({ pairs: [pair], variant: { integrated: { steps: 1, rule: 'left' } } });
      for (const name of SITE_NAMES) assert.ok(relativeError(of(left, name), of(plain, name)) < 1e-5, name);
    });

    it('the QK fix changes q and k only; GradDrop has no sign; both gradients are the mean of the directions', async () => {
      const [plain, noise, fixed, dropped, both] = await Promise.all([{}, { direction: 'noise' as const }, { variant: { qkFix: true } }, { variant: { gradDrop: true } }, { variant: { bothGradients: true } }].map((change) => attribute({ pairs: [pair], ...change })));
      for (const name of SITE_NAMES) {
        const difference = relativeError(of(fixed!, name), of(plain!, name));
        assert.equal(difference > 1e-3, name === 'q' || name === 'k', `${name}: ${difference}`);
        assert.ok(of(dropped!, name).every((value) => value >= 0), name);
        const mean = of(plain!, name).map((value, i) => (value + of(noise!, name)[i]!) / 2);
        assert.ok(relativeError(of(both!, name), mean) < 1e-5, name);
      }
    });

    it('nothing in between is attributed when everything behind it is stopped, and interventions that change nothing change nothing', async () => {
      const stopped = await attribute({ pairs: [pair], variant: { stopGradient: [{ site: 'resid_pre', layer: 2 }] } });
      for (const name of SITE_NAMES.filter((own) => own !== 'embed')) {
        const values = of(stopped, name);
        assert.ok(values.subarray(0, (values.length / 3) * 2).every((value) => value === 0), name);
      }
      assert.ok(of(stopped, 'embed').every((value) => value === 0));
      const plain = await attribute({ pairs: [pair] });
      const same = await attribute({ pairs: [pair], variant: { interventions: [{ unit: { site: 'z', layer: 2, head: 0, position: 4 }, with: 'zero' }] } });
      // The last layer at a position that no metric reads.
      for (const name of SITE_NAMES) assert.ok(relativeError(of(same, name), of(plain, name)) < 1e-5, name);
    });
  });

  it('does interventions to prompts of unequal lengths at the metric\'s position, whatever side they come from', async () => {
    const pairs = [made(7, 2, 5), made(7, 4, 6)].map((pair) => ({ ...pair, corrupted: pair.corrupted!.slice(1) }));
    const sites = SITE_NAMES.filter((name) => name !== 'pattern' && name !== 'scores');
    const run = (variant: Variant, direction: 'denoise' | 'noise'): Promise<AttributionResult> => attribute({ pairs, align: 'end', direction, variant }, sites);
    for (const direction of DIRECTIONS) {
      // The only row of the last layer that the metric reads becomes the other side's: nothing is left to attribute.
      const whole = await run({ interventions: [{ unit: { site: 'resid_post', layer: 2 }, with: 'corrupted' }] }, direction);
      assert.ok(whole.arrays.data.every((value) => value === 0));
      for (const source of ['zero', 'mean', 'resample'] as const) {
        const unit = { site: 'mlp_out', layer: 1, position: 'last' } as const;
        const result = await run({ interventions: [{ unit, with: source }] }, direction);
        const plain = await run({}, direction);
        assert.deepEqual(result.metric, plain.metric, 'the metric is that of the runs as they are');
        const effect = (own: AttributionResult, name: SiteName, layer: number): number => arrayNamed(own.arrays, groupArrayName(0, name)).data[layer]!;
        // No gradient flows into what was replaced; what flows on from it has one.
        const stopped = await run({ stopGradient: [unit] }, direction);
        assert.notEqual(effect(result, 'mlp_out', 1), 0);
        assert.equal(effect(stopped, 'mlp_out', 1), 0);
        assert.notEqual(effect(result, 'mlp_out', 0), effect(plain, 'mlp_out', 0));
      }
    }
  });

  describe('refuses', () => {
    const pair = made(6, 2, 1);
    const refused = async (change: Partial<TokenExperiment>, message: RegExp, sites: readonly SiteName[] = ['z']): Promise<void> => {
      await assert.rejects(attribute({ pairs: [pair], ...change }, sites), (error) => CircuitError.is(error, 'experiment') && (assert.match(error.message, message), true));
    };
    const unit = (own: object): Partial<TokenExperiment> => ({ variant: { stopGradient: [own as never] } });

    it('units that are not there, saying what is', async () => {
      await refused(unit({ site: 'zz', layer: 0 }), /no site "zz"; there are z, q/);
      await refused(unit({ site: 'z' }), /names no layer; z has one in each of 0 to 2/);
      await refused(unit({ site: 'embed', layer: 0 }), /embed belongs to no layer/);
      await refused(unit({ site: 'z', layer: 3 }), /no layer 3; this model has layers 0 to 2/);
      await refused(unit({ site: 'z', layer: 0, head: 3 }), /no head 3; this model has heads 0 to 2/);
      await refused(unit({ site: 'mlp_out', layer: 0, head: 0 }), /mlp_out has no heads/);
      await refused(unit({ site: 'mlp_post', layer: 0, neuron: 77 }), /no neuron 77; this model has neurons 0 to 76/);
      await refused(unit({ site: 'z', layer: 0, neuron: 1 }), /z has no neurons/);
      await refused(unit({ site: 'z', layer: 0, source: 1 }), /z has no source positions/);
      await refused(unit({ site: 'pattern', layer: 0, source: 6 }), /no position 6; the clean prompt has positions 0 to 5/);
      await refused({ variant: { interventions: [{ unit: { ...Z, position: -7 }, with: 'zero' }] } }, /Intervention 1 cannot be done: there is no position -7/);
      await refused({ variant: { interventions: [{ unit: Z, with: 'noise' as never }] } }, /Intervention 1 takes "noise"/);
      await refused({ pairs: [pair, made(4, 1, 2)], ...unit({ ...Z, position: 5 }) }, /the shortest clean prompt has positions 0 to 3/);
    });

    it('other activations that are not there', async () => {
      await refused({ other: 'zero' }, /direction is noise, not denoise/);
      await refused({ other: 'resample', direction: 'noise' }, /Pair 1 is the only one of 6 tokens/);
      await refused({ variant: { interventions: [{ unit: Z, with: 'resample' }] } }, /only one of 6 tokens/);
      await refused({ other: 'nothing' as never }, /no "other" called "nothing"/);
      await refused({ pairs: [{ ...pair, corrupted: undefined }] }, /Pair 1 has no corrupted prompt/);
    });

    it('variants that do not go together', async () => {
      const integrated = { steps: 4, rule: 'left' } as const;
      await refused({ variant: { integrated, bothGradients: true } }, /cannot be combined/);
      await refused({ variant: { integrated, qkFix: true } }, /the QK fix cannot be combined/);
      await refused({ variant: { integrated, gradDrop: true } }, /GradDrop cannot be combined/);
      await refused({ variant: { integrated: { steps: 0, rule: 'left' } } }, /whole number of steps from 1 on, not 0/);
      await refused({ variant: { integrated: { steps: 4, rule: 'simpson' as never } } }, /no integration rule "simpson"/);
      await refused({ variant: { bothGradients: true, qkFix: true } }, /cannot be combined/);
      await refused({ variant: { bothGradients: true, gradDrop: true } }, /cannot be combined/);
      await refused({ variant: { bothGradients: true, interventions: [{ unit: Z, with: 'zero' }] } }, /cannot be combined/);
      await refused({ variant: { bothGradients: true }, other: 'mean', direction: 'noise' }, /cannot be combined/);
      await refused({ variant: { bothGradients: true }, metric: 'kl' }, /cannot be combined/);
      await refused({ metric: 'kl', direction: 'noise' }, /zero at the clean run/);
      await refused({ variant: { qkFix: true, freezePattern: true } }, /cannot be combined/);
      await refused({ variant: { qkFix: true, interventions: [{ unit: { site: 'pattern', layer: 0 }, with: 'zero' }] } }, /cannot be combined/);
      await refused({ variant: { qkFix: true, stopGradient: [{ site: 'scores', layer: 0 }] } }, /cannot be combined/);
      await refused({ variant: { gradDrop: true }, metric: 'continuation' }, /cannot be combined/);
      const unequal = { align: 'end', pairs: [{ ...pair, corrupted: pair.corrupted!.slice(1) }] } as const;
      await refused({ ...unequal, pairs: [...unequal.pairs] }, /pattern cannot be attributed for pair 1/, ['z', 'pattern']);
      await refused({ ...unequal, pairs: [...unequal.pairs], variant: { qkFix: true } }, /equal token counts/);
    });
  });

  it('allocates nothing that stays over 20 runs of mixed variants, ended or cancelled', async () => {
    const pairs = [made(7, 2, 5), made(7, 4, 6), made(5, 1, 7), made(5, 3, 8)];
    const changes: Partial<TokenExperiment>[] = [...VARIANTS.map(([, variant]) => ({ variant })), ...(['zero', 'mean', 'resample'] as const).map((other) => ({ other, direction: 'noise' as const })), { metric: 'kl' }, { metric: 'promptLogProb' }, { metric: 'continuation' }, { metric: { activation: 'attention', layer: 1, head: 0 } }];
    const calls = changes.map((change): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', ...change, pairs: pairs.map((pair) => ({ ...pair, source: 1 })) }));
    assert.ok(calls.length >= 20);
    for (const experiment of calls) await engine.attribute({ experiment, sites: SITE_NAMES });
    const before = { ...tf.memory() };
    for (const [index, experiment] of calls.entries()) {
      await engine.attribute({ experiment, sites: SITE_NAMES });
      assert.equal(tf.memory().numTensors, before.numTensors, JSON.stringify(experiment.variant ?? experiment));
      for (let polls = 3 + index; polls < 300; polls += 137) {
        let left = polls;
        await engine.attribute({ experiment, sites: SITE_NAMES }, { isCancelled: () => --left < 0 }).then(
          () => undefined,
          (error) => assert.ok(CircuitError.is(error, 'cancelled'), String(error)),
        );
        assert.equal(tf.memory().numTensors, before.numTensors, `cancelled: ${JSON.stringify(experiment.variant ?? experiment)}`);
      }
    }
    assert.equal(tf.memory().numBytes, before.numBytes);
  });

  it('gives the same bytes twice', async () => {
    const call = (): Promise<AttributionResult> => attribute({ pairs: [made(7, 2, 5), made(7, 4, 6)], variant: { gradDrop: true, qkFix: true, interventions: [{ unit: Z, with: 'mean' }] } });
    assert.deepEqual((await call()).arrays.data, (await call()).arrays.data);
  });
});
