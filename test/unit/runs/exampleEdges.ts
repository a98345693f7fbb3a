import { packArrays } from '../../../src/shared/arrays';
import { edgeIndices, receiverCount, senderCount } from '../../../src/shared/graph/nodes';
import { shapeOf, withEdgeScores, withMeasuredPaths } from '../../../src/shared/graph/stored';
import { EDGE_SCORES, SENDER_SCORES } from '../../../src/shared/paths';
import type { Run } from '../../../src/shared/run';
import { exampleRun } from './exampleRun';

/** The example run with edges, patched paths, circuits and notes. No engine made its numbers. */
export function exampleRunWithEdges(): Run {
  const run = exampleRun();
  const shape = shapeOf(run);
  const [senders, receivers] = [senderCount(shape), receiverCount(shape)];
  const pairs = run.manifest.pairs.length;
  const edges = new Float32Array(pairs * senders * receivers);
  for (let pair = 0; pair < pairs; pair++) for (const index of edgeIndices(shape)) edges[pair * senders * receivers + index] = Math.sin(1 + index * (pair + 1)) / 3;
  const arrays = packArrays([
    { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [pairs, senders, receivers], data: edges },
    { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [pairs, senders], data: Float32Array.from({ length: pairs * senders }, (_, i) => Math.cos(i) / 7) },
  ]);
  const attributed = withEdgeScores(run, { arrays, seconds: 0.75 }, { integrated: { steps: 5, rule: 'left' }, layerNorm: 'receiver' });
  const direct = withMeasuredPaths(attributed, { mode: 'direct', edges: [{ sender: 0, receiver: 0 }, { sender: 8, receiver: 20 }], effects: Float32Array.of(0.1, 0.2, 0.3, -1, -2, -3) });
  const measured = withMeasuredPaths(direct, { mode: 'throughMlps', edges: [{ sender: 0, receiver: 0 }], effects: Float32Array.of(0.4, 0.5, 0.6) });
  return {
    ...measured,
    manifest: {
      ...measured.manifest,
      circuits: [
        {
          name: 'IOI',
          edges: ['input->a0.h1<v>', 'a0.h1->a1.h2<q>', 'a1.h2->logits'],
          origin: 'top 3 of EAP-IG (5 steps), pruned',
          createdAt: '2026-01-31T12:05:00.000Z',
          faithfulness: { ablation: 'corrupted', metric: 1.5, full: 2, empty: 0, value: 0.75, knockedOut: null },
          notes: 'Größe 3,\n“quoted”',
        },
        { name: 'empty', edges: [], origin: 'imported', createdAt: '2026-01-31T12:06:00.000Z', faithfulness: { ablation: 'mean', metric: 1, full: 1, empty: 1, value: null } },
      ],
      graph: { names: { 'a1.h2': 'name mover', m0: 'embedding' }, pinned: ['a1.h2', 'logits'], text: 'See the second pair.' },
    },
  };
}
