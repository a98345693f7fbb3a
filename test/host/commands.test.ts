import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { commandHandlers, type CommandDependencies } from '../../src/editor/commandHandlers';
import { COMMANDS } from '../../src/editor/commandTable';
import { activated, closeEditors, sampleUri } from './extension';

describe('the extension', () => {
  it('is active once it is needed', async () => {
    await activated();
    assert.ok(vscode.extensions.getExtension('circuit-explorer.circuit-explorer')!.isActive);
  });

  it('registers every command', async () => {
    const registered = new Set(await vscode.commands.getCommands(true));
    assert.deepEqual(Object.values(COMMANDS).filter((command) => !registered.has(command)), []);
  });

  it('says that there is no last result, instead of showing the log', async () => {
    let logShown = false;
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined, show: () => (logShown = true), dispose: () => undefined };
    const runIndex = { latest: async () => undefined, all: async () => [] };
    const { showLastResult } = commandHandlers({ log, runIndex } as unknown as CommandDependencies);
    await showLastResult();
    assert.equal(logShown, false);
    await vscode.commands.executeCommand('notifications.clearAll');
  });

  it('opens the sample as a file of the person’s own', async () => {
    const uri = await vscode.commands.executeCommand<vscode.Uri>(COMMANDS.openSample);
    const { document } = vscode.window.activeTextEditor!;
    assert.equal(document.uri.toString(), uri.toString());
    assert.equal(document.languageId, 'circuit-prompts');
    assert.notEqual(uri.fsPath, sampleUri().fsPath);
    assert.equal(document.getText(), new TextDecoder().decode(await vscode.workspace.fs.readFile(sampleUri())));
    await closeEditors();
  });
});
