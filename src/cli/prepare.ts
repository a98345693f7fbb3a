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
import { CircuitError } from '../shared/errors';
import type { Tokenize } from '../shared/tokenizer';
import type { ExperimentFlags } from './experimentFlags';
import type { ProgressBar } from './progressBar';

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
 * Reads and checks one prompt file, with what the flags say.
 * Throws `prompt-file` (its message has a line `file:line:column: text` per error), `usage`, and what the tokenizer throws.
 */
export async function prepare(name: string, flags: ExperimentFlags, surroundings: Surroundings): Promise<AttributionJob> {
  const { runner, signal, folder, warn } = surroundings;
  const file = parse(await readText(name, folder), flags);
  const pairIndices = choosePairs(name, file, flags.pairs);
  const wanted = (problems: Problem[]): Problem[] => problems.filter(concerns(pairIndices));
  report(name, wanted(file.problems), warn);
  const job = await jobOf(name, file, pairIndices, flags, folder);
  const { model } = job.settings;
  const tokenize: Tokenize = (texts) => runner.tokenize({ texts, model }, { signal });
  const { context } = await runner.tokenizerInfo({ model });
  const facts = { context, bosPrepended: job.experiment.prependBos ?? false };
  report(name, wanted(await checkExperiment(file, tokenize, facts)), warn);
  return job;
}

/** What the flags say wins over what the file says; their variant is added to the file's, unless it begins anew. */
function parse(text: string, { overrides, variant }: ExperimentFlags): PromptFile {
  const direction = 'denoise';
  if (!variant) return parsePromptFile(text, { direction, overrides });
  const written = variant.fresh ? {} : parsePromptFile(text, { direction }).settings.variant;
  return parsePromptFile(text, { direction, overrides: { ...overrides, variant: { ...written, ...variant.fields } } });
}

async function readText(name: string, folder: string): Promise<string> {
  if (name === '-') throw new CircuitError('usage', 'Standard input is not read; name a prompt file (./- for a file of that name).');
  if (/\.safetensors$/i.test(name)) throw new CircuitError('usage', `${name} is no prompt file, which attribute takes. A stored run is attributed already; patch, paths, circuit, attention, lens and intervene take it.`);
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
  const line = (kind: string, { place, message, setting }: Problem): string => `${name}${setting ? ` with --${setting}` : `:${place.line}:${place.column}`}: ${kind}${message}`;
  for (const problem of problems) {
    if (problem.severity === 'warning') warn(`${line('warning: ', problem)}\n`);
  }
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new CircuitError('prompt-file', errors.map((error) => line('', error)).join('\n'));
}

async function jobOf(name: string, file: PromptFile, pairIndices: number[] | undefined, flags: ExperimentFlags, folder: string): Promise<AttributionJob> {
  const experiment = experimentOf(file, pairIndices);
  const place = path.resolve(folder, name);
  const model = await modelOf(flags.model, folder, experiment.model, path.dirname(place));
  const { direction } = experiment;
  const pairs = pairIndices?.map((index) => pairName(file.pairs[index] ?? {}, index));
  return {
    experiment: { ...experiment, model },
    settings: { model: model ?? BUNDLED, backend: flags.backend, threads: flags.threads, prependBos: 'model', direction },
    title: pairs ? `${path.basename(name)}: ${pairs.join(', ')}` : path.basename(name),
    source: { uri: pathToFileURL(place).href, pairIndices },
  };
}

/** The model named, if any. A relative folder starts where it was written: a flag's at the working folder, a file's at the file. */
export async function modelOf(flag: string | undefined, folder: string, written: string | undefined, fileFolder: string): Promise<string | undefined> {
  const isRelative = (reference: string): boolean => /^\.{1,2}(?:$|[\\/])/.test(reference);
  if (flag === undefined) return written !== undefined && isRelative(written) ? path.resolve(fileFolder, written) : written;
  // At a command line "models/mine" is as likely a folder as a hub id: a folder that is there is meant.
  const isHere = flag !== BUNDLED && flag !== '' && (await isFolder(path.resolve(folder, flag)));
  return isRelative(flag) || isHere ? path.resolve(folder, flag) : flag;
}
