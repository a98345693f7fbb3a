import assert from 'node:assert/strict';
import path from 'node:path';
import { DIRECTIONS, type Direction, type TokenPair } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import { complaint, failWith, groupsOf, metricComplaints, reference, ReferenceEngine, type ReferenceCase } from './reference';
import { expectedValues, loadParams, type ExpectedArray } from './support';

interface ExactReference {
  effects: { shape: number[]; data: (number | null)[] };
  /** Per family of cells (`familyOf`). */
  float32Error: Record<string, number>;
}

interface ExactFile {
  cells: Record<string, PatchCell[]>;
  cases: (ReferenceCase<ExactReference> & { cells: string })[];
}

interface BundledExperiment {
  pairs: TokenPair[];
  directions: Record<Direction, { exactHeads: { pairs: ExpectedArray[] } }>;
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
  const file = reference<ExactFile>('sites-exact');
  // Beside the cell by cell: more pairs than are computed at a time, and long prompts.
  const others = (['sites-many', 'sites-long'] as const).map((name) => reference<Pick<ExactFile, 'cells'> & { exact: ExactFile['cases'] }>(name));
  const cases = [
    ...file.cases.map((own) => ({ ...own, list: file.cells[own.cells]! })),
    ...others.flatMap(({ cells, exact }) => exact.map((own) => ({ ...own, list: cells[own.cells]! }))),
  ];
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine([file, ...others].flatMap(({ checkpoints }) => checkpoints))));
  after(() => engines.dispose());

  for (const { checkpoint, name, experiment, list: cells, metric, directions } of cases) {
    for (const direction of DIRECTIONS) {
      const truth = directions[direction];
      if (!truth) continue;
      it(`${name}, ${direction}, ${checkpoint}: ${cells.length} cells of ${experiment.pairs.length} pairs`, async () => {
        const engine = await engines.with(checkpoint);
        const result = await engine.patch({ experiment: { ...experiment, direction }, cells });
        assert.deepEqual(result.groups, groupsOf(experiment));
        assert.deepEqual(result.cells, cells);
        failWith([...metricComplaints(result.metric, metric), ...complaints(cells, result.effects, truth)]);
      });
    }
  }

  for (const backend of ['cpu', 'wasm-threads'] as const) {
    it(`a head patched, an MLP zeroed, denoise, tiny-odd, on ${backend}`, async () => {
      const { experiment, directions, cells: list } = file.cases.find(({ name }) => name === 'a head patched, an MLP zeroed')!;
      const engine = await engines.with('tiny-odd', backend);
      const result = await engine.patch({ experiment: { ...experiment, direction: 'denoise' }, cells: file.cells[list]! });
      assert.equal(result.backend.name, backend);
      failWith(complaints(file.cells[list]!, result.effects, directions.denoise!));
    });
  }

  for (const direction of DIRECTIONS) {
    it(`every head of the bundled model on the tutorial's prompts, ${direction}`, async () => {
      const { pairs, directions } = (await expectedValues('bundled-ioi')).experiments[0] as unknown as BundledExperiment;
      const { engine } = engines;
      const { model } = await engine.load(loadParams(path.resolve('media/model')));
      const cells = Array.from({ length: model.layers * model.heads }, (_, i): PatchCell => ({ site: 'z', layer: Math.floor(i / model.heads), head: i % model.heads }));
      const { effects } = await engine.patch({ experiment: { metric: 'logitDiff', direction, pairs }, cells });
      const layers = Array.from({ length: model.layers }, (_, layer) => layer);
      failWith(
        layers.flatMap((layer) => {
          const own = cells.flatMap((cell, row) => (cell.layer === layer ? [row] : []));
          const places = own.flatMap((row) => pairs.map((_, pair) => [row, pair] as const));
          const values = places.map(([row, pair]) => effects[row * pairs.length + pair]!);
          const truth = places.map(([row, pair]) => directions[direction].exactHeads.pairs[pair]!.data[row]!);
          return complaint({ what: `layer ${layer}`, values, reference: truth, float32Error: 0, place: (i) => `head ${places[i]![0] % model.heads}, pair ${places[i]![1]}` }) ?? [];
        }),
      );
    });
  }
});
