import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Attribution, Attributions } from '../../src/editor/attributions';
import { createPanelWork } from '../../src/editor/panelWork';
import { createPathAnswers } from '../../src/editor/pathAnswers';
import { RunIndex } from '../../src/editor/runIndex';
import { settingsOfRun } from '../../src/editor/settings';
import { deleteForGood } from '../../src/editor/runsTree';
import { createRunsAtWork, type RunsAtWork, type RunsAtWorkDependencies } from '../../src/editor/runsAtWork';
import { createVerifications, type VerificationDependencies, type Verifications } from '../../src/editor/verifications';
import { createRunner } from '../../src/runner/createRunner';
import type { AttributionJob } from '../../src/runner/runner';
import { RunStore } from '../../src/runs/store';
import { packArrays } from '../../src/shared/arrays';
import { CircuitError } from '../../src/shared/errors';
import { exactOf } from '../../src/shared/exact';
import type { CellChoice } from '../../src/shared/panelProtocol';
import type { Run } from '../../src/shared/run';
import type { MapOf, ViewOptions } from '../../src/shared/views';
import { effectOf, fakeEngine, fakeTokenizer, type FakeEngine } from '../unit/runner/fakes';
import { eventually } from './extension';
import { openPanel, silentLog, type FakePanel } from './fakePanel';
import { Steps } from './steps';

const HEADS: MapOf = { site: 'z', over: 'all' };
const RAW: ViewOptions = { pair: 'all', unit: 'raw' };
const ALL: CellChoice = { map: HEADS, all: true };
const JOB: AttributionJob = {
  experiment: { metric: 'logitDiff', direction: 'denoise', pairs: [{ clean: 'When John left', corrupted: 'When Mary left', correct: [' Mary'], incorrect: [' John'] }] },
  settings: { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'denoise' },
  title: 'a run of the tests',
};
const isCode = (code: CircuitError['code']) => (error: unknown): boolean => CircuitError.is(error, code);

interface Scene extends FakePanel {
  run: Run;
  engine: FakeEngine;
  steps: Steps;
  store: RunStore;
  runIndex: RunIndex;
  verifications: Verifications;
  runsAtWork: RunsAtWork;
  /** What was logged as an error. */
  errors: string[];
  /** What was asked to be attributed. */
  attributed: Attribution[];
}

