import * as vscode from 'vscode';
import { pairAt, pairName, type PromptFile } from '../prompts/promptFile';
import { parseSelection, type SelectedPair } from '../prompts/selection';
import type { ExperimentRunner } from '../runner/runner';
import { askForPair } from './askForPair';
import type { Attributions } from './attributions';
import { fileAttribution } from './fileAttribution';
import { SELECTED_PROMPTS } from './panels';
import { pickAnswers } from './pickAnswer';
import { isPromptDocument, promptFileOf } from './promptDocuments';
import { runSettings } from './settings';

interface Dependencies {
  runner: ExperimentRunner;
  attributions: Attributions;
}

/** The main command: on the pair under the cursor of a prompt file, on two selected lines of any editor, else it asks for a pair. */
export async function attributePromptPair(dependencies: Dependencies): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor && isPromptDocument(editor.document)) return attributeAtCursor(editor, dependencies);
  if (editor && editor.selections.some((selection) => !selection.isEmpty)) return attributeSelection(editor, dependencies);
  const { model } = runSettings();
  const pair = await askForPair(model, dependencies.runner);
  if (pair) await attributeSelectedPair(pair, undefined, dependencies);
}

/** One pair of a prompt file, from its CodeLens. */
export async function attributePairOfFile(uri: vscode.Uri, index: number, { attributions }: Dependencies): Promise<void> {
  await attributions.runAll([fileAttribution(uri, [index])]);
}

async function attributeAtCursor({ document, selections }: vscode.TextEditor, { attributions }: Dependencies): Promise<void> {
  const file = promptFileOf(document);
  const indices = pairsIn(file, document, selections);
  const chosen = indices.length > 0 ? indices : await pickPair(file);
  if (chosen) await attributions.runAll([fileAttribution(document.uri, chosen === 'all' ? undefined : chosen)]);
}

/** The pairs that the cursors stand in or the selections touch. */
function pairsIn(file: PromptFile, document: vscode.TextDocument, selections: readonly vscode.Selection[]): number[] {
  const found = new Set<number>();
  for (const selection of selections) {
    const [start, end] = [document.offsetAt(selection.start), document.offsetAt(selection.end)];
    const atCursor = selection.isEmpty ? pairAt(file, start) : undefined;
    if (atCursor !== undefined) found.add(atCursor);
    if (selection.isEmpty) continue;
    file.places.forEach(({ pair }, index) => {
      if (pair.offset < end && start < pair.offset + pair.length) found.add(index);
    });
  }
  return [...found].sort((a, b) => a - b);
}

async function pickPair(file: PromptFile): Promise<number[] | 'all' | undefined> {
  if (file.places.length <= 1) return 'all';
  const items = file.pairs.map((pair, index) => ({ label: pair ? pairName(pair, index) : `pair ${index + 1}`, description: pair?.clean, indices: [index] }));
  const all = { label: `All ${items.length} pairs`, indices: 'all' as const };
  const choice = await vscode.window.showQuickPick([all, ...items], { title: 'The cursor is in no pair. Attribute', matchOnDescription: true });
  return choice?.indices;
}

async function attributeSelection({ document, selections }: vscode.TextEditor, dependencies: Dependencies): Promise<void> {
  const text = [...selections].sort((a, b) => a.start.compareTo(b.start)).map((selection) => document.getText(wholeLines(document, selection))).join('\n');
  await attributeSelectedPair(parseSelection(text), document.uri, dependencies);
}

/** A selection that starts or ends inside a line means the line; one that ends at the start of a line does not. */
function wholeLines(document: vscode.TextDocument, { start, end }: vscode.Selection): vscode.Range {
  const last = end.character === 0 && end.line > start.line ? end.line - 1 : end.line;
  return new vscode.Range(start.line, 0, last, document.lineAt(last).text.length);
}

async function attributeSelectedPair(pair: SelectedPair, scope: vscode.Uri | undefined, { runner, attributions }: Dependencies): Promise<void> {
  const settings = runSettings(scope);
  const answers = await pickAnswers(pair, settings, runner);
  if (!answers) return;
  const { clean, corrupted } = pair;
  const experiment = { metric: 'logitDiff' as const, direction: settings.direction, pairs: [{ clean, corrupted, ...answers }] };
  const title = clean.length > 60 ? `…${clean.slice(-60)}` : clean;
  await attributions.runAll([{ title, panelKey: SELECTED_PROMPTS, plan: async () => ({ experiment, settings: runSettings(scope), title }) }]);
}
