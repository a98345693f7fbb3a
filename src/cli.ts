import os from 'node:os';
import path from 'node:path';
import { version } from '../package.json';
import { parseArguments, type WorkCommand } from './cli/arguments';
import { EXIT, exitCodeOf } from './cli/exitCode';
import { HELP } from './cli/help';
import { modelsText } from './cli/models';
import { perform } from './cli/perform';
import { ProgressBar } from './cli/progressBar';
import { startEngine } from './engine/client/startEngine';
import { hubCacheFolder } from './models/hubCache';
import { listModels, resolveModel } from './models/resolveModel';
import { startTokenizerThread } from './models/tokenizerThread';
import { createRunner } from './runner/createRunner';
import { CircuitError } from './shared/errors';

/** Composition root of the command line. `__dirname` is dist/, where the workers' bundles lie too. */
const PLACES = {
  bundledFolder: path.join(__dirname, '..', 'media', 'model'),
  cacheFolders: [hubCacheFolder(process.env, os.homedir())],
  home: os.homedir(),
};

const print = (text: string): void => void process.stdout.write(text);
const warn = (text: string): void => void process.stderr.write(text);

async function run(command: WorkCommand): Promise<void> {
  const abort = new AbortController();
  // Only the first Ctrl-C is caught: the second finds no listener and kills.
  process.once('SIGINT', () => abort.abort());
  const nativeFolder = command.nativeFolder === undefined ? undefined : path.resolve(command.nativeFolder);
  const runner = createRunner({
    engine: startEngine({
      workerScript: path.join(__dirname, 'engineWorker.js'),
      processScript: path.join(__dirname, 'engineProcess.js'),
      nativeFolder: () => nativeFolder,
    }),
    tokenizer: startTokenizerThread(path.join(__dirname, 'tokenizerWorker.js')),
    resolveModel: (reference) => resolveModel(reference, PLACES),
    extensionVersion: version,
  });
  try {
    process.exitCode = await perform(command, { runner, progress: new ProgressBar(process.stderr), signal: abort.signal, folder: process.cwd(), print, warn });
  } finally {
    await runner.dispose();
  }
}

async function main(): Promise<void> {
  const command = parseArguments(process.argv.slice(2));
  if (command.verb === 'help') print(HELP);
  else if (command.verb === 'version') print(`${version}\n`);
  else if (command.verb === 'models') print(modelsText(await listModels(PLACES), command.json));
  else await run(command);
}

function describe(error: unknown): string {
  if (CircuitError.is(error, 'prompt-file')) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause !== undefined ? `\n  Cause: ${error.cause instanceof Error ? error.cause.message : String(error.cause)}` : '';
  const hint = CircuitError.is(error, 'usage') ? '\nSee circuit-explorer --help.' : '';
  return `circuit-explorer: ${message}${cause}${hint}`;
}

// A reader that has seen enough (… | head) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.other));

// The exit code is set, not forced, so that everything printed reaches a slow pipe first.
main().catch((error: unknown) => {
  warn(`${describe(error)}\n`);
  process.exitCode = exitCodeOf(error);
});
