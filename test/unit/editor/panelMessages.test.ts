import assert from 'node:assert/strict';
import { readChange } from '../../../src/editor/changeMessage';
import { readAction, readAttentionRequest, readCellChoice, readLayerDetailRequest, readMapRequest, readMapView, readNeuronsRequest, readPair, readPanelState, readUnitsView, readViewRequest } from '../../../src/editor/panelMessages';
import type { ViewOptions } from '../../../src/shared/views';
import { exampleRun } from '../runs/exampleRun';
import { withNeurons } from './neuronRun';

const run = exampleRun();
const runId = run.manifest.id;
const { model } = run.manifest;
const all: ViewOptions = { pair: 'all', unit: 'raw' };
const heads = { site: 'z', over: 'all' };

function refuses(read: (params: unknown) => unknown, requests: [unknown, RegExp][]): void {
  for (const [request, message] of requests) assert.throws(() => read(request), message, JSON.stringify(request));
}

describe('panel messages', () => {
  it('reads what the panel sends', () => {
    assert.deepEqual(readViewRequest({ runId, options: { pair: 2, unit: 'raw', more: 1 } }, run), { runId, options: { pair: 2, unit: 'raw' } });
    assert.deepEqual(readMapRequest({ runId, options: all, values: 'exact', map: { site: 'mlp_out', over: 'positions', group: 1 } }, run), { runId, options: all, values: 'exact', map: { site: 'mlp_out', over: 'positions', group: 1 } });
    assert.deepEqual(readMapView({ runId, options: all, map: { ...heads, group: 1 } }, run), { runId, options: all, map: heads });
    assert.deepEqual(readLayerDetailRequest({ runId, options: all, site: 'z', group: 1, layer: 1 }, run), { runId, options: all, site: 'z', group: 1, layer: 1 });
    assert.deepEqual(readAttentionRequest({ runId, pair: 2, layer: 0, heads: [2, 0] }, run), { pair: 2, layer: 0, heads: [2, 0] });
    assert.equal(readPair({ runId, pair: 1 }, run), 1);
    assert.equal(readAction({ action: 'rerun' }), 'rerun');
    assert.deepEqual(readPanelState({ runId: 'a', view: { sort: 1 } }), { runId: 'a', view: { sort: 1 } });
  });

  it('reads a choice of cells', () => {
    const read = (cells: unknown): unknown => readCellChoice({ runId, cells }, run);
    assert.deepEqual(read({ map: heads, options: all, top: 2 }), { map: heads, options: all, top: 2 });
    assert.deepEqual(read({ map: heads, options: all, top: 1000 }), { map: heads, options: all, top: 6 }, 'no more than there are');
    assert.deepEqual(read({ map: heads, cells: [{ row: 1, column: 2 }] }), { map: heads, cells: [{ row: 1, column: 2 }] });
    assert.deepEqual(read({ map: heads, all: true }), { map: heads, all: true });
    refuses(read, [
      [undefined, /parameters/],
      [{ map: heads }, /parameters/],
      [{ map: heads, options: all, top: 0 }, /top/],
      [{ map: heads, options: all, top: 1.5 }, /top/],
      [{ map: heads, cells: [{ row: 2, column: 0 }] }, /row/],
      [{ map: heads, cells: [{ row: 0, column: 3 }] }, /column/],
      [{ map: heads, cells: Array.from({ length: 7 }, () => ({ row: 0, column: 0 })) }, /cells/],
      [{ map: { site: 'q', over: 'all' }, all: true }, /site/],
      [{ map: { site: 'mlp_out', over: 'all' }, all: true }, /site/],
      [{ map: { site: 'z', over: 'everything' }, all: true }, /map/],
      [{ map: { site: 'z', over: 'positions', group: 2 }, all: true }, /group/],
    ]);
    assert.throws(() => readCellChoice({ runId: 'another', cells: { map: heads, all: true } }, run), /no longer shows/);
  });

  it('reads single parts, places counted from the start of their group’s prompts', () => {
    const units = [{ site: 'mlp_post', layer: 1, neuron: 0 }, { site: 'pattern', layer: 0, head: 1, group: 0, position: 2, source: 1 }, { site: 'z', layer: 1, head: 2, group: 1, position: 0 }, { site: 'embed', group: 0, position: 1 }];
    assert.deepEqual(readCellChoice({ runId, cells: { units: units.map((unit) => ({ ...unit, more: 1 })) } }, run), { units });
    assert.deepEqual(readUnitsView({ runId, options: all, units }, run), { runId, options: all, units });
    refuses((unit) => readUnitsView({ runId, options: all, units: [unit] }, run), [
      [{ site: 'w' }, /site/],
      [{ site: 'z', layer: 2 }, /layer/],
      [{ site: 'z', layer: 0, head: 3 }, /head/],
      [{ site: 'mlp_out', layer: 0, head: 0 }, /head/],
      [{ site: 'mlp_post', layer: 0, neuron: model.dMlp }, /neuron/],
      [{ site: 'z', layer: 0, neuron: 0 }, /neuron/],
      [{ site: 'z', layer: 0, position: 1 }, /group/],
      [{ site: 'z', layer: 0, group: 2 }, /group/],
      [{ site: 'z', layer: 0, group: 0, position: 99 }, /position/],
      [{ site: 'z', layer: 0, group: 0, position: -1 }, /position/],
      [{ site: 'z', layer: 0, group: 0, position: 'last' }, /position/],
      [{ site: 'z', layer: 0, group: 0, source: 0 }, /source/],
    ]);
    assert.throws(() => readUnitsView({ runId, options: all, units: 'all' }, run), /units/);
    assert.throws(() => readUnitsView({ runId, options: all, units: Array.from({ length: 1001 }, () => units[0]) }, run), /units/);
  });

  it('refuses what it could not have sent', () => {
    refuses((request) => readViewRequest(request, run), [
      [undefined, /parameters/],
      [{ runId: 'another', options: all }, /no longer shows/],
      [{ runId, options: { pair: 3, unit: 'raw' } }, /pair/],
      [{ runId, options: { pair: -1, unit: 'raw' } }, /pair/],
      [{ runId, options: { pair: 0.5, unit: 'raw' } }, /pair/],
      [{ runId, options: { pair: 'all', unit: 'percent' } }, /unit/],
      [{ runId, options: { pair: 1, unit: 'raw', of: 'half' } }, /of/],
    ]);
    assert.throws(() => readLayerDetailRequest({ runId, options: all, site: 'z', group: 0, layer: 2 }, run), /layer/);
    assert.throws(() => readLayerDetailRequest({ runId, options: all, site: 'mlp_out', group: 0, layer: 1 }, run), /site/);
    assert.throws(() => readMapRequest({ runId, options: all, values: 'both', map: heads }, run), /values/);
    assert.throws(() => readMapRequest({ runId, options: all, values: 'exact', map: { site: '__proto__', over: 'all' } }, run), /site/);
    refuses((request) => readAttentionRequest(request, run), [
      [{ runId, pair: 0, layer: 0, heads: [] }, /heads/],
      [{ runId, pair: 0, layer: 0, heads: [3] }, /head/],
      [{ runId, pair: 0, layer: 0, heads: [0, 1, 2, 0] }, /heads/],
      [{ runId, pair: 3, layer: 0, heads: [0] }, /pair/],
    ]);
    assert.throws(() => readAction({ action: 'format' }), /action/);
    assert.equal(readPanelState({ runId: 7 }), undefined);
    assert.equal(readPanelState(null), undefined);
  });

  it('reads a page of neurons, of a run that has them', () => {
    const page = { runId, options: all, from: 0, count: 50 };
    assert.throws(() => readNeuronsRequest(page, run), /site/);
    const withThem = withNeurons(run);
    assert.deepEqual(readNeuronsRequest({ ...page, layer: 1, group: 1, position: 3 }, withThem), { ...page, layer: 1, group: 1, position: 3 });
    refuses((request) => readNeuronsRequest(request, withThem), [
      [{ ...page, count: 1e6 }, /count/],
      [{ ...page, from: -1 }, /from/],
      [{ ...page, group: 0, position: 3 }, /position/],
      [{ ...page, position: 0 }, /position/],
    ]);
  });
});

