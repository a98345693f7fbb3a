import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import type { AttentionRecord } from '../model/attention';
import type { Gpt2Config } from '../model/config';
import { valuesInPlace } from '../model/heapValues';
import { isAttentionSite } from '../model/sites';
import type { Work } from '../model/work';
import { keyEffects, queryEffect } from './qkFix';

/** Scores of one site in one layer: [pair, position(, head or neuron)], the trailing positions of the sequences. */
export interface SiteScores {
  positions: number;
  values: Float32Array;
}

/** A site's tensors of base run, other side and gradient, of the same shape. */
export interface SiteSides {
  own: tf.Tensor;
  other: tf.Tensor;
  gradient: tf.Tensor;
}

/** (other − own) · gradient, summed over features, for scores and pattern over sources: [batch, position(, head or neuron)]. */
export function siteSums(site: SiteName, { heads, dHead, dModel }: Pick<Gpt2Config, 'heads' | 'dHead' | 'dModel'>, sides: SiteSides, batch: number): Float32Array {
  if (!isAttentionSite(site)) return productSums(sides, site === 'mlp_post' ? 1 : site === 'z' ? dHead : dModel);
  const [positions, features] = sides.gradient.shape.slice(2) as [number, number];
  const byHead = productSums(sides, features);
  const sums = new Float32Array(byHead.length);
  for (let sequence = 0, from = 0; sequence < batch; sequence++) {
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < positions; row++, from++) sums[(sequence * positions + row) * heads + head] = byHead[from]!;
    }
  }
  return sums;
}

/** Σ (other − own) · gradient over `width` consecutive values each, in double precision. No tensor is made: several operations for some thousand values cost more than the loop. */
export function productSums({ own, other, gradient }: SiteSides, width: number): Float32Array {
  const [a, b, g] = [valuesInPlace(own), valuesInPlace(other), valuesInPlace(gradient)];
  const sums = new Float32Array(g.length / width);
  for (let i = 0, at = 0; i < sums.length; i++) {
    let sum = 0;
    for (const end = at + width; at < end; at++) sum += (b[at]! - a[at]!) * g[at]!;
    sums[i] = sum;
  }
  return sums;
}

/**
 * The effects of q or k by the QK fix. `record` is the base run's, `other` the other side's queries or keys, [batch, head,
 * positions, dHead]; `patternGradient` [batch, head, destinations, sources]. Effects are M with the replacement − M without.
 */
export function fixedScores(site: 'q' | 'k', { query, key }: AttentionRecord, other: tf.Tensor4D, patternGradient: tf.Tensor, work: Work): SiteScores {
  const [batch, heads, destinations, sources] = patternGradient.shape as [number, number, number, number];
  const own = other.shape[2];
  const prefix = site === 'k' ? sources - own : 0;
  const scores = tf.matMul(query, key, false, true);
  const replaced = tf.tidy(() => (site === 'q' ? tf.matMul(other, key, false, true) : tf.matMul(query, withPrefixOf(key, other, prefix), false, true)));
  const [s, r, g] = [scores, replaced, patternGradient].map((x) => x.dataSync() as Float32Array) as [Float32Array, Float32Array, Float32Array];
  tf.dispose([scores, replaced]);
  const values = new Float32Array(batch * own * heads);
  for (let sequence = 0; sequence < batch; sequence++) {
    for (let head = 0; head < heads; head++) {
      work.poll();
      for (let row = 0; row < destinations; row++) {
        const start = ((sequence * heads + head) * destinations + row) * sources;
        const visible = sources - destinations + row + 1;
        if (site === 'q') values[(sequence * own + row) * heads + head] = queryEffect(s, r, g, start, visible);
        else keyEffects(s, r, g, start, visible, prefix, (source, effect) => (values[(sequence * own + source - prefix) * heads + head]! += effect));
      }
    }
  }
  return { positions: own, values };
}

/** The prefix's keys are the same on both sides. */
function withPrefixOf(key: tf.Tensor4D, other: tf.Tensor4D, prefix: number): tf.Tensor4D {
  const [batch, heads, , dHead] = key.shape;
  return prefix === 0 ? other : tf.concat([tf.slice(key, [0, 0, 0, 0], [batch, heads, prefix, dHead]), other], 2);
}
