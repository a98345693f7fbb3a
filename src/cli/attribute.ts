import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isFolder } from '../models/files';
import { BUNDLED } from '../models/resolveModel';
import { checkExperiment } from '../prompts/check';
import { LONGEST_FILE, parsePromptFile } from '../prompts/parse';
import type { Problem } from '../prompts/problem';
import { experimentOf, pairName, type PromptFile } from '../prompts/promptFile';
import type { AttributionJob, ExperimentRunner } from '../runner/runner';
import { writeRunFile } from '../runs/file';
import { CircuitError } from '../shared/errors';
import type { Run } from '../shared/run';
import type { Tokenize } from '../shared/tokenizer';
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

/**
 * Runs the prompt files one after the other; all are read and checked before the first is run.
 * Throws `prompt-file` (its message has a line `file:line:column: text` per error) and what the runner throws.
 */
export async function attribute(command: AttributeCommand, surroundings: Surroundings): Promise<void> {
  const { print, folder } = surroundings;
  const jobs: AttributionJob[] = [];
  for (const name of command.files) jobs.push(await prepare(name, command, surroundings));
  const documents: unknown[] = [];
  for (const [index, job] of jobs.entries()) {
    const run = await runOf(job, index, command, surroundings);
    // First: printing fails where scores cannot be normalised or the reader has gone, and the run is sound all the same.
    if (command.out !== undefined) await writeRunFile(path.resolve(folder, command.out), run);
    if (command.json) documents.push(attributionJson(run, command));
    else print(`${index > 0 ? '\n' : ''}${attributionTables(run, command)}`);
  }
  if (command.json) print(`${JSON.stringify(command.files.length === 1 ? documents[0] : documents)}\n`);
}

/** Reads and checks one prompt file. */
async function prepare(name: string, command: AttributeCommand, surroundings: Surroundings): Promise<AttributionJob> {
  const { runner, signal, folder, warn } = surroundings;
  const file = parsePromptFile(await readText(name, folder));
  const pairIndices = choosePairs(name, file, command.pairs);
  const wanted = (problems: Problem[]): Problem[] => problems.filter(concerns(pairIndices));
  report(name, wanted(file.problems), warn);
  const job = await jobOf(name, file, pairIndices, command, folder);
  const { model } = job.settings;
  const tokenize: Tokenize = (texts) => runner.tokenize({ texts, model }, { signal });
  const { context } = await runner.tokenizerInfo({ model });
  const facts = { context, bosPrepended: job.experiment.prependBos ?? false };
  report(name, wanted(await checkExperiment(file, tokenize, facts)), warn);
  return job;
}

async function readText(name: string, folder: string): Promise<string> {
  if (name === '-') throw new CircuitError('usage', 'Standard input is not read; name a prompt file (./- for a file of that name).');
  const file = path.resolve(folder, name);
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new CircuitError('prompt-file', `${name} is a folder; name a prompt file in it (*.prompts.json).`);
    const { size } = found;
    // No character takes more bytes: what the parser would refuse anyway need not be read, whatever it is.
    if (size > 3 * LONGEST_FILE) throw new CircuitError('prompt-file', `${name}:1:1: this file is too large for a prompt file (${(size / 1e6).toFixed(0)} MB) and was not read.`);
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (CircuitError.is(cause)) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CircuitError('prompt-file', `${name}: ${missing ? 'there is no such file.' : `the file could not be read (${String(cause)}).`}`, { cause });
  }
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

async function runOf(job: AttributionJob, index: number, { files }: AttributeCommand, { runner, progress, signal }: Surroundings): Promise<Run> {
  const name = files[index]!;
  const label = files.length > 1 ? `${name} (${index + 1} of ${files.length})` : name;
  try {
    return await runner.attribute(job, { signal, onProgress: (step) => progress.show(label, step) });
  } catch (error) {
    // What only the run could know concerns this file too.
    if (CircuitError.is(error, 'experiment') || CircuitError.is(error, 'too-big')) throw new CircuitError(error.code, `${name}: ${error.message}`, { cause: error.cause });
    throw error;
  } finally {
    progress.clear();
  }
}

/** What the flags say wins over what the file says. */
async function jobOf(name: string, file: PromptFile, pairIndices: number[] | undefined, command: AttributeCommand, folder: string): Promise<AttributionJob> {
  const experiment = experimentOf(file, pairIndices);
  const place = path.resolve(folder, name);
  const model = await modelOf(command.model, folder, experiment.model, path.dirname(place));
  const direction = command.direction ?? experiment.direction;
  const metric = command.metric ?? experiment.metric;
  const prependBos = command.prependBos ?? experiment.prependBos;
  const pairs = pairIndices?.map((index) => pairName(file.pairs[index] ?? {}, index));
  return {
    experiment: { ...experiment, model, direction, metric, prependBos },
    settings: { model: model ?? BUNDLED, backend: command.backend, threads: command.threads, prependBos: 'model', direction },
    title: pairs ? `${path.basename(name)}: ${pairs.join(', ')}` : path.basename(name),
    source: { uri: pathToFileURL(place).href, pairIndices },
  };
}

/** The model named, if any. A relative folder starts where it was written: a flag's at the working folder, a file's at the file. */
async function modelOf(flag: string | undefined, folder: string, written: string | undefined, fileFolder: string): Promise<string | undefined> {
  const isRelative = (reference: string): boolean => /^\.{1,2}(?:$|[\\/])/.test(reference);
  if (flag === undefined) return written !== undefined && isRelative(written) ? path.resolve(fileFolder, written) : written;
  // At a command line "models/mine" is as likely a folder as a hub id: a folder that is there is meant.
  const isHere = flag !== BUNDLED && flag !== '' && (await isFolder(path.resolve(folder, flag)));
  return isRelative(flag) || isHere ? path.resolve(folder, flag) : flag;
}
