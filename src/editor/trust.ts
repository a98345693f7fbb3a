import path from 'node:path';
import type * as vscode from 'vscode';
import { isFolderReference } from '../models/resolveModel';

/**
 * Whether a model that a prompt file names may be opened: in Restricted Mode not by its folder, since the file may have come
 * with a workspace that nobody has looked at.
 */
export function isModelTrusted(model: string | undefined, isTrusted: boolean): boolean {
  // Trimmed as `resolveModel` does, so that a space before a path does not hide it.
  return model === undefined || isTrusted || !isFolderReference(model.trim());
}

/** The model that a prompt file may use: a folder counts from the file's own, an untrusted one is as if it were not there. */
export function usableModel(model: string | undefined, promptFile: Pick<vscode.Uri, 'scheme' | 'fsPath'>, isTrusted: boolean): string | undefined {
  if (model === undefined || !isModelTrusted(model, isTrusted)) return undefined;
  const reference = model.trim();
  const isRelative = /^\.{1,2}($|[\\/])/.test(reference);
  return isRelative && promptFile.scheme === 'file' ? path.resolve(path.dirname(promptFile.fsPath), reference) : reference;
}