describe('a change of the experiment', () => {
  const read = (change: unknown): unknown => readChange({ change }, model);

  it('is read as it is meant', () => {
    const change = {
      metric: { activation: 'attention', layer: 1, head: 2 },
      direction: 'noise',
      other: 'mean',
      prependBos: true,
      sites: ['z', 'mlp_post'],
      variant: {
        freezePattern: true,
        integrated: { steps: 8, rule: 'midpoint' },
        stopGradient: [{ site: 'mlp_out', layer: 0 }],
        interventions: [{ unit: { site: 'z', layer: 1, head: 0, position: 'last' }, with: 'zero' }, { unit: { site: 'pattern', layer: 0, position: -1, source: 2 }, with: 'corrupted' }],
      },
    };
    assert.deepEqual(read(change), change);
    assert.deepEqual(read({}), {});
    assert.deepEqual(read({ metric: 'kl' }), { metric: 'kl' });
    assert.deepEqual(read({ metric: { activation: 'directLogit', layer: 0, more: 1 } }), { metric: { activation: 'directLogit', layer: 0 } });
  });

  it('leaves out what is off', () => {
    assert.deepEqual(read({ variant: { qkFix: false, freezeLayerNorm: true, stopGradient: [], interventions: [] } }), { variant: { freezeLayerNorm: true } });
  });

  it('is refused where it makes no sense', () => {
    refuses(read, [
      [undefined, /parameters/],
      [{ metric: 'accuracy' }, /metric/],
      [{ metric: { activation: 'attention', layer: 2, head: 0 } }, /layer/],
      [{ metric: { activation: 'attention', layer: 0 } }, /head/],
      [{ metric: { activation: 'norm', layer: 0 } }, /metric/],
      [{ direction: 'sideways' }, /direction/],
      [{ other: 'noise' }, /other/],
      [{ prependBos: 'yes' }, /prependBos/],
      [{ sites: ['z', 'result'] }, /site/],
      [{ variant: { qkFix: 1 } }, /qkFix/],
      [{ variant: { integrated: { steps: 0, rule: 'left' } } }, /steps/],
      [{ variant: { integrated: { steps: 513, rule: 'left' } } }, /1 to 512 steps, not 513/],
      [{ variant: { integrated: { steps: 2, rule: 'simpson' } } }, /rule/],
      [{ variant: { stopGradient: [{ site: 'z' }] } }, /layer/],
      [{ variant: { interventions: [{ unit: { site: 'z', layer: 0, head: 3 }, with: 'zero' }] } }, /head/],
      [{ variant: { interventions: [{ unit: { site: 'embed', position: 17 }, with: 'zero' }] } }, /position/],
      [{ variant: { interventions: [{ unit: { site: 'embed' }, with: 'noise' }] } }, /with/],
    ]);
  });
});
