import * as vscode from 'vscode';
import type { Log } from './log';
import { withoutLinks } from './plainText';

/** An error with the way to its details. Not awaited: it may stand there for long. */
export function showError(message: string, log: Log): void {
  void vscode.window.showErrorMessage(withoutLinks(message), 'Show log').then((choice) => {
    if (choice) log.show();
  });
}
