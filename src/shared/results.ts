import type { NamedArrays } from './arrays';
import type { Unit } from './experiment';
import type { MeasuredPaths } from './paths';
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

/** What comes with the engine. */
export type OwnBackendName = 'wasm-threads' | 'wasm-simd' | 'wasm' | 'cpu';
/** What a person may install beside it: TensorFlow on the processor, on a CUDA GPU, and WebGPU. Each runs in a process of its own. */
export type NativeName = 'native' | 'native-gpu' | 'webgpu';
export type BackendName = OwnBackendName | NativeName;

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

/** The metric at the clean run and at its counterpart (for `resample` that of the other pair's clean prompt). */
export interface MetricValues<T> {
  clean: T;
  corrupted?: T;
}

/**
 * What node attribution returns. Array `group{g}.{site}` holds, for every pair of group g separately,
 *   grad_base · (clean − other), summed over features (for pattern and scores over sources), in the metric's raw units,
 * where grad_base is the gradient of that pair's own metric at the base run (corrupted when denoising, clean when noising),
 * changed as the experiment's variant says. Positive supports the correct answer in both directions. With interventions the
 * base run's own activations in the difference are those after them; `metric` stays that of the runs without.
 * Axes as in `SITES`. Positions before the first difference are exactly 0, unless interventions have changed the base run before
 * it, or the other side is not that of the corrupted prompt.
 */
export interface AttributionResult {
  groups: PairGroup[];
  arrays: NamedArrays;
  /** The metric of every pair, raw. Under an ablation by zero or mean there is no corrupted run. */
  metric: MetricValues<number[]>;
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
  /** What an exact patching call has measured since its last progress. */
  measured?: MeasuredEffects;
  /** The same of exact path patching. */
  paths?: MeasuredPaths;
  /** How many of the cells (or edges) that an exact patching call set out to measure are measured, where that is known. */
  done?: number;
}

/**
 * One exact patch: in the base run (corrupted when denoising, clean when noising) the unit is replaced by the other side's.
 * A numeric position (or source) belongs to the pairs of one length and needs `group`; without one, all pairs are patched.
 */
export interface PatchCell extends Unit {
  /** Index into the groups. */
  group?: number;
}

/** Effects of exact patches: [cell, pair], raw units of the metric; M_patched − M_base when denoising, M_base − M_patched when noising. NaN for pairs that are not in the cell's group. */
export interface MeasuredEffects {
  cells: PatchCell[];
  effects: Float32Array;
}

/** What exact activation patching returns: every cell asked for, in that order. */
export interface PatchResult extends MeasuredEffects {
  groups: PairGroup[];
  metric: MetricValues<number[]>;
  backend: BackendInfo;
  seconds: number;
}

/**
 * Attention of one pair's chosen heads in one layer. Arrays [head, dest, src], destinations before sources:
 *   clean, other   patterns at the clean run and at the other side (absent under zero; the mean pattern under mean)
 *   base           only where the variant has interventions: the pattern in the base run with them
 *   attribution    gradient of the metric with respect to each cell of the base run's pattern · (clean − other); raw units
 * Cells cannot be compared with TransformerLens's unless value biases are folded (docs/conventions.md).
 */
export interface AttentionResult {
  heads: number[];
  arrays: NamedArrays;
}

/**
 * Direct logit attribution and logit lens of every pair, read out along mean W_U[correct] − mean W_U[incorrect] through the
 * final LayerNorm with the scale of the same run, at the metric's position; of an answer of several tokens (a continuation) only
 * the first is read. For side in clean, corrupted (where there is one):
 *   {side}.lens    [pair, depth]: the residual stream before layer 0, after each attention and each MLP (depth = 2·layers + 1)
 *   {side}.heads   [pair, layer, head], {side}.mlp [pair, layer], {side}.embed [pair] (token), {side}.position [pair],
 *   {side}.bias    [pair]: output biases of attention and the final LayerNorm's bias
 * Heads + MLPs + embed + position + bias add up to the logit difference. Raw weights: components are not centred nor folded
 * as TransformerLens's are by default; differences between two answers agree with it up to how biases are assigned.
 */
export interface LensResult {
  arrays: NamedArrays;
}

/** The model's own continuation of every pair, and the metric, with the experiment's interventions done to the base run. */
export interface InterventionResult {
  metric: MetricValues<number[]>;
  /** The metric of the base run with the interventions. */
  patched: number[];
  /** Per pair, most probable first; `patched` with the interventions. */
  predictions: { clean: Prediction[][]; corrupted?: Prediction[][]; patched: Prediction[][] };
  seconds: number;
}

/** How a caller follows and stops a long call. */
export interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}
