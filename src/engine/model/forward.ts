import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { attend, attendThrough, causalMask, joinHeads, splitHeads, type AttentionRecord } from './attention';
import { linear } from './layers';
import { lookUp, takeRows } from './rows';
import { rowwise, type Normalised } from './rowwise';
import type { Change, SiteTensors } from './sites';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** Rows (sequences · positions) of one forward pass; bounds its memory. */
export const ROWS_AT_ONCE = 256;

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
  attention: AttentionRecord;
  norm2: Normalised;
  /** MLP before the activation: [rows, dMlp]. */
  mlpPre: tf.Tensor2D;
};

export type BlockRun = {
  sites: SiteTensors;
  record?: BlockRecord;
};

/** What a run shows of one layer. */
export interface LayerRun extends BlockRun {
  /** Frees its tensors, where they are not just those of `sites` and `record`. */
  dispose?(): void;
}

/** A forward pass of a batch up to the residual stream after the last block. */
export interface ForwardRun {
  batch: number;
  /** Positions of each sequence, the prefix not counted. */
  length: number;
  /** Trailing positions that the last block computed after its keys and values. */
  tail: number;
  /** The first layer that was run: 0, or that of `from`. */
  firstLayer: number;
  /** The start of the residual stream, if captured and computed. */
  embed?: tf.Tensor2D;
  /** By layer; empty below `firstLayer`. */
  layers: LayerRun[];
  /** Residual stream after the last block, trailing positions: [batch · tail, dModel]. */
  last: tf.Tensor2D;
  /** Shared by the records of all layers. */
  masks: (tf.Tensor2D | undefined)[];
  /** Frees its tensors, where they are not just those named here. */
  dispose?(): void;
}

export interface ForwardOptions {
  /** Captured as they flow on, that is after `edit`. */
  sites: readonly SiteName[];
  /** In which layers a site is captured; absent: in all. */
  capturesIn?: (site: SiteName, layer: number) => boolean;
  /** Keep what `backward` needs. */
  record: boolean;
  /** Trailing positions that the last block computes after its keys and values; 1 by default, at most the batch's length. */
  tail?: number;
  /** Starts with this layer's resid_pre, [batch · positions, dModel], instead of the tokens' embedding. It stays the caller's. */
  from?: { layer: number; x: tf.Tensor2D };
  /** Replaces what flows on from a site. */
  edit?: Change;
}

/**
 * The forward pass: embed = resid_pre[0] = W_E[token] + W_pos[position]; per block
 *   q, k, v = W·LN1(resid_pre) + b, scores = q·kᵀ/√dHead, pattern = softmax(scores), z = pattern·v;
 *   attn_out = W_O·z + b_O; resid_mid = resid_pre + attn_out;
 *   mlp_post = activation(W_in·LN2(resid_mid) + b_in), mlp_out = W_out·mlp_post + b_out; resid_post = resid_mid + mlp_out.
 * The last block computes all but resid_pre, k and v at the `tail` trailing positions only: its other positions reach no
 * logit that is asked for. Its site tensors have that many positions (destinations) accordingly.
 * The caller disposes the run (`disposeRun`). Throws `cancelled`.
 */
export async function forward(model: Gpt2, batch: Batch, options: ForwardOptions, work: Work): Promise<ForwardRun> {
  const { layers } = model.config;
  const { count, length, mask } = prepare(batch);
  const { from, sites, edit } = options;
  const tail = options.tail ?? 1;
  if (tail > length) throw new RangeError(`${tail} trailing positions were asked for of ${length} that are run`);
  const tailMask = tail === length ? mask : causalMask(tail, batch.start + length);
  const run: ForwardRun = { batch: count, length, tail, firstLayer: from?.layer ?? 0, layers: [], last: from ? tf.clone(from.x) : embed(model, batch, edit), masks: [mask, tailMask] };
  try {
    if (!from && sites.includes('embed')) run.embed = tf.clone(run.last);
    for (let layer = 0; layer < run.firstLayer; layer++) run.layers.push({ sites: {} });
    for (let layer = run.firstLayer; layer < layers; layer++) {
      await work.pause();
      const previous = run.last;
      const isLast = layer === layers - 1;
      const place: Place = { layer, count, length, past: batch.past?.[layer], rows: isLast ? tail : length, mask: isLast ? tailMask : mask };
      const { out, ...own } = tf.tidy(() => block(model, place, previous, options, work));
      run.layers.push(own);
      run.last = out;
      previous.dispose();
      work.advance(count * length);
    }
    return run;
  } catch (error) {
    disposeRun(run);
    throw error;
  }
}

