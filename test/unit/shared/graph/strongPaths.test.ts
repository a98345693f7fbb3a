import assert from 'node:assert/strict';
import { edgesIn, fullMask } from '../../../../src/shared/graph/mask';
import { edgeName, matrixIndex, nodeName, nodeOfReceiver, receiverAt, senderAt, type Edge, type GraphShape } from '../../../../src/shared/graph/nodes';
import { strongestPaths, strongestPathsAmong, type StrongPath } from '../../../../src/shared/graph/strongPaths';
import { GPT2_SMALL, indexNamed, sampleMask, sampleScores, SMALL } from './samples';

type Scored = Edge & { score: number };

function scored(shape: GraphShape, seed: number, share: number, steps?: number): Scored[] {
  const scores = sampleScores(shape, seed, steps);
  return edgesIn(shape, share === 1 ? fullMask(shape) : sampleMask(shape, seed, share)).map((edge) => ({ ...edge, score: scores[matrixIndex(shape, edge)]! }));
}

const fromOf = (shape: GraphShape, { sender }: Edge): string => nodeName(senderAt(shape, sender));
const toOf = (shape: GraphShape, { receiver }: Edge): string => nodeName(nodeOfReceiver(receiverAt(shape, receiver)));

/** All paths there are, by walking; between two nodes along their strongest edge. */
function everyPath(shape: GraphShape, edges: readonly Scored[], from: string, to: string): { nodes: string[]; strength: number }[] {
  const hops = new Map<string, number>();
  for (const edge of edges) {
    const hop = `${fromOf(shape, edge)} ${toOf(shape, edge)}`;
    hops.set(hop, Math.max(hops.get(hop) ?? 0, Math.abs(edge.score)));
  }
  const walk = (nodes: string[], strength: number): { nodes: string[]; strength: number }[] => {
    const last = nodes.at(-1)!;
    if (last === to) return [{ nodes, strength }];
    return [...hops].flatMap(([hop, size]) => {
      const [start, end] = hop.split(' ') as [string, string];
      return start === last && size > 0 ? walk([...nodes, end], Math.min(strength, size)) : [];
    });
  };
  return walk([from], Infinity).sort((a, b) => b.strength - a.strength || a.nodes.length - b.nodes.length);
}

const valuesOf = (paths: readonly { nodes: string[]; strength: number }[]): [number, number][] => paths.map(({ nodes, strength }) => [strength, nodes.length]);

/** That a path is what it says. */
function checkPath(shape: GraphShape, edges: readonly Scored[], path: StrongPath): void {
  assert.deepEqual(path.edges.map((edge) => fromOf(shape, edge)), path.nodes.slice(0, -1));
  assert.deepEqual(path.edges.map((edge) => toOf(shape, edge)), path.nodes.slice(1));
  const sizes = path.edges.map(({ sender, receiver }) => Math.abs(edges.find((edge) => edge.sender === sender && edge.receiver === receiver)!.score));
  assert.equal(path.strength, Math.min(...sizes));
}

