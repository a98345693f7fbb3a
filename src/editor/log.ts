import * as vscode from 'vscode';
import { toFailure } from '../shared/errors';

/** The extension's log. Worker threads' lines arrive here too. */
export interface Log extends vscode.Disposable {
  info(message: string): void;
  warn(message: string): void;
  /** With code, cause and stack where there are any. */
  error(what: string, error: unknown): void;
  show(): void;
}

export function createLog(): Log {
  const channel = vscode.window.createOutputChannel('Circuit Explorer', { log: true });
  return {
    info: (message) => channel.info(message),
    warn: (message) => channel.warn(message),
    error: (what, error) => {
      const { code, message, cause, stack } = toFailure(error);
      channel.error(`${what}: [${code}] ${message}${cause ? `\n  because ${cause}` : ''}${stack ? `\n${stack}` : ''}`);
    },
    show: () => channel.show(true),
    dispose: () => channel.dispose(),
  };
}
