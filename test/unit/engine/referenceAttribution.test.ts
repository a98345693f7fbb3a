import assert from 'node:assert/strict';
import path from 'node:path';
import type { Engine } from '../../../src/engine/client/engine';
import { DIRECTIONS, type IntegrationRule } from '../../../src/shared/experiment';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { attributionComplaints, failWith, groupsOf, metricComplaints, pairScores, reference, ReferenceEngine, type ReferenceCase, type ReferenceExperiment } from './reference';
import { expectedValues, loadParams, relativeError, type ExpectedArray } from './support';

interface AttributionReference {
  pairs: Partial<Record<SiteName, ExpectedArray>>[];
  float32Error: Partial<Record<SiteName, number[]>>;
}

interface AttributionFile {
  cases: ReferenceCase<AttributionReference>[];
}

const metrics = reference<AttributionFile>('sites-attribution');
const variants = reference<AttributionFile & { keysReducedFromRows: { pairs: { k: ExpectedArray }[] }; residMidWithoutSkip: { pairs: { resid_mid: ExpectedArray }[] } }>('sites-variants');

const many = reference<AttributionFile>('sites-many');
const long = reference<AttributionFile>('sites-long');

for (const [title, file] of [['every site and metric', metrics], ['variants and ablations', variants], ['more pairs than are computed at a time', many], ['long prompts', long]] as const) {
  describe(`attribution against PyTorch: ${title}`, function () {
    let engines: ReferenceEngine;
    before(() => void (engines = new ReferenceEngine(file.checkpoints)));
    after(() => engines.dispose());

    for (const { checkpoint, name, experiment, metric, directions } of file.cases) {
      for (const direction of DIRECTIONS) {
        const truth = directions[direction];
        if (!truth) continue;
        it(`${name}, ${direction}, ${checkpoint}`, async () => {
          const engine = await engines.with(checkpoint);
          const sites = SITE_NAMES.filter((site) => site in truth.float32Error);
          const result = await engine.attribute({ experiment: { ...experiment, direction }, sites });
          assert.deepEqual(result.groups, groupsOf(experiment));
          failWith([...metricComplaints(result.metric, metric), ...attributionComplaints(result, truth.pairs, truth.float32Error)]);
        });
      }
    }
  });
}

describe('attribution against PyTorch: every backend', function () {
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(metrics.checkpoints)));
  after(() => engines.dispose());

  // The usual backend is wasm-simd, above.
  for (const backend of ['cpu', 'wasm', 'wasm-threads'] as const) {
    it(`every site and the QK fix on ${backend}`, async () => {
      const engine = await engines.with('tiny-odd', backend);
      const chosen = [...metrics.cases, ...variants.cases].filter(({ checkpoint, name }) => checkpoint === 'tiny-odd' && ['logitDiff', 'QK fix'].includes(name));
      assert.equal(chosen.length, 2);
      for (const { name, experiment, directions } of chosen) {
        const truth = directions.noise!;
        const result = await engine.attribute({ experiment: { ...experiment, direction: 'noise' }, sites: SITE_NAMES.filter((site) => site in truth.float32Error) });
        assert.equal(result.backend.name, backend);
        failWith(attributionComplaints(result, truth.pairs, truth.float32Error).map((line) => `${name}: ${line}`));
      }
    });
  }
});

