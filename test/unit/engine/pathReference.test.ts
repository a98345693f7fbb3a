import assert from 'node:assert/strict';
import { DIRECTIONS, type Direction } from '../../../src/shared/experiment';
import { edgeNamed, receiverAt, type Edge, type GraphShape } from '../../../src/shared/graph/nodes';
import { PATH_MODES, type PathMode } from '../../../src/shared/paths';
import type { HashCheckpointConfig } from '../../fixtures/hashCheckpoint';
import { complaint, failWith, groupsOf, metricComplaints, reference, ReferenceEngine, type ReferenceCase } from './reference';

interface PathReference {
  effects: { shape: number[]; data: number[] };
  /** Per kind of receiver and layer (`familyOf`). */
  float32Error: Record<string, number>;
}

interface PathFile {
  checkpoints: HashCheckpointConfig[];
  edges: Record<string, string[]>;
  cases: (ReferenceCase<Record<PathMode, PathReference>> & { edges: string })[];
}

/** Edges that are measured against the same largest value, as in make/paths.py. */
function familyOf(shape: GraphShape, { receiver }: Edge): string {
  const to = receiverAt(shape, receiver);
  return to.kind === 'head' ? `${to.port} ${to.layer}` : to.kind === 'mlp' ? `m${to.layer}` : 'logits';
}

function complaints(shape: GraphShape, edges: readonly Edge[], names: readonly string[], effects: Float32Array, truth: PathReference): string[] {
  const pairs = truth.effects.shape[1]!;
  if (effects.length !== truth.effects.data.length) return [`${effects.length} effects, PyTorch has ${truth.effects.shape.join('×')}`];
  const families = new Map<string, number[]>();
  edges.forEach((edge, row) => families.set(familyOf(shape, edge), [...(families.get(familyOf(shape, edge)) ?? []), row]));
  const overall = truth.effects.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return [...families].flatMap(([family, rows]) => {
    const places = rows.flatMap((row) => Array.from({ length: pairs }, (_, pair) => row * pairs + pair));
    const line = complaint({
      what: family,
      values: places.map((i) => effects[i]!),
      reference: places.map((i) => truth.effects.data[i]!),
      overall,
      float32Error: truth.float32Error[family]!,
      place: (i) => `pair ${places[i]! % pairs} of ${names[Math.floor(places[i]! / pairs)]!}`,
    });
    return line ?? [];
  });
}

describe('path patching against PyTorch', function () {
  const { checkpoints, edges: lists, cases } = reference<PathFile>('paths');
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(checkpoints)));
  after(() => engines.dispose());

  const compare = async ({ checkpoint, experiment, metric, edges: list, directions }: PathFile['cases'][number], direction: Direction, mode: PathMode, backend?: 'cpu' | 'wasm-threads'): Promise<void> => {
    const { layers, heads } = checkpoints.find(({ name }) => name === checkpoint)!;
    const names = lists[list]!;
    const edges = names.map((name) => edgeNamed({ layers, heads }, name)!);
    assert.ok(edges.every((edge) => edge !== undefined));
    const engine = await engines.with(checkpoint, backend);
    const result = await engine.patchPaths({ experiment: { ...experiment, direction }, mode, edges });
    assert.deepEqual(result.groups, groupsOf(experiment));
    assert.deepEqual([result.mode, result.edges], [mode, edges]);
    if (backend) assert.equal(result.backend.name, backend);
    failWith([...metricComplaints(result.metric, metric), ...complaints({ layers, heads }, edges, names, result.effects, directions[direction]![mode])]);
  };

  for (const own of cases) {
    for (const direction of DIRECTIONS) {
      if (!own.directions[direction]) continue;
      for (const mode of PATH_MODES) {
        it(`${own.name}, ${direction}, ${mode}, ${own.checkpoint}: ${lists[own.edges]!.length} edges of ${own.experiment.pairs.length} pairs`, () => compare(own, direction, mode));
      }
    }
  }

  for (const backend of ['cpu', 'wasm-threads'] as const) {
    for (const mode of PATH_MODES) it(`logitDiff, denoise, ${mode}, four-layers, on ${backend}`, () => compare(cases.find(({ checkpoint }) => checkpoint === 'four-layers')!, 'denoise', mode, backend));
  }
});
