import assert from 'node:assert/strict';
import { DIRECTIONS } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import { complaint, failWith, groupsOf, metricComplaints, reference, ReferenceEngine, type ReferenceCase } from './reference';

interface ExactReference {
  effects: { shape: number[]; data: (number | null)[] };
  /** Per family of cells (`familyOf`). */
  float32Error: Record<string, number>;
}

interface ExactFile {
  cells: Record<string, PatchCell[]>;
  cases: (ReferenceCase<ExactReference> & { cells: string })[];
}

/** Cells that are measured against the same largest value: one site, one layer, one kind of part. As in make/sites_exact.py. */
function familyOf(cell: PatchCell): string {
  const kind = (['source', 'neuron', 'position', 'head'] as const).find((key) => cell[key] !== undefined) ?? 'layer';
  return `${cell.site} ${cell.layer ?? 0} by ${kind}`;
}

function complaints(cells: readonly PatchCell[], effects: Float32Array, truth: ExactReference): string[] {
  const pairs = truth.effects.shape[1]!;
  if (effects.length !== truth.effects.data.length) return [`${effects.length} effects, PyTorch has ${truth.effects.shape.join('×')}`];
  const families = new Map<string, number[]>();
  cells.forEach((cell, row) => families.set(familyOf(cell), [...(families.get(familyOf(cell)) ?? []), row]));
  const overall = truth.effects.data.reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
  const lines = [...families].map(([family, rows]) => {
    const places = rows.flatMap((row) => Array.from({ length: pairs }, (_, pair) => row * pairs + pair));
    return complaint({
      what: family,
      values: places.map((i) => effects[i]!),
      reference: places.map((i) => truth.effects.data[i]!),
      overall,
      float32Error: truth.float32Error[family]!,
      place: (i) => `pair ${places[i]! % pairs} of ${JSON.stringify(cells[Math.floor(places[i]! / pairs)])}`,
    });
  });
  return lines.filter((line) => line !== undefined);
}

describe('exact patching against PyTorch', function () {
  this.timeout(60_000);
  const file = reference<ExactFile>('sites-exact');
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(file.checkpoints)));
  after(() => engines.dispose());

  for (const { checkpoint, name, experiment, cells: list, metric, directions } of file.cases) {
    for (const direction of DIRECTIONS) {
      const truth = directions[direction];
      if (!truth) continue;
      const cells = file.cells[list]!;
      it(`${name}, ${direction}, ${checkpoint}: ${cells.length} cells`, async () => {
        const engine = await engines.with(checkpoint);
        const result = await engine.patch({ experiment: { ...experiment, direction }, cells });
        assert.deepEqual(result.groups, groupsOf(experiment));
        assert.deepEqual(result.cells, cells);
        failWith([...metricComplaints(result.metric, metric), ...complaints(cells, result.effects, truth)]);
      });
    }
  }
});
