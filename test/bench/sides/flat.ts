import * as tf from '@tensorflow/tfjs-core';
import { CALLS } from '../calls';
import { promptPairs, type PromptSet } from '../prompts';
import { localEngine } from './local';

export interface FlatTask {
  kind: 'flat';
  folder: string;
  prompts: PromptSet;
  runs: number;
  /** Whether each run takes prompts of its own, or all the same. */
  isFresh: boolean;
}

export interface FlatMeasured {
  backend: string;
  /** After each run, the first one first. */
  tensors: number[];
  bytes: number[];
  rssMegabytes: number[];
  seconds: number[];
}

/** Attribution many times over: what tfjs holds after each run, and what the process does, wasm heap included. */
export async function measureFlat({ folder, prompts, runs, isFresh }: FlatTask): Promise<FlatMeasured> {
  const { engine, model, backend } = await localEngine(folder);
  const measured: FlatMeasured = { backend: backend.name, tensors: [], bytes: [], rssMegabytes: [], seconds: [] };
  for (let index = 0; index < runs; index++) {
    const pairs = promptPairs(prompts, isFresh ? index : 0);
    const start = performance.now();
    await CALLS.attribution(engine, { model, pairs });
    measured.seconds.push((performance.now() - start) / 1000);
    const { numTensors, numBytes } = tf.memory();
    measured.tensors.push(numTensors);
    measured.bytes.push(numBytes);
    // So that what JavaScript has not yet collected does not count as held.
    (globalThis as { gc?: () => void }).gc?.();
    measured.rssMegabytes.push(process.memoryUsage.rss() / 2 ** 20);
  }
  await engine.dispose();
  return measured;
}
