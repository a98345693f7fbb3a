import * as vscode from 'vscode';
import { CircuitError } from '../shared/errors';
import type { Problem } from '../prompts/problem';
import type { PromptFile } from '../prompts/promptFile';
import type { ExperimentRunner } from '../runner/runner';
import type { Log } from './log';
import { isPromptDocument, openDocumentOf, promptFileOf, rangeOf } from './promptDocuments';
import { onSettingsChanged } from './settings';
import { checkTokens } from './tokenCheck';
import { isModelTrusted } from './trust';

/** Typing pauses about this long between words. */
const TOKEN_CHECK_DELAY = 300;
const SEVERITIES = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  information: vscode.DiagnosticSeverity.Information,
};

export interface ShownProblem {
  problem: Problem;
  diagnostic: vscode.Diagnostic;
}

/** Problems of open prompt files: those of the text at once, those of the tokens after a pause. Cleared on close. */
export class PromptDiagnostics implements vscode.Disposable {
  private readonly collection = vscode.languages.createDiagnosticCollection('circuit-prompts');
  private readonly shown = new Map<string, ShownProblem[]>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  /** Documents whose tokens are being checked, and those that changed meanwhile. */
  private readonly checking = new Set<string>();
  private readonly outdated = new Set<string>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly runner: ExperimentRunner,
    private readonly log: Log,
  ) {
    const updateAll = (): void => vscode.workspace.textDocuments.forEach((document) => this.update(document));
    this.subscriptions = [
      vscode.workspace.onDidOpenTextDocument((document) => this.update(document)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.update(document)),
      vscode.workspace.onDidCloseTextDocument((document) => this.clear(document)),
      vscode.workspace.onDidGrantWorkspaceTrust(updateAll),
      onSettingsChanged(updateAll),
    ];
    updateAll();
  }

  /** The problems on show, for the quick fixes. */
  of(document: vscode.TextDocument): readonly ShownProblem[] {
    return this.shown.get(document.uri.toString()) ?? [];
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const subscription of this.subscriptions) subscription.dispose();
    this.collection.dispose();
  }

  private update(document: vscode.TextDocument): void {
    if (!isPromptDocument(document)) return;
    this.show(document, problemsOfText(promptFileOf(document)));
    const key = document.uri.toString();
    clearTimeout(this.timers.get(key));
    this.timers.set(key, setTimeout(() => void this.updateTokens(document), TOKEN_CHECK_DELAY));
  }

  /** One check at a time per document: of a file with thousands of pairs each takes a while, and only the last one counts. */
  private async updateTokens(document: vscode.TextDocument): Promise<void> {
    const key = document.uri.toString();
    if (this.checking.has(key)) {
      this.outdated.add(key);
      return;
    }
    this.checking.add(key);
    const { version } = document;
    const file = promptFileOf(document);
    const ofTokens = await checkTokens(file, document.uri, this.runner).catch((error: unknown) => this.asProblems(error, file));
    this.checking.delete(key);
    if (!document.isClosed && document.version === version) this.show(document, [...problemsOfText(file), ...ofTokens]);
    // Closed and opened again meanwhile, it is another document.
    const current = this.outdated.delete(key) ? openDocumentOf(document.uri) : undefined;
    if (current && isPromptDocument(current)) await this.updateTokens(current);
  }

  /** A model that is not on this machine is something to know, not a mistake in the file; what else fails goes to the log. */
  private asProblems(error: unknown, file: PromptFile): Problem[] {
    if (error instanceof CircuitError && (error.code.startsWith('model-') || error.code === 'tokenizer')) {
      return [{ code: 'unknown-model', severity: 'information', message: `Token counts are not checked: ${error.message}`, place: modelPlace(file) }];
    }
    this.log.error('Tokens could not be checked', error);
    return [];
  }

  private show(document: vscode.TextDocument, problems: readonly Problem[]): void {
    const shown = problems.map((problem) => ({ problem, diagnostic: diagnosticOf(document, problem) }));
    this.shown.set(document.uri.toString(), shown);
    this.collection.set(document.uri, shown.map(({ diagnostic }) => diagnostic));
  }

  private clear(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    this.outdated.delete(key);
    this.shown.delete(key);
    this.collection.delete(document.uri);
  }
}

/** What the JSON schema says too is left to it, so that it is said once. */
function problemsOfText(file: PromptFile): Problem[] {
  return [...file.problems.filter(({ inSchema }) => !inSchema), ...restrictedModel(file)];
}

function restrictedModel(file: PromptFile): Problem[] {
  if (isModelTrusted(file.settings.model, vscode.workspace.isTrusted)) return [];
  const message = 'This model is named by its path, which is ignored until you trust the workspace; the model of the settings is used.';
  return [{ code: 'unknown-model', severity: 'information', message, place: modelPlace(file) }];
}

function modelPlace(file: PromptFile): Problem['place'] {
  return file.settingPlaces.model ?? { offset: 0, length: 1, line: 1, column: 1 };
}

function diagnosticOf(document: vscode.TextDocument, { message, severity, code, place }: Problem): vscode.Diagnostic {
  const diagnostic = new vscode.Diagnostic(rangeOf(document, place), message, SEVERITIES[severity]);
  diagnostic.source = 'Circuit Explorer';
  diagnostic.code = code;
  return diagnostic;
}