describe('strongest paths', () => {
  it('are those that walking every path finds, ties the shorter first', () => {
    let longest = 0;
    for (const shape of [SMALL, { layers: 3, heads: 2 }]) {
      for (let seed = 0; seed < 12; seed++) {
        const edges = scored(shape, seed, 0.2 + (seed % 4) * 0.2, seed % 3 === 0 ? undefined : 4);
        for (const [from, to] of [['input', 'logits'], ['a0.h1', 'a1.h0'], ['m0', 'logits'], ['input', 'm1']] as const) {
          const expected = everyPath(shape, edges, from, to);
          const found = strongestPaths(shape, edges, from, to, 25);
          assert.deepEqual(valuesOf(found), valuesOf(expected.slice(0, 25)), `${shape.layers} layers, seed ${seed}, ${from} to ${to}`);
          assert.deepEqual(strongestPaths(shape, edges, from, to, 3), found.slice(0, 3));
          assert.equal(new Set(found.map(({ nodes }) => nodes.join())).size, found.length, 'each path once');
          found.forEach((path) => checkPath(shape, edges, path));
          longest = Math.max(longest, ...found.map(({ nodes }) => nodes.length));
        }
      }
    }
    assert.ok(longest > 4);
  });

  it('are as strong as their weakest edge, whatever its sign', () => {
    const edges = [['input->a0.h0<v>', 3], ['a0.h0->a1.h0<q>', -0.5], ['a1.h0->logits', 2], ['input->logits', 0.4]].map(([name, score]) => {
      const index = indexNamed(SMALL, name as string);
      return { sender: Math.floor(index / 15), receiver: index % 15, score: score as number };
    });
    assert.deepEqual(strongestPaths(SMALL, edges, 'input', 'logits', 5).map(({ nodes, strength }) => [nodes.join(' '), strength]), [['input a0.h0 a1.h0 logits', 0.5], ['input logits', 0.4]]);
    assert.equal(strongestPaths(SMALL, edges, 'input', 'logits', 1).length, 1);
  });

  it('prefer the shorter of two that are equally strong, though its beginning is weaker', () => {
    const edges = [['input->a0.h0<v>', 5], ['a0.h0->m0', 5], ['input->m0', 1], ['m0->logits', 1]].map(([name, score]) => {
      const index = indexNamed(SMALL, name as string);
      return { sender: Math.floor(index / 15), receiver: index % 15, score: score as number };
    });
    assert.deepEqual(strongestPaths(SMALL, edges, 'input', 'logits', 2).map(({ nodes }) => nodes.join(' ')), ['input m0 logits', 'input a0.h0 m0 logits']);
  });

  it('take the strongest of a head’s inputs', () => {
    const edges = (['q', 'k', 'v'] as const).map((port, i) => {
      const index = indexNamed(SMALL, `a0.h0->a1.h1<${port}>`);
      return { sender: Math.floor(index / 15), receiver: index % 15, score: [0.1, -0.3, 0.2][i]! };
    });
    const paths = strongestPaths(SMALL, edges, 'a0.h0', 'a1.h1', 5);
    assert.deepEqual(paths.map(({ edges: own }) => own.map((edge) => edgeName(SMALL, edge))), [['a0.h0->a1.h1<k>']]);
  });

  it('are none where none leads', () => {
    const edges = scored(SMALL, 1, 1);
    assert.deepEqual(strongestPaths(SMALL, edges, 'logits', 'input', 3), []);
    assert.deepEqual(strongestPaths(SMALL, edges, 'a1.h0', 'a0.h0', 3), []);
    assert.deepEqual(strongestPaths(SMALL, edges, 'm0', 'm0', 3), []);
    assert.deepEqual(strongestPaths(SMALL, edges.map((edge) => ({ ...edge, score: 0 })), 'input', 'logits', 3), [], 'scores of 0 lead nowhere');
    assert.throws(() => strongestPaths(SMALL, edges, 'a7.h0', 'logits', 3), /no node a7\.h0/);
  });

  it('are found among all edges of GPT-2 small, ties or not', () => {
    for (const steps of [undefined, 3]) {
      const edges = scored(GPT2_SMALL, 1, 1, steps);
      const paths = strongestPaths(GPT2_SMALL, edges, 'input', 'logits', 20);
      assert.equal(paths.length, 20);
    }
  });

  it('are the same of a matrix of scores, in whatever order its edges are named', () => {
    const scores = sampleScores(GPT2_SMALL, 3, 4);
    const edges = scored(GPT2_SMALL, 3, 1, 4);
    const indices = edges.map((edge) => matrixIndex(GPT2_SMALL, edge)).reverse();
    for (const count of [1, 30]) assert.deepEqual(strongestPathsAmong(GPT2_SMALL, scores, indices, 'input', 'logits', count), strongestPaths(GPT2_SMALL, edges, 'input', 'logits', count));
  });
});
