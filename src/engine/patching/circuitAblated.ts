import * as tf from '@tensorflow/tfjs-core';
import type { Other } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import type { Gpt2 } from '../model/weights';
import type { ChunkRuns } from './chunkRuns';
import { valuesOf } from './circuitMix';
import { capturedAt } from './siteTensors';

/** What is captured of the runs of a chunk. */
export const CIRCUIT_SITES: readonly SiteName[] = ['embed', 'resid_pre', 'resid_mid', 'z', 'mlp_out'];

/** Keys and values of the shared prefix in one layer: [pair, head, position, dHead], flat. */
export interface PrefixKeyValues {
  key: Float32Array;
  value: Float32Array;
}

/**
 * The ablated side of a chunk's pairs, in plain memory: rows are taken out of it over and over. Arrays are [pair, position, dModel],
 * flat, of all positions that are run or of the trailing ones (`tail`) where the last layer computes no others.
 */
export interface AblatedSide {
  pairs: number;
  /** Positions that are run, those of the shared prefix before them, trailing ones that the metric reads. */
  positions: number;
  prefix: number;
  tail: number;
  /** The residual stream by layer, entering it and after its attention, and after the last one. */
  pre: Float32Array[];
  mid: Float32Array[];
  last: Float32Array;
  /** By layer: z of all heads side by side, and the MLP's output. */
  z: Float32Array[];
  mlpOut: Float32Array[];
  /** Start of the stream in the clean run − in the ablated one. */
  input: Float32Array;
  past?: PrefixKeyValues[];
}

/**
 * The ablated residual stream is what all ablated outputs and the biases b_O, which belong to no sender, add up to: under
 * `corrupted` and `resample` that of the other run; under `mean` its mean; under `zero` Σ b_O of the layers below.
 */
export function ablatedSide(model: Gpt2, { base, batch, otherLike }: ChunkRuns, ablation: Other): AblatedSide {
  const { layers } = model.config;
  const { batch: pairs, length: positions, tail } = base;
  const at = (site: SiteName, layer: number): Float32Array => valuesOf(() => tf.clone(otherLike(site, layer, capturedAt(base, site, layer))));
  const byLayer = (site: SiteName): Float32Array[] => Array.from({ length: layers }, (_, layer) => at(site, layer));
  const input = base.embed!.dataSync<'float32'>();
  const other = at('embed', 0);
  const z = byLayer('z');
  const mlpOut = byLayer('mlp_out');
  const isZero = ablation === 'zero';
  const biases = isZero ? summedBiases(model) : undefined;
  const pre = biases ? biases.before.map((row) => repeated(row, pairs * positions)) : byLayer('resid_pre');
  const mid = biases ? biases.after.map((row, layer) => repeated(row, pairs * (layer === layers - 1 ? tail : positions))) : byLayer('resid_mid');
  return {
    pairs,
    positions,
    prefix: batch.start,
    tail,
    pre,
    mid,
    // What an MLP adds is known beside the stream that it reads.
    last: Float32Array.from(mid.at(-1)!, (value, i) => value + mlpOut.at(-1)![i]!),
    z,
    mlpOut,
    input: input.map((value, i) => value - other[i]!),
    ...(batch.past && { past: batch.past.map(({ key, value }) => ({ key: key.dataSync<'float32'>(), value: value.dataSync<'float32'>() })) }),
  };
}

/** Σ b_O of the layers below each layer, and of those up to it: [dModel] each. */
function summedBiases({ config: { dModel }, blocks }: Gpt2): { before: Float32Array[]; after: Float32Array[] } {
  const before = [new Float32Array(dModel)];
  for (const { output } of blocks) {
    const bias = output.bias.dataSync<'float32'>();
    before.push(before.at(-1)!.map((value, i) => value + bias[i]!));
  }
  return { before: before.slice(0, -1), after: before.slice(1) };
}

function repeated(row: Float32Array, times: number): Float32Array {
  const all = new Float32Array(times * row.length);
  for (let i = 0; i < times; i++) all.set(row, i * row.length);
  return all;
}
