import assert from 'node:assert/strict';
import type { Matrix } from '../../../src/shared/views';
import type { RunPair } from '../../../src/shared/run';
import { gatherRoles, pairsBehind, roleColumns } from '../../../webview/model/roles';

const pair = (words: string, positions?: Record<string, number>): RunPair => {
  const tokens = words.split(' ').map((text, id) => ({ id, text }));
  return { name: words, clean: tokens, corrupted: tokens, correct: [], incorrect: [], positions, metric: { clean: 1, corrupted: 0 } };
};
const map = (rows: number[][]): Matrix => ({ axes: ['layer', 'position'], rows: rows.length, columns: rows[0]!.length, values: Float32Array.from(rows.flat()) });

const run = {
  pairs: [pair('a John b', { S: 1, END: 2 }), pair('x y Mary z', { S: 2 }), pair('no names')],
  groups: [
    { pairs: [0, 2], length: 3, positions: 'all' as const },
    { pairs: [1], length: 4, positions: 'all' as const },
  ],
};

describe('positions by role', () => {
  it('find each pair’s own place, in the order in which the names come up', () => {
    assert.deepEqual(roleColumns(run, 'all').map(({ name, places }) => [name, places]), [
      ['S', [{ pair: 0, column: 1 }, { pair: 1, column: 2 }]],
      ['END', [{ pair: 0, column: 2 }]],
    ]);
    assert.deepEqual(roleColumns(run, 'all')[0]!.texts, [{ text: 'John', count: 1 }, { text: 'Mary', count: 1 }]);
    assert.deepEqual(roleColumns(run, 1).map(({ places }) => places.length), [1, 0]);
  });

  it('have only the metric’s position where nothing else was computed', () => {
    const last = { ...run, groups: [{ pairs: [0, 1, 2], length: 4, positions: 'last' as const }] };
    assert.deepEqual(roleColumns(last, 'all').map(({ places }) => places), [[], [{ pair: 0, column: 0 }]]);
  });

  it('add the shares of the pairs, and name them by strength', () => {
    const roles = roleColumns(run, 'all');
    const maps = new Map([[0, map([[0, 0.25, 0.5], [0, 1, 2]])], [1, map([[0, 0, -0.75, 0], [0, 0, 4, 0]])]]);
    assert.deepEqual([...gatherRoles(roles, maps).values], [-0.5, 0.5, 5, 2]);
    assert.deepEqual(pairsBehind(roles[0]!, maps, 0), [{ pair: 1, value: -0.75 }, { pair: 0, value: 0.25 }]);
  });
});