describe('attribution against PyTorch: what follows from the definitions', function () {
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(variants.checkpoints)));
  after(() => engines.dispose());

  const { experiment } = metrics.cases.find(({ checkpoint, name }) => checkpoint === 'tiny-odd' && name === 'logitDiff')!;

  // Completeness: the steps' mean gradient along the inputs, times the inputs' difference, is the metric's difference.
  describe('integrated gradients: Σ over embed − (M_clean − M_corrupted)', () => {
    async function errors(engine: Engine, { pairs }: Pick<ReferenceExperiment, 'pairs'>, rule: IntegrationRule, steps: number): Promise<number[]> {
      const result = await engine.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', variant: { integrated: { steps, rule } }, pairs }, sites: ['embed'] });
      return pairs.map((_, pair) => {
        const whole = result.metric.clean[pair]! - result.metric.corrupted![pair]!;
        return pairScores(result, 'embed', pair).data.reduce((sum, value) => sum + value, 0) / whole - 1;
      });
    }

    for (const rule of ['left', 'right'] as const) {
      // The fourth pair: along others this checkpoint's sharp attention switches within fewer steps than these.
      it(`halves as m doubles, ${rule}`, async () => {
        const engine = await engines.with('tiny-odd');
        const pairs = [experiment.pairs[3]!];
        const [at32, at64] = [await errors(engine, { pairs }, rule, 32), await errors(engine, { pairs }, rule, 64)];
        const ratio = at64[0]! / at32[0]!;
        assert.ok(ratio > 0.45 && ratio < 0.55, `error of 64 steps over that of 32: ${ratio}`);
      });
    }

    it('is under 1 % for the midpoint rule at m = 32, on the bundled model', async () => {
      const bundled = await expectedValues('bundled-ioi');
      await engines.engine.load(loadParams(path.resolve('media/model')));
      const own = await errors(engines.engine, { pairs: bundled.experiments[0]!.pairs.slice(0, 4) }, 'midpoint', 32);
      assert.ok(own.every((error) => Math.abs(error) < 0.01), own.join(', '));
    });
  });

  // koayon/atp_star replaces all keys at once, sums each query's row and gives key t the sum of the rows q ≥ t (and takes the
  // softmax with the queries replaced besides). The paper's equations 9 and 10 replace one key alone.
  it("AtP*'s keys are not what koayon/atp_star reduces from whole rows", async () => {
    const fixed = variants.cases.find(({ checkpoint, name }) => checkpoint === 'tiny-odd' && name === 'QK fix')!;
    const engine = await engines.with('tiny-odd');
    const result = await engine.attribute({ experiment: { ...fixed.experiment, direction: 'noise' }, sites: ['k'] });
    fixed.directions.noise!.pairs.forEach(({ k }, pair) => {
      const own = pairScores(result, 'k', pair).data;
      assert.ok(relativeError(own, k!.data) < 1e-4, 'one key replaced at a time');
      const other = relativeError(variants.keysReducedFromRows.pairs[pair]!.k.data, k!.data);
      assert.ok(other > 0.5, `the reduction from rows is off by ${other} of the largest`);
    });
  });

  // A backward hook of TransformerLens's Bridge at resid_mid sees the MLP's branch alone (expected/cross-check-sites.json).
  it('resid_mid has the gradient past the MLP in it, which a TransformerLens backward hook leaves out', async () => {
    const pairs = [experiment.pairs[0]!, experiment.pairs[4]!];
    const truth = metrics.cases.find(({ checkpoint, name }) => checkpoint === 'tiny-odd' && name === 'logitDiff')!.directions.denoise!.pairs;
    const engine = await engines.with('tiny-odd');
    const result = await engine.attribute({ experiment: { ...experiment, pairs, direction: 'denoise' }, sites: ['resid_mid'] });
    [truth[0]!, truth[4]!].forEach(({ resid_mid: whole }, pair) => {
      assert.ok(relativeError(pairScores(result, 'resid_mid', pair).data, whole!.data) < 1e-4);
      const branch = relativeError(variants.residMidWithoutSkip.pairs[pair]!.resid_mid.data, whole!.data);
      assert.ok(branch > 0.5, `the branch alone is off by ${branch} of the largest`);
    });
  });

  it('the scores of the sharp checkpoint are more than 30 apart', () => {
    const sharp = variants.cases.find(({ checkpoint }) => checkpoint === 'sharp') as unknown as { scoreGap: number };
    assert.ok(sharp.scoreGap > 30, `${sharp.scoreGap}`);
  });
});
