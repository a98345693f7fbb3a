import assert from 'node:assert/strict';
import type { RunPair } from '../../../src/shared/run';
import type { SiteName } from '../../../src/shared/sites';
import { choosingPair, defaultState, groupOf, rolesOf, selectedUnit, sitesOf, sortKey, stateFor, toggleLine, viewsOf, type ViewState } from '../../../webview/model/viewState';

const run = {
  id: 'run-1',
  model: { layers: 3, heads: 4 } as never,
  groups: [
    { pairs: [0, 2], length: 5, positions: 'all' as const },
    { pairs: [1], length: 6, positions: 'all' as const },
  ],
  sites: ['z', 'q', 'mlp_out'] as SiteName[],
  pairs: [
    { positions: { S1: 1 }, metric: { clean: 2, corrupted: 1 } },
    { positions: { S1: 2, END: 4 }, metric: { clean: 3, corrupted: 3 } },
    { metric: { clean: 1, corrupted: 0 } },
  ] as RunPair[],
};
const fallback = { pair: 'all', unit: 'normalised' } as const;
const chosen: ViewState = {
  view: 'trust',
  options: { pair: 1, unit: 'raw', of: 'mean' },
  headPositions: 'last',
  sites: { heads: 'q', positions: 'mlp_out' },
  group: 1,
  values: { heads: 'exact', positions: 'difference' },
  columns: 'roles',
  sort: { heads: { rows: { by: 'line', line: 3 }, columns: { by: 'total' } }, positions: { rows: { by: 'line', line: 5 }, columns: { by: 'strongest' } } },
  table: { list: 'positions', column: 'score', descending: true, all: true },
  trust: { map: 'positions' },
  top: 25,
  selection: { kind: 'head', layer: 2, head: 3 },
  scroll: { page: 120, positions: 40 },
  own: { attention: { heads: [1] } },
};

