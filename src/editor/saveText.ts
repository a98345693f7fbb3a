import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import type { RunManifest } from '../shared/run';

/** Of a file that is suggested; some file systems take no more than 255 bytes. */
const LONGEST_NAME = 150;

export type SaveDialog = typeof vscode.window.showSaveDialog;

interface TextFile {
  /** Of the dialog. */
  title: string;
  /** Suggested, what comes after the run's own title; made fit for a file here. */
  name: string;
  /** "CSV" and its extension without the dot. */
  kind: [name: string, extension: string];
  text(): string;
}

/** Asks for a file beside the run's prompt file and writes a text of the run there; does nothing when the person leaves. */
export async function saveTextOf(manifest: RunManifest, { title, name, kind: [kind, extension], text }: TextFile, saveDialog: SaveDialog = vscode.window.showSaveDialog): Promise<void> {
  const file = await saveDialog({
    title,
    filters: { [kind]: [extension] },
    ...suggested(manifest, `${fileName(`${manifest.title.replace('.prompts.json', '')}-${name}`)}.${extension}`),
  });
  if (!file) return;
  try {
    await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(text()));
  } catch (cause) {
    throw new CircuitError('storage', `${file.fsPath} could not be written. Is its folder writable?`, { cause });
  }
}

/** Where files of a run are looked for and put: beside its prompt file. */
export function folderOf({ source }: Pick<RunManifest, 'source'>): vscode.Uri | undefined {
  return source ? vscode.Uri.joinPath(vscode.Uri.parse(source.uri), '..') : vscode.workspace.workspaceFolders?.[0]?.uri;
}

function suggested(manifest: RunManifest, name: string): { defaultUri?: vscode.Uri } {
  const folder = folderOf(manifest);
  return folder ? { defaultUri: vscode.Uri.joinPath(folder, name) } : {};
}

function fileName(text: string): string {
  return text.replace(/[^\p{L}\p{N}_.-]+/gu, '-').slice(0, LONGEST_NAME);
}
