import assert from 'node:assert/strict';
import { packArrays, type NamedArrays } from '../../../src/shared/arrays';
import { groupArrayName } from '../../../src/shared/results';
import { canNormalise, headScores, layerDetail, mapScores, meanDifference, neuronScores, positionScores, scaleOf, type Matrix, type ViewOptions } from '../../../src/shared/views';

/** 3 pairs in two length groups (pairs 0 and 2 of 3 tokens, pair 1 of 2), 2 layers × 2 heads. z[pair, layer, position, head] counts up. */
const LAYERS = 2;
const HEADS = 2;
const NEURONS = 3;
const groups = [
  { pairs: [0, 2], length: 3, positions: 'all' as const },
  { pairs: [1], length: 2, positions: 'all' as const },
];
const zOf = (pair: number, layer: number, position: number, head: number): number => 1000 * pair + 100 * layer + 10 * position + head + 1;
const mlpOf = (pair: number, layer: number, position: number): number => -(100 * pair + 10 * layer + position + 1);

function arraysOf(): NamedArrays {
  return packArrays(
    groups.flatMap(({ pairs, length }, group) => {
      const cells = pairs.flatMap((pair) => Array.from({ length: LAYERS * length }, (_, cell) => ({ pair, layer: Math.floor(cell / length), position: cell % length })));
      return [
        {
          name: groupArrayName(group, 'z'),
          axes: ['pair', 'layer', 'position', 'head'],
          shape: [pairs.length, LAYERS, length, HEADS],
          data: Float32Array.from(cells.flatMap(({ pair, layer, position }) => Array.from({ length: HEADS }, (_, head) => zOf(pair, layer, position, head)))),
        },
        {
          name: groupArrayName(group, 'mlp_out'),
          axes: ['pair', 'layer', 'position'],
          shape: [pairs.length, LAYERS, length],
          data: Float32Array.from(cells.map(({ pair, layer, position }) => mlpOf(pair, layer, position))),
        },
      ];
    }),
  );
}

const differences = [
  { clean: 3, corrupted: -3 },
  { clean: 2, corrupted: 0 },
  { clean: 1, corrupted: -3 },
];
const run = {
  model: { layers: LAYERS, heads: HEADS, dMlp: NEURONS },
  groups,
  pairs: differences.map((metric) => ({ metric })),
} as unknown as Parameters<typeof headScores>[0];
const arrays = arraysOf();
const raw = (pair: ViewOptions['pair']): ViewOptions => ({ pair, unit: 'raw' });
const normalised = (pair: ViewOptions['pair']): ViewOptions => ({ pair, unit: 'normalised' });

function close(matrix: Matrix | undefined, expected: number[][]): void {
  assert.ok(matrix);
  assert.deepEqual([matrix.rows, matrix.columns], [expected.length, expected[0]!.length]);
  expected.flat().forEach((value, index) => assert.ok(Math.abs(matrix.values[index]! - value) <= 1e-5 * Math.max(1, Math.abs(value)), `${index}: ${matrix.values[index]} is not ${value}`));
}

/** Σ over pairs of what one pair gives, divided by the number of pairs. */
const mean = (of: (pair: number) => number, pairs: number[]): number => pairs.reduce((sum, pair) => sum + of(pair), 0) / differences.length;
const sumZ = (pair: number, layer: number, head: number, positions: number[]): number => positions.reduce((sum, position) => sum + zOf(pair, layer, position, head), 0);
const positionsOf = (pair: number): number[] => (pair === 1 ? [0, 1] : [0, 1, 2]);
const grid = (rows: number, columns: number, at: (row: number, column: number) => number): number[][] => Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) => at(row, column)));

