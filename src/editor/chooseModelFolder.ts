import * as vscode from 'vscode';
import { setModel } from './settings';

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json'];

/** Points the model setting at a folder, after a look whether it holds a model. */
export async function chooseModelFolder(): Promise<void> {
  const [folder] = (await vscode.window.showOpenDialog({ title: 'Folder with a GPT-2 checkpoint', canSelectFiles: false, canSelectFolders: true, openLabel: 'Use this model' })) ?? [];
  if (!folder) return;
  const names = new Set((await vscode.workspace.fs.readDirectory(folder)).map(([name]) => name));
  const missing = FILES.filter((file) => !names.has(file));
  if (missing.length > 0) {
    void vscode.window.showErrorMessage(`${folder.fsPath} holds no model that can be used: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing.`);
    return;
  }
  await setModel(folder.fsPath);
}
