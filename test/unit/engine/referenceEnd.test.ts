import assert from 'node:assert/strict';
import { DIRECTIONS } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import { SITE_NAMES, type SiteName } from '../../../src/shared/sites';
import { attributionComplaints, complaint, failWith, metricComplaints, reference, ReferenceEngine, type ReferenceCase } from './reference';
import type { ExpectedArray } from './support';

interface EndReference {
  /** Absent for KL when noising: no gradient at the clean run. */
  pairs?: Partial<Record<SiteName, ExpectedArray>>[];
  float32Error?: Partial<Record<SiteName, number[]>>;
  effects: ExpectedArray;
  exactError: number;
}

describe('pairs aligned at the end against PyTorch', function () {
  const file = reference<{ cells: PatchCell[]; cases: ReferenceCase<EndReference>[] }>('sites-end');
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(file.checkpoints)));
  after(() => engines.dispose());

  for (const { checkpoint, name, experiment, metric, directions } of file.cases) {
    for (const direction of DIRECTIONS) {
      const { pairs, float32Error, effects, exactError } = directions[direction]!;
      if (pairs && float32Error) {
        it(`attribution: ${name}, ${direction}`, async () => {
          const engine = await engines.with(checkpoint);
          const sites = SITE_NAMES.filter((site) => site in float32Error);
          const result = await engine.attribute({ experiment: { ...experiment, direction }, sites });
          assert.deepEqual(result.groups, experiment.pairs.map(({ clean }, pair) => ({ pairs: [pair], length: clean.length, positions: 'last' })));
          failWith([...metricComplaints(result.metric, metric), ...attributionComplaints(result, pairs, float32Error)]);
        });
      }

      it(`exact patching: ${name}, ${direction}`, async () => {
        const engine = await engines.with(checkpoint);
        const result = await engine.patch({ experiment: { ...experiment, direction }, cells: file.cells });
        const place = (i: number): string => `pair ${i % experiment.pairs.length} of ${JSON.stringify(file.cells[Math.floor(i / experiment.pairs.length)])}`;
        const line = complaint({ what: 'effects', values: result.effects, reference: effects.data, float32Error: exactError, place });
        failWith([...metricComplaints(result.metric, metric), ...(line ? [line] : [])]);
      });
    }
  }
});
