import assert from 'node:assert/strict';
import { costInWords } from '../../../src/editor/costInWords';
import { agreementOfMap, agreementTable, cellsOf, contentOf, exactEffectsOf, layerDetailOf, mapValues, patchCostOf } from '../../../src/editor/panelModel';
import { EXACT_EFFECTS, withExact } from '../../../src/shared/exact';
import type { PatchCell } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import type { MapOf, ViewOptions } from '../../../src/shared/views';
import { exampleRun } from '../runs/exampleRun';

const run = exampleRun();
const runId = run.manifest.id;
const all: ViewOptions = { pair: 'all', unit: 'raw' };
const HEADS: MapOf = { site: 'z', over: 'all' };
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
const close = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} is not ${expected}`);
const estimate = (map: MapOf, options = all): ReturnType<typeof mapValues> => mapValues(run, { map, options, values: 'estimate' });

/** The run with effects for these cells: twice the estimate of each pair, or NaN where the pair is not of the cell's group. */
function measured(map: MapOf, places: [row: number, column: number][], factor = 2): Run {
  const cells = cellsOf(run, { map, cells: places.map(([row, column]) => ({ row, column })) });
  const pairs = run.manifest.pairs.map((_, pair) => pair);
  const ofPair = (pair: number): Float32Array | undefined => {
    const inMap = map.over !== 'positions' || run.manifest.groups[map.group]!.pairs.includes(pair);
    return inMap ? estimate(map, { pair, unit: 'raw' }).values : undefined;
  };
  const { columns } = estimate(map);
  const effects = places.flatMap(([row, column]) => pairs.map((pair) => (ofPair(pair)?.[row * columns + column] ?? NaN) * pairs.length * factor));
  return withExact(run, { cells, effects: Float32Array.from(effects) });
}

describe('panel model', () => {
  it('gives a run without its numbers, which are asked for map by map', () => {
    const content = contentOf(run);
    assert.equal(content.kind, 'run');
    if (content.kind !== 'run') return;
    assert.equal(content.run.canNormalise, true);
    assert.deepEqual([...content.run.sites].sort(), ['attn_out', 'mlp_out', 'resid_pre', 'z']);
    assert.ok(JSON.stringify(content).length < 4000);
  });

  it('adds up the pairs to the whole', () => {
    const whole = estimate(HEADS).values;
    const shares = [0, 1, 2].map((pair) => estimate(HEADS, { pair, unit: 'raw' }).values);
    whole.forEach((value, cell) => close(sum(shares.map((share) => share[cell]!)), value));
  });

  it('finds behind a layer what its heads add up to', () => {
    const heads = estimate(HEADS);
    const details = [0, 1].map((group) => layerDetailOf(run, { runId, options: all, site: 'z', group, layer: 1 }));
    const ofHead = (head: number): number => sum(details.map(({ rows, columns, values }) => sum(Array.from({ length: rows }, (_, position) => values[position * columns + head]!))));
    for (const head of [0, 1, 2]) close(ofHead(head), heads.values[3 + head]!);
    const map = estimate({ site: 'z', over: 'positions', group: 0 });
    close(sum(map.values.slice(map.columns)), sum(details[0]!.values));
  });

  it('chooses the strongest cells of the view, or those named, or all', () => {
    const { values } = estimate(HEADS);
    const strongest = [...values.keys()].sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!)).slice(0, 2);
    assert.deepEqual(
      cellsOf(run, { map: HEADS, options: all, top: 2 }),
      strongest.map((i): PatchCell => ({ site: 'z', layer: Math.floor(i / 3), head: i % 3 })),
    );
    assert.deepEqual(cellsOf(run, { map: { site: 'z', over: 'last' }, cells: [{ row: 1, column: 2 }] }), [{ site: 'z', layer: 1, head: 2, position: 'last' }]);
    const map: MapOf = { site: 'mlp_out', over: 'positions', group: 1 };
    const sweep = cellsOf(run, { map, all: true });
    assert.equal(sweep.length, 8);
    assert.deepEqual(sweep, cellsOf(run, { map, options: all, top: 8 }), 'strongest first, so that one that is cancelled holds what matters');
    assert.ok(sweep.every(({ site, group, layer, position }) => site === 'mlp_out' && group === 1 && layer! < 2 && Number(position) < 4));
  });

  it('says what exact patching would cost, and that the known is free', () => {
    const unknown = patchCostOf(run, { map: HEADS, all: true });
    assert.deepEqual([unknown.cells, unknown.known], [6, 0]);
    assert.ok(unknown.seconds > 0);
    const some = patchCostOf(measured(HEADS, [[0, 0], [0, 1]]), { map: HEADS, all: true });
    assert.deepEqual([some.cells, some.known], [6, 2]);
    assert.ok(some.seconds < unknown.seconds);
    const done = patchCostOf(measured(HEADS, [[0, 0]]), { map: HEADS, cells: [{ row: 0, column: 0 }] });
    assert.deepEqual(done, { cells: 1, known: 1, seconds: 0 });
  });

  it('says the cost in words', () => {
    assert.equal(costInWords({ cells: 10, known: 0, seconds: 4.4 }), '10 heads: about 4 s.');
    assert.equal(costInWords({ cells: 10, known: 3, seconds: 0.2 }), '10 heads, 3 of them measured already: under a second.');
    assert.equal(costInWords({ cells: 144, known: 0, seconds: 610 }), '144 heads: about 10 min.');
    assert.equal(costInWords({ cells: 1, known: 1, seconds: 0 }), '1 head, measured already.');
  });

  it('sets estimates beside what was measured, and leaves out what was not', () => {
    const { points, summary } = agreementOfMap(measured(HEADS, [[0, 0], [0, 2], [1, 1]]), { map: HEADS, options: all });
    assert.deepEqual(points.map(({ row, column }) => [row, column]), [[0, 0], [0, 2], [1, 1]]);
    for (const point of points) close(point.exact, 2 * point.estimate);
    assert.equal(summary.count, 3);
    close(summary.pearson!, 1);
    close(summary.slope!, 0.5);
    assert.deepEqual(agreementOfMap(run, { map: HEADS, options: all }).points, []);
  });

  it('has a row of the table for each map of which something was measured', () => {
    const heads = measured(HEADS, [[0, 0], [1, 2]]);
    const both = withExact(heads, { cells: [{ site: 'mlp_out', group: 1, layer: 0, position: 2 }], effects: Float32Array.of(NaN, 0.5, NaN) });
    assert.deepEqual(agreementTable(both, all).map(({ map, measured: count, cells }) => [map, count, cells]), [
      [HEADS, 2, 6],
      [{ site: 'mlp_out', over: 'positions', group: 1 }, 1, 8],
    ]);
    assert.deepEqual(agreementTable(both, { pair: 0, unit: 'raw' }).map(({ map }) => map), [HEADS], 'the second group has nothing of the first pair');
    assert.deepEqual(agreementTable(run, all), []);
  });

  it('reads what was measured once for the whole table', () => {
    const both = withExact(measured(HEADS, [[0, 0], [1, 2]]), { cells: [{ site: 'mlp_out', group: 1, layer: 0, position: 2 }], effects: Float32Array.of(NaN, 0.5, NaN) });
    let reads = 0;
    const entries = new Proxy(both.arrays.entries, {
      get: (target, name: string) => {
        if (name === EXACT_EFFECTS) reads++;
        return target[name];
      },
    });
    assert.equal(agreementTable({ ...both, arrays: { ...both.arrays, entries } }, all).length, 2);
    assert.equal(reads, 1);
  });

  it('shows in a map of exact effects only what was measured', () => {
    const { values } = mapValues(measured(HEADS, [[1, 0]]), { map: HEADS, options: all, values: 'exact' });
    assert.deepEqual([...values].map(Number.isNaN), [true, true, true, false, true, true]);
    close(values[3]!, 2 * estimate(HEADS).values[3]!);
  });

  it('gives the exact effects of single parts in a view’s units, and what more of them would cost', () => {
    const units: PatchCell[] = [{ site: 'mlp_post', layer: 1, neuron: 3 }, { site: 'z', layer: 0, head: 1, group: 0, position: 2 }, { site: 'z', layer: 0, head: 2 }];
    const own = withExact(run, { cells: units.slice(0, 2), effects: Float32Array.of(0.3, 0.6, 0.9, 1, NaN, 2) });
    const of = (options: ViewOptions): number[] => [...exactEffectsOf(own, { units, options }).effects];
    close(of(all)[0]!, 0.6);
    close(of({ pair: 2, unit: 'raw', of: 'pair' })[1]!, 2);
    assert.deepEqual([of({ pair: 1, unit: 'raw', of: 'pair' })[1], of(all)[2]], [NaN, NaN]);
    assert.deepEqual(cellsOf(own, { units }), units);
    const { cells, known, seconds } = patchCostOf(own, { units });
    assert.deepEqual([cells, known, seconds > 0], [3, 2, true]);
  });
});
