import { homedir } from 'node:os';
import * as vscode from 'vscode';
import type { RunSettings } from '../runner/settings';
import type { BackendName } from '../shared/results';
import type { RunManifest } from '../shared/run';
import { nativeFolderFrom, runSettingsFrom } from './settingValues';

const SECTION = 'circuitExplorer';

/** The only reader and writer of configuration. `scope`: the document the settings are for. */
export function runSettings(scope?: vscode.Uri): RunSettings {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope);
  return runSettingsFrom((name) => configuration.get(name));
}

/** For further work on a run: the settings of its prompt file's place. */
export function settingsOfRun({ source }: Pick<RunManifest, 'source'>): RunSettings {
  return runSettings(source && vscode.Uri.parse(source.uri));
}

export function codeLensEnabled(scope: vscode.Uri): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope).get<boolean>('codeLens', true);
}

/** Folder with native backends, where the person has named one. */
export function nativeFolderSetting(): string | undefined {
  return nativeFolderFrom(vscode.workspace.getConfiguration(SECTION).get('nativeFolder'), homedir());
}

export async function setBackend(backend: BackendName): Promise<void> {
  await vscode.workspace.getConfiguration(SECTION).update('backend', backend, vscode.ConfigurationTarget.Global);
}

/** A model belongs to the machine, never to a workspace. */
export async function setModel(model: string): Promise<void> {
  await vscode.workspace.getConfiguration(SECTION).update('model', model, vscode.ConfigurationTarget.Global);
}

export function onSettingsChanged(listener: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(SECTION)) listener();
  });
}
