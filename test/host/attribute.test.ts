import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import * as vscode from 'vscode';
import { COMMANDS } from '../../src/editor/commandTable';
import { PANEL_VIEW_TYPE } from '../../src/editor/panel';
import { actOfPanel, changedAttribution } from '../../src/editor/panelActions';
import { agreementOfMap, cellsOf } from '../../src/editor/panelModel';
import type { PrivateApi } from '../../src/extension';
import type { AttributionJob } from '../../src/runner/runner';
import type { CircuitError } from '../../src/shared/errors';
import { exactOf } from '../../src/shared/exact';
import type { TextExperiment } from '../../src/shared/experiment';
import type { ExperimentChange } from '../../src/shared/panelProtocol';
import { activated, closeEditors, eventually, PARK, promptText, sampleUri, SHOPS, workspaceFile } from './extension';
import { silentLog } from './fakePanel';

const JOB: AttributionJob = {
  experiment: { metric: 'logitDiff', direction: 'denoise', pairs: [{ ...SHOPS, correct: [SHOPS.correct], incorrect: [SHOPS.incorrect] }] },
  settings: { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'denoise' },
  title: 'a job of the tests',
};

/** Long enough to be caught in the middle. */
function longJob(): AttributionJob {
  const pairs = Array.from({ length: 400 }, () => JOB.experiment.pairs[0]!);
  return { ...JOB, experiment: { ...JOB.experiment, pairs } };
}

