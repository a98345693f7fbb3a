import * as vscode from 'vscode';
import { CircuitError, type Place } from '../shared/errors';
import { parsePromptFile } from '../prompts/parse';
import type { PromptFile } from '../prompts/promptFile';
import { runSettings } from './settings';

/** Prompt files as VS Code has them: unsaved text wins, other files come through `workspace.fs`, so that virtual ones work too. */

export const PROMPT_LANGUAGE = 'circuit-prompts';

export function isPromptDocument(document: vscode.TextDocument): boolean {
  return document.languageId === PROMPT_LANGUAGE;
}

const parsed = new WeakMap<vscode.TextDocument, { version: number; direction: string; file: PromptFile }>();

/** The parsed text of an open document; parsed once per version. */
export function promptFileOf(document: vscode.TextDocument): PromptFile {
  const { direction } = runSettings(document.uri);
  const known = parsed.get(document);
  if (known?.version === document.version && known.direction === direction) return known.file;
  const file = parsePromptFile(document.getText(), { direction });
  parsed.set(document, { version: document.version, direction, file });
  return file;
}

export function openDocumentOf(uri: vscode.Uri): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
}

/** Throws `prompt-file` when the file cannot be read. */
export async function readPromptFile(uri: vscode.Uri): Promise<PromptFile> {
  const document = openDocumentOf(uri);
  if (document) return promptFileOf(document);
  let bytes: Uint8Array;
  try {
    bytes = await vscode.workspace.fs.readFile(uri);
  } catch (cause) {
    throw new CircuitError('prompt-file', `${nameOf(uri)} could not be read.`, { cause });
  }
  return parsePromptFile(new TextDecoder().decode(bytes), { direction: runSettings(uri).direction });
}

export function nameOf(uri: vscode.Uri): string {
  return uri.path.split('/').pop() ?? uri.toString();
}

export function rangeOf(document: vscode.TextDocument, { offset, length }: Place): vscode.Range {
  return new vscode.Range(document.positionAt(offset), document.positionAt(offset + length));
}
