import * as vscode from 'vscode';
import type { SelectedPair } from '../prompts/selection';
import type { AnswerSuggestion, ExperimentRunner } from '../runner/runner';
import type { RunSettings } from '../runner/settings';

const SUGGESTIONS = 12;

/**
 * Asks for the answers that a pair lacks, from the model's own most probable next tokens: after the clean prompt for the correct
 * answer, after the corrupted one for the incorrect. Undefined when the person leaves. Throws what the runner throws.
 */
export async function pickAnswers(pair: SelectedPair, settings: RunSettings, runner: ExperimentRunner): Promise<Answers | undefined> {
  const { clean, corrupted } = pair;
  if (pair.correct && pair.incorrect) return { correct: pair.correct, incorrect: pair.incorrect };
  const options = { location: vscode.ProgressLocation.Notification, title: 'Asking the model for its likely answers', cancellable: true };
  const suggestions = await vscode.window.withProgress(options, (progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => abort.abort());
    const onProgress = ({ stage }: { stage: string }): void => progress.report({ message: stage });
    return runner.suggestAnswers({ clean, corrupted, settings, top: SUGGESTIONS }, { signal: abort.signal, onProgress });
  });
  const correct = pair.correct ?? (await pickAnswer({ title: 'Correct answer', prompt: clean, which: 'clean', suggestions: suggestions.clean }));
  if (!correct) return undefined;
  const others = suggestions.corrupted.filter(({ token }) => !correct.includes(token.text));
  const incorrect = pair.incorrect ?? (await pickAnswer({ title: 'Incorrect answer', prompt: corrupted, which: 'corrupted', suggestions: others }));
  return incorrect && { correct, incorrect };
}

export interface Answers {
  correct: string[];
  incorrect: string[];
}

interface AnswerItem extends vscode.QuickPickItem {
  answer: string;
}

/** A pick list that also takes what is typed, with and without a leading space: answers are meant literally. */
function pickAnswer(question: { title: string; prompt: string; which: string; suggestions: AnswerSuggestion[] }): Promise<string[] | undefined> {
  const { title, prompt, which, suggestions } = question;
  const suggested = suggestions.map(
    ({ token, probability }): AnswerItem => ({ label: quoted(token.text), description: `${(probability * 100).toFixed(1)} % after ${which}`, answer: token.text }),
  );
  const pick = vscode.window.createQuickPick<AnswerItem>();
  pick.title = title;
  pick.ignoreFocusOut = true;
  pick.placeholder = `What follows “…${prompt.slice(-50)}”? Pick, or type an answer`;
  pick.items = suggested;
  return new Promise((resolve) => {
    pick.onDidChangeValue((value) => (pick.items = [...suggested, ...typedItems(value, suggested)]));
    pick.onDidAccept(() => {
      const [chosen] = pick.selectedItems;
      resolve(chosen && [chosen.answer]);
      pick.hide();
    });
    pick.onDidHide(() => {
      resolve(undefined);
      pick.dispose();
    });
    pick.show();
  });
}

function typedItems(value: string, suggested: readonly AnswerItem[]): AnswerItem[] {
  const text = value.trim();
  if (text === '') return [];
  return [` ${text}`, text]
    .filter((answer) => !suggested.some((item) => item.answer === answer))
    .map((answer) => ({ label: quoted(answer), description: answer === text ? 'as typed, without a space before it' : 'as typed', answer, alwaysShow: true }));
}

function quoted(answer: string): string {
  return JSON.stringify(answer);
}
