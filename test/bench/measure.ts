/** One measurement in a process of its own, so that peak memory and start-up are its own. Prints one JSON line. */
import Module from 'node:module';
import path from 'node:path';
import { startBackend } from '../../src/engine/backend/start';
import { startWorkerEngine } from '../../src/engine/client/workerEngine';
import type { BackendChoice } from '../../src/engine/client/engine';
import type { TokenPair } from '../../src/shared/experiment';
import { arrayNamed } from '../../src/shared/arrays';
import { groupArrayName, type AttributionResult, type Progress } from '../../src/shared/results';
import type { SiteName } from '../../src/shared/sites';
import expected from '../fixtures/expected/gpt2-small-size.json';
import { hashCheckpoint } from '../fixtures/hashCheckpoint';
import { NaiveModel } from './naive';
import { everyHead, tutorialShape } from './workload';

export interface RunTask {
  kind: 'engine' | 'naive';
  folder: string;
  backend: BackendChoice;
  threads: number;
  repeats: number;
}

export interface Measurement {
  backend: string;
  threads: number;
  load: number;
  /** The run right after loading, which still allocates and packs weights. */
  first: number;
  seconds: number[];
  peakMegabytes: number;
  /** [layer][head], summed over all positions, normalised. */
  heads: number[][];
}

interface ActivationTask {
  kind: 'activation';
  bundle: string;
}

/** A full exact sweep by the engine, or what a few of its cells cost in plain tfjs. */
export interface SweepTask {
  kind: 'sweep' | 'naiveSweep';
  folder: string;
  backend: BackendChoice;
  threads: number;
}

export type Task = RunTask | ActivationTask | SweepTask;

export interface SweepMeasurement {
  backend: string;
  threads: number;
  /** Cells measured in `seconds`. */
  cells: number;
  seconds: number;
  peakMegabytes: number;
  /** Effects of the first heads of layer 0's z, summed over pairs. */
  heads: number[];
  /** Of the engine only: longest wait for the next measured cells, and how long a second sweep took to stop when it was cancelled amid. */
  longestWaitMs?: number;
  cancelMs?: number;
}

export interface ActivationMeasurement {
  requireMilliseconds: number;
  activateMilliseconds: number;
}

/** The same ones at every release, so that figures can be compared. */
const SITES: readonly SiteName[] = ['z', 'attn_out', 'mlp_out', 'resid_pre'];

async function measureEngine({ folder, backend, threads, repeats }: RunTask): Promise<Measurement> {
  const engine = startWorkerEngine({ script: path.resolve('dist', 'engineWorker.js') });
  const pairs = tutorialShape();
  const experiment = { metric: 'logitDiff', direction: 'denoise', pairs } as const;
  const loaded = await engine.load({ folder, id: 'bench', backend, threads });
  const once = async (): Promise<{ result: AttributionResult; seconds: number }> => {
    const start = performance.now();
    const result = await engine.attribute({ experiment, sites: SITES });
    return { result, seconds: (performance.now() - start) / 1000 };
  };
  const first = await once();
  const seconds: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) seconds.push((await once()).seconds);
  await engine.dispose();
  return {
    backend: loaded.backend.name,
    threads: loaded.backend.threads,
    load: loaded.seconds,
    first: first.seconds,
    seconds,
    peakMegabytes: peakMegabytes(),
    heads: headsOf(first.result, pairs, loaded.model),
  };
}

/** In this process; `load` is uploading the weights. */
async function measureNaive({ backend, threads, repeats }: RunTask): Promise<Measurement> {
  const started = await startBackend({ choice: backend, threads, wasmFolder: path.resolve('dist', 'wasm') });
  const { config, tensors } = hashCheckpoint(expected.checkpoint);
  const begin = performance.now();
  const model = new NaiveModel(config, tensors);
  const load = (performance.now() - begin) / 1000;
  const pairs = tutorialShape();
  const once = (): { heads: number[][]; seconds: number } => {
    const start = performance.now();
    const heads = model.headScores(pairs);
    return { heads, seconds: (performance.now() - start) / 1000 };
  };
  const { heads, seconds: first } = once();
  const seconds = Array.from({ length: repeats }, () => once().seconds);
  return { backend: started.name, threads: started.threads, load, first, seconds, peakMegabytes: peakMegabytes(), heads };
}

/** Cells that the naive way is timed with. */
const NAIVE_CELLS = 3;
const CANCEL_AFTER_MS = 3000;

