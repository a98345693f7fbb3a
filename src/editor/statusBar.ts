import * as vscode from 'vscode';
import { COMMANDS } from './commandTable';

/** Something that runs: the status bar shows what was told last, and the model again when the last one has ended. */
export interface Activity {
  report(title: string, stage: string, fraction: number): void;
  end(): void;
}

/** The one status bar item: hidden until something has run or a prompt file is in front, then the model; while running, the stage. */
export interface StatusBar extends vscode.Disposable {
  begin(): Activity;
  /** The settings or the editor in front have changed. */
  refresh(): void;
}

export function createStatusBar(modelName: () => string): StatusBar {
  const item = vscode.window.createStatusBarItem('circuitExplorer.status', vscode.StatusBarAlignment.Left, 0);
  item.name = 'Circuit Explorer';
  let hasRun = false;
  let running = 0;

  const refresh = (): void => {
    if (running > 0) return;
    item.text = `$(circuit-board) ${modelName()}`;
    item.tooltip = 'Circuit Explorer: the model that prompts run on. Click for the last result.';
    item.command = { command: COMMANDS.showLastResult, title: 'Show last result' };
    item.accessibilityInformation = { label: `Circuit Explorer, model ${modelName()}` };
    if (hasRun || vscode.window.activeTextEditor?.document.languageId === 'circuit-prompts') item.show();
    else item.hide();
  };
  const subscription = vscode.window.onDidChangeActiveTextEditor(refresh);
  refresh();
  const report = (title: string, stage: string, fraction: number): void => {
    item.text = `$(loading~spin) ${stage} ${Math.round(fraction * 100)} %`;
    item.tooltip = `Circuit Explorer: ${title}. Click for the log.`;
    item.command = { command: COMMANDS.showLog, title: 'Show log' };
    item.accessibilityInformation = { label: `Circuit Explorer, ${title}, ${stage}`, role: 'progressbar' };
    item.show();
  };
  return {
    begin: () => {
      hasRun = true;
      running++;
      return {
        report,
        end: () => {
          running--;
          refresh();
        },
      };
    },
    refresh,
    dispose: () => {
      subscription.dispose();
      item.dispose();
    },
  };
}
