import * as tf from '@tensorflow/tfjs-core';
import { CALLS, type CallName } from '../calls';
import { promptPairs, type PromptSet } from '../prompts';
import { localEngine } from './local';

export interface ProfileTask {
  kind: 'profile';
  folder: string;
  call: CallName;
  prompts: PromptSet;
}

export interface ProfileMeasured {
  backend: string;
  threads: number;
  /** Of the profiled run, and of one before it without timers. */
  wallMs: number;
  plainMs: number;
  ops: { name: string; calls: number; ms: number }[];
}

interface Spent {
  calls: number;
  ms: number;
}

/** Time of each kernel itself, without the kernels that it calls: those are counted under their own names. */
export async function measureProfile({ folder, call, prompts }: ProfileTask): Promise<ProfileMeasured> {
  const { engine, model, backend } = await localEngine(folder);
  const run = async (variant: number): Promise<number> => {
    const pairs = promptPairs(prompts, variant);
    const start = performance.now();
    await CALLS[call](engine, { model, pairs });
    return performance.now() - start;
  };
  await run(0);
  await run(1);
  const plainMs = await run(2);
  const spent = timeKernels(tf.getBackend());
  timeTransfers(spent);
  const wallMs = await run(3);
  const ops = Array.from(spent, ([name, one]) => ({ name, ...one })).filter(({ calls }) => calls > 0);
  await engine.dispose();
  return { backend: backend.name, threads: backend.threads, wallMs, plainMs, ops };
}

/** Milliseconds spent in what was called within the call on top; one entry for each call under way. */
const within: number[] = [];

function timed<A extends unknown[], R>(spent: Map<string, Spent>, name: string, call: (...given: A) => R): (...given: A) => R {
  const own: Spent = spent.get(name) ?? { calls: 0, ms: 0 };
  spent.set(name, own);
  return (...given) => {
    const start = performance.now();
    within.push(0);
    try {
      return call(...given);
    } finally {
      const all = performance.now() - start;
      own.calls++;
      own.ms += all - within.pop()!;
      if (within.length > 0) within[within.length - 1]! += all;
    }
  };
}

/** Puts a clock around every kernel of the backend, the engine's own that stand under tfjs's names too. */
function timeKernels(backend: string): Map<string, Spent> {
  const spent = new Map<string, Spent>();
  for (const kernel of tf.getKernelsForBackend(backend)) {
    tf.unregisterKernel(kernel.kernelName, backend);
    tf.registerKernel({ ...kernel, kernelFunc: timed(spent, kernel.kernelName, kernel.kernelFunc) });
  }
  return spent;
}

/** Copies into and out of the backend's memory, which are no kernels. */
function timeTransfers(spent: Map<string, Spent>): void {
  const backend = tf.backend() as unknown as Record<'write' | 'move' | 'readSync', (...given: unknown[]) => unknown>;
  for (const name of ['write', 'move', 'readSync'] as const) {
    if (typeof backend[name] === 'function') backend[name] = timed(spent, `(${name})`, backend[name].bind(backend));
  }
}
