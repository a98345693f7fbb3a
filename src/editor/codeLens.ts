import * as vscode from 'vscode';
import type { TextPair } from '../shared/experiment';
import type { RunManifest } from '../shared/run';
import { COMMANDS } from './commandTable';
import type { Log } from './log';
import { isPromptDocument, PROMPT_LANGUAGE, promptFileOf, rangeOf } from './promptDocuments';
import type { RunIndex } from './runIndex';
import { codeLensEnabled, onSettingsChanged } from './settings';

/** Above the file: attribute all. Above each pair: attribute it. And the last result where there is one. Needs no model. */
export class PromptCodeLens implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly runIndex: RunIndex,
    private readonly log: Log,
  ) {
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
    const latest = this.latestOf(uri);
    const last = await latest();
    if (last) lens(top, 'Show last result', COMMANDS.openRun, last.id);
    // Of one pair the lens above the file says all.
    for (const [index, { pair: place }] of places.length === 1 ? [] : places.entries()) {
      const range = rangeOf(document, place);
      lens(range, 'Attribute pair', COMMANDS.attributePromptPair, uri, index);
      const pair = pairs[index];
      const lastOfPair = pair && (await latest(pair));
      if (lastOfPair) lens(range, 'Show last result', COMMANDS.openRun, lastOfPair.id);
    }
    return lenses;
  }

  /** The last runs of a file, none where the runs cannot be read: what needs no runs is offered all the same. */
  private latestOf(uri: string): (pair?: TextPair) => Promise<RunManifest | undefined> {
    let readable = true;
    return async (pair) => {
      if (!readable) return undefined;
      try {
        return await this.runIndex.latest(uri, pair);
      } catch (error) {
        readable = false;
        this.log.error('The last runs for the CodeLens', error);
        return undefined;
      }
    };
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changed.dispose();
  }
}
