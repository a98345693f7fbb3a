import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { COMMANDS } from '../../src/editor/commandTable';
import { createPanelWork } from '../../src/editor/panelWork';
import { createPathAnswers, type PathAnswers } from '../../src/editor/pathAnswers';
import { RunIndex } from '../../src/editor/runIndex';
import { createRunsAtWork, type RunsAtWork } from '../../src/editor/runsAtWork';
import { deleteForGood } from '../../src/editor/runsTree';
import { settingsOfRun } from '../../src/editor/settings';
import { createVerifications, type Verifications } from '../../src/editor/verifications';
import type { PrivateApi } from '../../src/extension';
import { createRunner } from '../../src/runner/createRunner';
import type { AttributionJob, ExperimentRunner } from '../../src/runner/runner';
import { RunStore } from '../../src/runs/store';
import { CircuitError } from '../../src/shared/errors';
import { exactOf } from '../../src/shared/exact';
import { edgeCount, edgesOf, type Edge } from '../../src/shared/graph/nodes';
import { measuredPaths, shapeOf } from '../../src/shared/graph/stored';
import type { CellChoice, PanelHost } from '../../src/shared/panelProtocol';
import type { GraphFormat } from '../../src/shared/pathsProtocol';
import type { Run, RunManifest } from '../../src/shared/run';
import type { ViewOptions } from '../../src/shared/views';
import { fakeEngine, fakeTokenizer, type FakeEngine } from '../unit/runner/fakes';
import { activated, closeEditors, eventually, sampleUri } from './extension';
import { openPanel, silentLog, type FakePanel } from './fakePanel';
import { Steps } from './steps';

const RAW: ViewOptions = { pair: 'all', unit: 'raw' };
const NOBODY = { runAll: async () => [], cancel: () => undefined, lastTried: () => undefined };
const isCode = (code: CircuitError['code'], message = /./) => (error: unknown): boolean => CircuitError.is(error, code) && message.test(error.message);
const silentStatus = { begin: () => ({ report: () => undefined, end: () => undefined }), refresh: () => undefined, dispose: () => undefined };

/** Fields that are undefined are not written. */
const asStored = (manifest: RunManifest): unknown => JSON.parse(JSON.stringify(manifest));

/** What the person chooses in the dialogs of files. */
interface Chosen {
  save?: vscode.Uri;
  open?: vscode.Uri;
  /** What was suggested for saving. */
  suggested: string[];
}

interface Scene extends FakePanel {
  run: Run;
  store: RunStore;
  runIndex: RunIndex;
  runsAtWork: RunsAtWork;
  verifications: Verifications;
  chosen: Chosen;
}

const folders: string[] = [];

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'circuit-explorer-paths-'));
  folders.push(made);
  return made;
}

/** A panel that shows a run, and all that stands behind it. */
async function panelOn(run: Run, runner: ExperimentRunner, store: RunStore): Promise<Scene> {
  const log = silentLog();
  const runIndex = new RunIndex(store);
  const chosen: Chosen = { suggested: [] };
  const work = createPanelWork(() => ({ runner, attributions: NOBODY, verifications, pathAnswers, log }));
  const fake = openPanel({ work, log });
  const runsAtWork = createRunsAtWork({ store, runIndex, panels: { all: [fake.panel] }, statusBar: silentStatus, log });
  const dependencies = { runner, runsAtWork, settingsOf: settingsOfRun };
  const verifications = createVerifications(dependencies);
  const pathAnswers: PathAnswers = createPathAnswers({
    ...dependencies,
    saveDialog: async (options) => {
      chosen.suggested.push(options?.defaultUri?.path.split('/').pop() ?? '');
      return chosen.save;
    },
    openDialog: async () => chosen.open && [chosen.open],
  });
  fake.panel.showRun(run);
  await fake.host.ready({});
  return { ...fake, run, store, runIndex, runsAtWork, verifications, chosen };
}

after(() => Promise.all(folders.map((made) => rm(made, { recursive: true }))));

