import path from 'node:path';
import { startBackend } from '../../../src/engine/backend/start';
import type { HashCheckpointConfig } from '../../fixtures/hashCheckpoint';
import { hashCheckpoint } from '../../fixtures/hashCheckpoint';
import { NaiveModel } from '../naive';
import { promptPairs, type PromptSet } from '../prompts';
import { useStockKernels } from '../stockKernels';
import type { Measured } from './ours';

export interface NaiveTask {
  kind: 'naive';
  recipe: HashCheckpointConfig;
  prompts: PromptSet;
  repeats: number;
}

/** What one writes first in tfjs, with its own kernels, on one thread; `load` is uploading the weights. */
export async function measureNaive({ recipe, prompts, repeats }: NaiveTask): Promise<Measured> {
  const started = await startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: path.resolve('dist', 'wasm') });
  useStockKernels();
  const { config, tensors } = hashCheckpoint(recipe);
  const begin = performance.now();
  const model = new NaiveModel(config, tensors);
  const load = (performance.now() - begin) / 1000;
  const pairs = promptPairs(prompts);
  const once = (): { heads: number[][]; seconds: number } => {
    const start = performance.now();
    const heads = model.headScores(pairs);
    return { heads, seconds: (performance.now() - start) / 1000 };
  };
  const { heads, seconds: first } = once();
  const seconds = Array.from({ length: repeats }, () => once().seconds);
  return { backend: started.name, threads: started.threads, load, first, isWhole: true, seconds, peakMegabytes: process.resourceUsage().maxRSS / 1024, values: heads.flat() };
}
