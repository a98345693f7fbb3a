import assert from 'node:assert/strict';
import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { cellAt, cellKey, exactFault, exactLookup, exactOf, exactScores, mapExtent, patchSeconds, withExact } from '../../../src/shared/exact';
import type { TextExperiment } from '../../../src/shared/experiment';
import type { PatchCell } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import type { MapOf } from '../../../src/shared/views';

/** Three pairs in two length groups (pairs 0 and 2 of 3 tokens, pair 1 of 2) on two layers of four heads. Mean difference: 2. */
function emptyRun(): Run {
  return {
    manifest: {
      model: { layers: 2, heads: 4, dModel: 8, dMlp: 20_000_000, context: 16 },
      groups: [{ pairs: [0, 2], length: 3, positions: 'all' }, { pairs: [1], length: 2, positions: 'all' }],
      pairs: [{ metric: { clean: 3, corrupted: 0 } }, { metric: { clean: 1, corrupted: 0 } }, { metric: { clean: 2, corrupted: 0 } }],
      experiment: { metric: 'logitDiff', direction: 'denoise' },
      timings: { load: 1, run: 8 },
    },
    arrays: packArrays([{ name: 'group0.z', axes: ['pair'], shape: [2], data: Float32Array.of(5, 6) }]),
  } as unknown as Run;
}

const Z_ALL: MapOf = { site: 'z', over: 'all' };
const cells: PatchCell[] = [
  { site: 'z', layer: 0, head: 1 },
  { site: 'z', layer: 1, head: 3, position: 'last' },
  { site: 'attn_out', layer: 1, group: 0, position: 2 },
  { site: 'embed', group: 1, position: 0 },
  { site: 'pattern', group: 0, layer: 0, head: 2, position: 2, source: 0 },
  { site: 'mlp_post', layer: 1, neuron: 16_777_215, group: 1, position: 1 },
];
const effects = Float32Array.of(1, 2, 3, 4, 5, 6, 7, NaN, 9, NaN, 8, NaN, 1, NaN, 2, NaN, 3, NaN);

describe('exact effects of a run', () => {
  it('come back as they were measured, neurons up to 16 million among them', () => {
    const run = withExact(emptyRun(), { cells, effects });
    assert.deepEqual(exactOf(run), { cells, effects });
    assert.deepEqual(run.manifest.exactSites, ['z', 'attn_out', 'embed', 'pattern', 'mlp_post']);
    assert.deepEqual(arrayNamed(run.arrays, 'group0.z').data, Float32Array.of(5, 6), 'what was there stays');
    assert.equal(exactFault(run), undefined);
  });

  it('are none where none were measured', () => {
    assert.deepEqual(exactOf(emptyRun()), { cells: [], effects: new Float32Array(0) });
    assert.equal(exactFault(emptyRun()), undefined);
    const nothing = withExact(emptyRun(), { cells: [], effects: new Float32Array(0) });
    assert.deepEqual(exactOf(nothing).cells, []);
    assert.deepEqual(Array.from(exactScores(emptyRun(), Z_ALL, { pair: 'all', unit: 'raw' }).values), new Array(8).fill(NaN));
  });

  it('add up, and a cell measured again is replaced in its place', () => {
    const before = withExact(emptyRun(), { cells: cells.slice(0, 2), effects: effects.slice(0, 6) });
    const after = withExact(before, { cells: [cells[3]!, { head: 1, layer: 0, site: 'z' }], effects: Float32Array.of(NaN, 8, NaN, 10, 20, 30) });
    assert.deepEqual(exactOf(after), { cells: [cells[0], cells[1], cells[3]], effects: Float32Array.of(10, 20, 30, 4, 5, 6, NaN, 8, NaN) });
    assert.deepEqual(exactOf(before).effects, effects.slice(0, 6), 'the run before is not touched');
  });

  it('are not kept for places counted from the end, which stand for something else', () => {
    assert.throws(() => withExact(emptyRun(), { cells: [{ site: 'z', layer: 0, head: 0, group: 0, position: -1 }], effects: new Float32Array(3) }), /position is counted from 0, not -1/);
  });

  it('are shown in the units of the estimate: all pairs, or one pair\'s share', () => {
    const run = withExact(emptyRun(), { cells, effects });
    const shown = (map: MapOf, pair: 'all' | number, unit: 'raw' | 'normalised' = 'raw'): number[] => Array.from(exactScores(run, map, { pair, unit }).values);
    const only = (length: number, index: number, value: number): number[] => Array.from({ length }, (_, i) => (i === index ? Math.fround(value) : NaN));
    assert.deepEqual(shown(Z_ALL, 'all'), only(8, 1, (1 + 2 + 3) / 3));
    assert.deepEqual(shown(Z_ALL, 'all', 'normalised'), only(8, 1, 1));
    assert.deepEqual(shown(Z_ALL, 2), only(8, 1, 1));
    assert.deepEqual(shown({ site: 'z', over: 'last' }, 'all'), only(8, 7, 5));
    const positions: MapOf = { site: 'attn_out', over: 'positions', group: 0 };
    assert.deepEqual(shown(positions, 'all'), only(6, 5, (7 + 9) / 3));
    assert.deepEqual(shown(positions, 2), only(6, 5, 3));
    assert.deepEqual(shown(positions, 1), new Array(6).fill(NaN), 'pair 1 is in another group');
    assert.deepEqual(shown({ ...positions, group: 1 }, 'all'), new Array(4).fill(NaN));
    const embed = exactScores(run, { site: 'embed', over: 'positions', group: 1 }, { pair: 'all', unit: 'raw' });
    assert.deepEqual([embed.rows, embed.columns, Array.from(embed.values)], [1, 2, [Math.fround(8 / 3), NaN]]);
    assert.deepEqual(shown({ site: 'pattern', over: 'positions', group: 0 }, 'all'), new Array(6).fill(NaN), 'one source is not the whole row');
  });

  it('are looked up cell by cell, also those of no map', () => {
    const run = withExact(emptyRun(), { cells, effects });
    const of = exactLookup(run, { pair: 'all', unit: 'raw' });
    assert.equal(of({ source: 0, position: 2, head: 2, layer: 0, group: 0, site: 'pattern' }), 1);
    assert.equal(of(cells[5]!), 1);
    assert.ok(Number.isNaN(of({ site: 'v', layer: 0, head: 0 })));
    assert.ok(Number.isNaN(exactLookup(run, { pair: 0, unit: 'raw' })(cells[3]!)));
  });

  it('refuse to be normalised by next to nothing', () => {
    const run = withExact(emptyRun(), { cells, effects });
    run.manifest.pairs.forEach((pair) => (pair.metric = { clean: 1, corrupted: 1 }));
    assert.throws(() => exactScores(run, Z_ALL, { pair: 'all', unit: 'normalised' }), RangeError);
  });
});

