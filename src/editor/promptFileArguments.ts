import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import { isPromptDocument } from './promptDocuments';

/**
 * The prompt files a command means: those selected in the explorer, the one it was called on, else the one in front.
 * Menus give URIs (the one clicked, then all selected), links give them as text.
 */
export function promptFilesOf(clicked: unknown, selected: unknown): vscode.Uri[] {
  const all = Array.isArray(selected) && selected.length > 0 ? selected : [clicked];
  const uris = all.flatMap((value) => uriOf(value) ?? []).filter(({ path }) => path.endsWith('.prompts.json'));
  if (uris.length > 0) return uris;
  const inFront = vscode.window.activeTextEditor?.document;
  if (inFront && isPromptDocument(inFront)) return [inFront.uri];
  throw new CircuitError('usage', 'Open a prompt file (*.prompts.json) first.');
}

export function uriOf(value: unknown): vscode.Uri | undefined {
  if (value instanceof vscode.Uri) return value;
  return typeof value === 'string' && value.includes(':') ? vscode.Uri.parse(value) : undefined;
}
