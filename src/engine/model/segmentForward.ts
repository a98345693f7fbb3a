import * as tf from '@tensorflow/tfjs-core';
import { attend, causalMask, joinHeads, splitHeads } from './attention';
import { attentionScale, embedding } from './forward';
import { linear } from './layers';
import { valuesInPlace } from './heapValues';
import { rowsFrom, takeRows } from './rows';
import { rowwise } from './rowwise';
import { gatherRows, rowsKey, type RowItem, type Segment, type Span } from './segments';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** A segment whose values are to be computed. */
export interface OpenSegment extends Segment {
  tokens: readonly number[];
  /** The rows before it, of segments that are known or are computed in the same pass. */
  past: Span[];
  /** What its values are written into, one after the other: as large as they are together. */
  room: Float32Array;
}

/** Segments of equal shape, whose queries are one batch. */
interface Group {
  segments: OpenSegment[];
  /** Rows of each that have queries: from this one on. */
  from: number;
  /** The first query row of the group among all. */
  first: number;
}

/**
 * The forward pass (`forward`) of pieces of prompts, written into their `values`: all rows of a layer go through each product
 * together, whichever prompt they are of; attention alone goes by prompts. Throws `cancelled`.
 */
export async function runSegments(model: Gpt2, open: readonly OpenSegment[], work: Work): Promise<void> {
  const { layers, layerNormEpsilon: epsilon, activation, heads } = model.config;
  const segments = [...open].sort((a, b) => a.start - b.start || a.length - b.length || a.lastFrom - b.lastFrom);
  const all = groupsOf(segments, () => 0);
  const tails = groupsOf(segments, ({ lastFrom }) => lastFrom);
  const rows = offsetsOf(segments, () => 0);
  const tailRows = offsetsOf(segments, ({ lastFrom }) => lastFrom);
  const order = segments.flatMap(({ lastFrom, length }, i) => Array.from({ length: length - lastFrom }, (_, row) => rows.starts[i]! + lastFrom + row));

  /** Of each segment's room. */
  const filled = segments.map(() => 0);
  /** Copies values into the segments, those of the rows that each is to keep. */
  const keep = (item: RowItem, layer: number, x: tf.Tensor2D, kept: 'all' | 'full' | 'tail'): void => {
    const values = valuesInPlace(x);
    const width = x.shape[1];
    const key = rowsKey(item, layer);
    segments.forEach((segment, i) => {
      const { length, fullFrom, lastFrom } = segment;
      const from = kept === 'all' ? 0 : kept === 'full' ? fullFrom : lastFrom;
      if (from === length) return;
      const start = kept === 'tail' ? tailRows.starts[i]! : rows.starts[i]! + from;
      const data = segment.room.subarray(filled[i]!, (filled[i]! += (length - from) * width));
      data.set(values.subarray(start * width, (start + length - from) * width));
      segment.values.set(key, { data, from });
    });
  };
  const keepsFull = segments.some(({ fullFrom, length }) => fullFrom < length);

  let x = tf.tidy(() => embedding(model, segments.flatMap(({ tokens }) => tokens), segments.flatMap(({ start, length }) => Array.from({ length }, (_, i) => start + i))));
  try {
    for (let layer = 0; layer < layers; layer++) {
      await work.pause();
      const isLast = layer === layers - 1;
      const kept = isLast ? 'tail' : 'full';
      const take = (item: RowItem, own: tf.Tensor2D): tf.Tensor2D => {
        if (keepsFull) keep(item, layer, own, kept);
        return own;
      };
      const before = x;
      const next = tf.tidy(() => {
        const weights = model.blocks[layer]!;
        if (keepsFull) keep('pre', layer, before, 'full');
        const input = rowwise().affine(rowwise().normalise(before, epsilon).unit, weights.norm1);
        keep('key', layer, linear(input, weights.key, work), 'all');
        keep('value', layer, linear(input, weights.value, work), 'all');
        if (isLast && order.length === 0) return undefined;
        const [pre, reading] = isLast && order.length < rows.count ? [takeRows(before, order), takeRows(input, order)] : [before, input];
        const query = tf.mul<tf.Tensor2D>(linear(reading, weights.query, work), attentionScale(model.config, layer));
        keep('query', layer, query, kept);
        const attended = (isLast ? tails : all).map((group) => attention(layer, group, query));
        const z = take('z', attended.length === 1 ? attended[0]! : tf.concat(attended, 0));
        const mid = take('mid', tf.add<tf.Tensor2D>(pre, take('attnOut', linear(z, weights.output, work))));
        const mlpPre = take('mlpPre', linear(rowwise().affine(rowwise().normalise(mid, epsilon).unit, weights.norm2), weights.mlpIn, work));
        return tf.add<tf.Tensor2D>(mid, take('mlpOut', linear(rowwise().activate(mlpPre, activation), weights.mlpOut, work)));
      });
      work.advance(rows.count);
      if (!next) break;
      x = next;
      before.dispose();
    }
    if (order.length > 0) keep('pre', layers, x, 'tail');
    segments.forEach(({ room }, i) => tf.util.assert(filled[i] === room.length, () => `${filled[i]} values were kept in a room for ${room.length}`));
  } finally {
    x.dispose();
  }

  function attention(layer: number, { segments: own, from, first }: Group, queries: tf.Tensor2D): tf.Tensor2D {
    const { start, length } = own[0]!;
    const count = length - from;
    const known = (item: RowItem): tf.Tensor4D =>
      splitHeads(gatherRows(own.map((segment) => [...segment.past, { segment, from: 0, count: length }]), rowsKey(item, layer), model.config.dModel), own.length, heads);
    const query = splitHeads(rowsFrom(queries, first, own.length * count), own.length, heads);
    return joinHeads(attend({ query, key: known('key'), value: known('value'), mask: causalMask(count, start + length) }, work));
  }
}

/** Neighbours of equal shape that have query rows. */
function groupsOf(segments: readonly OpenSegment[], fromOf: (segment: OpenSegment) => number): Group[] {
  const groups: Group[] = [];
  let first = 0;
  for (const segment of segments) {
    const from = fromOf(segment);
    if (from === segment.length) continue;
    const open = groups.at(-1);
    const like = open?.segments[0];
    if (open && like!.start === segment.start && like!.length === segment.length && open.from === from) open.segments.push(segment);
    else groups.push({ segments: [segment], from, first });
    first += segment.length - from;
  }
  return groups;
}

/** Where each segment's rows from `fromOf` on begin among those of all. */
function offsetsOf(segments: readonly OpenSegment[], fromOf: (segment: OpenSegment) => number): { starts: number[]; count: number } {
  let count = 0;
  const starts = segments.map((segment) => {
    const start = count;
    count += segment.length - fromOf(segment);
    return start;
  });
  return { starts, count };
}
