import * as vscode from 'vscode';
import path from 'node:path';
import { isFolderReference } from '../models/resolveModel';
import type { TextExperiment } from '../shared/experiment';

/**
 * Whether a model that a prompt file names may be opened: in Restricted Mode not by its folder, since the file may have come
 * with a workspace that nobody has looked at.
 */
export function isModelTrusted(model: string | undefined): boolean {
  return model === undefined || vscode.workspace.isTrusted || !isFolderReference(model);
}

/** The model that a prompt file may use: a folder counts from the file's own, an untrusted one is as if it were not there. */
export function usableModel(model: string | undefined, promptFile: vscode.Uri): string | undefined {
  if (model === undefined || !isModelTrusted(model)) return undefined;
  const isRelative = /^\.{1,2}($|[\\/])/.test(model);
  return isRelative && promptFile.scheme === 'file' ? path.resolve(path.dirname(promptFile.fsPath), model) : model;
}

export function withUsableModel({ model, ...rest }: TextExperiment, promptFile: vscode.Uri): TextExperiment {
  const usable = usableModel(model, promptFile);
  return usable === undefined ? rest : { model: usable, ...rest };
}
