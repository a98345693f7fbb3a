import * as vscode from 'vscode';
import { CircuitError, toFailure } from '../shared/errors';
import { COMMANDS, type CommandHandlers, type CommandName } from './commandTable';
import type { Log } from './log';
import { showError } from './showError';

/** Registers every command. What a command throws is told to the person, once. */
export function registerCommands(handlers: CommandHandlers, log: Log): vscode.Disposable {
  const names = Object.keys(COMMANDS) as CommandName[];
  return vscode.Disposable.from(
    ...names.map((name) =>
      vscode.commands.registerCommand(COMMANDS[name], async (...args: unknown[]) => {
        try {
          return await handlers[name](...args);
        } catch (error) {
          if (CircuitError.is(error, 'cancelled')) return undefined;
          log.error(`Command ${COMMANDS[name]}`, error);
          showError(toFailure(error).message, log);
          return undefined;
        }
      }),
    ),
  );
}
