import assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { PrivateApi } from '../../src/extension';

/** The extension under test, activated as VS Code does. */
export async function activated(): Promise<PrivateApi> {
  const extension = vscode.extensions.getExtension<{ _private: PrivateApi }>('circuit-explorer.circuit-explorer');
  assert.ok(extension, 'the extension is not installed');
  return (await extension.activate())._private;
}

/** A file of the test's workspace; written anew when a text is given. */
export async function workspaceFile(name: string, text?: string): Promise<vscode.Uri> {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  assert.ok(folder, 'no workspace folder is open');
  const uri = vscode.Uri.joinPath(folder.uri, name);
  if (text !== undefined) await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(text));
  return uri;
}

export function sampleUri(): vscode.Uri {
  return vscode.Uri.file(path.resolve(vscode.extensions.getExtension('circuit-explorer.circuit-explorer')!.extensionPath, 'media/samples/ioi.prompts.json'));
}

export interface WrittenPair {
  name?: string;
  clean: string;
  corrupted: string;
  correct: string;
  incorrect: string;
}

export const SHOPS: WrittenPair = {
  name: 'shops',
  clean: 'When John and Mary went to the shops, John gave the bag to',
  corrupted: 'When John and Mary went to the shops, Mary gave the bag to',
  correct: ' Mary',
  incorrect: ' John',
};

export const PARK: WrittenPair = {
  name: 'park',
  clean: 'When Tom and James went to the park, James gave the ball to',
  corrupted: 'When Tom and James went to the park, Tom gave the ball to',
  correct: ' Tom',
  incorrect: ' James',
};

export function promptText(...pairs: WrittenPair[]): string {
  return `${JSON.stringify({ pairs }, null, 2)}\n`;
}

/** Asks until there is an answer that is not undefined or false. */
export async function eventually<T>(what: string, ask: () => T | undefined | false | Promise<T | undefined | false>, milliseconds = 60_000): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`Waited ${milliseconds / 1000} s for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Saves first, so that no dialog asks about it. */
export async function closeEditors(): Promise<void> {
  await vscode.workspace.saveAll(false);
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
}
