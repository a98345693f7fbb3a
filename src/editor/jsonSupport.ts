import * as vscode from 'vscode';
import type { Log } from './log';
import { isPromptDocument } from './promptDocuments';

const JSON_EXTENSION = 'vscode.json-language-features';

/**
 * Wakes VS Code's own JSON support when a prompt file is opened. It checks and completes prompt files by our schema
 * (`jsonLanguageParticipants`), but wakes by itself only for its own languages.
 */
export function wakeJsonSupport(log: Log): vscode.Disposable {
  const wake = (document: vscode.TextDocument): void => {
    const support = vscode.extensions.getExtension(JSON_EXTENSION);
    if (!isPromptDocument(document) || support?.isActive) return;
    if (!support) return log.warn(`${JSON_EXTENSION} is disabled, so prompt files are not checked by their schema.`);
    support.activate().then(undefined, (error: unknown) => log.error('JSON support could not start', error));
  };
  vscode.workspace.textDocuments.forEach(wake);
  return vscode.workspace.onDidOpenTextDocument(wake);
}
