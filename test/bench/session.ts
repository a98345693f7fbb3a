import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HashCheckpointConfig } from '../fixtures/hashCheckpoint';
import { writeCheckpoint, type Size } from './models';
import { promptPairs, type PromptSet } from './prompts';
import type { Task } from './side';
import type { Measured, OursMeasured } from './sides/ours';

export interface Options {
  size: Size;
  repeats: number;
  /** Folder with the built engineWorker.js that stands for ours. */
  bundle: string;
  limitSeconds: number;
}

/** What a Python library is measured on; `peer` as peers/run.py takes it. */
export interface PeerTask {
  peer: string;
  folder: string;
  prompts: PromptSet;
  threads: number;
  scores?: number[];
  budgets?: number[];
}

export interface PeerMeasured extends Omit<Measured, 'backend' | 'threads'> {
  versions: Record<string, string>;
}

/** A cancelled call and how soon the next request was served, of one workload. */
export type Cancels = Pick<OursMeasured, 'cancelled' | 'requestMs'> & { workload: string };

/** What was aimed at and what came out: for the list at the end. */
export interface Verdict {
  workload: string;
  beside: string;
  goal: number;
  ratio: number;
}

const RESULTS = path.join('out', 'bench', 'sides');

/** Which environment a peer runs in: auto-circuit and the older TransformerLens it needs have one of their own. */
const PYTHONS = {
  main: { variable: 'CIRCUIT_EXPLORER_PYTHON', packages: 'torch, transformers, nnsight and transformer-lens 4' },
  autoCircuit: { variable: 'CIRCUIT_EXPLORER_AUTO_CIRCUIT_PYTHON', packages: 'auto-circuit and transformer-lens 2' },
} as const;
export type PythonName = keyof typeof PYTHONS;

/** One run of the bench: its options, its checkpoints, the sides it has measured. */
export class Session {
  readonly cancels: Cancels[] = [];
  readonly verdicts: Verdict[] = [];
  private readonly folders = new Map<string, Promise<string>>();
  private written = 0;

  constructor(readonly options: Options) {}

  /** Written when first asked for, deleted at the end. */
  checkpoint(recipe: HashCheckpointConfig): Promise<string> {
    let folder = this.folders.get(recipe.name);
    if (!folder) this.folders.set(recipe.name, (folder = writeCheckpoint(recipe)));
    return folder;
  }

  async drop(recipe: HashCheckpointConfig): Promise<void> {
    const folder = this.folders.get(recipe.name);
    this.folders.delete(recipe.name);
    if (folder) rmSync(await folder, { recursive: true });
  }

  async close(): Promise<void> {
    for (const folder of this.folders.values()) rmSync(await folder, { recursive: true });
  }

  /** In a fresh process of this Node. */
  async measure<T>(task: Task): Promise<T> {
    const answer = await run(process.execPath, ['--expose-gc', path.join('out', 'bench', 'side.js'), JSON.stringify(task)]);
    return this.kept(task.kind, answer) as Promise<T>;
  }

  /** Why peers of this environment are not measured, if they are not. */
  missing(python: PythonName): string | undefined {
    const { variable, packages } = PYTHONS[python];
    return process.env[variable] ? undefined : `Not measured: ${variable} names no Python with ${packages}.`;
  }

  /** In a fresh process of that Python. */
  async peer(python: PythonName, { prompts, ...task }: PeerTask): Promise<PeerMeasured> {
    const { repeats, limitSeconds } = this.options;
    const request = { ...task, pairs: promptPairs(prompts), repeats, limitSeconds };
    const answer = await run(process.env[PYTHONS[python].variable]!, [path.join('test', 'bench', 'peers', 'run.py')], JSON.stringify(request));
    return this.kept(task.peer, answer) as Promise<PeerMeasured>;
  }

  /** Each side's figures are left as a file, without the values that were compared. */
  private async kept(name: string, answer: string): Promise<unknown> {
    const measured = JSON.parse(answer) as Record<string, unknown>;
    await mkdir(RESULTS, { recursive: true });
    await writeFile(path.join(RESULTS, `${String(++this.written).padStart(3, '0')}-${name}.json`), `${JSON.stringify({ ...measured, values: undefined, scores: undefined })}\n`);
    return measured;
  }
}

export function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${path.basename(command)} ${args[0]} ended with code ${code}: ${errors.trim().split('\n').slice(-12).join('\n')}`))));
    child.stdin.end(input);
  });
}
