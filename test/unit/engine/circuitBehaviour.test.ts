import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import type { LocalEngine } from '../../../src/engine/client/localEngine';
import { CircuitError } from '../../../src/shared/errors';
import { OTHERS, type Other, type TokenExperiment, type TokenPair } from '../../../src/shared/experiment';
import { complementOf, emptyMask, fullMask, maskOf, type EdgeMask } from '../../../src/shared/graph/mask';
import { edgeNamed, edgesOf, type GraphShape } from '../../../src/shared/graph/nodes';
import { withEngine } from './loaded';
import { relativeError } from './support';

/** Some share of the edges, the same ones for the same seed. */
export function someEdges(shape: GraphShape, share: number, seed: number): EdgeMask {
  return maskOf(shape, edgesOf(shape).filter((_, i) => ((Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b)) >>> 0) % 1000 < 1000 * share));
}

describe('running circuits', function () {
  this.timeout(120_000);
  let engine: LocalEngine;
  const shape: GraphShape = { layers: 4, heads: 4 };
  withEngine('four-layers', (own) => (engine = own));

  const pair = (seed: number, length: number, differs: readonly number[]): TokenPair => {
    const clean = Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 300);
    return { clean, corrupted: clean.map((token, i) => (differs.includes(i) ? (token + 7 + seed) % 300 : token)), correct: [(seed * 7 + 20) % 300], incorrect: [(seed * 7 + 61) % 300] };
  };
  const experiment = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({
    metric: 'logitDiff',
    direction: 'denoise',
    pairs: [pair(1, 8, [3]), pair(2, 8, [3]), pair(3, 8, [0, 5]), pair(4, 11, [6, 7]), pair(5, 11, [10])],
    ...change,
  });
  const close = (values: readonly number[], wanted: readonly number[], what: string): void => {
    assert.ok(relativeError(values, wanted) < 1e-5, `${what}: ${values.join()} for ${wanted.join()}`);
  };

  for (const ablation of OTHERS) {
    it(`the full circuit is the clean run, the empty one the ablated run: ${ablation}`, async () => {
      const { values, clean, empty } = await engine.circuits({ experiment: experiment(), circuits: [fullMask(shape), emptyMask(shape)], ablation });
      close(values[0]!, clean, 'full');
      assert.deepEqual(values[1], empty);
      const attributed = await engine.attribute({ experiment: experiment(ablation === 'corrupted' ? {} : { other: ablation, direction: 'noise' }), sites: [] });
      close(clean, attributed.metric.clean, 'clean');
      if (attributed.metric.corrupted) close(empty, attributed.metric.corrupted, 'other');
      else assert.ok(relativeError(empty, clean) > 0.1);
    });
  }
});
