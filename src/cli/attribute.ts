import path from 'node:path';
import type { AttributionJob } from '../runner/runner';
import { writeRunFile } from '../runs/file';
import { CircuitError } from '../shared/errors';
import { hasGradient } from '../shared/experiment';
import type { Progress } from '../shared/results';
import type { Run } from '../shared/run';
import { DEFAULT_SITES, type SiteName } from '../shared/sites';
import type { AttributeCommand } from './arguments';
import { attributionJson } from './attributionJson';
import { attributionTables } from './attributionTables';
import { prepare, type Surroundings } from './prepare';

/**
 * Runs the prompt files one after the other; all are read and checked before the first is run.
 * Throws `prompt-file` (its message has a line `file:line:column: text` per error) and what the runner throws.
 */
export async function attribute(command: AttributeCommand, surroundings: Surroundings): Promise<void> {
  const { print, folder } = surroundings;
  const { files, sites: listed = ['z'] } = command;
  const jobs: AttributionJob[] = [];
  for (const name of files) jobs.push(await prepare(name, command, surroundings));
  const documents: unknown[] = [];
  for (const [index, job] of jobs.entries()) {
    const name = files[index]!;
    const label = files.length > 1 ? `${name} (${index + 1} of ${files.length})` : name;
    // Where there is no gradient the usual run is one without scores: asked for some, the engine says why there are none.
    const sites = command.sites ?? (hasGradient(job.experiment) ? undefined : listed);
    const run = await attributed({ ...job, ...(sites && { sites: withZ(sites) }) }, name, label, surroundings);
    // First: printing fails where scores cannot be normalised or the reader has gone, and the run is sound all the same.
    if (command.out !== undefined) await writeRunFile(path.resolve(folder, command.out), run);
    if (command.json) documents.push(attributionJson(run, command));
    else print(`${index > 0 ? '\n' : ''}${attributionTables(run, { ...command, sites: listed })}`);
  }
  if (command.json) print(`${JSON.stringify(files.length === 1 ? documents[0] : documents)}\n`);
}

/** The JSON's top heads are those of z, whatever else is asked for. */
function withZ(sites: readonly SiteName[]): SiteName[] {
  return [...DEFAULT_SITES, 'mlp_post' as const].filter((site) => site === 'z' || sites.includes(site));
}

export function attributed(job: AttributionJob, name: string, label: string, { runner, ...surroundings }: Surroundings): Promise<Run> {
  return working(name, label, surroundings, (call) => runner.attribute(job, call));
}

/** A call with its progress on show. What only the run could know concerns its file too. */
export async function working<T>(
  name: string,
  label: string,
  { progress, signal }: Pick<Surroundings, 'progress' | 'signal'>,
  work: (call: { signal: AbortSignal; onProgress: (step: Progress) => void }) => Promise<T>,
): Promise<T> {
  try {
    return await work({ signal, onProgress: (step) => progress.show(label, step) });
  } catch (error) {
    if (CircuitError.is(error, 'experiment') || CircuitError.is(error, 'too-big')) throw new CircuitError(error.code, `${name}: ${error.message}`, { cause: error.cause });
    throw error;
  } finally {
    progress.clear();
  }
}
