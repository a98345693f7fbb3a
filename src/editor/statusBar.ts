import * as vscode from 'vscode';
import { COMMANDS } from './commandTable';

/** The one status bar item: hidden until something has run or a prompt file is in front, then the model; while running, the stage. */
export interface StatusBar extends vscode.Disposable {
  running(title: string, stage: string, fraction: number): void;
  idle(): void;
  /** The settings or the editor in front have changed. */
  refresh(): void;
}

export function createStatusBar(modelName: () => string): StatusBar {
  const item = vscode.window.createStatusBarItem('circuitExplorer.status', vscode.StatusBarAlignment.Left, 0);
  item.name = 'Circuit Explorer';
  let hasRun = false;
  let isRunning = false;

  const refresh = (): void => {
    if (isRunning) return;
    item.text = `$(circuit-board) ${modelName()}`;
    item.tooltip = 'Circuit Explorer: the model that prompts run on. Click for the last result.';
    item.command = { command: COMMANDS.showLastResult, title: 'Show last result' };
    item.accessibilityInformation = { label: `Circuit Explorer, model ${modelName()}` };
    if (hasRun || vscode.window.activeTextEditor?.document.languageId === 'circuit-prompts') item.show();
    else item.hide();
  };
  const subscription = vscode.window.onDidChangeActiveTextEditor(refresh);
  refresh();
  return {
    running: (title, stage, fraction) => {
      hasRun = true;
      isRunning = true;
      item.text = `$(loading~spin) ${stage} ${Math.round(fraction * 100)} %`;
      item.tooltip = `Circuit Explorer: ${title}. Click for the log.`;
      item.command = { command: COMMANDS.showLog, title: 'Show log' };
      item.accessibilityInformation = { label: `Circuit Explorer, ${title}, ${stage}`, role: 'progressbar' };
      item.show();
    },
    idle: () => {
      isRunning = false;
      refresh();
    },
    refresh,
    dispose: () => {
      subscription.dispose();
      item.dispose();
    },
  };
}
