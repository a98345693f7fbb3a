import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { attend, causalMask, joinHeads, splitHeads, type AttentionInput } from './attention';
import { activate, affine, linear, normalise, type Normalised } from './layers';
import { takeRows } from './rows';
import { pickSites, type SiteTensors } from './sites';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** Keys and values of one layer: [batch, head, positions, dHead]. */
export type KeyValues = {
  key: tf.Tensor4D;
  value: tf.Tensor4D;
};

/** Token sequences of one length that start at position `start`; what stands before them is known by its keys and values. */
export interface Batch {
  tokens: readonly (readonly number[])[];
  start: number;
  /** Per layer, for `start` positions, in the order of `tokens`. Absent when start is 0. */
  past?: readonly KeyValues[];
}

/** What the backward pass of one block needs. */
export type BlockRecord = {
  norm1: Normalised;
  attention: AttentionInput;
  norm2: Normalised;
  /** MLP before the activation: [rows, dMlp]. */
  mlpPre: tf.Tensor2D;
};

export type BlockRun = {
  sites: SiteTensors;
  record?: BlockRecord;
};

/** A forward pass of a batch up to the residual stream at the last position. */
export interface ForwardRun {
  batch: number;
  /** Positions of each sequence, the prefix not counted. */
  length: number;
  layers: BlockRun[];
  /** Residual stream after the last block, last position: [batch, dModel]. */
  last: tf.Tensor2D;
  /** Shared by the records of all layers. */
  mask?: tf.Tensor2D;
}

export interface Keep {
  sites: readonly SiteName[];
  /** Keep what `backward` needs. */
  record: boolean;
}

/**
 * The forward pass: resid_pre[0] = W_E[token] + W_pos[position]; per block
 *   attn_out = W_O·z + b_O, z = attention of LN1(resid_pre); resid_mid = resid_pre + attn_out;
 *   mlp_out = MLP(LN2(resid_mid)); resid_post = resid_mid + mlp_out.
 * Rows are batch · positions. The last block computes queries, attention output and MLP at the last position only:
 * its other positions reach no logit that is asked for. Site tensors of the last block have `batch` rows accordingly,
 * except resid_pre.
 * The caller disposes the run (`disposeRun`). Throws `cancelled`.
 */
export async function forward(model: Gpt2, batch: Batch, keep: Keep, work: Work): Promise<ForwardRun> {
  const { layers } = model.config;
  const { count, length, mask } = prepare(batch);
  const runs: BlockRun[] = [];
  let x = embed(model, batch);
  try {
    for (let layer = 0; layer < layers; layer++) {
      await work.pause();
      const previous = x;
      const { out, ...run } = tf.tidy(() => block(model, layer, previous, count, batch.past?.[layer], mask, layer === layers - 1, keep, work));
      runs.push(run);
      x = out;
      if (run.sites.resid_pre !== previous) previous.dispose();
      work.advance(count * length);
    }
    return { batch: count, length, layers: runs, last: x, mask };
  } catch (error) {
    disposeRun({ batch: count, length, layers: runs, last: x, mask });
    throw error;
  }
}

/**
 * Keys and values of every layer for sequences whose other activations nobody asks for, such as a prefix that clean and
 * corrupted prompt share. Long ones are run in pieces of positions. The caller disposes them.
 */
export async function keysAndValues(model: Gpt2, tokens: readonly (readonly number[])[], work: Work, rowsAtOnce = 256): Promise<KeyValues[]> {
  const length = tokens[0]!.length;
  const step = Math.max(1, Math.floor(rowsAtOnce / tokens.length));
  let past: KeyValues[] | undefined;
  for (let start = 0; start < length; start += step) {
    const piece = { tokens: tokens.map((sequence) => sequence.slice(start, start + step)), start, past };
    const next = await extendKeysAndValues(model, piece, work).finally(() => past && disposeKeyValues(past));
    past = next;
  }
  return past ?? [];
}

async function extendKeysAndValues(model: Gpt2, batch: Batch, work: Work): Promise<KeyValues[]> {
  const { layers } = model.config;
  const { count, length, mask } = prepare(batch);
  const all: KeyValues[] = [];
  let x = embed(model, batch);
  try {
    for (let layer = 0; layer < layers; layer++) {
      await work.pause();
      const previous = x;
      const past = batch.past?.[layer];
      const isLast = layer === layers - 1;
      const { out, key, value } = tf.tidy(() => {
        const unit = normalise(previous, model.config.layerNormEpsilon);
        const kv = keyValues(model, layer, affine(unit, model.blocks[layer]!.norm1), count, past, work);
        if (isLast) return { ...kv, out: undefined };
        const query = queries(model, layer, affine(unit, model.blocks[layer]!.norm1), count, work);
        const { mid } = attentionOut(model, layer, previous, { query, ...kv, mask }, work);
        return { ...kv, out: mlp(model, layer, mid, work).out };
      });
      all.push({ key, value });
      previous.dispose();
      if (out) x = out;
      work.advance(count * length);
    }
    return all;
  } catch (error) {
    disposeKeyValues(all);
    if (!x.isDisposed) x.dispose();
    throw error;
  } finally {
    mask?.dispose();
  }
}

