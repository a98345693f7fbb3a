import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { CircuitError } from '../shared/errors';
import type { Run, RunManifest } from '../shared/run';
import { readRunFile, readRunManifest, writeRunFile } from './file';
import { isRunId } from './id';

const EXTENSION = '.safetensors';

/** One file of the folder: a run, or a file that should be one and why it is not. */
export type RunListing = { id: string; file: string; manifest: RunManifest } | { id: string; file: string; broken: string };

/** Runs in one folder, a file each. Nothing is ever deleted but by `delete`. */
export class RunStore {
  constructor(readonly folder: string) {}

  /** The file of a run, whether or not it exists. Throws `run-file` for what can be no id. */
  fileOf(id: string): string {
    if (!isRunId(id)) throw new CircuitError('run-file', `${JSON.stringify(id.slice(0, 100))} is not the id of a run.`);
    return path.join(this.folder, id + EXTENSION);
  }

  /** Returns the file. Throws `storage` when the folder cannot be written. */
  async save(run: Run): Promise<string> {
    const file = this.fileOf(run.manifest.id);
    await writeRunFile(file, run);
    return file;
  }

  /** Throws `run-file` when there is no such run or its file is broken. */
  async load(id: string): Promise<Run> {
    const file = this.fileOf(id);
    const run = await readRunFile(file);
    if (run.manifest.id !== id) throw new CircuitError('run-file', `${file}: ${misnamed(run.manifest.id)}`);
    return run;
  }

  /** Newest first. Reads the files' headers only; a folder that does not exist yet has no runs. Throws `storage`. */
  async list(): Promise<RunListing[]> {
    const ids = (await this.fileNames())
      .filter((name) => name.endsWith(EXTENSION) && isRunId(name.slice(0, -EXTENSION.length)))
      .map((name) => name.slice(0, -EXTENSION.length));
    const listings: RunListing[] = [];
    for (const id of ids.sort().reverse()) listings.push(await this.look(id));
    return listings;
  }

  /** Throws `storage` when the file is there and cannot be removed. */
  async delete(id: string): Promise<void> {
    const file = this.fileOf(id);
    try {
      await rm(file, { force: true });
    } catch (cause) {
      throw new CircuitError('storage', `The run ${file} could not be deleted.`, { cause });
    }
  }

  private async look(id: string): Promise<RunListing> {
    const file = this.fileOf(id);
    try {
      const manifest = await readRunManifest(file);
      return manifest.id === id ? { id, file, manifest } : { id, file, broken: misnamed(manifest.id) };
    } catch (error) {
      return { id, file, broken: error instanceof Error ? error.message : String(error) };
    }
  }

  private async fileNames(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new CircuitError('storage', `The folder of runs, ${this.folder}, could not be read.`, { cause });
    }
  }
}

function misnamed(id: string): string {
  return `This file holds the run ${id}: rename it to ${id}${EXTENSION}.`;
}
