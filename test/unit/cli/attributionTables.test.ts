import assert from 'node:assert/strict';
import { attributionJson } from '../../../src/cli/attributionJson';
import { attributionTables } from '../../../src/cli/attributionTables';
import { exampleRun } from '../runs/exampleRun';

describe('attribute tables', () => {
  const run = exampleRun();
  const text = attributionTables(run, { raw: false, top: 3, sites: ['resid_pre'] });

  it('begin with the facts of the run', () => {
    assert.match(text, /^three pairs\n {2}example: 2 layers of 3 heads, d_model 6\n {2}3 pairs, denoise, no BOS, logit difference: clean \+2\.0000, corrupted \+0\.0000\n/);
    assert.match(text, /cpu, 1 thread, load 0\.25 s, run 0\.50 s\n {2}Note: A note\./);
  });

  it('list the heads that --json lists, with the same values', () => {
    const { topHeads, heads } = attributionJson(run, { raw: false, top: 3 });
    const listed = [...text.matchAll(/^ +\d+ +(\d)\.(\d) +([+-][\d.]+) +([+-][\d.]+)$/gm)];
    assert.equal(listed.length, 3);
    listed.forEach(([, layer, head, all, last], place) => {
      const expected = topHeads[place]!;
      assert.deepEqual([Number(layer), Number(head)], [expected.layer, expected.head]);
      assert.equal(Number(all), Number(expected.score.toFixed(4)));
      assert.equal(Number(last), Number(heads.lastPosition[expected.layer]![expected.head]!.toFixed(4)));
    });
  });

  it('list positions of the site that was asked for, per length, with their tokens', () => {
    assert.match(text, /Residual stream \(before\), top layers and positions, 2 pairs of 3 tokens/);
    assert.match(text, /Residual stream \(before\), top layers and positions, 1 pair of 4 tokens/);
    const { sites } = attributionJson(run, { raw: false, top: 3 });
    const cells = [...text.matchAll(/^ +\d+ +(\d) +(\d) +"(.*?)"( …)?( ≠)? +([+-][\d.]+)$/gm)];
    assert.equal(cells.length, 6);
    assert.match(text, /^ {2}≠ clean and corrupted have different tokens there$/m);
    cells.forEach(([, layer, position, token, several, differs, score], place) => {
      const group = place < 3 ? 0 : 1;
      assert.equal(Number(score), Number(sites.resid_pre![group]!.values[Number(layer)]![Number(position)]!.toFixed(4)));
      assert.equal(token, run.manifest.pairs[group]!.clean[Number(position)]!.text);
      assert.equal(several !== undefined, group === 0 && position === '1', 'pairs of group 0 have different names at position 1');
      assert.equal(differs !== undefined, position === (group === 0 ? '1' : '2'));
    });
  });

  it('compare the last tokens where only those were computed, however many stand before them', () => {
    const aligned = exampleRun();
    const { pairs, groups } = aligned.manifest;
    groups.splice(0, 2, { pairs: [0, 1, 2], length: 3, positions: 'last' });
    pairs.splice(1, 1, pairs[0]!);
    pairs.forEach((pair, i) => (pairs[i] = { ...pair, corrupted: [pair.corrupted[0]!, ...pair.corrupted] }));
    const entry = (axes: string[], shape: number[]) => ({ axes, shape, offset: 0 });
    aligned.arrays.entries = { 'group0.z': entry(['pair', 'layer', 'position', 'head'], [3, 2, 1, 3]), 'group0.resid_pre': entry(['pair', 'layer', 'position'], [3, 2, 1]) };
    const table = attributionTables(aligned, { raw: false, top: 3, sites: ['resid_pre'] });
    assert.match(table, /3 pairs of 3 clean tokens, last position only/);
    const lines = table.split('\n').filter((line) => line.includes('" gave"'));
    assert.equal(lines.length, 2);
    assert.ok(!table.includes('≠'));
    assert.ok(lines.every((line) => !line.includes('≠')), lines.join('\n'));
  });

  it('have no column of the metric’s position where the metric reads a range of them', () => {
    const ranged = exampleRun();
    ranged.manifest.experiment.metric = 'promptLogProb';
    const table = attributionTables(ranged, { raw: true, top: 3, sites: ['z'] });
    assert.match(table, /Top heads \(nats\)\n {2}# +head +all positions\n {2}1 +\d\.\d +[+-][\d.]+\n/);
    assert.ok(!/(last|metric's) position\n/.test(table), table);
    ranged.manifest.pairs[1]!.at = 1;
    ranged.manifest.experiment.metric = 'logProb';
    assert.match(attributionTables(ranged, { raw: true, top: 3, sites: ['z'] }), /# +head +all positions +metric's position\n/);
  });

  it('say when scores are in logits', () => {
    assert.match(attributionTables(run, { raw: true, top: 3, sites: ['z'] }), /Top heads \(logits\)/);
  });
});
