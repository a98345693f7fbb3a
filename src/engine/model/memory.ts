import os from 'node:os';
import { CircuitError } from '../../shared/errors';
import type { BackendName } from '../../shared/results';
import type { SiteName } from '../../shared/sites';
import type { Chunk, Plan } from '../patching/plan';
import type { Checkpoint } from './checkpoint';
import type { Gpt2Config } from './config';

/** Estimates in bytes, made before anything is allocated, so that what does not fit is refused instead of crashing. */

const FLOAT = 4;
const WASM_HEAP = 2 ** 32;
/** Part of the wasm heap that can be counted on: it never shrinks and it fragments. */
const USABLE = 0.92;
/** What a run needs at least beside the weights. */
const SMALLEST_RUN = 64 << 20;

/** Memory the system can still give. macOS counts as free only what was never used, so half of all is assumed there. */
export function freeMemory(): number {
  const free = typeof process.availableMemory === 'function' ? process.availableMemory() : os.freemem();
  return process.platform === 'darwin' ? Math.max(free, os.totalmem() / 2) : free;
}

/** Weights in the backend. XNNPACK keeps a second, packed copy of every weight that stands right of a product. */
export function weightBytes({ layers, dModel, dMlp, vocabulary, context, tied }: Gpt2Config, backend: BackendName): number {
  const matrices = layers * (4 * dModel * dModel + 2 * dModel * dMlp);
  const embeddings = (vocabulary * (tied ? 1 : 2) + context) * dModel;
  const copies = backend === 'cpu' ? 1 : 2;
  return FLOAT * (copies * matrices + embeddings);
}

/** Throws `too-big` when the model would not fit into what is free or into the wasm heap. */
export function checkLoad({ config, parameters }: Pick<Checkpoint, 'config' | 'parameters'>, backend: BackendName, free: number): void {
  const weights = weightBytes(config, backend);
  const largestTensor = FLOAT * Math.max(config.vocabulary * config.dModel, 3 * config.dModel * config.dModel, config.dModel * config.dMlp);
  const limit = backend === 'cpu' ? free : Math.min(free, WASM_HEAP * USABLE);
  const needed = weights + largestTensor + SMALLEST_RUN;
  if (needed <= limit) return;
  const fits = Math.floor((parameters * (limit / needed)) / 1e6);
  const why = limit < free ? `the ${backend} backend can hold ${gigabytes(limit)}` : `${gigabytes(free)} are free`;
  throw new CircuitError('too-big', `This model has ${Math.round(parameters / 1e6)} million parameters and needs about ${gigabytes(needed)}, but ${why}. A model of about ${fits} million parameters would fit.`);
}

/** Floats that a site's tensor has for one sequence of `rows` positions in a prompt of `length`. */
export function siteFloats({ heads, dModel, dMlp }: Gpt2Config, site: SiteName, rows: number, length: number): number {
  if (site === 'scores' || site === 'pattern') return heads * rows * length;
  return rows * (site === 'mlp_post' ? dMlp : dModel);
}

/** Most bytes that one chunk holds at a time beside the weights. */
export function chunkBytes({ layers, heads, dModel, dMlp }: Gpt2Config, { pairs, prefix, cleanLength, corruptedLength }: Pick<Chunk, 'pairs' | 'prefix' | 'cleanLength' | 'corruptedLength'>, sites: number): number {
  const count = pairs.length;
  const length = Math.max(cleanLength, corruptedLength);
  const rows = count * (length - prefix);
  const keysAndValues = 2 * count * length * dModel;
  // Per layer: two normalised inputs, queries, MLP before its activation, keys and values, the sites of both runs.
  const recorded = layers * (rows * (3 * dModel + dMlp) + keysAndValues + 2 * sites * rows * dModel);
  const prefixes = 2 * layers * 2 * count * prefix * dModel;
  // While a layer runs: MLP and its slope, gradients, and the attention cells (of one head where they are many).
  const cells = (length - prefix) * length;
  const transient = rows * (5 * dMlp + 12 * dModel) + 6 * cells * (cells >= 4096 ? 1 : count * heads);
  return FLOAT * (recorded + prefixes + transient);
}

/** Throws `too-big` when a chunk of the plan would not fit beside the loaded model. */
export function checkRun(config: Gpt2Config, { chunks }: Plan, sites: number, backend: BackendName, free: number): void {
  const heap = backend === 'cpu' ? Infinity : WASM_HEAP * USABLE - weightBytes(config, backend);
  const limit = Math.min(heap, free);
  for (const chunk of chunks) {
    const needed = chunkBytes(config, chunk, sites);
    if (needed <= limit) continue;
    const suffix = Math.max(chunk.cleanLength, chunk.corruptedLength) - chunk.prefix;
    let fits = suffix;
    while (fits > 0 && chunkBytes(config, shortened(chunk, suffix - fits), sites) > limit) fits--;
    const advice = [
      ...(fits > 0 ? [`about ${fits} tokens from the first difference on would fit`] : []),
      ...(sites > 1 && chunkBytes(config, chunk, 1) <= limit ? ['or fewer sites at a time'] : []),
    ].join(', ');
    throw new CircuitError('too-big', `Pair ${chunk.pairs[0]! + 1} differs over ${suffix} tokens and needs about ${gigabytes(needed)}, but ${gigabytes(Math.max(0, limit))} are free${advice ? `: ${advice}` : ''}. Use shorter prompts or a smaller model.`);
  }
}

function shortened(chunk: Chunk, by: number): Chunk {
  return { ...chunk, cleanLength: Math.max(chunk.prefix, chunk.cleanLength - by), corruptedLength: Math.max(chunk.prefix, chunk.corruptedLength - by) };
}

function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
