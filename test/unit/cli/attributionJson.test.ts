import assert from 'node:assert/strict';
import { attributionJson, type PositionsJson } from '../../../src/cli/attributionJson';
import { nestedIn, shortest } from '../../../src/cli/json';
import { attributionTables } from '../../../src/cli/attributionTables';
import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { exampleRun } from '../runs/exampleRun';

const run = exampleRun();
/** Mean difference of the example's three pairs: (3 + 0.5 + 2.5) / 3. */
const DIFFERENCE = 2;

/** Σ over pairs, positions and heads that `keep` admits, of the stored values divided by the number of pairs. */
function total(site: string, keep: (at: { group: number; layer: number; position: number; head: number }) => boolean): number {
  let sum = 0;
  for (const group of [0, 1]) {
    const { data, shape } = arrayNamed(run.arrays, `group${group}.${site}`);
    const [, layers, positions, heads = 1] = shape as [number, number, number, number?];
    data.forEach((value, index) => {
      const head = index % heads;
      const position = Math.floor(index / heads) % positions;
      const layer = Math.floor(index / heads / positions) % layers;
      if (keep({ group, layer, position, head })) sum += value;
    });
  }
  return sum / 3;
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= 1e-6, `${actual} is not ${expected}`);
}

describe('attribute --json', () => {
  const json = attributionJson(run, { raw: false, top: 4 });
  const raw = attributionJson(run, { raw: true, top: 100 });

  it('has the run, the model and the settings', () => {
    assert.deepEqual(json.model, { id: 'example', revision: undefined, checkpointHash: 'ab'.repeat(32), layers: 2, heads: 3, dModel: 6, dHead: 2 });
    const { backend, threads, direction, metric, prependBos, unit, timings, notes } = json;
    assert.deepEqual({ backend, threads, direction, metric, prependBos, unit, timings, notes }, {
      backend: 'cpu',
      threads: 1,
      direction: 'denoise',
      metric: 'logitDiff',
      prependBos: false,
      unit: 'normalised',
      timings: { load: 0.25, run: 0.5 },
      notes: [{ severity: 'info', message: 'A note.' }],
    });
    assert.equal(json.run.id, run.manifest.id);
    assert.equal(raw.unit, 'raw');
  });

  it('has the pairs with their tokens and logit differences', () => {
    assert.deepEqual(json.tokens[1], ['So', ' it', ' is', ' é⟨E2⟩']);
    assert.deepEqual(json.corruptedTokens![2], ['When', ' Dan', ' gave']);
    assert.deepEqual(json.differsAt, [1, 2, 1]);
    assert.deepEqual(json.logitDiff, {
      clean: 2,
      corrupted: 0,
      perPair: [
        { name: 'first', clean: 2, corrupted: -1 },
        { name: 'second', clean: 1, corrupted: 0.5 },
        { name: 'third', clean: 3, corrupted: 0.5 },
      ],
    });
  });

  it('sums heads over all positions, and takes each pair\'s last', () => {
    assert.deepEqual(json.heads.axes, ['layer', 'head']);
    for (const layer of [0, 1]) {
      for (const head of [0, 1, 2]) {
        const all = total('z', (at) => at.layer === layer && at.head === head);
        const last = total('z', (at) => at.layer === layer && at.head === head && at.position === (at.group === 0 ? 2 : 3));
        near(json.heads.allPositions[layer]![head]!, all / DIFFERENCE);
        near(json.heads.lastPosition[layer]![head]!, last / DIFFERENCE);
        near(raw.heads.allPositions[layer]![head]!, all);
      }
    }
  });

  it('has one map per length and site', () => {
    const maps: [string, PositionsJson[]][] = [['z', json.positions], ...Object.entries(json.sites)];
    assert.deepEqual(maps.map(([site]) => site), ['z', 'resid_pre', 'attn_out', 'mlp_out']);
    for (const [site, [three, four]] of maps) {
      assert.deepEqual([three!.length, three!.pairs, three!.positions, three!.axes], [3, [0, 2], 'all', ['layer', 'position']]);
      assert.deepEqual([four!.length, four!.pairs], [4, [1]]);
      assert.deepEqual(three!.values.map((row) => row.length), [3, 3]);
      for (const layer of [0, 1]) {
        near(three!.values[layer]![1]!, total(site, (at) => at.group === 0 && at.layer === layer && at.position === 1) / DIFFERENCE);
        near(four!.values[layer]![3]!, total(site, (at) => at.group === 1 && at.layer === layer && at.position === 3) / DIFFERENCE);
      }
    }
  });

  it('ranks the top heads by magnitude, with the values of the matrix', () => {
    assert.equal(json.topHeads.length, 4);
    assert.equal(raw.topHeads.length, 6);
    const scores = raw.topHeads.map(({ score }) => Math.abs(score));
    assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
    for (const { layer, head, score } of raw.topHeads) assert.equal(score, raw.heads.allPositions[layer]![head]);
    assert.equal(new Set(raw.topHeads.map(({ layer, head }) => `${layer}.${head}`)).size, 6);
  });

  it('has the metric\'s values whatever it is called, and by the name of the logit difference only where it is that', () => {
    assert.deepEqual(json.metricValues, json.logitDiff);
    assert.deepEqual([json.other, json.variant, json.at], ['corrupted', {}, [2, 3, 2]]);
    const ablated = exampleRun();
    const { manifest } = ablated;
    manifest.experiment = { ...manifest.experiment, metric: 'logProb', other: 'zero', direction: 'noise', variant: { qkFix: true } };
    manifest.pairs = manifest.pairs.map((pair, i) => ({ ...pair, differsAt: undefined, at: i, positions: { S: i }, metric: { clean: i + 1 } }));
    const other = attributionJson(ablated, { raw: false, top: 1 });
    assert.deepEqual([other.metric, other.other, other.variant, other.at, other.namedPositions], ['logProb', 'zero', { qkFix: true }, [0, 1, 2], [{ S: 0 }, { S: 1 }, { S: 2 }]]);
    assert.deepEqual(other.metricValues, { clean: 2, perPair: [{ name: 'first', clean: 1 }, { name: 'second', clean: 2 }, { name: 'third', clean: 3 }] });
    for (const field of ['logitDiff', 'corruptedTokens', 'differsAt']) assert.ok(!(field in other), field);
    near(other.heads.allPositions[0]![0]!, total('z', (at) => at.layer === 0 && at.head === 0) / 2);
  });

  it('has heads and maps of every site that was computed', () => {
    const more = exampleRun();
    const entries = more.arrays.entries;
    for (const group of [0, 1]) entries[`group${group}.q`] = entries[`group${group}.z`]!;
    const q = attributionJson(more, { raw: false, top: 1 });
    assert.deepEqual(q.siteHeads.q, q.heads);
    assert.deepEqual(q.sites.q, q.positions);
    assert.deepEqual(Object.keys(q.siteHeads), ['q']);
  });

  it('ranks neurons where they were computed', () => {
    assert.ok(!('topNeurons' in json));
    const { manifest, arrays } = exampleRun();
    const neurons = manifest.groups.map(({ pairs, length }, group) => ({
      name: `group${group}.mlp_post`,
      axes: ['pair', 'layer', 'position', 'neuron'],
      shape: [pairs.length, 2, length, 24],
      data: Float32Array.from({ length: pairs.length * 2 * length * 24 }, (_, i) => (Math.floor(i / (24 * length)) % 2 === 1 && i % 24 === 7 ? -1 : i % 24 === 3 ? 0.25 : 0)),
    }));
    const more = { manifest, arrays: packArrays([...neurons, ...Object.keys(arrays.entries).map((name) => ({ name, ...arrayNamed(arrays, name) }))]) };
    // Ten positions in all, each pair a third of the mean, which differs by two.
    assert.deepEqual(attributionJson(more, { raw: true, top: 2 }).topNeurons!.map(({ layer, neuron, score }) => [layer, neuron, score.toFixed(4)]), [[1, 7, '-3.3333'], [0, 3, '0.8333']]);
    assert.match(attributionTables(more, { raw: false, top: 1, sites: ['mlp_post'] }), /MLP neurons, top neurons \(normalised: 0 corrupted … 1 clean\)\n +# +neuron +all positions\n +1 +1#7 +-1\.6667\n/);
  });

  it('has nothing that JSON would print as null', () => {
    assert.doesNotMatch(JSON.stringify(json), /null/);
  });

  it('refuses to normalise by next to nothing, but gives raw scores', () => {
    const flat = exampleRun();
    for (const pair of flat.manifest.pairs) pair.metric = { clean: 1.0001, corrupted: 1 };
    assert.throws(
      () => attributionJson(flat, { raw: false, top: 1 }),
      (error: unknown) => CircuitError.is(error, 'experiment') && /only 0\.00010 .*--raw/.test(error.message),
    );
    assert.equal(attributionJson(flat, { raw: true, top: 1 }).topHeads.length, 1);
  });

  it('refuses NaN instead of printing null', () => {
    const broken = exampleRun();
    broken.arrays.data[0] = NaN;
    assert.throws(() => attributionJson(broken, { raw: true, top: 1 }), /A result is NaN/);
  });
});

describe('nested lists', () => {
  it('have the shape of their axes, outermost first, and null for what is no number', () => {
    assert.deepEqual(nestedIn([2, 1, 3], [1, 2, 3, 4, NaN, 6]), [[[1, 2, 3]], [[4, null, 6]]]);
    assert.deepEqual(nestedIn([0, 3], []), []);
    assert.equal(nestedIn([], [7]), 7);
    assert.throws(() => nestedIn([1], [Infinity]), /A result is Infinity/);
  });
});

describe('shortest number', () => {
  it('is the same float32 in fewer digits', () => {
    assert.equal(shortest(Math.fround(0.1)), 0.1);
    assert.equal(shortest(Math.fround(-0.28791)), -0.28791);
    assert.equal(shortest(0.1), 0.1);
    assert.equal(shortest(1 / 3), 1 / 3);
    assert.equal(shortest(0), 0);
    for (let i = 0; i < 1000; i++) {
      const value = Math.fround(Math.sin(i) * 10 ** ((i % 60) - 40));
      assert.equal(Math.fround(shortest(value)), value);
      assert.ok(String(shortest(value)).length <= String(value).length);
    }
  });
});
