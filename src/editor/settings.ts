import * as vscode from 'vscode';
import type { RunSettings } from '../runner/settings';
import { runSettingsFrom } from './settingValues';

const SECTION = 'circuitExplorer';

/** The only reader and writer of configuration. `scope`: the document the settings are for. */
export function runSettings(scope?: vscode.Uri): RunSettings {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope);
  return runSettingsFrom((name) => configuration.get(name));
}

export function codeLensEnabled(scope: vscode.Uri): boolean {
  return vscode.workspace.getConfiguration(SECTION, scope).get<boolean>('codeLens', true);
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
