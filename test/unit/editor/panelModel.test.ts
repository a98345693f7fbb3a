import assert from 'node:assert/strict';
import { readAction, readLayerDetailRequest, readPanelState, readPositionMapRequest, readViewRequest } from '../../../src/editor/panelMessages';
import { contentOf, layerDetailOf, positionMapOf, viewOf } from '../../../src/editor/panelModel';
import type { ViewOptions } from '../../../src/shared/views';
import { exampleRun } from '../runs/exampleRun';

const run = exampleRun();
const runId = run.manifest.id;
const all: ViewOptions = { pair: 'all', unit: 'raw' };
const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);
const close = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} is not ${expected}`);

describe('panel model', () => {
  it('opens a run on all pairs, normalised', () => {
    const content = contentOf(run);
    assert.equal(content.kind, 'run');
    if (content.kind !== 'run') return;
    assert.deepEqual(content.view.options, { pair: 'all', unit: 'normalised' });
    assert.equal(content.run.pairs.length, 3);
    assert.deepEqual([content.view.heads.all.rows, content.view.heads.all.columns], [2, 3]);
  });

  it('opens a run raw when the difference is too small to divide by', () => {
    const flat = exampleRun();
    for (const pair of flat.manifest.pairs) pair.logitDiff.clean = pair.logitDiff.corrupted;
    const content = contentOf(flat);
    assert.equal(content.kind === 'run' && content.view.options.unit, 'raw');
  });

  it('adds up the pairs to the whole', () => {
    const whole = viewOf(run, all).heads.all.values;
    const shares = [0, 1, 2].map((pair) => viewOf(run, { pair, unit: 'raw' }).heads.all.values);
    whole.forEach((value, cell) => close(shares.reduce((total, share) => total + share[cell]!, 0), value));
  });

  it('finds behind a layer what its heads add up to', () => {
    const heads = viewOf(run, all).heads.all;
    const details = [0, 1].map((group) => layerDetailOf(run, { runId, options: all, group, layer: 1 }));
    const ofHead = (head: number): number => details.reduce((total, { rows, columns, values }) => total + Array.from({ length: rows }, (_, position) => values[position * columns + head]!).reduce((a, b) => a + b, 0), 0);
    for (const head of [0, 1, 2]) close(ofHead(head), heads.values[3 + head]!);
    const map = positionMapOf(run, { runId, options: all, group: 0, site: 'z' });
    close(sum(map.values.slice(map.columns)), sum(details[0]!.values));
  });
});

describe('panel messages', () => {
  it('reads what the panel sends', () => {
    assert.deepEqual(readViewRequest({ runId, options: { pair: 2, unit: 'raw', more: 1 } }, run), { runId, options: { pair: 2, unit: 'raw' } });
    assert.deepEqual(readPositionMapRequest({ runId, options: all, group: 1, site: 'mlp_out' }, run), { runId, options: all, group: 1, site: 'mlp_out' });
    assert.equal(readAction({ action: 'rerun' }), 'rerun');
    assert.deepEqual(readPanelState({ runId: 'a', view: { sort: 1 } }), { runId: 'a', view: { sort: 1 } });
  });

  it('refuses what it could not have sent', () => {
    const requests: [unknown, RegExp][] = [
      [undefined, /parameters/],
      [{ runId: 'another', options: all }, /no longer shows/],
      [{ runId, options: { pair: 3, unit: 'raw' } }, /pair/],
      [{ runId, options: { pair: -1, unit: 'raw' } }, /pair/],
      [{ runId, options: { pair: 0.5, unit: 'raw' } }, /pair/],
      [{ runId, options: { pair: 'all', unit: 'percent' } }, /unit/],
    ];
    for (const [request, message] of requests) assert.throws(() => readViewRequest(request, run), message);
    assert.throws(() => readLayerDetailRequest({ runId, options: all, group: 0, layer: 2 }, run), /layer/);
    assert.throws(() => readPositionMapRequest({ runId, options: all, group: 2, site: 'z' }, run), /group/);
    assert.throws(() => readPositionMapRequest({ runId, options: all, group: 0, site: '__proto__' }, run), /site/);
    assert.throws(() => readAction({ action: 'format' }), /action/);
    assert.equal(readPanelState({ runId: 7 }), undefined);
    assert.equal(readPanelState(null), undefined);
  });
});
