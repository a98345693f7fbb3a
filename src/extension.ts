import { homedir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { createAttributions, type Attributions } from './editor/attributions';
import { PromptCodeLens } from './editor/codeLens';
import { commandHandlers } from './editor/commandHandlers';
import { registerCommands } from './editor/commands';
import { PromptDiagnostics } from './editor/diagnostics';
import { registerHover } from './editor/hover';
import { wakeJsonSupport } from './editor/jsonSupport';
import type { NativeBackends } from './editor/installNativeBackend';
import { createLog, type Log } from './editor/log';
import { PANEL_VIEW_TYPE } from './editor/panel';
import { Panels } from './editor/panels';
import { createPanelWork } from './editor/panelWork';
import { createPathAnswers, type PathAnswers } from './editor/pathAnswers';
import { registerQuickFixes } from './editor/quickFixes';
import { RunIndex } from './editor/runIndex';
import { createRunsAtWork, type RunsAtWork } from './editor/runsAtWork';
import { RunsTree } from './editor/runsTree';
import { nativeFolderSetting, onSettingsChanged, runSettings, settingsOfRun } from './editor/settings';
import { showError } from './editor/showError';
import { createStatusBar } from './editor/statusBar';
import { createVerifications, type Verifications } from './editor/verifications';
import { startProcessEngine } from './engine/client/processEngine';
import { startEngine } from './engine/client/startEngine';
import { hubCacheFolder } from './models/hubCache';
import { resolveModel } from './models/resolveModel';
import { startTokenizerThread } from './models/tokenizerThread';
import { createRunner } from './runner/createRunner';
import type { ExperimentRunner } from './runner/runner';
import { RunStore } from './runs/store';
import { toFailure } from './shared/errors';

/** For tests only; no promise to other extensions. */
export interface PrivateApi {
  runner: ExperimentRunner;
  store: RunStore;
  panels: Panels;
  attributions: Attributions;
  verifications: Verifications;
  runsAtWork: RunsAtWork;
  pathAnswers: PathAnswers;
}

/** Composition root of the extension host. Nothing heavy starts here: the engine's and the tokenizer's threads start at first need. */
export function activate(context: vscode.ExtensionContext): { _private: PrivateApi } {
  const log = createLog();
  context.subscriptions.push(log);
  try {
    return { _private: start(context, log) };
  } catch (error) {
    // VS Code does not tell a person that an extension could not start.
    log.error('Circuit Explorer could not start', error);
    showError(`Circuit Explorer could not start. ${toFailure(error).message}`, log);
    throw error;
  }
}

function start(context: vscode.ExtensionContext, log: Log): PrivateApi {
  const runner = startRunner(context, log);
  const store = new RunStore(vscode.Uri.joinPath(context.globalStorageUri, 'runs').fsPath);
  const runIndex = new RunIndex(store);
  const statusBar = createStatusBar(() => path.basename(runSettings().model));
  const work = createPanelWork(() => ({ runner, attributions, verifications, pathAnswers, log }));
  const panels = new Panels(store, { extensionUri: context.extensionUri, log, work });
  const attributions = createAttributions({ runner, store, runIndex, panels, statusBar, log });
  const runsAtWork = createRunsAtWork({ store, runIndex, panels, statusBar, log });
  const verifications = createVerifications({ runner, runsAtWork, settingsOf: settingsOfRun });
  const pathAnswers = createPathAnswers({ runner, runsAtWork, settingsOf: settingsOfRun });
  const diagnostics = new PromptDiagnostics(runner, log);

  context.subscriptions.push(
    { dispose: () => void runner.dispose() },
    runIndex,
    statusBar,
    panels,
    diagnostics,
    vscode.window.registerWebviewPanelSerializer(PANEL_VIEW_TYPE, panels),
    vscode.window.registerTreeDataProvider('circuitExplorer.runs', new RunsTree(runIndex, store)),
    new PromptCodeLens(runIndex, log),
    wakeJsonSupport(log),
    registerQuickFixes((document) => diagnostics.of(document)),
    registerHover({ runner, runIndex, store, log }),
    registerCommands(commandHandlers({ context, runner, attributions, verifications, runsAtWork, pathAnswers, store, runIndex, panels, nativeBackends: nativeBackends(context, log), log }), log),
    onSettingsChanged(() => statusBar.refresh()),
  );
  return { runner, store, panels, attributions, verifications, runsAtWork, pathAnswers };
}

function startRunner(context: vscode.ExtensionContext, log: Log): ExperimentRunner {
  const { extensionUri, extension } = context;
  const inExtension = (...parts: string[]): string => vscode.Uri.joinPath(extensionUri, ...parts).fsPath;
  const home = homedir();
  const places = { bundledFolder: inExtension('media', 'model'), cacheFolders: [hubCacheFolder(process.env, home)], home };
  return createRunner({
    engine: startEngine({
      workerScript: inExtension('dist', 'engineWorker.js'),
      processScript: inExtension('dist', 'engineProcess.js'),
      nativeFolder: () => nativeFolder(context),
      log: (line) => log.info(line),
    }),
    tokenizer: startTokenizerThread(inExtension('dist', 'tokenizerWorker.js')),
    resolveModel: (reference) => resolveModel(reference, places),
    extensionVersion: String((extension.packageJSON as { version?: unknown }).version),
    log: (line) => log.info(line),
  });
}

/** Where native backends are looked for and installed. */
function nativeFolder({ globalStorageUri }: vscode.ExtensionContext): string {
  return nativeFolderSetting() ?? vscode.Uri.joinPath(globalStorageUri, 'native').fsPath;
}

function nativeBackends(context: vscode.ExtensionContext, log: Log): NativeBackends {
  const inExtension = (...parts: string[]): string => vscode.Uri.joinPath(context.extensionUri, ...parts).fsPath;
  return {
    folder: () => nativeFolder(context),
    tryOut: async (backend) => {
      const engine = startProcessEngine({ script: inExtension('dist', 'engineProcess.js'), folder: nativeFolder(context), log: (line) => log.info(line) });
      try {
        return (await engine.load({ folder: inExtension('media', 'model'), id: 'bundled', backend, threads: runSettings().threads })).backend;
      } finally {
        await engine.dispose();
      }
    },
  };
}
