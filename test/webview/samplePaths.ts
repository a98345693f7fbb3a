import { arrayNamed, packArrays } from '../../src/shared/arrays';
import { edgeNamed, isEdge, matrixIndex, nodeName, receiverCount, senderAt, senderCount, type Edge, type GraphShape } from '../../src/shared/graph/nodes';
import { shapeOf, withEdgeScores } from '../../src/shared/graph/stored';
import { EDGE_SCORES, SENDER_SCORES, type EdgeMethod, type PathMode } from '../../src/shared/paths';
import type { Run } from '../../src/shared/run';
import { randomNumbers } from './sampleRuns';

/** Edges of the sample runs, made from a seed: a circuit that a person can recognise, in a crowd of small ones. */

/** Share of the whole effect. */
const CIRCUITS: { layers: number; edges: Record<string, number> }[] = [
  {
    layers: 12,
    edges: {
      'a9.h9->logits': 0.31, 'a9.h6->logits': 0.22, 'a10.h0->logits': 0.16, 'a10.h7->logits': -0.24, 'a11.h10->logits': -0.17,
      'a8.h6->a9.h9<q>': 0.19, 'a8.h6->a9.h6<q>': 0.12, 'a8.h10->a9.h9<q>': 0.11, 'a7.h9->a9.h9<q>': 0.1, 'a7.h3->a9.h6<q>': 0.08, 'a8.h6->a10.h7<q>': -0.09,
      'a5.h5->a8.h6<v>': 0.14, 'a5.h5->a8.h6<k>': -0.03, 'a6.h9->a8.h6<v>': 0.09, 'a5.h5->a7.h9<v>': 0.07, 'a3.h0->a8.h6<v>': 0.05, 'a5.h5->a8.h10<v>': 0.06,
      'a4.h11->a5.h5<k>': 0.08, 'a2.h2->a5.h5<k>': 0.05, 'm0->a5.h5<q>': 0.06, 'm0->a4.h11<v>': 0.04, 'input->m0': 0.21, 'm0->a3.h0<k>': 0.04, 'a9.h9->m11': -0.04, 'm11->logits': -0.05,
    },
  },
  {
    layers: 5,
    edges: {
      'a4.h6->logits': 0.33, 'a4.h1->logits': -0.15, 'a3.h2->logits': 0.1, 'a3.h2->a4.h6<q>': 0.21, 'a3.h7->a4.h6<q>': 0.11, 'a2.h5->a3.h2<v>': 0.17, 'a2.h5->a3.h7<v>': 0.08,
      'a1.h3->a2.h5<k>': 0.08, 'a2.h0->a3.h2<k>': -0.05, 'm0->a2.h5<q>': 0.06, 'input->m0': 0.2, 'm0->a1.h3<v>': 0.05, 'a4.h6->m4': 0.04, 'm4->logits': 0.05,
    },
  },
];

/** Columns that nodes stand in: where the strongest heads of the circuit act. */
const PLACES: Record<string, string> = { 'a5.h5': 'S2', 'a6.h9': 'S2', 'a3.h0': 'S2', 'a4.h11': 'S1', 'a2.h2': 'S1', 'a2.h5': 'S2', 'a1.h3': 'S1', 'a2.h0': 'S2', input: 'S2', m0: 'S2', logits: 'END', m11: 'END', m4: 'END' };

/** The run with its edges attributed. */
export function withSampleEdges(run: Run, method: EdgeMethod): Run {
  const shape = shapeOf(run);
  const { pairs } = run.manifest;
  const [senders, receivers] = [senderCount(shape), receiverCount(shape)];
  const shares = sharesOf(shape, method);
  const random = randomNumbers(5);
  const scores = new Float32Array(pairs.length * shares.length);
  const own = new Float32Array(pairs.length * senders);
  pairs.forEach(({ metric }, pair) => {
    const scale = (metric.clean - (metric.corrupted ?? 0)) * (0.85 + 0.3 * random());
    for (let sender = 0; sender < senders; sender++) {
      for (let receiver = 0; receiver < receivers; receiver++) {
        const value = shares[sender * receivers + receiver]! * scale;
        scores[pair * shares.length + sender * receivers + receiver] = value;
        own[pair * senders + sender]! += value;
      }
    }
  });
  const arrays = packArrays([
    { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [pairs.length, senders, receivers], data: scores },
    { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [pairs.length, senders], data: own },
  ]);
  return withEdgeScores(run, { arrays, seconds: 0.4 }, method);
}

function sharesOf(shape: GraphShape, { layerNorm, integrated }: EdgeMethod): Float32Array {
  const random = randomNumbers(11 + (layerNorm === undefined ? 0 : layerNorm.length) + (integrated?.steps ?? 0));
  const shares = new Float32Array(senderCount(shape) * receiverCount(shape));
  for (let sender = 0; sender < senderCount(shape); sender++) {
    for (let receiver = 0; receiver < receiverCount(shape); receiver++) {
      // Heavy-tailed, as the small edges of a model are.
      if (isEdge(shape, { sender, receiver })) shares[sender * receiverCount(shape) + receiver] = 0.0006 * Math.exp(2.2 * (random() + random() + random() - 1.5)) * (random() < 0.5 ? -1 : 1);
    }
  }
  const circuit = CIRCUITS.find(({ layers }) => layers === shape.layers)?.edges ?? {};
  for (const [name, share] of Object.entries(circuit)) shares[matrixIndex(shape, edgeNamed(shape, name)!)] = share;
  return shares;
}

/** Raw effects per pair, [edge, pair]: close to the estimates, further off where LayerNorm is frozen. */
export function sampleEffects(run: Run, mode: PathMode, edges: readonly Edge[]): Float32Array {
  const { data } = arrayNamed(run.arrays, EDGE_SCORES);
  const shape = shapeOf(run);
  const pairs = run.manifest.pairs.length;
  const extent = data.length / pairs;
  const spread = mode === 'direct' ? 0.2 : 0.5;
  return Float32Array.from({ length: edges.length * pairs }, (_, i) => {
    const edge = edges[Math.floor(i / pairs)]!;
    const wobble = randomNumbers(matrixIndex(shape, edge) + mode.length)() - 0.5;
    return data[(i % pairs) * extent + matrixIndex(shape, edge)]! * (1 + spread * wobble);
  });
}

/** The named position at which a node matters most, as far as the run's file names any; the others are spread. */
export function placeOfNode(roles: readonly string[], shape: GraphShape, sender: number | 'logits'): number {
  const name = sender === 'logits' ? 'logits' : nodeName(senderAt(shape, sender));
  const at = roles.indexOf(PLACES[name] ?? '');
  if (at !== -1) return at;
  if (sender === 'logits' || name.startsWith('a')) return roles.length - 1;
  return sender % roles.length;
}
