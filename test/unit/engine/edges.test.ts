import { arrayNamed } from '../../../src/shared/arrays';
import { DIRECTIONS } from '../../../src/shared/experiment';
import { edgePositionsName, EDGE_SCORES, SENDER_SCORES, type EdgeMethod, type EdgeResult } from '../../../src/shared/paths';
import { complaint, failWith, metricComplaints, reference, ReferenceEngine, type ReferenceCase } from './reference';
import type { ExpectedArray } from './support';

interface EdgeReference {
  pairs: { edges: ExpectedArray; senders: ExpectedArray; positions?: ExpectedArray }[];
  float32Error: { edges: number; senders: number };
}

interface EdgeFile {
  cases: (ReferenceCase<EdgeReference> & { method: EdgeMethod; receivers: number[] })[];
}

const file = reference<EdgeFile>('edges');

/** Row `row` of an array whose first axis is the pair. */
function rowOf({ arrays }: EdgeResult, name: string, row: number): { shape: readonly number[]; data: Float32Array } {
  const { shape, data } = arrayNamed(arrays, name);
  const width = data.length / shape[0]!;
  return { shape: shape.slice(1), data: data.subarray(row * width, (row + 1) * width) };
}

describe('edge attribution against PyTorch', function () {
  let engines: ReferenceEngine;
  before(() => void (engines = new ReferenceEngine(file.checkpoints)));
  after(() => engines.dispose());

  function compare(result: EdgeResult, truth: EdgeReference): string[] {
    return truth.pairs.flatMap(({ edges, senders, positions }, pair) => {
      const group = result.groups.findIndex(({ pairs }) => pairs.includes(pair));
      const parts: [string, ReturnType<typeof rowOf>, ExpectedArray][] = [
        ['edges', rowOf(result, EDGE_SCORES, pair), edges],
        ['senders', rowOf(result, SENDER_SCORES, pair), senders],
      ];
      if (positions) parts.push(['positions', rowOf(result, edgePositionsName(group), result.groups[group]!.pairs.indexOf(pair)), positions]);
      return parts.flatMap(([what, own, { shape, data }]) => {
        if (own.shape.join() !== shape.join()) return [`${what} of pair ${pair}: shape ${own.shape.join('×')}, PyTorch ${shape.join('×')}`];
        // No loosened bound: 1e-4 of the pair's largest value.
        return complaint({ what: `${what} of pair ${pair}`, values: own.data, reference: data, float32Error: 0 }) ?? [];
      });
    });
  }

  for (const { checkpoint, name, experiment, method, receivers, metric, directions } of file.cases) {
    for (const direction of DIRECTIONS) {
      const truth = directions[direction];
      if (!truth) continue;
      it(`${name}, ${direction}, ${checkpoint}`, async () => {
        const engine = await engines.with(checkpoint);
        const result = await engine.edges({ experiment: { ...experiment, direction }, method, receivers });
        failWith([...metricComplaints(result.metric, metric), ...compare(result, truth)]);
      });
    }
  }

  for (const backend of ['cpu', 'wasm', 'wasm-threads'] as const) {
    it(`EAP-IG on ${backend}`, async () => {
      const { experiment, method, receivers, directions } = file.cases.find(({ name }) => name === 'EAP-IG, midpoint, LayerNorm all')!;
      const engine = await engines.with('tiny-odd', backend);
      failWith(compare(await engine.edges({ experiment: { ...experiment, direction: 'denoise' }, method, receivers }), directions.denoise!));
    });
  }
});
