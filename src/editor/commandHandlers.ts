import * as vscode from 'vscode';
import type { ExperimentRunner } from '../runner/runner';
import type { RunStore } from '../runs/store';
import { CircuitError } from '../shared/errors';
import { attributePairOfFile, attributePromptPair } from './attributePromptPair';
import type { Attributions } from './attributions';
import { chooseModelFolder } from './chooseModelFolder';
import type { CommandHandlers } from './commandTable';
import { fileAttribution } from './fileAttribution';
import { installNativeBackend, type NativeBackends } from './installNativeBackend';
import type { Log } from './log';
import { panelKeyOf, type Panels } from './panels';
import type { PathAnswers } from './pathAnswers';
import { attributeEdges, exportGraph, extractCircuit, importCircuit } from './pathCommands';
import { promptFilesOf, uriOf } from './promptFileArguments';
import type { RunIndex } from './runIndex';
import type { RunsAtWork } from './runsAtWork';
import { deleteRun, runIdOf } from './runsTree';
import { sampleFile } from './sample';
import type { Verifications } from './verifications';
import { verifyTopHeads } from './verifyTopHeads';

export interface CommandDependencies {
  context: vscode.ExtensionContext;
  runner: ExperimentRunner;
  attributions: Attributions;
  verifications: Verifications;
  runsAtWork: RunsAtWork;
  pathAnswers: PathAnswers;
  store: RunStore;
  runIndex: RunIndex;
  panels: Panels;
  nativeBackends: NativeBackends;
  log: Log;
}

/** What each command does, in terms of the rest. Arguments come from menus, links and other extensions: they are checked here. */
export function commandHandlers(dependencies: CommandDependencies): CommandHandlers {
  const { context, attributions, runsAtWork, store, runIndex, panels, log } = dependencies;

  const openRun = async (id: string): Promise<void> => {
    // What is being measured is saved at the end.
    const run = runsAtWork.current(id) ?? (await store.load(id));
    const panel = panels.show(panelKeyOf(run.manifest));
    panel.showRun(run);
    panel.reveal();
  };

  const openSample = async (): Promise<vscode.Uri> => {
    const uri = await sampleFile(context);
    await vscode.window.showTextDocument(uri, { preview: false });
    return uri;
  };

  return {
    attributePromptPair: async (uri, index) => {
      const file = uriOf(uri);
      if (file && typeof index === 'number') await attributePairOfFile(file, index, dependencies);
      else await attributePromptPair(dependencies);
    },
    attributeFile: async (uri) => {
      const files = uri === 'sample' ? [await openSample()] : promptFilesOf(uri, undefined);
      await attributions.runAll(files.map((file) => fileAttribution(file)));
    },
    rerunAttribution: async (clicked, selected) => {
      await attributions.runAll(promptFilesOf(clicked, selected).map((file) => fileAttribution(file)));
    },
    verifyTopHeads: (count) => verifyTopHeads(count, dependencies),
    attributeEdges: (method) => attributeEdges(method, dependencies),
    extractCircuit: (wanted) => extractCircuit(wanted, dependencies),
    importCircuit: () => importCircuit(dependencies),
    exportGraph: () => exportGraph(dependencies),
    showLastResult: async () => {
      const inFront = vscode.window.activeTextEditor?.document.uri.toString();
      const ofFile = inFront === undefined ? undefined : await runIndex.latest(inFront);
      const newest = ofFile ?? (await runIndex.all()).find((listing) => 'manifest' in listing);
      if (newest) await openRun(newest.id);
      else void vscode.window.showInformationMessage('Nothing has been attributed yet.');
    },
    openSample,
    chooseModelFolder,
    installNativeBackend: () => installNativeBackend(dependencies),
    showLog: () => log.show(),
    openRun: (run) => openRun(runIdFrom(run)),
    deleteRun: (run) => deleteRun(runIdFrom(run), dependencies),
    revealRun: (run) => vscode.commands.executeCommand('revealFileInOS', vscode.Uri.file(store.fileOf(runIdFrom(run)))),
    refreshRuns: () => runIndex.refresh(),
  };
}

function runIdFrom(argument: unknown): string {
  const id = runIdOf(argument);
  if (id === undefined) throw new CircuitError('usage', 'Choose a run in the view "Runs" first.');
  return id;
}
