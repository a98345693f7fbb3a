import assert from 'node:assert/strict';
import { mapCsv } from '../../../src/runs/mapCsv';
import { withExact } from '../../../src/shared/exact';
import { mapScores, type MapOf, type ViewOptions } from '../../../src/shared/views';
import { exampleRun } from './exampleRun';

const run = exampleRun();
const raw: ViewOptions = { pair: 'all', unit: 'raw' };
const rowsOf = (csv: string): string[][] => csv.trimEnd().split('\r\n').map((line) => line.split(','));

const SETTINGS = ['metric', 'direction', 'other', 'variant', 'model', 'pair', 'effect', 'unit'];

describe('a map as CSV', () => {
  it('has a line for each head, exact where it was measured', () => {
    const map: MapOf = { site: 'z', over: 'last' };
    const [header, ...rows] = rowsOf(mapCsv(withExact(run, { cells: [{ site: 'z', layer: 1, head: 0, position: 'last' }], effects: Float32Array.of(0.3, 0.6, 0.9) }), map, raw));
    assert.deepEqual(header, ['layer', 'head', 'estimate', 'exact', ...SETTINGS]);
    const { values } = mapScores(run.manifest, run.arrays, map, raw)!;
    assert.deepEqual(rows.map(([layer, head]) => `${layer}.${head}`), ['0.0', '0.1', '0.2', '1.0', '1.1', '1.2']);
    rows.forEach(([, , estimate], i) => assert.ok(Math.abs(Number(estimate) - values[i]!) < 1e-7));
    assert.deepEqual(rows.map(([, , , exact]) => exact), ['', '', '', '0.6', '', '']);
  });

  it('says in every line which experiment it is of', () => {
    const map: MapOf = { site: 'z', over: 'all' };
    const settings = (of: typeof run, options: ViewOptions): string[][] => rowsOf(mapCsv(of, map, options)).slice(1).map((row) => row.slice(4));
    for (const row of settings(run, raw)) assert.deepEqual(row, ['logitDiff', 'denoise', 'corrupted', 'plain gradient', 'example', 'all', 'mean', 'raw']);
    const changed = exampleRun();
    Object.assign(changed.manifest.experiment, { metric: { activation: 'attention', layer: 1, head: 2 }, direction: 'noise', other: 'mean', variant: { qkFix: true, gradDrop: true } });
    assert.deepEqual(settings(changed, { pair: 1, unit: 'normalised' })[0], ['attention of head 1.2', 'noise', 'mean', 'AtP* QK fix + AtP* GradDrop (magnitudes)', 'example', run.manifest.pairs[1]!.name, 'share', 'normalised']);
    assert.equal(settings(run, { pair: 1, unit: 'raw', of: 'pair' })[0]![6], 'own');
  });

  it('names the tokens of positions, all of them where pairs differ', () => {
    const map: MapOf = { site: 'mlp_out', over: 'positions', group: 0 };
    const [header, ...rows] = rowsOf(mapCsv(run, map, raw));
    assert.deepEqual(header, ['layer', 'position', 'token', 'estimate', 'exact', ...SETTINGS]);
    assert.deepEqual(rows.slice(0, 3).map(([, position, token]) => [position, token]), [['0', 'When'], ['1', '" Mary |  Amy"'], ['2', '" gave"']]);
    assert.equal(rows.length, 6);
    assert.equal(rowsOf(mapCsv(run, map, { pair: 2, unit: 'raw' }))[2]![2], '" Amy"');
    assert.throws(() => mapCsv(run, map, { pair: 1, unit: 'raw' }), RangeError);
  });

  it('quotes what a spreadsheet would cut', () => {
    const odd = exampleRun();
    odd.manifest.pairs[1]!.clean[0]!.text = 'a,"b"\n';
    assert.match(mapCsv(odd, { site: 'z', over: 'positions', group: 1 }, raw), /\r\n0,0,"a,""b""\n",/);
  });
});
