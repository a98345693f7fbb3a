import assert from 'node:assert/strict';
import { arrayNamed, type NamedArrays } from '../../../src/shared/arrays';
import { DIRECTIONS, type Direction } from '../../../src/shared/experiment';
import type { Prediction } from '../../../src/shared/results';
import { complaint, failWith, metricComplaints, reference, ReferenceEngine, type ReferenceCase, type ReferenceExperiment } from './reference';
import type { ExpectedArray } from './support';

interface Arrays {
  arrays: Record<string, ExpectedArray>;
  float32Error: Record<string, number>;
}

interface ViewsFile {
  attention: Pick<ReferenceCase<(Arrays & { pair: number; layer: number })[]>, 'checkpoint' | 'name' | 'experiment' | 'directions'>[];
  lens: ({ checkpoint: string; experiment: ReferenceExperiment } & Arrays)[];
  interventions: (ReferenceCase<{ patched: number[]; predictions: Prediction[][] }> & { predictions: { clean: Prediction[][]; corrupted?: Prediction[][] } })[];
}

function arrayComplaints(own: NamedArrays, { arrays, float32Error }: Arrays): string[] {
  return Object.entries(arrays).flatMap(([what, { shape, data }]) => {
    if (!(what in own.entries)) return [`there is no array "${what}"; there are ${Object.keys(own.entries).join(', ')}`];
    const found = arrayNamed(own, what);
    if (found.shape.join() !== shape.join()) return [`${what}: shape ${found.shape.join('×')}, PyTorch ${shape.join('×')}`];
    const place = (i: number): string => {
      const indices = shape.map((extent, axis) => Math.floor(i / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % extent);
      return `[${indices.join(', ')}]`;
    };
    return complaint({ what, values: found.data, reference: data, float32Error: float32Error[what]!, place }) ?? [];
  });
}

function predictionComplaints(what: string, own: Prediction[][] | undefined, truth: Prediction[][]): string[] {
  if (!own) return [`no predictions of the ${what} run`];
  return truth.flatMap((wanted, pair) => {
    const found = own[pair]!;
    if (wanted.map(({ token }) => token).join() !== found.map(({ token }) => token).join()) {
      return [`${what}, pair ${pair}: tokens ${found.map(({ token }) => token).join(', ')}, PyTorch ${wanted.map(({ token }) => token).join(', ')}`];
    }
    const compare = (key: 'logit' | 'probability'): string | undefined =>
      complaint({ what: `${what}, pair ${pair}, ${key}`, values: found.map((p) => p[key]), reference: wanted.map((p) => p[key]), float32Error: 0 });
    return [compare('logit'), compare('probability')].filter((line) => line !== undefined);
  });
}

describe('attention, lens and interventions against PyTorch', function () {
  const file = reference<ViewsFile>('sites-views');
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(file.checkpoints)));
  after(() => engines.dispose());

  for (const { checkpoint, name, experiment, directions } of file.attention) {
    for (const direction of DIRECTIONS) {
      const places = directions[direction];
      if (!places) continue;
      it(`attention cells: ${name}, ${direction}, ${checkpoint}`, async () => {
        const engine = await engines.with(checkpoint);
        for (const { pair, layer, ...truth } of places) {
          const heads = Array.from({ length: truth.arrays.clean!.shape[0]! }, (_, head) => head);
          const result = await engine.attention({ experiment: { ...experiment, direction }, pair, layer, heads });
          assert.deepEqual(result.heads, heads);
          for (const key of ['other', 'base']) assert.equal(key in result.arrays.entries, key in truth.arrays, `array "${key}"`);
          failWith(arrayComplaints(result.arrays, truth).map((line) => `pair ${pair}, layer ${layer}: ${line}`));
        }
      });
    }
  }

  it('attention of some heads only, in the order asked for', async () => {
    const { checkpoint, experiment, directions } = file.attention[0]!;
    const [{ pair, layer, arrays }] = directions.denoise! as [Arrays & { pair: number; layer: number }];
    const engine = await engines.with(checkpoint);
    const result = await engine.attention({ experiment: { ...experiment, direction: 'denoise' }, pair, layer, heads: [2, 0] });
    assert.deepEqual(result.heads, [2, 0]);
    const { shape, data } = arrays.attribution!;
    const width = shape[1]! * shape[2]!;
    const chosen = [2, 0].flatMap((head) => data.slice(head * width, (head + 1) * width));
    failWith(arrayComplaints(result.arrays, { arrays: { attribution: { shape: [2, shape[1]!, shape[2]!], data: chosen } }, float32Error: { attribution: 0 } }));
  });

  for (const { checkpoint, experiment, ...truth } of file.lens) {
    it(`logit lens and direct logit attribution, ${checkpoint}`, async () => {
      const engine = await engines.with(checkpoint);
      const { arrays } = await engine.lens({ experiment: { ...experiment, direction: 'denoise' } });
      failWith(arrayComplaints(arrays, truth));
    });
  }

  for (const { checkpoint, name, experiment, metric, predictions, directions } of file.interventions) {
    for (const [direction, truth] of Object.entries(directions) as [Direction, { patched: number[]; predictions: Prediction[][] }][]) {
      it(`interventions: ${name}, ${direction}, ${checkpoint}`, async () => {
        const engine = await engines.with(checkpoint);
        const result = await engine.intervene({ experiment: { ...experiment, direction }, top: truth.predictions[0]!.length });
        failWith([
          ...metricComplaints(result.metric, metric),
          ...metricComplaints({ clean: result.patched }, { clean: truth.patched }).map((line) => line.replace('metric.clean', 'patched')),
          ...predictionComplaints('clean', result.predictions.clean, predictions.clean),
          ...(predictions.corrupted ? predictionComplaints('corrupted', result.predictions.corrupted, predictions.corrupted) : []),
          ...predictionComplaints('patched', result.predictions.patched, truth.predictions),
        ]);
      });
    }
  }
});