function prepare({ tokens, start }: Batch): { count: number; length: number; mask?: tf.Tensor2D } {
  const count = tokens.length;
  const length = tokens[0]!.length;
  return { count, length, mask: causalMask(length, start + length) };
}

/** W_E[token] + W_pos[position]: [rows, dModel]. */
function embed({ tokens: tokenWeights, positions }: Gpt2, { tokens, start }: Batch): tf.Tensor2D {
  return tf.tidy(() => {
    const ids = tf.tensor1d(tokens.flat(), 'int32');
    const places = tf.tensor1d(tokens.flatMap((sequence) => sequence.map((_, i) => start + i)), 'int32');
    return tf.add(tf.gather(tokenWeights, ids), tf.gather(positions, places));
  });
}

function block(model: Gpt2, layer: number, x: tf.Tensor2D, batch: number, past: KeyValues | undefined, mask: tf.Tensor2D | undefined, isLast: boolean, keep: Keep, work: Work): BlockRun & { out: tf.Tensor2D } {
  const weights = model.blocks[layer]!;
  const norm1 = normalise(x, model.config.layerNormEpsilon);
  const input = affine(norm1, weights.norm1);
  const atLast = (rows: tf.Tensor2D): tf.Tensor2D => (isLast ? lastRows(rows, batch) : rows);
  const attention: AttentionInput = {
    query: queries(model, layer, atLast(input), batch, work),
    ...keyValues(model, layer, input, batch, past, work),
    mask: isLast ? undefined : mask,
  };
  const { z, attnOut, mid } = attentionOut(model, layer, atLast(x), attention, work);
  const { norm2, mlpPre, mlpOut, out } = mlp(model, layer, mid, work);
  return {
    out,
    sites: pickSites({ residPre: x, z, attnOut, mlpOut }, keep.sites),
    ...(keep.record && { record: { norm1, attention, norm2, mlpPre } }),
  };
}

/** Queries times the attention scale: [batch, head, positions, dHead]. */
function queries({ config, blocks }: Gpt2, layer: number, input: tf.Tensor2D, batch: number, work: Work): tf.Tensor4D {
  return tf.mul(splitHeads(linear(input, blocks[layer]!.query, work), batch, config.heads), attentionScale(config, layer));
}

/** Factor on q·k: 1/√dHead and, where the config says so, 1/(layer + 1). */
export function attentionScale({ dHead, scaleByHead, scaleByLayer }: Gpt2['config'], layer: number): number {
  return (scaleByHead ? 1 / Math.sqrt(dHead) : 1) / (scaleByLayer ? layer + 1 : 1);
}

function keyValues({ config, blocks }: Gpt2, layer: number, input: tf.Tensor2D, batch: number, past: KeyValues | undefined, work: Work): KeyValues {
  const key = splitHeads(linear(input, blocks[layer]!.key, work), batch, config.heads);
  const value = splitHeads(linear(input, blocks[layer]!.value, work), batch, config.heads);
  return past ? { key: tf.concat([past.key, key], 2), value: tf.concat([past.value, value], 2) } : { key, value };
}

function attentionOut({ blocks }: Gpt2, layer: number, x: tf.Tensor2D, attention: AttentionInput, work: Work): { z: tf.Tensor2D; attnOut: tf.Tensor2D; mid: tf.Tensor2D } {
  const z = joinHeads(attend(attention, work));
  const attnOut = linear(z, blocks[layer]!.output, work);
  return { z, attnOut, mid: tf.add(x, attnOut) };
}

function mlp({ config, blocks }: Gpt2, layer: number, mid: tf.Tensor2D, work: Work): { norm2: Normalised; mlpPre: tf.Tensor2D; mlpOut: tf.Tensor2D; out: tf.Tensor2D } {
  const weights = blocks[layer]!;
  const norm2 = normalise(mid, config.layerNormEpsilon);
  const mlpPre = linear(affine(norm2, weights.norm2), weights.mlpIn, work);
  const mlpOut = linear(activate(mlpPre, config.activation), weights.mlpOut, work);
  return { norm2, mlpPre, mlpOut, out: tf.add(mid, mlpOut) };
}

/** The last position of each sequence: [batch · positions, width] → [batch, width]. */
export function lastRows(x: tf.Tensor2D, batch: number): tf.Tensor2D {
  const positions = x.shape[0] / batch;
  if (positions === 1) return x;
  return takeRows(x, Array.from({ length: batch }, (_, i) => (i + 1) * positions - 1));
}

export function disposeKeyValues(all: readonly KeyValues[]): void {
  for (const { key, value } of all) tf.dispose([key, value]);
}

export function disposeRun({ layers, last, mask }: ForwardRun): void {
  last.dispose();
  mask?.dispose();
  for (const run of layers) disposeBlock(run);
}

/** Frees what one block keeps; the backward pass does so as soon as it has passed it. */
export function disposeBlock({ sites, record }: BlockRun): void {
  for (const tensor of Object.values(sites)) tensor.dispose();
  if (record) {
    const { norm1, attention, norm2, mlpPre } = record;
    tf.dispose([norm1.unit, norm1.inverse, attention.query, attention.key, attention.value, norm2.unit, norm2.inverse, mlpPre]);
  }
}