describe('exact patching from the panel', () => {
  const folders: string[] = [];
  after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

  /** A panel on a run of two layers with three heads, and all that stands behind it but for the engine. */
  async function scene({ saveEvery, withProgress }: Pick<VerificationDependencies, 'saveEvery'> & Pick<RunsAtWorkDependencies, 'withProgress'> = {}): Promise<Scene> {
    const folder = await mkdtemp(path.join(tmpdir(), 'circuit-explorer-runs-'));
    folders.push(folder);
    const steps = new Steps();
    const engine = fakeEngine({ gate: steps.gate });
    const runner = createRunner({ engine, tokenizer: fakeTokenizer(), resolveModel: async (id) => ({ id, folder: '/nowhere' }), extensionVersion: 'test' });
    steps.allow(1);
    const run = await runner.attribute(JOB);
    const log = silentLog();
    const store = new RunStore(folder);
    const runIndex = new RunIndex(store);
    const statusBar = { begin: () => ({ report: () => undefined, end: () => undefined }), refresh: () => undefined, dispose: () => undefined };
    const attributed: Attribution[] = [];
    const attributions: Attributions = {
      runAll: async (list) => {
        attributed.push(...list);
        return [];
      },
      cancel: () => undefined,
      lastTried: () => undefined,
    };
    const work = createPanelWork(() => ({ runner, attributions, verifications, pathAnswers, log }));
    const fake = openPanel({ work, log });
    const runsAtWork = createRunsAtWork({ store, runIndex, panels: { all: [fake.panel] }, statusBar, log, withProgress });
    const verifications: Verifications = createVerifications({ runner, runsAtWork, settingsOf: settingsOfRun, saveEvery });
    const pathAnswers = createPathAnswers({ runner, runsAtWork, settingsOf: settingsOfRun });
    fake.panel.showRun(run);
    await fake.host.ready({});
    return { ...fake, run, engine, steps, store, runIndex, verifications, runsAtWork, errors: log.errors, attributed };
  }

  const measuredIn = (run: Run): number => exactOf(run).cells.length;

  it('streams what is measured into the run on show, and saves it', async () => {
    const { host, panel, run, steps, store, shown } = await scene();
    const runId = run.manifest.id;
    const fractions: number[] = [];
    const cost = await host.patchCost({ runId, cells: { map: HEADS, options: RAW, top: 4 } });
    assert.deepEqual([cost.cells, cost.known], [4, 0]);
    const verifying = host.verify({ runId, cells: { map: HEADS, options: RAW, top: 4 } }, { onProgress: ({ fraction }) => fractions.push(fraction) });
    steps.allow(2);
    await eventually('two cells', () => measuredIn(panel.run!) === 2);
    const { values } = await host.map({ runId, map: HEADS, options: RAW, values: 'exact' });
    assert.equal(values.filter((value) => !Number.isNaN(value)).length, 2);
    assert.equal((await host.agreement({ runId, map: HEADS, options: RAW })).points.length, 2);
    steps.allow(2);
    await verifying;
    assert.ok(fractions.length >= 3 && fractions.at(-1) === 1, fractions.join());
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
    const [row] = await host.agreementTable({ runId, options: RAW });
    assert.deepEqual([row!.map, row!.measured, row!.cells], [HEADS, 4, 6]);

    const reopened = await store.load(runId);
    assert.deepEqual(exactOf(reopened), exactOf(panel.run!));
    exactOf(reopened).cells.forEach((cell, i) => assert.equal(exactOf(reopened).effects[i], Math.fround(effectOf(cell, 0))));
    assert.equal((await host.patchCost({ runId, cells: { map: HEADS, options: RAW, top: 4 } })).known, 4);
    assert.deepEqual(shown, [], 'the webview follows by its own call');
  });

  it('says how many cells are measured, whatever else it spends its time on', async () => {
    const { host, run, steps } = await scene();
    const cells: CellChoice = { map: HEADS, options: RAW, top: 4 };
    const told: (number | undefined)[] = [];
    const verifying = host.verify({ runId: run.manifest.id, cells }, { onProgress: ({ done }) => told.push(done) });
    await eventually('the first progress', () => told.length > 0);
    assert.deepEqual([...new Set(told)], [0]);
    steps.allow(2);
    await eventually('two cells', () => told.at(-1) === 2);
    steps.allow(2);
    await verifying;
    assert.equal(told.at(-1), 4);
  });

  it('keeps what was measured when it is cancelled by the webview or by the panel’s button, and goes on from there', async () => {
    const { host, panel, run, engine, steps, store } = await scene();
    const runId = run.manifest.id;
    const abort = new AbortController();
    const first = host.verify({ runId, cells: ALL }, { signal: abort.signal });
    steps.allow(2);
    await eventually('two cells', () => measuredIn(panel.run!) === 2);
    abort.abort();
    await assert.rejects(first, isCode('cancelled'));
    assert.equal(measuredIn(await store.load(runId)), 2);

    const second = host.verify({ runId, cells: ALL });
    steps.allow(2);
    await eventually('four cells', () => measuredIn(panel.run!) >= 3);
    await host.act({ action: 'cancel' });
    await host.cancelVerifying({ runId });
    await assert.rejects(second, isCode('cancelled'));
    const kept = measuredIn(await store.load(runId));
    assert.ok(kept >= 3 && kept < 6, String(kept));

    steps.allow(10);
    await host.verify({ runId, cells: ALL });
    assert.equal(measuredIn(await store.load(runId)), 6);
    assert.deepEqual(engine.patched.map(({ cells }) => cells.length), [6, 4, 6 - kept], 'nothing is measured twice');
  });

  it('lets one call wait for another, and does not measure again what that one has measured', async () => {
    const { host, run, engine, steps, panel } = await scene();
    const runId = run.manifest.id;
    const one = host.verify({ runId, cells: { map: HEADS, cells: [{ row: 0, column: 0 }, { row: 0, column: 1 }] } });
    const two = host.verify({ runId, cells: { map: HEADS, cells: [{ row: 0, column: 1 }, { row: 1, column: 1 }] } });
    steps.allow(3);
    await Promise.all([one, two]);
    assert.deepEqual(engine.patched.map(({ cells }) => cells.map(({ layer, head }) => `${layer}.${head}`)), [['0.0', '0.1'], ['1.1']]);
    assert.equal(measuredIn(panel.run!), 3);
  });

  it('goes on when the panel is closed', async () => {
    const { host, run, steps, store, close, runsAtWork, errors } = await scene();
    const runId = run.manifest.id;
    host.verify({ runId, cells: ALL }).catch(() => undefined);
    steps.allow(1);
    await eventually('a cell', () => measuredIn(runsAtWork.current(runId) ?? run) === 1);
    close();
    steps.allow(5);
    await eventually('the end', () => runsAtWork.current(runId) === undefined);
    assert.equal(measuredIn(await store.load(runId)), 6);
    assert.deepEqual(errors, []);
  });

  it('saves now and then while it measures', async () => {
    const { host, run, steps, store } = await scene({ saveEvery: 0 });
    const runId = run.manifest.id;
    const verifying = host.verify({ runId, cells: ALL });
    steps.allow(2);
    await eventually('two cells on disk', () => store.load(runId).then((stored) => measuredIn(stored) === 2, () => false));
    steps.allow(4);
    await verifying;
    assert.equal(measuredIn(await store.load(runId)), 6);
  });

  it('tells a webview that was loaded anew meanwhile', async () => {
    const { host, run, steps, shown, reload, panel } = await scene();
    const runId = run.manifest.id;
    host.verify({ runId, cells: ALL }).catch(() => undefined);
    steps.allow(2);
    await eventually('two cells', () => measuredIn(panel.run!) === 2);
    const again = reload();
    const content = await again.ready({});
    assert.ok(content.kind === 'run');
    assert.deepEqual([content.verifying?.cells, content.verifying?.done], [6, 2]);
    const before = await again.map({ runId, map: HEADS, options: RAW, values: 'exact' });
    assert.equal(before.values.filter((value) => !Number.isNaN(value)).length, 2);
    steps.allow(4);
    await eventually('the end', () => shown.some((news) => news.kind === 'run' && news.verifying === undefined));
    const now = await again.map({ runId, map: HEADS, options: RAW, values: 'exact' });
    assert.equal(now.values.filter((value) => !Number.isNaN(value)).length, 6);
  });

  it('is stopped by a webview that was loaded anew meanwhile', async () => {
    const { host, run, steps, reload, panel, store, verifications } = await scene();
    const runId = run.manifest.id;
    const stopped = assert.rejects(verifications.verify({ run, panel, cells: [{ site: 'z', layer: 0, head: 0 }, { site: 'z', layer: 1, head: 1 }] }, {}), isCode('cancelled'));
    steps.allow(1);
    await eventually('a cell', () => measuredIn(panel.run!) === 1);
    const again = reload();
    await again.ready({});
    await again.cancelVerifying({ runId });
    await stopped;
    assert.equal(measuredIn(await store.load(runId)), 1, 'saved once the button has worked');
    assert.ok(host);
  });

  it('goes on while the panel shows another run, and can be followed when it is back', async () => {
    const { host, run, steps, panel, store, runsAtWork, shown } = await scene();
    const runId = run.manifest.id;
    host.verify({ runId, cells: ALL }).catch(() => undefined);
    steps.allow(1);
    await eventually('a cell', () => measuredIn(panel.run!) === 1);
    panel.showRun({ ...run, manifest: { ...run.manifest, id: 'another' } });
    steps.allow(1);
    await eventually('two cells', () => measuredIn(runsAtWork.current(runId)!) === 2);
    assert.equal(measuredIn(panel.run!), 0);
    panel.showRun(runsAtWork.current(runId)!);
    shown.splice(0);
    steps.allow(1);
    await eventually('news of three cells', () => shown.some((news) => news.kind === 'run' && news.verifying?.done === 3));
    steps.allow(3);
    await eventually('the end', () => runsAtWork.current(runId) === undefined);
    assert.equal(measuredIn(await store.load(runId)), 6);
  });

  it('is of the run that was named, whatever the panel shows by then', async () => {
    const { run, steps, panel, store, verifications } = await scene();
    panel.showRun({ ...run, manifest: { ...run.manifest, id: 'another' } });
    steps.allow(1);
    await verifications.verify({ run, panel, cells: [{ site: 'z', layer: 0, head: 0 }] }, {});
    assert.equal(measuredIn(await store.load(run.manifest.id)), 1);
    assert.equal(measuredIn(panel.run!), 0);
  });

  it('ends before its run is deleted, so that saving does not bring the run back', async () => {
    const { host, run, steps, panel, store, runIndex, runsAtWork } = await scene({ saveEvery: 0 });
    const runId = run.manifest.id;
    const stopped = assert.rejects(host.verify({ runId, cells: ALL }), isCode('cancelled'));
    steps.allow(2);
    await eventually('two cells', () => measuredIn(panel.run!) === 2);
    await deleteForGood(runId, { store, runIndex, runsAtWork });
    await stopped;
    steps.allow(5);
    assert.deepEqual(await store.list(), []);
    assert.equal(runsAtWork.current(runId), undefined);
  });

  it('shows a notification once it takes longer than it should have', async () => {
    const messages: (string | undefined)[] = [];
    let ended = false;
    const withProgress: RunsAtWorkDependencies['withProgress'] = async (_options, task) => {
      const result = await task({ report: ({ message }) => messages.push(message) }, { isCancellationRequested: false, onCancellationRequested: () => ({ dispose: () => undefined }) });
      ended = true;
      return result;
    };
    const { host, run, steps } = await scene({ withProgress });
    const verifying = host.verify({ runId: run.manifest.id, cells: { map: HEADS, cells: [{ row: 0, column: 0 }] } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(messages, []);
    await eventually('the notification', () => messages.length > 0);
    steps.allow(1);
    await verifying;
    await eventually('its end', () => ended);
  });

  it('says why it cannot, and leaves the run as it is', async () => {
    const { host, run, engine, panel } = await scene();
    engine.checkpointHash = 'ff';
    await assert.rejects(host.verify({ runId: run.manifest.id, cells: ALL }), isCode('model-missing'));
    assert.equal(panel.run, run);
  });

  it('answers for attention, lens and predictions', async () => {
    const { host, run, steps } = await scene();
    const runId = run.manifest.id;
    steps.allow(2);
    const { heads, arrays } = await host.attention({ runId, pair: 0, layer: 1, heads: [0, 2] });
    assert.deepEqual([heads, arrays.entries['attribution']!.shape], [[0, 2], [2, 3, 3]]);
    assert.ok('clean.lens' in (await host.lens({ runId })).arrays.entries);
    const { clean, corrupted } = await host.predictions({ runId, pair: 0 });
    assert.deepEqual([clean[0]!.text, corrupted![0]!.text], [' left', ' left']);
  });

  it('refuses what the panel could not have sent', async () => {
    const { host, run } = await scene();
    const runId = run.manifest.id;
    const bad: [string, unknown][] = [
      ['map', { runId, map: { site: 'q', over: 'all' }, options: RAW, values: 'estimate' }],
      ['verify', { runId: 'another', cells: ALL }],
      ['verify', { runId, cells: { map: HEADS, cells: [{ row: 9, column: 0 }] } }],
      ['patchCost', { runId, cells: { map: HEADS, options: RAW, top: -1 } }],
      ['agreement', { runId, map: { site: 'z', over: 'positions', group: 5 }, options: RAW }],
      ['agreementTable', { runId, options: { pair: 7, unit: 'raw' } }],
      ['attention', { runId, pair: 0, layer: 0, heads: [17] }],
      ['lens', { runId: 'another' }],
      ['predictions', { runId, pair: 1 }],
      ['neurons', { runId, options: RAW, from: 0, count: 10 }],
      ['rerunWith', { runId, change: { metric: 'accuracy' } }],
      ['rerunWith', { runId: 'another', change: { metric: 'logProb' } }],
      ['cancelVerifying', { runId: 'another' }],
      ['exportMap', { runId, map: { site: 'z', over: 'sideways' }, options: RAW }],
      ['act', { action: 'format' }],
    ];
    for (const [method, params] of bad) {
      const call = (host as unknown as Record<string, (given: unknown) => Promise<unknown>>)[method]!;
      await assert.rejects(call(params), /unusable|no longer shows/, method);
    }
  });

  it('runs the same prompts with a change, the rest as on show', async () => {
    const { host, panel, run, attributed } = await scene();
    panel.showRun({ ...run, manifest: { ...run.manifest, experiment: { ...run.manifest.experiment, metric: 'logProb', direction: 'noise' } } });
    await host.rerunWith({ runId: run.manifest.id, change: { variant: { freezeLayerNorm: true } } });
    const { experiment, sites } = await attributed[0]!.plan();
    assert.deepEqual([experiment.metric, experiment.direction, experiment.variant], ['logProb', 'noise', { freezeLayerNorm: true }]);
    assert.deepEqual(experiment.pairs, JOB.experiment.pairs);
    assert.deepEqual(sites, ['z'], 'the sites of the run on show');
    panel.showRun(run);
    await host.rerunWith({ runId: run.manifest.id, change: { other: 'mean', sites: ['z', 'mlp_post'] } });
    const ablation = await attributed[1]!.plan();
    assert.deepEqual([ablation.experiment.other, ablation.experiment.direction, ablation.sites], ['mean', 'noise', ['z', 'mlp_post']]);
    await host.rerunWith({ runId: run.manifest.id, change: { metric: 'kl', direction: 'noise' } });
    assert.equal((await attributed[2]!.plan()).sites, undefined, 'there is no gradient to attribute any with');
    const without = { ...run, manifest: { ...run.manifest, id: 'without' }, arrays: packArrays([]) };
    panel.showRun(without);
    await host.rerunWith({ runId: 'without', change: { direction: 'denoise' } });
    assert.equal((await attributed[3]!.plan()).sites, undefined, 'the usual ones, where there were none');
  });
});
