import * as vscode from 'vscode';
import { checkExperiment } from '../prompts/check';
import type { Problem } from '../prompts/problem';
import type { PromptFile } from '../prompts/promptFile';
import { prependsBos } from '../runner/createRunner';
import type { ExperimentRunner } from '../runner/runner';
import { runSettings } from './settings';
import { usableModel } from './trust';

/** The model whose tokens count for a prompt file: its own if it may be used, else that of the settings. */
export function modelFor(file: PromptFile, uri: vscode.Uri): string {
  return usableModel(file.settings.model, uri, vscode.workspace.isTrusted) ?? runSettings(uri).model;
}

/** What only the tokens of a prompt file show. Throws `model-…` or `tokenizer` when they cannot be had on this machine. */
export async function checkTokens(file: PromptFile, uri: vscode.Uri, runner: ExperimentRunner): Promise<Problem[]> {
  const model = modelFor(file, uri);
  const bosPrepended = prependsBos(file.settings, runSettings(uri));
  const { context } = await runner.tokenizerInfo({ model });
  return checkExperiment(file, (texts) => runner.tokenize({ texts, model }), { bosPrepended, context });
}
