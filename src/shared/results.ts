import type { NamedArrays } from './arrays';
import type { SiteName } from './sites';

export interface ModelInfo {
  /** "bundled", a hub id, or the folder's name: what a person calls it. */
  id: string;
  revision?: string;
  /** SHA-256 of the checkpoint file, hex. */
  checkpointHash: string;
  layers: number;
  heads: number;
  dModel: number;
  dHead: number;
  dMlp: number;
  vocabulary: number;
  /** Longest prompt in tokens. */
  context: number;
  parameters: number;
  dtype: 'F32' | 'F16' | 'BF16';
}

export type BackendName = 'wasm-threads' | 'wasm-simd' | 'wasm' | 'cpu';

export interface BackendInfo {
  name: BackendName;
  threads: number;
  /** Why a quicker backend was not taken; absent when the first choice started. */
  note?: string;
}

/** Pairs that were computed together because their token counts are equal. */
export interface PairGroup {
  /** Indices into the experiment's pairs. Row i of each of the group's arrays belongs to pairs[i]. */
  pairs: number[];
  /** Token count of the clean prompts; the corrupted have the same unless positions is 'last'. */
  length: number;
  /** 'last': only the metric's position was computed (`align: "end"` with unequal counts), the position axis has extent 1. */
  positions: 'all' | 'last';
}

/**
 * What node attribution returns. Array `group{g}.{site}` holds, for every pair of group g separately,
 *   grad_base · (clean − corrupted), summed over features, in raw logits,
 * where grad_base is the gradient of that pair's own logit difference at the base run
 * (corrupted when denoising, clean when noising). Positive supports the correct answer in both directions.
 * Axes as in `SITES`. Positions before the first difference are exactly 0.
 */
export interface AttributionResult {
  groups: PairGroup[];
  arrays: NamedArrays;
  /** Logit difference of every pair, in raw logits. */
  logitDiff: { clean: number[]; corrupted: number[] };
  backend: BackendInfo;
  /** Seconds of computing, model loading excluded. */
  seconds: number;
}

export function groupArrayName(group: number, site: SiteName): string {
  return `group${group}.${site}`;
}

export interface Prediction {
  token: number;
  logit: number;
  probability: number;
}

/** Progress of one call. `fraction` runs from 0 to 1 over the whole call. */
export interface Progress {
  stage: string;
  fraction: number;
}

/** How a caller follows and stops a long call. */
export interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}