describe('views of a run', () => {
  it('takes the mean difference of clean and corrupted, each pair one vote', () => {
    assert.equal(meanDifference(run), (6 + 2 + 4) / 3);
  });

  it('sums heads over all positions and over all length groups', () => {
    close(headScores(run, arrays, 'z', 'all', raw('all')), grid(2, 2, (layer, head) => mean((pair) => sumZ(pair, layer, head, positionsOf(pair)), [0, 1, 2])));
  });

  it("takes heads at each pair's own last position", () => {
    close(headScores(run, arrays, 'z', 'last', raw('all')), grid(2, 2, (layer, head) => mean((pair) => sumZ(pair, layer, head, [positionsOf(pair).at(-1)!]), [0, 1, 2])));
  });

  it('gives one pair its share, and the shares add up to the whole', () => {
    const whole = headScores(run, arrays, 'z', 'all', normalised('all'));
    const shares = [0, 1, 2].map((pair) => headScores(run, arrays, 'z', 'all', normalised(pair)));
    close(whole, grid(2, 2, (layer, head) => shares.reduce((sum, share) => sum + share.values[layer * 2 + head]!, 0)));
    close(shares[1]!, grid(2, 2, (layer, head) => sumZ(1, layer, head, [0, 1]) / 3 / 4));
  });

  it('divides a normalised view by the mean difference of all pairs, not of the pair shown', () => {
    const inLogits = headScores(run, arrays, 'z', 'last', raw(2));
    close(headScores(run, arrays, 'z', 'last', normalised(2)), grid(2, 2, (layer, head) => inLogits.values[layer * 2 + head]! / 4));
  });

  it('maps positions per length group; z is summed over heads', () => {
    close(positionScores(run, arrays, 0, 'z', raw('all')), grid(2, 3, (layer, position) => mean((pair) => zOf(pair, layer, position, 0) + zOf(pair, layer, position, 1), [0, 2])));
    close(positionScores(run, arrays, 1, 'z', raw('all')), grid(2, 2, (layer, position) => mean((pair) => zOf(pair, layer, position, 0) + zOf(pair, layer, position, 1), [1])));
  });

  it('maps sites without heads as they are', () => {
    close(positionScores(run, arrays, 0, 'mlp_out', raw(2)), grid(2, 3, (layer, position) => mlpOf(2, layer, position) / 3));
  });

  it('has no map where the chosen pair is not in the group', () => {
    assert.equal(positionScores(run, arrays, 1, 'z', raw(0)), undefined);
    assert.equal(layerDetail(run, arrays, 'z', 0, 0, raw(1)), undefined);
  });

  it('gives the heads of a layer behind each position, which add up to the map', () => {
    const detail = layerDetail(run, arrays, 'z', 0, 1, normalised('all'));
    close(detail, grid(3, 2, (position, head) => mean((pair) => zOf(pair, 1, position, head), [0, 2]) / 4));
    const map = positionScores(run, arrays, 0, 'z', normalised('all'))!;
    for (let position = 0; position < 3; position++) {
      const sum = detail!.values[position * 2]! + detail!.values[position * 2 + 1]!;
      assert.ok(Math.abs(sum - map.values[3 + position]!) < 1e-3);
    }
  });

  it('keeps a group of which only the last position was computed', () => {
    const last = { ...run, groups: [{ pairs: [0], length: 7, positions: 'last' as const }], pairs: [run.pairs[0]!] };
    const one = packArrays([{ name: 'group0.z', axes: ['pair', 'layer', 'position', 'head'], shape: [1, 2, 1, 2], data: Float32Array.of(1, 2, 3, 4) }]);
    for (const positions of ['all', 'last'] as const) close(headScores(last, one, 'z', positions, raw('all')), [[1, 2], [3, 4]]);
  });

  it("takes heads at the metric's position, which differs from pair to pair", () => {
    const at = [1, undefined, 0];
    const elsewhere = { ...run, pairs: run.pairs.map((pair, i) => ({ ...pair, at: at[i] })) };
    const expected = grid(2, 2, (layer, head) => mean((pair) => zOf(pair, layer, at[pair] ?? positionsOf(pair).at(-1)!, head), [0, 1, 2]));
    close(headScores(elsewhere, arrays, 'z', 'last', raw('all')), expected);
    close(headScores(elsewhere, arrays, 'z', 'all', raw('all')), grid(2, 2, (layer, head) => headScores(run, arrays, 'z', 'all', raw('all')).values[layer * 2 + head]!));
    const one = packArrays([{ name: 'group0.z', axes: ['pair', 'layer', 'position', 'head'], shape: [1, 2, 1, 2], data: Float32Array.of(1, 2, 3, 4) }]);
    const single = { ...elsewhere, groups: [{ pairs: [0], length: 3, positions: 'last' as const }], pairs: [elsewhere.pairs[0]!] };
    close(headScores(single, one, 'z', 'last', raw('all')), [[1, 2], [3, 4]]);
  });

  it('has one row for the embedding, and sums over neurons', () => {
    const more = packArrays([
      { name: 'group0.embed', axes: ['pair', 'position'], shape: [2, 3], data: Float32Array.of(1, 2, 3, 10, 20, 30) },
      { name: 'group1.embed', axes: ['pair', 'position'], shape: [1, 2], data: Float32Array.of(7, 8) },
      { name: 'group0.mlp_post', axes: ['pair', 'layer', 'position', 'neuron'], shape: [2, 2, 3, NEURONS], data: new Float32Array(2 * 2 * 3 * NEURONS).fill(9) },
      { name: 'group1.mlp_post', axes: ['pair', 'layer', 'position', 'neuron'], shape: [1, 2, 2, NEURONS], data: Float32Array.from({ length: 12 }, (_, i) => i) },
    ]);
    close(mapScores(run, more, { site: 'embed', over: 'positions', group: 0 }, raw('all')), [[11 / 3, 22 / 3, 11]]);
    close(mapScores(run, more, { site: 'embed', over: 'positions', group: 1 }, raw(1)), [[7 / 3, 8 / 3]]);
    close(mapScores(run, more, { site: 'mlp_post', over: 'positions', group: 1 }, raw(1)), [[1, 4], [7, 10]]);
    close(mapScores(run, more, { site: 'mlp_post', over: 'positions', group: 0 }, raw('all')), grid(2, 3, () => 18));
    close(neuronScores(run, more, raw(1)), [[3 / 3, 5 / 3, 7 / 3], [15 / 3, 17 / 3, 19 / 3]]);
    close(neuronScores(run, more, raw('all')), grid(2, 3, (layer, neuron) => (2 * 3 * 9 + 12 * layer + 2 * neuron + 3) / 3));
  });

  it('takes any site with heads, and refuses heads of those without, and sites that were not computed', () => {
    const renamed = { data: arrays.data, entries: Object.fromEntries(Object.entries(arrays.entries).map(([name, entry]) => [name.replace('.z', '.pattern'), entry])) };
    assert.deepEqual(mapScores(run, renamed, { site: 'pattern', over: 'last' }, raw('all')), mapScores(run, arrays, { site: 'z', over: 'last' }, raw('all')));
    assert.deepEqual(layerDetail(run, renamed, 'pattern', 0, 1, raw(2)), layerDetail(run, arrays, 'z', 0, 1, raw(2)));
    assert.throws(() => headScores(run, arrays, 'mlp_out', 'all', raw('all')), /mlp_out has no heads/);
    assert.throws(() => headScores(run, renamed, 'z', 'all', raw('all')), /no array named group0\.z/);
  });

  it('divides by the clean metric where nothing is corrupted', () => {
    const ablated = { ...run, pairs: [2, 4, 6].map((clean) => ({ metric: { clean } })) } as unknown as typeof run;
    assert.equal(meanDifference(ablated), 4);
    assert.equal(scaleOf(ablated, normalised('all')), 1 / 12);
    const negative = { ...run, pairs: [2, -4].map((clean) => ({ metric: { clean } })) } as unknown as typeof run;
    assert.equal(canNormalise(negative), false, 'no part has a share of what is not there');
    assert.throws(() => scaleOf(negative, normalised('all')), RangeError);
  });

  it('shows a pair’s own effect as if it were the only pair', () => {
    const share = headScores(run, arrays, 'z', 'all', raw(1)).values;
    const own = headScores(run, arrays, 'z', 'all', { ...raw(1), of: 'pair' }).values;
    own.forEach((value, i) => assert.ok(Math.abs(value - 3 * share[i]!) < 1e-4));
    const { clean, corrupted } = run.pairs[1]!.metric;
    const normal = headScores(run, arrays, 'z', 'all', { ...normalised(1), of: 'pair' }).values;
    normal.forEach((value, i) => assert.ok(Math.abs(value - own[i]! / (clean - corrupted!)) < 1e-4));
    assert.deepEqual(headScores(run, arrays, 'z', 'all', { ...raw('all'), of: 'pair' }), headScores(run, arrays, 'z', 'all', raw('all')));
    const level = { ...run, pairs: run.pairs.map((pair, index) => (index === 1 ? { ...pair, metric: { clean: 1, corrupted: 1 } } : pair)) };
    assert.throws(() => headScores(level, arrays, 'z', 'all', { ...normalised(1), of: 'pair' }), RangeError);
    assert.ok(headScores(level, arrays, 'z', 'all', normalised(1)), 'its share of the mean is still there');
  });

  it('refuses a normalised view when clean and corrupted hardly differ, and only that', () => {
    const flat = { ...run, pairs: run.pairs.map((pair, index) => ({ ...pair, metric: { clean: index * 1e-4, corrupted: 0 } })) };
    assert.equal(canNormalise(flat), false);
    assert.throws(() => headScores(flat, arrays, 'z', 'all', normalised('all')), RangeError);
    assert.equal(headScores(flat, arrays, 'z', 'all', raw('all')).values.length, 4);
  });
});
