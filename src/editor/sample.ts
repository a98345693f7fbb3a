import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';

const SAMPLE = 'ioi.prompts.json';

/**
 * The sample as a file of the person's own, so that it can be changed and still be found after a restart; the extension's copy
 * stays as it is. Throws `storage` when it cannot be written.
 */
export async function sampleFile({ extensionUri, globalStorageUri }: vscode.ExtensionContext): Promise<vscode.Uri> {
  const own = vscode.Uri.joinPath(globalStorageUri, 'samples', SAMPLE);
  if (await exists(own)) return own;
  try {
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(extensionUri, 'media', 'samples', SAMPLE), own, { overwrite: false });
  } catch (cause) {
    throw new CircuitError('storage', `The sample could not be copied to ${own.fsPath}. Is the folder writable?`, { cause });
  }
  return own;
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  try {
    await vscode.workspace.fs.stat(uri);
    return true;
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return false;
    throw error;
  }
}
