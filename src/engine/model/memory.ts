import os from 'node:os';
import { CircuitError } from '../../shared/errors';
import type { BackendName } from '../../shared/results';
import { hasSources, type SiteName } from '../../shared/sites';
import { CELLS_FOR_HEAD_BY_HEAD } from './attention';
import type { Checkpoint } from './checkpoint';
import type { Gpt2Config } from './config';
import { ROWS_AT_ONCE } from './forward';
import { sequencesOfLength } from './trailing';

/** Estimates in bytes, made before anything is allocated, so that what does not fit is refused instead of crashing. */

export const FLOAT = 4;
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

/** Weights in the backend. Without our own kernels, that is on 'wasm', XNNPACK keeps a second, packed copy of every weight that stands right of a product. */
export function weightBytes({ layers, dModel, dMlp, vocabulary, context, tied }: Gpt2Config, backend: BackendName): number {
  const matrices = layers * (4 * dModel * dModel + 2 * dModel * dMlp);
  const embeddings = (vocabulary * (tied ? 1 : 2) + context) * dModel;
  const copies = backend === 'wasm' ? 2 : 1;
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
  if (hasSources(site)) return heads * rows * length;
  return rows * (site === 'mlp_post' ? dMlp : dModel);
}

/** Sequences that are run at a time, and what of them is kept. */
export interface Pass {
  sequences: number;
  /** Tokens of a sequence, and how many of them stand before the rows that are run. */
  length: number;
  prefix: number;
  /** Captured at the last `rows` positions (all that are run, if absent) of `layers` layers (all, if absent) of `runs` runs. */
  sites: readonly SiteName[];
  rows?: number;
  layers?: number;
  runs: number;
  /** One of the runs keeps what a backward pass needs. */
  record: boolean;
}

/** Most bytes that passes hold at a time beside the weights. */
export function passBytes(config: Gpt2Config, { sequences, length, prefix, sites, rows, layers = config.layers, runs, record }: Pass): number {
  const { heads, dModel, dMlp } = config;
  const own = length - prefix;
  const isShown = sites.some(hasSources);
  const captured = runs * layers * sites.reduce((sum, site) => sum + siteFloats(config, site, rows ?? own, length), 0);
  // Per layer: two normalised inputs, queries, MLP before its activation, keys and values; softmax and pattern where they are shown.
  const recorded = record ? config.layers * (own * (3 * dModel + dMlp) + 2 * length * dModel) + (isShown ? 2 * layers * heads * own * length : 0) : 0;
  // The prefixes' keys and values, and a copy in the order of each run's sequences.
  const prefixes = 2 * config.layers * prefix * dModel * (sequences === 1 ? 2 : 1 + Math.max(1, runs));
  // While a layer runs: MLP and its slope, gradients, and the attention cells (of one head where they are many).
  const cells = own * length;
  const oneByOne = !isShown && cells >= CELLS_FOR_HEAD_BY_HEAD;
  const transient = sequences * own * (5 * dMlp + 12 * dModel) + 6 * cells * (oneByOne ? 1 : sequences * heads);
  return FLOAT * (sequences * (captured + recorded + prefixes) + transient);
}

/** Bytes that can be filled beside the loaded model: of `free`, what the backend's heap has room for. */
export function fillableBytes(config: Gpt2Config, backend: BackendName, free: number): number {
  return Math.max(0, backend === 'cpu' ? free : Math.min(free, WASM_HEAP * USABLE - weightBytes(config, backend)));
}

/** Throws `too-big` for the first prompt that is too long to be run with these sites captured at its `tail` last positions. */
export function checkPrompts(config: Gpt2Config, prompts: readonly (readonly number[])[], { sites, tail }: { sites: readonly SiteName[]; tail: number }, backend: BackendName, free: number): void {
  const limit = fillableBytes(config, backend, free);
  // Sequences of that length are run together, positions one piece after the other; their logits are [sequence, vocabulary].
  const needs = (length: number): number => {
    const sequences = sequencesOfLength(length);
    const step = Math.min(length, ROWS_AT_ONCE);
    return passBytes(config, { sequences, length, prefix: length - step, sites, rows: Math.min(tail, length), runs: 1, record: false }) + FLOAT * 2 * sequences * config.vocabulary;
  };
  prompts.forEach(({ length }, index) => {
    if (needs(length) <= limit) return;
    const fits = longest(length, (shorter) => needs(shorter) <= limit);
    throw new CircuitError('too-big', `Prompt ${index + 1} has ${length} tokens and needs about ${gigabytes(needs(length))}, but ${gigabytes(limit)} are free${fits > 0 ? `: about ${fits} tokens would fit` : ''}. Shorten it or use a smaller model.`);
  });
}

/** The largest number up to `most` that fits, or 0. */
export function longest(most: number, fits: (length: number) => boolean): number {
  let length = most;
  while (length > 0 && !fits(length)) length--;
  return length;
}

export function gigabytes(bytes: number): string {
  return bytes < 1e8 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
