import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isFolder } from '../models/files';
import { BUNDLED } from '../models/resolveModel';
import { parsePromptFile } from '../prompts/parse';
import type { Problem } from '../prompts/problem';
import { experimentOf, pairName, type PromptFile } from '../prompts/promptFile';
import type { AttributionJob, ExperimentRunner } from '../runner/runner';
import { writeRunFile } from '../runs/file';
import { CircuitError } from '../shared/errors';
import type { Run } from '../shared/run';
import type { AttributeCommand } from './arguments';
import { attributionJson } from './attributionJson';
import type { ProgressBar } from './progressBar';
import { attributionTables } from './table';

export interface Surroundings {
  runner: ExperimentRunner;
  progress: ProgressBar;
  signal: AbortSignal;
  /** Relative paths start here. */
  folder: string;
  print(text: string): void;
  warn(text: string): void;
}

/** One prompt file, read. */
interface Input {
  /** As the person wrote it. */
  name: string;
  file: PromptFile;
  pairIndices?: number[];
}

/**
 * Runs the prompt files one after the other; all are read before the first is run.
 * Throws `prompt-file` (its message has a line `file:line:column: text` per error) and what the runner throws.
 */
export async function attribute(command: AttributeCommand, surroundings: Surroundings): Promise<void> {
  const { print, folder } = surroundings;
  const inputs: Input[] = [];
  for (const name of command.files) inputs.push(await read(name, command, surroundings));
  const documents: unknown[] = [];
  for (const [index, input] of inputs.entries()) {
    const run = await runOf(input, index, command, surroundings);
    if (command.json) documents.push(attributionJson(run, command));
    else print(`${index > 0 ? '\n' : ''}${attributionTables(run, command)}`);
    if (command.out !== undefined) await writeRunFile(path.resolve(folder, command.out), run);
  }
  if (command.json) print(`${JSON.stringify(documents.length === 1 ? documents[0] : documents, null, 1)}\n`);
}

async function read(name: string, command: AttributeCommand, { folder, warn }: Surroundings): Promise<Input> {
  let text: string;
  try {
    text = await readFile(path.resolve(folder, name), 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CircuitError('prompt-file', `${name}: ${missing ? 'there is no such file.' : `the file could not be read (${String(cause)}).`}`, { cause });
  }
  const file = parsePromptFile(text);
  const pairIndices = choosePairs(name, file, command.pairs);
  report(name, file.problems.filter(concerns(pairIndices)), warn);
  return { name, file, pairIndices };
}

/** Indices of the pairs with the names or numbers given; undefined for all. A name wins over a number. */
export function choosePairs(name: string, file: PromptFile, wanted: readonly string[]): number[] | undefined {
  if (wanted.length === 0) return undefined;
  const names = file.places.map((_, index) => pairName(file.pairs[index] ?? {}, index));
  const indices = wanted.map((pair) => {
    const named = names.indexOf(pair);
    const index = named >= 0 ? named : /^\d+$/.test(pair) ? Number(pair) - 1 : -1;
    if (index >= 0 && index < names.length) return index;
    const there = names.length === 0 ? 'it has no pairs' : `it has pairs 1 to ${names.length}: ${names.map((text) => JSON.stringify(text)).join(', ')}`;
    throw new CircuitError('usage', `${name} has no pair ${JSON.stringify(pair)}; ${there}.`);
  });
  return [...new Set(indices)].sort((a, b) => a - b);
}

function concerns(pairIndices: readonly number[] | undefined): (problem: Problem) => boolean {
  return ({ pairs }) => pairs === undefined || pairIndices === undefined || pairs.some((index) => pairIndices.includes(index));
}

/** Warnings are printed; errors are thrown, all at once. */
function report(name: string, problems: readonly Problem[], warn: Surroundings['warn']): void {
  const line = (kind: string, { place, message }: Problem): string => `${name}:${place.line}:${place.column}: ${kind}${message}`;
  for (const problem of problems) {
    if (problem.severity === 'warning') warn(`${line('warning: ', problem)}\n`);
  }
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new CircuitError('prompt-file', errors.map((error) => line('', error)).join('\n'));
}

async function runOf(input: Input, index: number, command: AttributeCommand, surroundings: Surroundings): Promise<Run> {
  const { runner, progress, signal } = surroundings;
  const job = await jobOf(input, command, surroundings);
  const label = command.files.length > 1 ? `${input.name} (${index + 1} of ${command.files.length})` : input.name;
  try {
    return await runner.attribute(job, { signal, onProgress: (step) => progress.show(label, step) });
  } catch (error) {
    if (CircuitError.is(error, 'experiment')) throw new CircuitError(error.code, `${input.name}: ${error.message}`, { cause: error.cause });
    throw error;
  } finally {
    progress.clear();
  }
}

/** What the flags say wins over what the file says. */
async function jobOf({ name, file, pairIndices }: Input, command: AttributeCommand, { folder }: Surroundings): Promise<AttributionJob> {
  const experiment = experimentOf(file, pairIndices);
  const place = path.resolve(folder, name);
  const model = await modelOf(command.model, experiment.model, folder, path.dirname(place));
  const pairs = pairIndices?.map((index) => pairName(file.pairs[index] ?? {}, index));
  return {
    experiment: {
      ...experiment,
      model,
      direction: command.direction ?? experiment.direction,
      prependBos: command.prependBos ?? experiment.prependBos,
    },
    settings: { model, backend: command.backend, threads: command.threads, prependBos: 'model', direction: experiment.direction },
    title: pairs ? `${path.basename(name)}: ${pairs.join(', ')}` : path.basename(name),
    source: { uri: pathToFileURL(place).href, pairIndices },
  };
}

/** A relative folder starts where it was written: a flag's at the working folder, a file's at the file. */
async function modelOf(flag: string | undefined, written: string | undefined, folder: string, fileFolder: string): Promise<string> {
  const isRelative = (reference: string): boolean => /^\.{1,2}(?:$|[\\/])/.test(reference);
  if (flag !== undefined) {
    // At a command line "models/mine" is as likely a folder as a hub id: a folder that is there is meant.
    const isHere = flag !== BUNDLED && flag !== '' && (await isFolder(path.resolve(folder, flag)));
    return isRelative(flag) || isHere ? path.resolve(folder, flag) : flag;
  }
  if (written === undefined) return BUNDLED;
  return isRelative(written) ? path.resolve(fileFolder, written) : written;
}
