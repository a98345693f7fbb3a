import * as vscode from 'vscode';
import { COMMANDS } from './commandTable';
import { isPromptDocument, PROMPT_LANGUAGE, promptFileOf, rangeOf } from './promptDocuments';
import type { RunIndex } from './runIndex';
import { codeLensEnabled, onSettingsChanged } from './settings';

/** Above the file: attribute all. Above each pair: attribute it. And the last result where there is one. Needs no model. */
export class PromptCodeLens implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly runIndex: RunIndex) {
    const fire = (): void => this.changed.fire();
    this.subscriptions = [runIndex.onDidChange(fire), onSettingsChanged(fire), vscode.languages.registerCodeLensProvider(PROMPT_LANGUAGE, this)];
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    if (!isPromptDocument(document) || !codeLensEnabled(document.uri)) return [];
    const { pairs, places } = promptFileOf(document);
    if (places.length === 0) return [];
    const uri = document.uri.toString();
    const top = new vscode.Range(0, 0, 0, 0);
    const lenses: vscode.CodeLens[] = [];
    const lens = (range: vscode.Range, title: string, command: string, ...args: unknown[]): void => {
      lenses.push(new vscode.CodeLens(range, { title, command, arguments: args }));
    };

    lens(top, places.length === 1 ? 'Attribute the pair' : `Attribute all ${places.length} pairs`, COMMANDS.attributeFile, uri);
    const last = await this.runIndex.latest(uri);
    if (last) lens(top, 'Show last result', COMMANDS.openRun, last.id);
    for (const [index, { pair: place }] of places.entries()) {
      const range = rangeOf(document, place);
      lens(range, 'Attribute pair', COMMANDS.attributePromptPair, uri, index);
      const pair = pairs[index];
      const lastOfPair = pair && (await this.runIndex.latest(uri, pair));
      if (lastOfPair) lens(range, 'Show last result', COMMANDS.openRun, lastOfPair.id);
    }
    return lenses;
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changed.dispose();
  }
}
