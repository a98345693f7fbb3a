import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { edgeNamed, matrixIndex, receiverCount, senderCount } from '../../../src/shared/graph/nodes';
import { shapeOf, withEdgeScores } from '../../../src/shared/graph/stored';
import { EDGE_SCORES, SENDER_SCORES, type EdgeMethod, type StoredCircuit } from '../../../src/shared/paths';
import type { Run, RunPair } from '../../../src/shared/run';
import { exampleRun } from '../runs/exampleRun';

/** The example run with edges of these raw scores, of each pair or the same of all; every other edge is exactly zero. */
export function withPaths(run: Run, scores: Record<string, number | number[]>, method: EdgeMethod = {}): Run {
  const shape = shapeOf(run);
  const pairs = run.manifest.pairs.length;
  const [senders, receivers] = [senderCount(shape), receiverCount(shape)];
  const edges = new Float32Array(pairs * senders * receivers);
  const bySender = new Float32Array(pairs * senders);
  for (const [name, score] of Object.entries(scores)) {
    const edge = edgeNamed(shape, name)!;
    for (let pair = 0; pair < pairs; pair++) {
      const own = Array.isArray(score) ? score[pair]! : score;
      edges[pair * senders * receivers + matrixIndex(shape, edge)] = own;
      bySender[pair * senders + edge.sender]! += own;
    }
  }
  const arrays = packArrays([
    { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [pairs, senders, receivers], data: edges },
    { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [pairs, senders], data: bySender },
  ]);
  return withEdgeScores(run, { arrays, seconds: 0.5 }, method);
}

export function withCircuit(run: Run, name: string, edges: string[], more: Partial<StoredCircuit> = {}): Run {
  const circuit: StoredCircuit = { name, edges, origin: 'of the tests', createdAt: '2026-01-31T12:00:00.000Z', ...more };
  return { manifest: { ...run.manifest, circuits: [...(run.manifest.circuits ?? []), circuit] }, arrays: run.arrays };
}

export function withPairs(run: Run, change: (pair: RunPair, index: number) => Partial<RunPair>): Run {
  return { manifest: { ...run.manifest, pairs: run.manifest.pairs.map((pair, index) => ({ ...pair, ...change(pair, index) })) }, arrays: run.arrays };
}

/** The example run with all of a site's numbers 0 but these: group, row in the group, then the further indices of the site. */
export function withSite(run: Run, site: 'embed' | 'z' | 'mlp_out', peaks: { at: number[]; value: number }[]): Run {
  const { layers, heads } = run.manifest.model;
  const axes = { embed: ['pair', 'position'], z: ['pair', 'layer', 'position', 'head'], mlp_out: ['pair', 'layer', 'position'] }[site];
  const added = run.manifest.groups.map(({ pairs, length }, group) => {
    const shape = { embed: [pairs.length, length], z: [pairs.length, layers, length, heads], mlp_out: [pairs.length, layers, length] }[site];
    const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
    for (const { at: [of, ...indices], value } of peaks) {
      if (of === group) data[indices.reduce((sum, index, axis) => sum * shape[axis]! + index, 0)] = value;
    }
    return { name: `group${group}.${site}`, axes, shape, data };
  });
  const kept = Object.keys(run.arrays.entries).filter((name) => !added.some((array) => array.name === name));
  return { manifest: run.manifest, arrays: packArrays([...kept.map((name) => ({ name, ...arrayNamed(run.arrays, name) })), ...added]) };
}

/** Eight edges of falling size, of all pairs alike. */
export const PATH_SCORES = {
  'a1.h0->logits': 8,
  'a0.h1->a1.h0<v>': -7,
  'input->a0.h1<k>': 6,
  'input->m0': 5,
  'm0->a1.h0<q>': -4,
  'm1->logits': 3,
  'input->m1': 2,
  'a0.h2->m0': 1,
};

export function pathsRun(): Run {
  return withPaths(exampleRun(), PATH_SCORES);
}
