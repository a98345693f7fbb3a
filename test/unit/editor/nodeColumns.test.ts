import assert from 'node:assert/strict';
import { nodeColumns } from '../../../src/editor/nodeColumns';
import type { GraphNode } from '../../../src/shared/graph/nodes';
import type { Run } from '../../../src/shared/run';
import { exampleRun } from '../runs/exampleRun';
import { withPairs, withSite } from './pathsRun';

const HEAD: GraphNode = { kind: 'head', layer: 1, head: 2 };
const LATER: GraphNode = { kind: 'head', layer: 0, head: 1 };
const MLP: GraphNode = { kind: 'mlp', layer: 0 };
const INPUT: GraphNode = { kind: 'input' };
const LOGITS: GraphNode = { kind: 'logits' };

/** The column that each node stands in, by its name, and all columns in their order. */
function placed(run: Run, pair: 'all' | number, ...nodes: GraphNode[]): [string[], string[]] {
  const { columns, of } = nodeColumns(run, { pair }, nodes);
  return [of.map((column) => columns[column]!), columns];
}

/** Of pairs 0 and 2 (length 3) and pair 1 (length 4). */
const peaked = (...peaks: { at: number[]; value: number }[]): Run => withSite(exampleRun(), 'z', peaks);

describe('columns of the graph', () => {
  it('are positions of the tokens where the pairs in view are of one length', () => {
    const run = peaked({ at: [0, 0, 1, 1, 2], value: -3 }, { at: [0, 0, 1, 0, 2], value: 2 }, { at: [0, 0, 0, 2, 1], value: 1 });
    assert.deepEqual(placed(run, 0, HEAD, LATER, LOGITS), [['Mary (1)', 'gave (2)', 'gave (2)'], ['Mary (1)', 'gave (2)']]);
    assert.deepEqual(placed(run, 2, HEAD, LATER, LOGITS), [['gave (2)', 'gave (2)', 'gave (2)'], ['gave (2)']], 'what is zero everywhere stands where the metric is read');
  });

  it('say where other pairs have other tokens', () => {
    const run = peaked({ at: [0, 0, 1, 1, 2], value: 1 }, { at: [0, 1, 1, 1, 2], value: 1 });
    const oneLength: Run = { manifest: { ...run.manifest, groups: run.manifest.groups.slice(0, 1) }, arrays: run.arrays };
    assert.deepEqual(placed(oneLength, 'all', HEAD, LOGITS)[1], ['Mary … (1)', 'gave (2)']);
  });

  it('are counted from the end where they are of several lengths', () => {
    const run = peaked({ at: [0, 0, 1, 1, 2], value: 1 }, { at: [1, 0, 1, 2, 2], value: 1 }, { at: [1, 0, 0, 0, 1], value: 1 });
    assert.deepEqual(placed(run, 'all', LATER, HEAD, LOGITS), [['So (−4)', 'Mary … (−2)', 'gave … (−1)'], ['So (−4)', 'Mary … (−2)', 'gave … (−1)']]);
  });

  it('are the file’s named positions, wherever these are in each pair', () => {
    const named: Record<string, number>[] = [{ S: 1, END: 2 }, { S: 3 }, { S: 1, END: 2 }];
    const run = withPairs(peaked({ at: [0, 0, 1, 1, 2], value: 2 }, { at: [1, 0, 1, 3, 2], value: 2 }, { at: [0, 1, 1, 0, 2], value: -3 }), (_, index) => ({ positions: named[index]! }));
    const [where, columns] = placed(run, 'all', HEAD, LOGITS);
    assert.deepEqual([where, columns], [['S', 'END'], ['S', 'END']], 'together stronger than any single place');
    assert.deepEqual(placed(run, 2, HEAD, LOGITS), [['When (0)', 'END'], ['When (0)', 'END']], 'what has no name is a token');
  });

  it('are in the order of the prompts, whatever the order of the names', () => {
    const named = withPairs(peaked({ at: [0, 0, 1, 1, 2], value: 2 }, { at: [0, 0, 0, 0, 1], value: 1 }), () => ({ positions: { END: 2, S: 1, FIRST: 0 } }));
    assert.deepEqual(placed(named, 0, LOGITS, HEAD, LATER)[1], ['FIRST', 'S', 'END']);
  });

  it('take heads by z, MLPs by mlp_out, the input by embed, and where the metric is read for the logits', () => {
    const run = withPairs(withSite(withSite(peaked({ at: [0, 0, 1, 0, 2], value: 1 }), 'mlp_out', [{ at: [0, 0, 0, 1], value: -1 }]), 'embed', [{ at: [0, 0, 2], value: 1 }]), () => ({ at: 1 }));
    assert.deepEqual(placed(run, 0, HEAD, MLP, INPUT, LOGITS)[0], ['When (0)', 'Mary (1)', 'gave (2)', 'Mary (1)']);
  });

  it('have one for what the run does not attribute', () => {
    assert.deepEqual(placed(peaked(), 0, INPUT, LOGITS), [['position not attributed', 'gave (2)'], ['position not attributed', 'gave (2)']]);
  });

  it('have only the metric’s position where prompts are compared from their ends', () => {
    const { manifest } = peaked();
    const run: Run = { manifest: { ...manifest, groups: [{ pairs: [0, 1, 2], length: 3, positions: 'last' }] }, arrays: exampleRun().arrays };
    assert.deepEqual(placed(run, 'all', LOGITS), [['metric’s position'], ['metric’s position']]);
  });
});