async function measureSweep({ folder, backend, threads }: SweepTask): Promise<SweepMeasurement> {
  const engine = startWorkerEngine({ script: path.resolve('dist', 'engineWorker.js') });
  const { backend: started, model } = await engine.load({ folder, id: 'bench', backend, threads });
  const pairs = tutorialShape();
  const params = { experiment: { metric: 'logitDiff', direction: 'denoise', pairs } as const, cells: everyHead(model) };
  let last = performance.now();
  let longestWaitMs = 0;
  const onProgress = ({ measured }: Progress): void => {
    if (!measured) return;
    longestWaitMs = Math.max(longestWaitMs, performance.now() - last);
    last = performance.now();
  };
  const start = performance.now();
  const { effects, cells } = await engine.patch(params, { onProgress });
  const seconds = (performance.now() - start) / 1000;

  const abort = new AbortController();
  const cancelled = engine.patch(params, { signal: abort.signal }).then(() => Promise.reject(new Error('ended before it was cancelled')), () => performance.now());
  await new Promise((resolve) => setTimeout(resolve, CANCEL_AFTER_MS));
  const asked = performance.now();
  abort.abort();
  const cancelMs = (await cancelled) - asked;
  await engine.dispose();
  const heads = Array.from({ length: NAIVE_CELLS }, (_, cell) => effects.subarray(cell * pairs.length, (cell + 1) * pairs.length).reduce((sum, effect) => sum + effect, 0));
  return { backend: started.name, threads: started.threads, cells: cells.length, seconds, peakMegabytes: peakMegabytes(), heads, longestWaitMs, cancelMs };
}

async function measureNaiveSweep({ backend, threads }: SweepTask): Promise<SweepMeasurement> {
  const started = await startBackend({ choice: backend, threads, wasmFolder: path.resolve('dist', 'wasm') });
  const { config, tensors } = hashCheckpoint(expected.checkpoint);
  const model = new NaiveModel(config, tensors);
  const pairs = tutorialShape();
  const prepared = model.prepare(pairs);
  const start = performance.now();
  const heads = Array.from({ length: NAIVE_CELLS }, (_, head) => model.patchedHead(pairs, prepared, 0, head));
  return { backend: started.name, threads: started.threads, cells: NAIVE_CELLS, seconds: (performance.now() - start) / 1000, peakMegabytes: peakMegabytes(), heads };
}

/** Written anew, not by shared/views: the bench compares with other libraries, and should not share a fault with what it measures. */
function headsOf({ arrays, groups, metric }: AttributionResult, pairs: TokenPair[], { layers, heads }: { layers: number; heads: number }): number[][] {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const divisor = pairs.length * (mean(metric.clean) - mean(metric.corrupted!));
  const sums = Array.from({ length: layers }, () => new Array<number>(heads).fill(0));
  groups.forEach((_, group) => {
    const { data, shape } = arrayNamed(arrays, groupArrayName(group, 'z'));
    const positions = shape[2]!;
    data.forEach((value, index) => {
      sums[Math.floor(index / heads / positions) % layers]![index % heads]! += value / divisor;
    });
  });
  return sums;
}

function peakMegabytes(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/** What VS Code waits for when the extension is first needed. `vscode` is a stand-in that answers anything, so its own work is not in it. */
function measureActivation({ bundle }: ActivationTask): ActivationMeasurement {
  const uri = (fsPath: string): { fsPath: string } => ({ fsPath });
  const Uri = { joinPath: (base: { fsPath: string }, ...parts: string[]) => uri(path.join(base.fsPath, ...parts)), file: uri };
  const workspace = withRest({ textDocuments: [], getConfiguration: () => ({ get: (_: string, standard: unknown) => standard }) });
  const vscode = withRest({ Uri, workspace });
  const internals = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = internals._load.bind(Module);
  internals._load = (request, ...rest) => (request === 'vscode' ? vscode : load(request, ...rest));
  const context = { subscriptions: [], extensionUri: uri(process.cwd()), globalStorageUri: uri(process.cwd()), extension: { packageJSON: { version: '0' } } };

  const start = performance.now();
  const extension = internals._load(path.resolve(bundle), undefined, false) as { activate(context: unknown): unknown };
  const required = performance.now();
  extension.activate(context);
  return { requireMilliseconds: required - start, activateMilliseconds: performance.now() - required };
}

/** Can be called, constructed and asked for any field; gives itself each time. */
const anything: object = new Proxy(class {}, {
  get: (target, name) => {
    if (name === 'prototype') return target.prototype;
    if (name === 'then') return undefined;
    if (name === Symbol.iterator) return () => [][Symbol.iterator]();
    return name === Symbol.toPrimitive ? () => '' : anything;
  },
  set: () => true,
  apply: () => anything,
  construct: () => anything,
});

/** An object with these fields, and anything else asked of it. By its prototype, for that is what a bundle keeps of a module. */
function withRest(fields: object): object {
  return Object.create(anything, Object.getOwnPropertyDescriptors(fields)) as object;
}

function measureTask(task: Task): unknown {
  switch (task.kind) {
    case 'activation':
      return measureActivation(task);
    case 'naive':
      return measureNaive(task);
    case 'engine':
      return measureEngine(task);
    case 'sweep':
      return measureSweep(task);
    case 'naiveSweep':
      return measureNaiveSweep(task);
  }
}

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2]!) as Task;
  const measured = await measureTask(task);
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

void main();