describe('cells of a map', () => {
  it('are the patches they stand for', () => {
    assert.deepEqual(cellAt(Z_ALL, 1, 3), { site: 'z', layer: 1, head: 3 });
    assert.deepEqual(cellAt({ site: 'q', over: 'last' }, 0, 2), { site: 'q', layer: 0, head: 2, position: 'last' });
    assert.deepEqual(cellAt({ site: 'z', over: 'positions', group: 1 }, 1, 0), { site: 'z', group: 1, layer: 1, position: 0 });
    assert.deepEqual(cellAt({ site: 'embed', over: 'positions', group: 0 }, 0, 2), { site: 'embed', group: 0, position: 2 });
  });

  it('have one key each, however they are written', () => {
    assert.equal(cellKey({ position: 2, layer: 1, site: 'z' }), cellKey({ site: 'z', layer: 1, position: 2, head: undefined }));
    assert.equal(new Set([...cells, { site: 'z', layer: 1, head: 3 } as const, { site: 'z', layer: 1, head: 3, position: 1 } as const].map(cellKey)).size, cells.length + 2);
  });

  it('fill the extent of their map', () => {
    const { manifest } = emptyRun();
    assert.deepEqual(mapExtent(manifest, Z_ALL), { rows: 2, columns: 4 });
    assert.deepEqual(mapExtent(manifest, { site: 'embed', over: 'positions', group: 0 }), { rows: 1, columns: 3 });
    assert.deepEqual(mapExtent(manifest, { site: 'mlp_post', over: 'positions', group: 1 }), { rows: 2, columns: 2 });
    const last = { ...manifest, groups: [{ pairs: [0, 1, 2], length: 9, positions: 'last' as const }] };
    assert.deepEqual(mapExtent(last, { site: 'resid_pre', over: 'positions', group: 0 }), { rows: 2, columns: 1 });
  });

  it('cost less the later they are patched, in layers and positions, and the fewer pairs they are of', () => {
    const { manifest } = emptyRun();
    // A forward pass takes 8/4 s, and two are needed before the first patch. There are 3 + 3 + 2 positions.
    assert.equal(patchSeconds(manifest, [{ site: 'z', layer: 0, head: 0 }, { site: 'z', layer: 1, head: 0 }]), 2 * (2 + 1 + 0.5));
    assert.equal(patchSeconds(manifest, [{ site: 'embed' }]), 2 * (2 + 1));
    assert.equal(patchSeconds(manifest, [{ site: 'attn_out', layer: 0, group: 1, position: 0 }]), 2 * (2 + 2 / 8));
    assert.equal(patchSeconds(manifest, [{ site: 'attn_out', layer: 1, group: 0, position: 1 }]), 2 * (2 + 4 / 8 / 2));
    assert.equal(patchSeconds(manifest, [{ site: 'z', layer: 0, head: 0, position: 'last' }]), 2 * (2 + 3 / 8));
    const differing = { ...manifest, pairs: manifest.pairs.map((pair) => ({ ...pair, differsAt: 1 })) };
    assert.equal(patchSeconds(differing, [{ site: 'embed', group: 0, position: 0 }, { site: 'embed', group: 0, position: 1 }]), 2 * (2 + 4 / 5));
    assert.equal(patchSeconds(manifest, []), 0);
    const seconds = (change: Partial<TextExperiment>): number => patchSeconds({ ...manifest, experiment: { ...manifest.experiment, ...change } }, [{ site: 'embed' }]);
    assert.equal(seconds({ variant: { integrated: { steps: 2, rule: 'left' } } }), 8 / 8 * 3, 'a run with more gradients is no measure of a patch');
    assert.equal(seconds({ other: 'zero', direction: 'noise' }), 8 / 3 * 2);
    assert.equal(seconds({ metric: 'kl', direction: 'noise' }), 8 / 2 * 3);
  });
});
