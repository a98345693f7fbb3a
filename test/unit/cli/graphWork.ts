import type { ExperimentRunner } from '../../../src/runner/runner';
import { packArrays } from '../../../src/shared/arrays';
import { edgeAt, edgeIndices, edgesOf, matrixIndex, receiverCount, senderCount, type Edge, type GraphShape } from '../../../src/shared/graph/nodes';
import { shapeOf, withEdgeScores, withMeasuredPaths } from '../../../src/shared/graph/stored';
import { edgePositionsName, EDGE_SCORES, SENDER_SCORES, type EdgeMethod, type MeasuredPaths, type PathMode } from '../../../src/shared/paths';
import type { Run } from '../../../src/shared/run';

/** The score of an edge in a pair, raw; every one differs, and none is 0. Exact effects are this and a tenth. */
export function scoreOf(shape: GraphShape, edge: Edge, pair: number): number {
  const place = matrixIndex(shape, edge);
  return (place % 2 === 0 ? 1 : -1) * (1 + ((place * 37) % 101) / 101) * (pair + 1);
}

/** Mean over the pairs of a run of three, in shares of its mean difference (2). */
export function normalisedScore(shape: GraphShape, edge: Edge): number {
  return scoreOf(shape, edge, 0) * (1 + 2 + 3) / 3 / 2;
}

export function edgedRun(run: Run, method: EdgeMethod): Run {
  const shape = shapeOf(run);
  const pairs = run.manifest.pairs.length;
  const [senders, receivers] = [senderCount(shape), receiverCount(shape)];
  const edges = new Float32Array(pairs * senders * receivers);
  const nodes = new Float32Array(pairs * senders);
  for (let pair = 0; pair < pairs; pair++) {
    for (const index of edgeIndices(shape)) {
      const edge = edgeAt(shape, index);
      edges[pair * senders * receivers + index] = scoreOf(shape, edge, pair);
      nodes[pair * senders + edge.sender]! += scoreOf(shape, edge, pair);
    }
  }
  const arrays = [
    { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [pairs, senders, receivers], data: edges },
    { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [pairs, senders], data: nodes },
  ];
  return withEdgeScores(run, { arrays: packArrays(arrays), seconds: 0.5 }, method);
}

export function effectsOf(run: Run, mode: PathMode, edges: readonly Edge[]): MeasuredPaths {
  const { pairs } = run.manifest;
  return { mode, edges: [...edges], effects: Float32Array.from(edges.flatMap((edge) => pairs.map((_, pair) => scoreOf(shapeOf(run), edge, pair) * 1.1))) };
}

/** What of an experiment's metric each edge carries: as much as its |score| of the sum of all. */
export function shareOf(shape: GraphShape, edge: Edge): number {
  const sum = edgesOf(shape).reduce((total, own) => total + Math.abs(scoreOf(shape, own, 0)), 0);
  return Math.abs(scoreOf(shape, edge, 0)) / sum;
}

/** A runner's work on edges, paths and circuits, in arithmetic: circuits are worth the sum of their edges. */
export function graphWork(): Pick<ExperimentRunner, 'paths' | 'pathPositions' | 'patchPaths' | 'circuits'> {
  return {
    paths: async ({ run, method }) => edgedRun(run, method),
    pathPositions: async ({ run, receivers }) => {
      const { groups } = run.manifest;
      const shape = shapeOf(run);
      const arrays = groups.map(({ pairs, length }, group) => {
        const extents = [pairs.length, senderCount(shape), receivers.length, length];
        const data = Float32Array.from({ length: extents.reduce((a, b) => a * b) }, (_, i) => {
          const [position, sender, row] = [i % length, Math.floor(i / length / receivers.length) % senderCount(shape), Math.floor(i / length / receivers.length / senderCount(shape))];
          return (pairs[row]! + 1) * (sender + 1) * position;
        });
        return { name: edgePositionsName(group), axes: ['pair', 'sender', 'receiver', 'position'], shape: extents, data };
      });
      return { groups, arrays: packArrays(arrays), metric: { clean: [] }, backend: run.manifest.backend, seconds: 0 };
    },
    patchPaths: async ({ run, mode, edges }) => withMeasuredPaths(run, effectsOf(run, mode, edges)),
    circuits: async ({ run, circuits }) => {
      const shape = shapeOf(run);
      const shares = new Map(edgesOf(shape).map((edge) => [matrixIndex(shape, edge), shareOf(shape, edge)]));
      const { pairs } = run.manifest;
      const values = circuits.map((mask) => {
        const share = [...shares].reduce((sum, [index, own]) => sum + (mask[index] ? own : 0), 0);
        return pairs.map(({ metric: { clean, corrupted = 0 } }) => corrupted + share * (clean - corrupted));
      });
      return { values, clean: pairs.map(({ metric }) => metric.clean), empty: pairs.map(({ metric }) => metric.corrupted ?? 0), backend: run.manifest.backend, seconds: 0 };
    },
  };
}