describe('attributing in the editor', () => {
  let api: PrivateApi;
  before(async () => {
    api = await activated();
  });
  afterEach(closeEditors);

  it('attributes the sample: a run on disk, and a panel that shows it', async () => {
    const before = (await api.store.list()).length;
    await vscode.commands.executeCommand(COMMANDS.attributeFile, sampleUri());
    const listings = await api.store.list();
    assert.equal(listings.length, before + 1);
    const { manifest } = await api.store.load(listings[0]!.id);
    assert.equal(manifest.pairs.length, manifest.experiment.pairs.length);
    assert.ok(manifest.pairs.length >= 2);
    assert.equal(manifest.model.id, 'bundled');
    assert.equal(manifest.source?.uri, sampleUri().toString());
    const panel = api.panels.get(sampleUri().toString());
    assert.equal(panel?.state, 'run');
    assert.equal(panel?.run?.manifest.id, manifest.id);
    assert.ok(vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).some(({ label }) => label === 'Attribution: ioi.prompts.json'));
  });

  it('attributes the pair under the cursor, with the text that is not saved yet', async () => {
    const uri = await workspaceFile('cursor.prompts.json', promptText(SHOPS, { ...PARK, correct: ' James', incorrect: ' Tom' }));
    const document = await vscode.workspace.openTextDocument(uri);
    const editor = await vscode.window.showTextDocument(document);
    const text = document.getText();
    const swap = text.indexOf('" James"');
    await editor.edit((edit) => edit.replace(new vscode.Range(document.positionAt(swap), document.positionAt(text.indexOf('}', swap))), '" Tom",\n      "incorrect": " James"\n    '));
    assert.ok(document.isDirty);
    const cursor = document.positionAt(document.getText().indexOf('"park"'));
    editor.selection = new vscode.Selection(cursor, cursor);
    await vscode.commands.executeCommand(COMMANDS.attributePromptPair);
    const { manifest } = api.panels.get(uri.toString())!.run!;
    assert.deepEqual(manifest.experiment.pairs.map(({ name, correct }) => [name, correct]), [['park', [' Tom']]]);
    assert.deepEqual(manifest.source?.pairIndices, [1]);
    assert.equal(vscode.window.activeTextEditor?.document.uri.toString(), uri.toString(), 'the editor keeps the focus');
    await vscode.commands.executeCommand('workbench.action.files.revert');
  });

  it('reruns several files from the explorer, each into its own panel, which is used again', async () => {
    const files = [await workspaceFile('one.prompts.json', promptText(SHOPS)), await workspaceFile('two.prompts.json', promptText(SHOPS, PARK))];
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, files[1], files);
    const panels = files.map((file) => api.panels.get(file.toString())!);
    assert.deepEqual(panels.map((panel) => panel.run?.manifest.pairs.length), [1, 2]);
    const first = panels[0]!.run!.manifest.id;
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, files[0], [files[0]]);
    assert.equal(api.panels.get(files[0]!.toString()), panels[0]);
    assert.notEqual(panels[0]!.run!.manifest.id, first);
  });

  it('attributes two selected lines of any editor, with their answers', async () => {
    const text = `prompts = [\n  "${SHOPS.clean}" => "${SHOPS.correct}",\n  "${SHOPS.corrupted}" => "${SHOPS.incorrect}",\n]`;
    const editor = await vscode.window.showTextDocument(await workspaceFile('notes.py', text));
    editor.selection = new vscode.Selection(1, 4, 2, 8);
    await vscode.commands.executeCommand(COMMANDS.attributePromptPair);
    const { manifest } = api.panels.get('selected-prompts')!.run!;
    assert.equal(manifest.source, undefined);
    assert.deepEqual(manifest.experiment.pairs, [{ clean: SHOPS.clean, corrupted: SHOPS.corrupted, correct: [SHOPS.correct], incorrect: [SHOPS.incorrect] }]);
  });

  it('suggests answers the model would give, best first', async () => {
    const { clean, corrupted } = await api.runner.suggestAnswers({ clean: SHOPS.clean, corrupted: SHOPS.corrupted, settings: JOB.settings, top: 5 });
    for (const suggestions of [clean, corrupted]) {
      assert.ok(suggestions.length > 0);
      const probabilities = suggestions.map(({ probability }) => probability);
      assert.deepEqual(probabilities, [...probabilities].sort((a, b) => b - a));
    }
  });

  it('shows the problems of a prompt file in its panel, and runs nothing', async () => {
    const before = (await api.store.list()).length;
    const uri = await workspaceFile('broken.prompts.json', promptText({ ...SHOPS, corrupted: `${SHOPS.corrupted} the` }));
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, uri);
    assert.equal(api.panels.get(uri.toString())?.state, 'failed');
    assert.equal((await api.store.list()).length, before);
    const panel = api.panels.get(uri.toString())!;
    await actOfPanel('openSource', panel, { attributions: api.attributions, log: silentLog() });
    const editor = vscode.window.activeTextEditor!;
    assert.equal(editor.document.uri.toString(), uri.toString());
    assert.match(editor.document.lineAt(editor.selection.active.line).text, /"corrupted": .* the"/);
  });

  it('is cancelled before it is done, and serves the next request', async () => {
    await api.runner.attribute(JOB);
    for (const wait of [20, 150]) {
      const abort = new AbortController();
      const running = api.runner.attribute(longJob(), { signal: abort.signal });
      const ended = running.then(
        () => assert.fail('the job finished before it could be cancelled'),
        (error: unknown) => assert.equal((error as CircuitError).code, 'cancelled'),
      );
      await new Promise((resolve) => setTimeout(resolve, wait));
      const cancelled = performance.now();
      abort.abort();
      const { clean } = await api.runner.suggestAnswers({ clean: SHOPS.clean, corrupted: SHOPS.corrupted, settings: JOB.settings, top: 1 });
      await ended;
      assert.ok(clean.length > 0);
      console.log(`      cancelled, and the next request served, in ${(performance.now() - cancelled).toFixed(0)} ms`);
    }
  });

  it('shows a run that cannot be saved', async () => {
    const aside = `${api.store.folder}-aside`;
    await mkdir(api.store.folder, { recursive: true });
    await rename(api.store.folder, aside);
    await writeFile(api.store.folder, 'a file where the folder should be');
    try {
      const uri = await workspaceFile('unsaved.prompts.json', promptText(SHOPS));
      await vscode.commands.executeCommand(COMMANDS.rerunAttribution, uri);
      assert.equal(api.panels.get(uri.toString())?.state, 'run');
      await vscode.window.showTextDocument(uri);
      const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri);
      assert.deepEqual(lenses.map(({ command }) => command!.title), ['Attribute the pair'], 'what needs no runs is still offered');
    } finally {
      await rm(api.store.folder);
      await rename(aside, api.store.folder);
    }
  });

  it('verifies the strongest heads by command, and the stored run has their exact effects', async () => {
    await vscode.commands.executeCommand(COMMANDS.attributeFile, sampleUri());
    const panel = api.panels.get(sampleUri().toString())!;
    await vscode.commands.executeCommand(COMMANDS.verifyTopHeads, 4);
    const { cells, effects } = exactOf(panel.run!);
    assert.equal(cells.length, 4);
    assert.ok(effects.every(Number.isFinite));
    assert.deepEqual(exactOf(await api.store.load(panel.run!.manifest.id)), { cells, effects });
    const { summary } = agreementOfMap(panel.run!, { map: { site: 'z', over: 'all' }, options: { pair: 'all', unit: 'raw' } });
    assert.ok(summary.pearson! > 0.5, `r = ${summary.pearson}`);

    await closeEditors();
    await eventually('the panel to close', () => api.panels.all.length === 0);
    await vscode.commands.executeCommand(COMMANDS.openRun, panel.run!.manifest.id);
    assert.deepEqual(exactOf(api.panels.get(sampleUri().toString())!.run!), { cells, effects });
  });

  it('keeps what a cancelled sweep has measured, and goes on from there', async () => {
    const uri = await workspaceFile('sweep.prompts.json', promptText(...Array.from({ length: 30 }, () => SHOPS)));
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, uri);
    const panel = api.panels.get(uri.toString())!;
    const { id } = panel.run!.manifest;
    const all = (['z', 'q'] as const).flatMap((site) => cellsOf(panel.run!, { map: { site, over: 'all' }, all: true }));
    const abort = new AbortController();
    const sweep = api.verifications.verify({ run: panel.run!, panel, cells: all }, { signal: abort.signal });
    await eventually('something measured', () => exactOf(panel.run!).cells.length > 0);
    abort.abort();
    await assert.rejects(sweep, (error: unknown) => (error as CircuitError).code === 'cancelled');
    const kept = exactOf(await api.store.load(id));
    assert.ok(kept.cells.length > 0 && kept.cells.length < all.length, `${kept.cells.length} of ${all.length}`);

    await api.verifications.verify({ run: panel.run!, panel, cells: all }, {});
    const done = exactOf(await api.store.load(id));
    assert.equal(done.cells.length, all.length);
    assert.deepEqual(done.cells.slice(0, kept.cells.length), kept.cells);
    assert.deepEqual(done.effects.slice(0, kept.effects.length), kept.effects);
  });

  it('runs the prompts of a panel with another metric and variant, and returns to the file’s own by a rerun', async () => {
    const uri = await workspaceFile('change.prompts.json', promptText(SHOPS, PARK));
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, uri);
    const panel = api.panels.get(uri.toString())!;
    const rerun = async (change: ExperimentChange): Promise<TextExperiment> => {
      const [outcome] = await api.attributions.runAll([changedAttribution(panel, change)]);
      assert.ok(outcome && 'run' in outcome, outcome && 'failure' in outcome ? outcome.failure.message : 'nothing ran');
      assert.equal(panel.run, outcome.run);
      return outcome.run.manifest.experiment;
    };
    const first = await rerun({ metric: 'logProb', variant: { freezeLayerNorm: true } });
    assert.deepEqual([first.metric, first.variant], ['logProb', { freezeLayerNorm: true }]);
    const second = await rerun({ other: 'mean', sites: ['z'] });
    assert.deepEqual([second.metric, second.variant, second.other, second.direction], ['logProb', { freezeLayerNorm: true }, 'mean', 'noise']);
    assert.deepEqual(Object.keys(panel.run!.arrays.entries), ['group0.z', 'group1.z'].slice(0, panel.run!.manifest.groups.length));
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, uri);
    const own = panel.run!.manifest.experiment;
    assert.deepEqual([own.metric, own.variant, own.other], ['logitDiff', undefined, undefined]);
  });

  it('says over a pair what its last run found, in the metric of that run', async () => {
    const uri = await workspaceFile('metric.prompts.json', promptText(SHOPS).replace('"pairs"', '"metric": "logProb",\n  "pairs"'));
    await vscode.commands.executeCommand(COMMANDS.rerunAttribution, uri);
    const { clean } = api.panels.get(uri.toString())!.run!.manifest.pairs[0]!.metric;
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document);
    const at = document.positionAt(document.getText().indexOf(SHOPS.clean));
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', uri, at);
    const text = hovers.flatMap(({ contents }) => contents.map((content) => (content as vscode.MarkdownString).value)).join('\n').replaceAll('\\', '');
    assert.ok(text.includes(`Log-probability on bundled: clean −${Math.abs(clean).toFixed(2)}, corrupted −`), text);
    assert.match(text, /Top heads \(denoise\): \d\.\d/);
  });

  it('opens a stored run again, and a restored panel shows its run or says that it is gone', async () => {
    const run = await api.runner.attribute(JOB);
    await api.store.save(run);
    await vscode.commands.executeCommand(COMMANDS.openRun, run.manifest.id);
    assert.equal(api.panels.get('selected-prompts')?.run?.manifest.id, run.manifest.id);
    await closeEditors();
    await eventually('the panel to close', () => api.panels.all.length === 0);

    const create = (): vscode.WebviewPanel => vscode.window.createWebviewPanel(PANEL_VIEW_TYPE, 'restored', vscode.ViewColumn.One);
    await api.panels.deserializeWebviewPanel(create(), { runId: run.manifest.id, view: {} });
    assert.equal(api.panels.get('selected-prompts')?.run?.manifest.id, run.manifest.id);
    await api.panels.deserializeWebviewPanel(create(), { runId: '20200101T000000000Z-gonegone' });
    assert.deepEqual(api.panels.all.map(({ state }) => state), ['run', 'empty']);
    await api.panels.deserializeWebviewPanel(create(), { runId: '../../etc/passwd' });
    assert.equal(api.panels.all.at(-1)?.state, 'empty');
  });

  it('lets go of a restored panel that is closed before its run is read, and renames one without a run', async () => {
    const run = await api.runner.attribute(JOB);
    await api.store.save(run);
    const panel = vscode.window.createWebviewPanel(PANEL_VIEW_TYPE, 'restored', vscode.ViewColumn.One);
    const restored = api.panels.deserializeWebviewPanel(panel, { runId: run.manifest.id });
    panel.dispose();
    await restored;
    assert.deepEqual(api.panels.all, []);
    const empty = vscode.window.createWebviewPanel(PANEL_VIEW_TYPE, 'Attribution: some.prompts.json', vscode.ViewColumn.One);
    await api.panels.deserializeWebviewPanel(empty, undefined);
    assert.equal(empty.title, 'Attribution: selected prompts');
  });
});
