import * as tf from '@tensorflow/tfjs-core';
import { attend, attendThrough, causalMask, type AttentionInput } from '../model/attention';
import type { Gpt2Config } from '../model/config';
import { attentionScale } from '../model/forward';
import { isAttentionSite, type AttentionSite } from '../model/sites';
import type { Work } from '../model/work';
import type { Patch } from './exactBatches';
import { siteValues, type SiteValues } from './exactCopy';
import type { Entrance, Rows } from './exactEntry';
import type { Sources } from './exactSources';

/** Queries, keys and values of patched sequences, rows in their order: [rows, dModel]. */
export interface Projections {
  /** Not yet scaled; of each sequence only its last `tail` positions, if given. */
  query: Float32Array;
  key: Float32Array;
  value: Float32Array;
  tail?: number;
}

export interface Place {
  config: Gpt2Config;
  sources: Sources;
  entrance: Entrance;
  layer: number;
  /** Tokens of every sequence's prompt. */
  length: number;
}

/**
 * z of sequences that start at different positions, those of one start next to each other: [rows of `query`, dModel]. Keys and
 * values before a sequence's start are the base run's. Patches of this layer's attention are done here.
 */
export function attendBase(place: Place, sequences: readonly Rows[], { query, key, value, tail }: Projections, work: Work): Float32Array {
  const { config: { dModel }, length } = place;
  const z = new Float32Array(query.length);
  let [read, own] = [0, 0];
  for (let from = 0; from < sequences.length; ) {
    const { first } = sequences[from]!;
    let end = from;
    while (end < sequences.length && sequences[end]!.first === first) end++;
    const group = sequences.slice(from, end).map(({ patch }) => patch);
    const rows = group.length * (length - first);
    const queries = group.length * (tail ?? length - first);
    const part = { query: query.subarray(read * dModel, (read + queries) * dModel), key: key.subarray(own * dModel, (own + rows) * dModel), value: value.subarray(own * dModel, (own + rows) * dModel) };
    z.set(attendGroup(place, group, first, part, work), read * dModel);
    [read, own, from] = [read + queries, own + rows, end];
  }
  return z;
}

/** z of sequences that all start at `start`. */
function attendGroup({ config, sources, entrance, layer, length }: Place, group: readonly Patch[], start: number, { query, key, value }: Projections, work: Work): Float32Array {
  const { heads, dHead } = config;
  const count = group.length;
  const positions = query.length / (count * heads * dHead);
  const change = (site: AttentionSite, data: Float32Array, shape: [number, number, number, number]): tf.Tensor4D => {
    const target = siteValues(site, data, shape, count, length);
    group.forEach((patch, i) => {
      if (patch.part.site === site && patch.part.layer === layer) entrance.replace(target, i, patch);
    });
    return tf.tensor4d(data, shape);
  };
  const withBase = (which: 'key' | 'value', own: Float32Array): Float32Array => {
    const { prefix } = sources;
    const data = new Float32Array(count * heads * length * dHead);
    const shared = prefix ? prefix.layers[layer]![which] : undefined;
    const base = start > (shared?.positions ?? 0) ? sources.own[layer]![which] : undefined;
    group.forEach(({ row }, i) => {
      if (shared) copyHeads(shared, prefix!.of[row]!, shared.positions, data, i, length, 0);
      if (base) copyHeads(base, row, start - (shared?.positions ?? 0), data, i, length, shared?.positions ?? 0);
    });
    splitInto(data, own, count, heads, dHead, length, start);
    return data;
  };
  const asked = new Set(group.filter(({ part }) => part.layer === layer && isAttentionSite(part.site)).map(({ part }) => part.site));
  let found: Float32Array | undefined;
  tf.tidy(() => {
    const scaled = splitInto(new Float32Array(query.length), query, count, heads, dHead, positions, 0, attentionScale(config, layer));
    const input: AttentionInput = {
      query: change('q', scaled, [count, heads, positions, dHead]),
      key: change('k', withBase('key', key), [count, heads, length, dHead]),
      value: change('v', withBase('value', value), [count, heads, length, dHead]),
      mask: causalMask(positions, length),
    };
    const through = (site: 'scores' | 'pattern', x: tf.Tensor4D): tf.Tensor4D => (asked.has(site) ? change(site, x.dataSync<'float32'>().slice(), x.shape) : x);
    const z = asked.has('scores') || asked.has('pattern') ? attendThrough(input, through, work).z : attend(input, work);
    found = joined(z.dataSync<'float32'>(), count, heads, dHead, positions);
  });
  return found!;
}

/** The first `positions` of a sequence's heads to position `at` of sequence i of `target`, which has `length` positions. */
function copyHeads({ data, heads, positions: all, width }: SiteValues, sequence: number, positions: number, target: Float32Array, i: number, length: number, at: number): void {
  for (let head = 0; head < heads; head++) {
    const from = (sequence * heads + head) * all * width;
    target.set(data.subarray(from, from + positions * width), ((i * heads + head) * length + at) * width);
  }
}

/** [sequence · position, head · feature] times `factor` to [sequence, head, position, feature] from position `at` of `length` on. */
function splitInto(target: Float32Array, rows: Float32Array, count: number, heads: number, dHead: number, length: number, at: number, factor = 1): Float32Array {
  const positions = length - at;
  let from = 0;
  for (let i = 0; i < count; i++) {
    for (let position = 0; position < positions; position++) {
      for (let head = 0; head < heads; head++) {
        const to = ((i * heads + head) * length + at + position) * dHead;
        for (let j = 0; j < dHead; j++) target[to + j] = rows[from++]! * factor;
      }
    }
  }
  return target;
}

/** The inverse of `splitInto`. */
function joined(heads4d: Float32Array, count: number, heads: number, dHead: number, positions: number): Float32Array {
  const rows = new Float32Array(heads4d.length);
  let to = 0;
  for (let i = 0; i < count; i++) {
    for (let position = 0; position < positions; position++) {
      for (let head = 0; head < heads; head++) {
        const from = ((i * heads + head) * positions + position) * dHead;
        for (let j = 0; j < dHead; j++) rows[to++] = heads4d[from + j]!;
      }
    }
  }
  return rows;
}
