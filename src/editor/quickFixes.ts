import * as vscode from 'vscode';
import type { Problem } from '../prompts/problem';
import { PROMPT_LANGUAGE, rangeOf } from './promptDocuments';

/** The light bulb: what a problem says would mend it. `problemsOf` gives the problems that are on show. */
export function registerQuickFixes(problemsOf: (document: vscode.TextDocument) => readonly { problem: Problem; diagnostic: vscode.Diagnostic }[]): vscode.Disposable {
  const provider: vscode.CodeActionProvider = {
    provideCodeActions: (document, range) =>
      problemsOf(document)
        .filter(({ problem, diagnostic }) => problem.fix && diagnostic.range.intersection(range))
        .map(({ problem, diagnostic }) => {
          const { title, place, text } = problem.fix!;
          const action = new vscode.CodeAction(title, vscode.CodeActionKind.QuickFix);
          action.edit = new vscode.WorkspaceEdit();
          action.edit.replace(document.uri, rangeOf(document, place), text);
          action.diagnostics = [diagnostic];
          action.isPreferred = true;
          return action;
        }),
  };
  return vscode.languages.registerCodeActionsProvider(PROMPT_LANGUAGE, provider, { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] });
}