/**
 * Keys and values of every layer for sequences whose other activations nobody asks for, such as a prefix that clean and
 * corrupted prompt share. Long ones are run in pieces of positions. The caller disposes them.
 */
export async function keysAndValues(model: Gpt2, tokens: readonly (readonly number[])[], work: Work): Promise<KeyValues[]> {
  const length = tokens[0]!.length;
  const step = Math.max(1, Math.floor(ROWS_AT_ONCE / tokens.length));
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
        const { unit } = rowwise().normalise(previous, model.config.layerNormEpsilon);
        const weights = model.blocks[layer]!;
        const input = rowwise().affine(unit, weights.norm1);
        const kv = withPast(past, keyValues(model, layer, input, count, work));
        if (isLast) return { ...kv, out: undefined };
        const z = joinHeads(attend({ query: queries(model, layer, input, count, work), ...kv, mask }, work));
        const mid = tf.add<tf.Tensor2D>(previous, linear(z, weights.output, work));
        const hidden = rowwise().activate(linear(rowwise().affine(rowwise().normalise(mid, model.config.layerNormEpsilon).unit, weights.norm2), weights.mlpIn, work), model.config.activation);
        return { ...kv, out: tf.add<tf.Tensor2D>(mid, linear(hidden, weights.mlpOut, work)) };
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
function embed(model: Gpt2, { tokens, start }: Batch, edit?: Change): tf.Tensor2D {
  return tf.tidy(() => {
    const x = embedding(model, tokens.flat(), tokens.flatMap((sequence) => sequence.map((_, i) => start + i)));
    return edit ? edited(edit, 'embed', 0, x) : x;
  });
}

/** W_E[token] + W_pos[position] of rows: [rows, dModel]. Inside `tf.tidy`. */
export function embedding({ tokens, positions }: Gpt2, ids: readonly number[], places: readonly number[]): tf.Tensor2D {
  return tf.add(lookUp(tokens, ids), lookUp(positions, places));
}

function edited<T extends tf.Tensor>(edit: Change, site: SiteName, layer: number, value: T): T {
  const change = edit(site, layer);
  return change ? (tf.clone(change(value)) as T) : value;
}

/** Where a block stands and how much of it is run. */
interface Place {
  layer: number;
  count: number;
  length: number;
  past: KeyValues | undefined;
  /** Positions that are computed after keys and values, the trailing ones. */
  rows: number;
  mask: tf.Tensor2D | undefined;
}

function block(model: Gpt2, { layer, count, length, past, rows, mask }: Place, x: tf.Tensor2D, { sites, capturesIn, record, edit }: ForwardOptions, work: Work): BlockRun & { out: tf.Tensor2D } {
  const weights = model.blocks[layer]!;
  const captured: SiteTensors = {};
  const isCaptured = (site: SiteName): boolean => sites.includes(site) && (capturesIn?.(site, layer) ?? true);
  const through = <T extends tf.Tensor>(site: SiteName, value: T): T => {
    // A clone shares the values; it lets every capture, and what an edit hands in, be disposed for itself.
    const own = edit ? edited(edit, site, layer, value) : value;
    if (isCaptured(site)) captured[site] = tf.clone(own);
    return own;
  };
  const atTail = (value: tf.Tensor2D): tf.Tensor2D => (rows === length ? value : tailRows(value, count, rows));

  const pre = through('resid_pre', x);
  const norm1 = rowwise().normalise(pre, model.config.layerNormEpsilon);
  const input = rowwise().affine(norm1.unit, weights.norm1);
  const query = through('q', queries(model, layer, atTail(input), count, work));
  const own = keyValues(model, layer, input, count, work);
  const attention: AttentionRecord = { query, ...withPast(past, { key: through('k', own.key), value: through('v', own.value) }), mask };
  const isShown = (['scores', 'pattern'] as const).some((site) => isCaptured(site) || edit?.(site, layer));
  let heads: tf.Tensor4D;
  if (isShown) {
    const { z, softmax, pattern } = attendThrough(attention, through, work);
    heads = z;
    Object.assign(attention, { softmax, pattern: pattern === softmax ? tf.clone(pattern) : pattern });
  } else {
    heads = attend(attention, work);
  }
  const z = through('z', joinHeads(heads));
  const attnOut = through('attn_out', linear(z, weights.output, work));
  const mid = through('resid_mid', tf.add<tf.Tensor2D>(atTail(pre), attnOut));

  const norm2 = rowwise().normalise(mid, model.config.layerNormEpsilon);
  const mlpPre = linear(rowwise().affine(norm2.unit, weights.norm2), weights.mlpIn, work);
  const mlpPost = through('mlp_post', rowwise().activate(mlpPre, model.config.activation));
  const mlpOut = through('mlp_out', linear(mlpPost, weights.mlpOut, work));
  const out = through('resid_post', tf.add<tf.Tensor2D>(mid, mlpOut));
  return { out, sites: captured, ...(record && { record: { norm1, attention, norm2, mlpPre } }) };
}

/** Queries times the attention scale: [batch, head, positions, dHead]. */
function queries({ config, blocks }: Gpt2, layer: number, input: tf.Tensor2D, batch: number, work: Work): tf.Tensor4D {
  return tf.mul(splitHeads(linear(input, blocks[layer]!.query, work), batch, config.heads), attentionScale(config, layer));
}

/** Factor on q·k: 1/√dHead and, where the config says so, 1/(layer + 1). */
export function attentionScale({ dHead, scaleByHead, scaleByLayer }: Gpt2['config'], layer: number): number {
  return (scaleByHead ? 1 / Math.sqrt(dHead) : 1) / (scaleByLayer ? layer + 1 : 1);
}

/** Keys and values of the batch's own positions. */
function keyValues({ config, blocks }: Gpt2, layer: number, input: tf.Tensor2D, batch: number, work: Work): KeyValues {
  return { key: splitHeads(linear(input, blocks[layer]!.key, work), batch, config.heads), value: splitHeads(linear(input, blocks[layer]!.value, work), batch, config.heads) };
}

function withPast(past: KeyValues | undefined, own: KeyValues): KeyValues {
  return past ? { key: tf.concat([past.key, own.key], 2), value: tf.concat([past.value, own.value], 2) } : own;
}

/** The trailing positions of each sequence: [batch · positions, width] → [batch · tail, width]. */
export function tailRows(x: tf.Tensor2D, batch: number, tail: number): tf.Tensor2D {
  const positions = x.shape[0] / batch;
  if (positions === tail) return x;
  return takeRows(x, Array.from({ length: batch * tail }, (_, i) => (Math.floor(i / tail) + 1) * positions - tail + (i % tail)));
}

export function disposeKeyValues(all: readonly KeyValues[]): void {
  for (const { key, value } of all) tf.dispose([key, value]);
}

export function disposeRun(run: ForwardRun): void {
  if (run.dispose) return run.dispose();
  tf.dispose([run.last, run.embed, ...run.masks]);
  for (const block of run.layers) disposeBlock(block);
}

/** Frees what one block keeps; the backward pass does so as soon as it has passed it. */
export function disposeBlock(block: LayerRun): void {
  if (block.dispose) return block.dispose();
  const { sites, record } = block;
  tf.dispose(sites);
  if (record) {
    const { norm1, attention, norm2, mlpPre } = record;
    const { query, key, value, softmax, pattern } = attention;
    tf.dispose([norm1.unit, norm1.inverse, query, key, value, softmax, pattern, norm2.unit, norm2.inverse, mlpPre]);
  }
}