describe('state kept over reloads', () => {
  it('comes back as it was for the same run', () => {
    assert.deepEqual(stateFor(run, fallback, { runId: 'run-1', view: JSON.parse(JSON.stringify(chosen)) }), chosen);
  });

  it('keeps the order but not the pair, the selection and the place on the page in another run', () => {
    const state = stateFor(run, fallback, { runId: 'run-0', view: { ...chosen, group: 1 } });
    assert.deepEqual(state.sort, chosen.sort);
    assert.deepEqual([state.options, state.selection, state.scroll], [{ pair: 'all', unit: 'raw' }, undefined, { page: 0, positions: 0 }]);
  });

  it('falls back where the run has no such line, site, pair, group or cell', () => {
    const state = stateFor(run, fallback, {
      runId: 'run-1',
      view: {
        ...chosen,
        options: { pair: 9, unit: 'raw' },
        view: 'a view of another version',
        sites: { heads: 'mlp_out', positions: 'attn_out' },
        values: { heads: 'guess' },
        top: 0,
        group: 7,
        sort: { heads: { rows: { by: 'line', line: 4 }, columns: { by: 'line', line: -1 } } },
        selection: { kind: 'head', layer: 2, head: 4 },
      },
    });
    assert.equal(state.options.pair, 'all');
    assert.deepEqual([state.sites, state.view, state.values.heads, state.top], [{ heads: 'z', positions: 'z' }, 'heatmaps', 'estimate', 10]);
    assert.equal(state.group, 0);
    assert.deepEqual(state.sort, defaultState(fallback).sort);
    assert.equal(state.selection, undefined);
  });

  it('survives anything that another version may have stored', () => {
    for (const view of [undefined, null, 3, 'x', [], { options: null, sort: 7, table: [], scroll: 'far', selection: {} }]) {
      assert.deepEqual(stateFor(run, fallback, { runId: 'run-1', view }), defaultState(fallback));
    }
  });

  it('shows raw logits when the run cannot be normalised', () => {
    const flat = run.pairs.map((pair) => ({ ...pair, metric: { clean: 1, corrupted: 1 } }));
    assert.equal(stateFor({ ...run, pairs: flat }, { pair: 'all', unit: 'raw' }, { runId: 'run-1', view: { options: { pair: 'all', unit: 'normalised' } } }).options.unit, 'raw');
  });

  it('shows a chosen pair’s own effect at first, in raw units where its own difference is nothing to divide by', () => {
    const state = defaultState(fallback);
    assert.deepEqual(choosingPair(run, state, 2).options, { pair: 2, unit: 'normalised', of: 'pair' });
    assert.deepEqual(choosingPair(run, state, 1).options, { pair: 1, unit: 'raw', of: 'pair' });
    const shares = { ...state, options: { pair: 2, unit: 'normalised', of: 'mean' } as const };
    assert.deepEqual(choosingPair(run, shares, 1).options, { pair: 1, unit: 'normalised', of: 'mean' });
    assert.deepEqual(choosingPair(run, shares, 'all').options, fallback);
    const kept = (of: unknown) => stateFor(run, fallback, { runId: 'run-1', view: { options: { pair: 1, unit: 'normalised', of } } }).options;
    assert.deepEqual([kept('mean'), kept('x')], [{ pair: 1, unit: 'normalised', of: 'mean' }, { pair: 1, unit: 'raw', of: 'pair' }]);
  });

  it('offers each map its sites, neurons a view, and the names of positions', () => {
    const all = { sites: ['z', 'resid_pre', 'embed', 'mlp_post'] as SiteName[] };
    assert.deepEqual([sitesOf(all, 'heads'), sitesOf(all, 'positions')], [['z'], ['z', 'resid_pre', 'embed']]);
    assert.deepEqual([viewsOf(run).includes('neurons'), viewsOf(all).includes('neurons')], [true, true], 'the view says why there are none');
    assert.deepEqual(rolesOf(run), ['S1', 'END']);
    assert.deepEqual(viewsOf({ sites: [] }), ['logits', 'attention'], 'there are no maps of a run without estimates');
    assert.equal(stateFor({ ...run, sites: [] }, fallback).view, 'logits');
  });

  it('knows the selected part of the model where it is the same for all pairs', () => {
    const state = { ...defaultState(fallback), sites: { heads: 'q', positions: 'mlp_out' } as const };
    assert.deepEqual(selectedUnit(run, { ...state, selection: { kind: 'head', layer: 2, head: 3 } }), { site: 'q', layer: 2, head: 3 });
    assert.deepEqual(selectedUnit(run, { ...state, headPositions: 'last', selection: { kind: 'head', layer: 2, head: 3 } }), { site: 'q', layer: 2, head: 3, position: 'last' }, 'what the map shows');
    assert.equal(selectedUnit(run, { ...state, selection: { kind: 'position', group: 0, layer: 1, position: 4 } }), undefined, 'the lengths differ');
    const one = { groups: run.groups.slice(0, 1) };
    assert.deepEqual(selectedUnit(one, { ...state, selection: { kind: 'position', group: 0, layer: 1, position: 4 } }), { site: 'mlp_out', layer: 1, position: 4 });
    const embedded = { ...state, sites: { heads: 'q', positions: 'embed' } as const, selection: { kind: 'position', group: 0, layer: 0, position: 4 } as const };
    assert.deepEqual(selectedUnit(one, embedded), { site: 'embed', position: 4 });
  });

  it('shows the length group that a chosen pair is in', () => {
    assert.equal(groupOf(run, 1), 1);
    assert.equal(groupOf(run, 'all'), undefined);
    assert.equal(stateFor(run, fallback, { runId: 'run-1', view: { options: { pair: 2, unit: 'raw' }, group: 1 } }).group, 0);
  });
});

describe('sorting by a header', () => {
  it('sorts by the line, and by index when pressed again', () => {
    assert.deepEqual(toggleLine({ by: 'total' }, 3), { by: 'line', line: 3 });
    assert.deepEqual(toggleLine({ by: 'line', line: 3 }, 3), { by: 'index' });
    assert.deepEqual(toggleLine({ by: 'line', line: 3 }, 2), { by: 'line', line: 2 });
  });

  it('takes only lines that are there', () => {
    assert.deepEqual(sortKey({ by: 'line', line: 2 }, 3), { by: 'line', line: 2 });
    for (const line of [3, -1, 1.5, NaN, '1', undefined]) assert.deepEqual(sortKey({ by: 'line', line }, 3), { by: 'index' });
  });
});