describe('paths and circuits from the panel', () => {
  const JOB: AttributionJob = {
    experiment: { metric: 'logitDiff', direction: 'denoise', pairs: [{ clean: 'When John left', corrupted: 'When Mary left', correct: [' Mary'], incorrect: [' John'] }] },
    settings: { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'denoise' },
    title: 'a run of the tests',
  };
  const HEADS: CellChoice = { map: { site: 'z', over: 'all' }, all: true };

  /** On a run of two layers with three heads, with an engine that goes step by step. */
  async function scene(): Promise<Scene & { steps: Steps; engine: FakeEngine }> {
    const steps = new Steps();
    const engine = fakeEngine({ gate: steps.gate });
    const runner = createRunner({ engine, tokenizer: fakeTokenizer(), resolveModel: async (id) => ({ id, folder: '/nowhere' }), extensionVersion: 'test' });
    steps.allow(1);
    const run = await runner.attribute(JOB);
    return { ...(await panelOn(run, runner, new RunStore(await folder()))), steps, engine };
  }

  const attributed = async (): ReturnType<typeof scene> => {
    const made = await scene();
    made.steps.allow(1);
    await made.host.computePaths({ runId: made.run.manifest.id, method: {} });
    return made;
  };

  const measuredIn = (run: Run): number => measuredPaths(run, 'direct').edges.length;
  const someEdges = (run: Run, count: number): Edge[] => edgesOf(shapeOf(run)).slice(0, count);

  it('attributes edges, shows the run with them at once, and saves it', async () => {
    const { host, run, steps, shown, store } = await scene();
    const runId = run.manifest.id;
    await assert.rejects(host.graph({ runId, options: RAW, choose: { top: 3 }, mode: 'direct' }), isCode('experiment', /attribute them first/));
    const stages: string[] = [];
    steps.allow(1);
    await host.computePaths({ runId, method: { integrated: { steps: 5, rule: 'left' } } }, { onProgress: ({ stage }) => stages.push(stage) });
    const news = shown.at(-1)!;
    assert.ok(news.kind === 'run' && news.run.edgeMethod?.integrated?.steps === 5, 'before the call is answered');
    assert.equal((await host.graph({ runId, options: RAW, choose: { top: 3 }, mode: 'direct' })).edges.length, 3);
    assert.deepEqual((await store.load(runId)).manifest.paths?.method, { integrated: { steps: 5, rule: 'left' } });
  });

  it('measures paths as they come, and keeps what there is when it is cancelled', async () => {
    const { host, run, panel, steps, store, shown } = await attributed();
    const runId = run.manifest.id;
    shown.splice(0);
    const abort = new AbortController();
    const told: (number | undefined)[] = [];
    const patching = host.patchPaths({ runId, options: RAW, mode: 'direct', edges: { top: 4 } }, { signal: abort.signal, onProgress: ({ done }) => told.push(done) });
    steps.allow(2);
    await eventually('two paths', () => told.at(-1) === 2);
    const { edges } = await host.graph({ runId, options: RAW, choose: { top: 10 }, mode: 'direct' });
    assert.deepEqual(edges.map(({ exact }) => exact !== undefined), [true, true, ...new Array<boolean>(8).fill(false)], 'the strongest first');
    edges.slice(0, 2).forEach(({ score, exact }) => assert.ok(Math.abs(exact! - 2 * score) < 1e-6));
    abort.abort();
    await assert.rejects(patching, isCode('cancelled'));
    assert.equal(measuredIn(await store.load(runId)), 2);

    steps.allow(10);
    await host.patchPaths({ runId, options: RAW, mode: 'direct', edges: { top: 4 } });
    assert.equal(measuredIn(panel.run!), 4);
    assert.equal(measuredIn(await store.load(runId)), 4);
    assert.deepEqual(shown, [], 'the webview follows by its own call');
  });

  it('measures nothing twice, also in calls that wait for one another', async () => {
    const { host, run, steps, engine } = await attributed();
    const runId = run.manifest.id;
    const [one, two, three] = someEdges(run, 3) as [Edge, Edge, Edge];
    const patch = (...edges: Edge[]): Promise<void> => host.patchPaths({ runId, options: RAW, mode: 'direct', edges });
    const both = Promise.all([patch(one, two), patch(two, three, three)]);
    steps.allow(3);
    await both;
    assert.deepEqual(engine.pathed.map(({ edges }) => edges), [[one, two], [three]]);
  });

  it('loses nothing of what works at the same time: cells, paths, edges, circuits and notes', async () => {
    const { host, run, panel, steps, store } = await attributed();
    const runId = run.manifest.id;
    const all = Promise.all([
      host.verify({ runId, cells: HEADS }),
      host.patchPaths({ runId, options: RAW, mode: 'direct', edges: someEdges(run, 5) }),
      host.computePaths({ runId, method: { bothGradients: true } }),
      host.extractCircuit({ runId, options: RAW, selection: { by: 'top', edges: 20 }, prune: false, ablation: 'corrupted', name: 'mine' }),
    ]);
    await host.keepGraphNotes({ runId, notes: { names: { 'a1.h0': 'mover' }, pinned: ['m0'], text: 'seen' } });
    for (let i = 0; i < 20; i++) {
      steps.allow(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await all;
    for (const kept of [panel.run!, await store.load(runId)]) {
      assert.equal(exactOf(kept).cells.length, 6);
      assert.equal(measuredIn(kept), 5);
      assert.deepEqual(kept.manifest.paths!.method, { bothGradients: true });
      assert.deepEqual(kept.manifest.circuits!.map(({ name }) => name), ['mine']);
      assert.equal(kept.manifest.graph!.text, 'seen');
    }
  });

  it('goes on when the panel is closed, and ends before its run is deleted', async () => {
    const { host, run, steps, close, runsAtWork, store, runIndex } = await attributed();
    const runId = run.manifest.id;
    host.patchPaths({ runId, options: RAW, mode: 'direct', edges: someEdges(run, 4) }).catch(() => undefined);
    steps.allow(1);
    await eventually('a path', () => measuredIn(runsAtWork.current(runId) ?? run) === 1);
    close();
    steps.allow(1);
    await eventually('two paths', () => measuredIn(runsAtWork.current(runId)!) === 2);
    await deleteForGood(runId, { store, runIndex, runsAtWork });
    assert.deepEqual(await store.list(), []);
    assert.equal(runsAtWork.current(runId), undefined);
  });

  it('ends with the panel what only that would be told', async () => {
    const { host, run, close, runsAtWork, engine } = await attributed();
    const runId = run.manifest.id;
    host.circuitCurve({ runId, options: RAW, by: 'top', ablation: 'corrupted', random: 1 }).catch(() => undefined);
    await eventually('the work', () => engine.ran.length === 1);
    close();
    await eventually('its end', () => runsAtWork.current(runId) === undefined);
  });

  it('keeps notes quietly: the webview that wrote them is not drawn anew, one that comes later has them', async () => {
    const { host, run, shown, reload, store } = await attributed();
    const runId = run.manifest.id;
    const notes = { names: { m0: 'first MLP' }, pinned: [], text: 'a note' };
    shown.splice(0);
    await host.keepGraphNotes({ runId, notes });
    assert.deepEqual(shown, []);
    assert.deepEqual((await store.load(runId)).manifest.graph, notes);
    const content = await reload().ready({});
    assert.ok(content.kind === 'run');
    assert.deepEqual(content.run.graph, notes);
  });

  it('does not have the webview draw anew for what changes nothing', async () => {
    const { host, run, steps, shown } = await attributed();
    shown.splice(0);
    steps.allow(10);
    await host.edgePositions({ runId: run.manifest.id, options: RAW, edge: someEdges(run, 1)[0]! });
    await host.circuitCurve({ runId: run.manifest.id, options: RAW, by: 'top', ablation: 'zero', random: 2 });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(shown, []);
  });

  it('does nothing where a dialog is left, and says why a selection is no circuit', async () => {
    const { host, run, chosen, engine, panel } = await attributed();
    const runId = run.manifest.id;
    await host.importCircuit({ runId, ablation: 'corrupted' });
    await host.exportGraph({ runId, options: RAW, format: 'csv' });
    assert.equal(chosen.suggested.length, 1);
    await assert.rejects(host.extractCircuit({ runId, options: RAW, selection: { by: 'threshold', threshold: 1e9 }, prune: true, ablation: 'corrupted', name: 'none' }), isCode('experiment', /lower the threshold/));
    assert.deepEqual(engine.ran, []);
    assert.equal(panel.run!.manifest.circuits, undefined);
  });

  it('refuses what the panel could not have sent', async () => {
    const { host, run } = await attributed();
    const runId = run.manifest.id;
    const bad: [keyof PanelHost, unknown][] = [
      ['computePaths', { runId, method: { layerNorm: 'half' } }],
      ['graph', { runId, options: RAW, choose: { top: 3 }, mode: 'sideways' }],
      ['edgePositions', { runId, options: RAW, edge: { sender: 0, receiver: 999 } }],
      ['patchPaths', { runId, options: RAW, mode: 'direct', edges: 'all' }],
      ['selectCircuit', { runId, options: RAW, selection: { by: 'luck' }, prune: true }],
      ['extractCircuit', { runId, options: RAW, selection: { by: 'top', edges: 3 }, prune: true, ablation: 'corrupted', name: '' }],
      ['circuitCurve', { runId, options: RAW, by: 'top', ablation: 'corrupted', random: 1e9 }],
      ['circuitMinimality', { runId, circuit: 0 }],
      ['refineCircuit', { runId, circuit: 0, threshold: 1, name: 'x' }],
      ['circuitStability', { runId: 'another', selection: { by: 'top', edges: 3 }, prune: true }],
      ['circuitOverlap', { runId, circuits: [0, 1] }],
      ['removeCircuit', { runId, circuit: 0 }],
      ['exportGraph', { runId, options: RAW, format: 'exe' }],
      ['importCircuit', { runId, ablation: 'magic' }],
      ['keepGraphNotes', { runId, notes: { names: { nobody: 'x' }, pinned: [], text: '' } }],
    ];
    for (const [method, params] of bad) {
      const call = (host as unknown as Record<string, (given: unknown) => Promise<unknown>>)[method]!;
      await assert.rejects(call(params), /unusable|no longer shows/, method);
    }
  });
});

describe('paths and circuits of the sample', () => {
  let api: PrivateApi;
  let scene: Scene;
  let host: PanelHost;
  let runId: string;
  let total: number;

  before(async () => {
    api = await activated();
    await vscode.commands.executeCommand(COMMANDS.attributeFile, sampleUri());
    const run = api.panels.get(sampleUri().toString())!.run!;
    scene = await panelOn(run, api.runner, api.store);
    ({ host } = scene);
    runId = run.manifest.id;
    total = edgeCount(shapeOf(run));
  });
  after(closeEditors);

  const circuits = (): NonNullable<Run['manifest']['circuits']> => scene.panel.run!.manifest.circuits ?? [];

  it('has edges, a graph with columns, and edges by position', async () => {
    await host.computePaths({ runId, method: { integrated: { steps: 5, rule: 'left' } } });
    const page = await host.graph({ runId, options: RAW, choose: { top: 40 }, mode: 'direct' });
    assert.deepEqual([page.edges.length, page.count, page.total], [40, 40, total]);
    assert.ok(page.edges.every(({ score }, i) => i === 0 || Math.abs(score) <= Math.abs(page.edges[i - 1]!.score)));
    assert.ok(page.columns.length > 1 && page.nodes.every(({ column }) => page.columns[column] !== undefined));
    const [strongest] = page.edges;
    const groups = await host.edgePositions({ runId, options: RAW, edge: { sender: strongest!.sender, receiver: strongest!.receiver } });
    const summed = groups.flatMap(({ scores }) => scores).reduce((sum, score) => sum + score, 0);
    assert.ok(Math.abs(summed - strongest!.score) < 1e-4 * Math.abs(strongest!.score) + 1e-6, `${summed} and ${strongest!.score}`);
  });

  it('verifies the strongest edges exactly, in each way', async () => {
    for (const mode of ['direct', 'directFrozen', 'throughMlps'] as const) {
      await host.patchPaths({ runId, options: RAW, mode, edges: { top: 3 } });
      const { edges } = await host.graph({ runId, options: RAW, choose: { top: 3 }, mode });
      assert.ok(edges.every(({ exact }) => Number.isFinite(exact)));
    }
    assert.equal(measuredPaths(await api.store.load(runId), 'throughMlps').edges.length, 3);
  });

  it('extracts a circuit that is as faithful as the full one at the full budget, and less at a small one', async () => {
    const extract = (edges: number, name: string): Promise<void> => host.extractCircuit({ runId, options: RAW, selection: { by: 'top', edges }, prune: true, ablation: 'corrupted', name });
    await extract(total, 'all');
    await extract(Math.round(total / 10), 'a tenth');
    const [all, tenth] = circuits();
    assert.ok(Math.abs(all!.faithfulness!.value! - 1) < 1e-4);
    assert.ok(Math.abs(all!.faithfulness!.knockedOut!) < 1e-4);
    assert.match(tenth!.origin, /top \d+ of EAP-IG \(5 steps, left\).*pruned/);
    assert.ok(tenth!.edges.length > 0 && tenth!.edges.length <= Math.round(total / 10));
    const news = scene.shown.at(-1)!;
    assert.ok(news.kind === 'run');
    assert.deepEqual(news.run.circuits.map(({ name }) => name), ['all', 'a tenth']);
    const selected = await host.selectCircuit({ runId, options: RAW, selection: { by: 'top', edges: Math.round(total / 10) }, prune: true });
    assert.equal(selected.edges, tenth!.edges.length);
    assert.equal(news.run.circuits[1]!.nodes, selected.nodes);
  });

  it('draws the curve beside random circuits', async () => {
    const curve = await host.circuitCurve({ runId, options: RAW, by: 'top', ablation: 'corrupted', random: 3 });
    const last = curve.points.at(-1)!;
    assert.equal(last.share, 1);
    assert.ok(Math.abs(last.faithfulness! - 1) < 1e-4 && Math.abs(last.random!.mean - 1) < 1e-4);
    assert.equal(curve.points.length + curve.leftOut, 10);
    assert.ok(curve.cpr !== null && curve.cmd !== null);
    assert.ok(curve.full > curve.empty);
  });

  it('questions circuits: what each edge is worth, how far two overlap, how stable a selection is', async () => {
    await host.extractCircuit({ runId, options: RAW, selection: { by: 'greedy', edges: 12 }, prune: true, ablation: 'corrupted', name: 'twelve' });
    const losses = await host.circuitMinimality({ runId, circuit: 2 });
    assert.equal(losses.length, circuits()[2]!.edges.length);
    assert.ok(losses.every(({ loss }, i) => i === 0 || loss! <= losses[i - 1]!.loss!));
    const overlap = await host.circuitOverlap({ runId, circuits: [0, 2] });
    assert.deepEqual([overlap.shared, overlap.either], [circuits()[2]!.edges.length, circuits()[0]!.edges.length]);
    const stability = await host.circuitStability({ runId, selection: { by: 'top', edges: 40 }, prune: true });
    assert.ok(stability.mean > 0 && stability.low <= stability.mean && stability.mean <= stability.high && stability.high <= 1, JSON.stringify(stability));
  });

  it('refines a circuit by ACDC into a new one, and removes one', async () => {
    const { edges } = circuits()[1]!;
    let tried = 0;
    await host.refineCircuit({ runId, circuit: 1, threshold: 0.05, name: 'refined' }, { onProgress: ({ done = 0 }) => (tried = Math.max(tried, done)) });
    assert.ok(tried > 1, 'how many edges were tried is told');
    const refined = circuits()[3]!;
    assert.ok(refined.edges.length < edges.length && refined.edges.every((edge) => edges.includes(edge)));
    assert.match(refined.origin, /a tenth, refined by ACDC at 0\.05/);
    await host.removeCircuit({ runId, circuit: 2 });
    assert.deepEqual((await api.store.load(runId)).manifest.circuits!.map(({ name }) => name), ['all', 'a tenth', 'refined']);
  });

  it('writes the graph and a circuit in every format, and takes the circuit back', async () => {
    const to = vscode.Uri.file(await folder());
    const written = async (format: GraphFormat, circuit?: number): Promise<string> => {
      scene.chosen.save = vscode.Uri.joinPath(to, `${format}-${circuit ?? 'whole'}`);
      await host.exportGraph({ runId, options: RAW, format, ...(circuit !== undefined && { circuit }) });
      return new TextDecoder().decode(await vscode.workspace.fs.readFile(scene.chosen.save));
    };
    assert.match(await written('dot', 1), /digraph/);
    assert.match(scene.chosen.suggested.at(-1)!, /^ioi-a-tenth-EAP-IG.*-raw-.*\.dot$/);
    assert.match(await written('mermaid', 1), /flowchart/);
    assert.equal((await written('csv')).trim().split('\n').length, total + 1);
    assert.equal((await written('csv', 1)).trim().split('\n').length, circuits()[1]!.edges.length + 1);
    const whole = JSON.parse(await written('mib')) as { edges: Record<string, { in_graph: boolean }> };
    assert.equal(Object.values(whole.edges).filter((edge) => edge.in_graph).length, total);
    await written('mib', 1);

    scene.chosen.open = scene.chosen.save;
    const before = circuits().length;
    await host.importCircuit({ runId, ablation: 'corrupted' });
    const [tenth, back] = [circuits()[1]!, circuits()[before]!];
    assert.deepEqual(back.edges, tenth.edges);
    assert.equal(back.faithfulness!.value, tenth.faithfulness!.value);
    assert.match(back.origin, /imported from mib-1/);
  });

  it('refuses graphs of other models, with unknown nodes or cycles, without a circuit, and too big, with the reason', async () => {
    const at = await folder();
    const { layers, heads, dModel } = scene.run.manifest.model;
    const cfg = { n_layers: layers, n_heads: heads, parallel_attn_mlp: false, d_model: dModel };
    const bad: [string, unknown, RegExp][] = [
      ['other.json', { cfg: { ...cfg, n_layers: layers + 1 }, nodes: {}, edges: {} }, /another model/],
      ['unknown.json', { cfg, nodes: {}, edges: { 'a99.h0->logits': { in_graph: true } } }, /a99\.h0/],
      ['cycle.json', { cfg, nodes: {}, edges: { 'm0->a0.h0<q>': { in_graph: true } } }, /backwards/],
      ['empty.json', { cfg, nodes: {}, edges: { 'm0->logits': { score: 1, in_graph: false } } }, /scores alone/],
      ['text.json', 'circuit', /object/],
    ];
    const before = circuits().length;
    for (const [name, content, why] of bad) {
      await writeFile(path.join(at, name), JSON.stringify(content));
      scene.chosen.open = vscode.Uri.file(path.join(at, name));
      await assert.rejects(host.importCircuit({ runId, ablation: 'corrupted' }), isCode('experiment', why), name);
    }
    const big = path.join(at, 'big.json');
    await writeFile(big, '');
    await truncate(big, 60_000_000);
    scene.chosen.open = vscode.Uri.file(big);
    await assert.rejects(host.importCircuit({ runId, ablation: 'corrupted' }), isCode('experiment', /60 MB/));
    scene.chosen.open = vscode.Uri.file(path.join(at, 'gone.json'));
    await assert.rejects(host.importCircuit({ runId, ablation: 'corrupted' }), isCode('storage', /gone\.json/));
    assert.equal(circuits().length, before);
  });

  it('is all there when the run is opened again', async () => {
    await host.keepGraphNotes({ runId, notes: { names: { m0: 'first MLP' }, pinned: ['m0'], text: 'kept' } });
    const kept = scene.panel.run!;
    const again = await panelOn(await api.store.load(runId), api.runner, api.store);
    assert.deepEqual(again.panel.run!.manifest, asStored(kept.manifest));
    const request = { runId, options: RAW, choose: { top: 50 }, circuit: 1, mode: 'direct' } as const;
    assert.deepEqual(await again.host.graph(request), await host.graph(request));
    const content = await again.host.ready({});
    assert.ok(content.kind === 'run' && content.run.graph?.text === 'kept' && content.run.circuits.length === circuits().length);
  });

  it('attributes edges and extracts a circuit of the run in front by command', async () => {
    const panel = api.panels.get(sampleUri().toString())!;
    await vscode.commands.executeCommand(COMMANDS.attributeFile, sampleUri());
    await vscode.commands.executeCommand(COMMANDS.attributeEdges, {});
    assert.deepEqual(panel.run!.manifest.paths?.method, {});
    await vscode.commands.executeCommand(COMMANDS.extractCircuit, { selection: { by: 'top', edges: 30 }, prune: false, ablation: 'zero', name: 'by command' });
    assert.deepEqual(panel.run!.manifest.circuits?.map(({ name, edges, faithfulness }) => [name, edges.length, faithfulness?.ablation]), [['by command', 30, 'zero']]);
    assert.deepEqual((await api.store.load(panel.run!.manifest.id)).manifest, asStored(panel.run!.manifest));
  });
});
