import assert from 'node:assert/strict';
import type { LocalEngine } from '../../../src/engine/client/localEngine';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { hasGradient, type TokenExperiment, type Variant } from '../../../src/shared/experiment';
import type { SiteName } from '../../../src/shared/sites';
import { plainMetric, plainRun, type Plain, type PlainModel, type PlainRun } from './exactOracle';
import { withEngine } from './loaded';
import { examplePair, relativeError } from './support';

describe('KL divergence, noising', function () {
  let engine: LocalEngine;
  let plain: PlainModel;
  withEngine('tiny-odd', (...loaded) => ([engine, plain] = loaded));

  const LENGTH = 6;
  const LAYER = 1;
  const SITES = ['z', 'resid_mid', 'mlp_out'] as const satisfies readonly SiteName[];
  const pair = examplePair(3, LENGTH, 2);
  const experiment = (variant?: Variant): TokenExperiment => ({ metric: 'kl', direction: 'noise', pairs: [pair], ...(variant && { variant }) });

  it('has no gradient at the clean run, which is refused, and has one away from it', async () => {
    const refused: (Variant | undefined)[] = [undefined, { freezeLayerNorm: true }, { integrated: { steps: 1, rule: 'left' } }];
    for (const variant of refused) {
      assert.ok(!hasGradient(experiment(variant)));
      await assert.rejects(engine.attribute({ experiment: experiment(variant), sites: ['z'] }), (error) => CircuitError.is(error, 'experiment') && /exact patching/.test(error.message));
    }
    assert.ok(hasGradient({ ...experiment(), direction: 'denoise' }) && hasGradient({ ...experiment(), metric: 'logProb' }));
    const { metric } = await engine.attribute({ experiment: experiment(), sites: [] });
    assert.ok(metric.clean[0] === 0 && metric.corrupted![0]! < 0, 'without sites the metric is still measured');
  });

  /** Derivative of −KL along clean − corrupted at each position of a site, by central differences in double precision, mean over `starts`. */
  const expectedEffects = (site: SiteName, starts: readonly ((site: SiteName, layer: number, value: Plain) => void)[]): number[] => {
    const [clean, corrupted] = [plainRun(plain, pair.clean), plainRun(plain, pair.corrupted)];
    const rowsOf = (run: PlainRun): number[][] => run.sites.get(`${site}.${LAYER}`) as number[][];
    return pair.clean.map((_, position) => {
      const slopes = starts.map((start) => {
        const base = plainRun(plain, pair.clean, start);
        // The difference is that of the base run as interventions leave it, not of an interpolated one.
        const own = starts.length > 1 ? clean : base;
        const metricAt = (by: number): number => {
          const run = plainRun(plain, pair.clean, (hooked, layer, value) => {
            start(hooked, layer, value);
            if (hooked !== site || layer !== LAYER) return;
            const row = (value as number[][])[position]!;
            row.forEach((_, i) => (row[i]! += by * (rowsOf(own)[position]![i]! - rowsOf(corrupted)[position]![i]!)));
          });
          return plainMetric(plain, experiment(), pair, run, pair.clean, clean);
        };
        const step = 1e-4;
        return (metricAt(step) - metricAt(-step)) / (2 * step);
      });
      return slopes.reduce((sum, slope) => sum + slope, 0) / slopes.length;
    });
  };

  const compare = async (variant: Variant, starts: Parameters<typeof expectedEffects>[1]): Promise<void> => {
    assert.ok(hasGradient(experiment(variant)));
    const { arrays } = await engine.attribute({ experiment: experiment(variant), sites: SITES });
    for (const site of SITES) {
      const { data, shape } = arrayNamed(arrays, `group0.${site}`);
      const depth = shape[3] ?? 1;
      const found = Array.from({ length: LENGTH }, (_, position) => {
        const first = (LAYER * LENGTH + position) * depth;
        return data.subarray(first, first + depth).reduce((sum, value) => sum + value, 0);
      });
      const expected = expectedEffects(site, starts);
      assert.ok(Math.max(...expected.map(Math.abs)) > 1e-4, 'there is a gradient');
      assert.ok(relativeError(found, expected) < 1e-3, `${site}: ${found.join()} for ${expected.join()}`);
    }
  };

  it('is attributed by integrated gradients as by finite differences', async () => {
    const steps = 3;
    const embed = (tokens: readonly number[]): number[][] => plainRun(plain, tokens).sites.get('embed.0') as number[][];
    const [clean, corrupted] = [embed(pair.clean), embed(pair.corrupted)];
    const starts = Array.from({ length: steps }, (_, step) => (site: SiteName, _layer: number, value: Plain): void => {
      const alpha = (step + 0.5) / steps;
      if (site === 'embed') value.forEach((row, p) => row.forEach((_, i) => ((row as number[])[i] = clean[p]![i]! + alpha * (corrupted[p]![i]! - clean[p]![i]!))));
    });
    await compare({ integrated: { steps, rule: 'midpoint' } }, starts);
  });

  it('is attributed where interventions take the base run away from the clean one', async () => {
    await compare({ interventions: [{ unit: { site: 'mlp_out', layer: 0 }, with: 'zero' }] }, [
      (site, layer, value) => {
        if (site === 'mlp_out' && layer === 0) value.forEach((row) => (row as number[]).fill(0));
      },
    ]);
  });
});
