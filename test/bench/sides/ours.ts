import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BackendChoice, Engine } from '../../../src/engine/client/engine';
import { startProcessEngine, type ProcessEngine } from '../../../src/engine/client/processEngine';
import { startWorkerEngine } from '../../../src/engine/client/workerEngine';
import { CircuitError } from '../../../src/shared/errors';
import type { ModelInfo } from '../../../src/shared/results';
import { budgets, CALLS, type CallInput, type CallName } from '../calls';
import { promptPairs, type PromptSet } from '../prompts';
import { median } from '../statistics';

export interface OursTask {
  kind: 'ours';
  /** Folder with the built engineWorker.js. */
  bundle: string;
  folder: string;
  call: CallName;
  prompts: PromptSet;
  backend: BackendChoice;
  /** Where the packages of a native backend are, which is then `backend`. */
  nativeFolder?: string;
  threads: number;
  repeats: number;
  /** No repeat is begun that would end after so many seconds of measuring. */
  limitSeconds: number;
  /** Cancels the call amid at three moments as well, when all else is measured. */
  cancel: boolean;
}

export interface Measured {
  threads: number;
  backend: string;
  /** From asking for the model to having it: with it the backend starts, in a thread of its own. */
  load: number;
  /** The run right after loading, which still allocates and packs weights. Of a peer it may be shortened: `isWhole`. */
  first: number;
  isWhole: boolean;
  seconds: number[];
  peakMegabytes: number;
  /** What is compared between sides. */
  values: number[];
}

export interface OursMeasured extends Measured {
  /** Seconds of the last prompts' run once more, which results kept from it may serve. */
  again: number;
  /** Scores and budgets that a circuit curve went by. */
  scores?: number[];
  budgets?: number[];
  cancelled?: Cancelled[];
  /** Milliseconds of the request that is sent after a cancel, in an idle engine. */
  requestMs?: number;
}

export interface Cancelled {
  /** Seconds after the call began. */
  at: number;
  /** Milliseconds from the cancel to the answer of the next request; absent when the call ended first. */
  servedMs?: number;
}

export async function measureOurs(task: OursTask): Promise<OursMeasured> {
  if (task.nativeFolder && process.platform !== 'linux') throw new Error('The memory of a native backend can be read on Linux only.');
  const native = task.nativeFolder ? startProcessEngine({ script: path.resolve(task.bundle, 'engineProcess.js'), folder: task.nativeFolder }) : undefined;
  const engine: Engine = native ?? startWorkerEngine({ script: path.resolve(task.bundle, 'engineWorker.js') });
  const start = performance.now();
  const loaded = await engine.load({ folder: task.folder, id: 'bench', backend: task.backend, threads: task.threads });
  const load = secondsSince(start);
  const once = async (variant: number): Promise<{ seconds: number; values: () => number[] }> => {
    const input = inputOf(variant, task, loaded.model, scores);
    const begin = performance.now();
    const values = await CALLS[task.call](engine, input);
    return { seconds: secondsSince(begin), values };
  };
  const scores = task.call === 'circuits' ? await edgeScores(engine, task, loaded.model) : undefined;
  const first = await once(0);
  const seconds: number[] = [];
  while (seconds.length < task.repeats && (seconds.length === 0 || sum(seconds) + seconds.at(-1)! < task.limitSeconds)) {
    seconds.push((await once(seconds.length + 1)).seconds);
  }
  const again = (await once(seconds.length)).seconds;
  const peakMegabytes = peakOf(native);
  const cancelled = task.cancel ? await cancels(engine, task, loaded.model, Math.min(...seconds), scores) : undefined;
  await engine.dispose();
  return {
    backend: loaded.backend.name,
    threads: loaded.backend.threads,
    load,
    first: first.seconds,
    isWhole: true,
    seconds,
    again,
    peakMegabytes,
    values: first.values(),
    ...(scores && { scores: Array.from(scores), budgets: budgets(loaded.model) }),
    ...cancelled,
  };
}

/** Resident memory of the process that computes; a native backend's is another one, on Linux found in /proc. */
function peakOf(native: ProcessEngine | undefined): number {
  if (!native) return process.resourceUsage().maxRSS / 1024;
  return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${native.pid}/status`, 'utf8'))![1]) / 1024;
}

function inputOf(variant: number, { prompts }: OursTask, model: ModelInfo, scores?: Float32Array): CallInput {
  return { model, pairs: promptPairs(prompts, variant), scores };
}

/** Of EAP, from prompts that are not run again. */
async function edgeScores(engine: Engine, task: OursTask, model: ModelInfo): Promise<Float32Array> {
  const values = await CALLS.eap(engine, inputOf(SCORES_VARIANT, task, model));
  return Float32Array.from(values());
}

const SCORES_VARIANT = 40;
/** Cancelled calls run prompts of their own, so that what was kept of earlier ones makes them no shorter. */
const CANCEL_VARIANT = 30;
const THIRD = 1 / 3;
const CANCEL_SEED = 5;

async function cancels(engine: Engine, task: OursTask, model: ModelInfo, whole: number, scores?: Float32Array): Promise<Pick<OursMeasured, 'cancelled' | 'requestMs'>> {
  const request = async (variant: number): Promise<void> => {
    await engine.predict({ prompts: [promptPairs(task.prompts, variant)[0]!.clean], top: 5 });
  };
  const idle: number[] = [];
  for (const variant of [6, 7, 8, 9]) {
    const begin = performance.now();
    await request(CANCEL_VARIANT + variant);
    idle.push(performance.now() - begin);
  }
  // The first one is not counted.
  const requestMs = median(idle.slice(1));
  const cancelled: Cancelled[] = [];
  const random = randomShares(CANCEL_SEED);
  for (const [index, share] of [THIRD, random(), random()].entries()) {
    const abort = new AbortController();
    const call = CALLS[task.call](engine, inputOf(CANCEL_VARIANT + index, task, model, scores), { signal: abort.signal });
    const ended = call.then(() => 'whole' as const, (error: unknown) => {
      if (CircuitError.is(error, 'cancelled')) return 'cancelled' as const;
      throw error;
    });
    await new Promise((resolve) => setTimeout(resolve, share * whole * 1000));
    const asked = performance.now();
    abort.abort();
    await request(CANCEL_VARIANT + 4 + index);
    const servedMs = performance.now() - asked;
    cancelled.push({ at: share * whole, ...((await ended) === 'cancelled' && { servedMs }) });
  }
  return { cancelled, requestMs };
}

/** Shares of a call's time, the same at every run of the bench. */
function randomShares(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.05 + (0.85 * state) / 2 ** 32;
  };
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
