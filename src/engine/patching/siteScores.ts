import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import type { AttentionRecord } from '../model/attention';
import type { Gpt2Config } from '../model/config';
import { rowwise } from '../model/rowwise';
import { isAttentionSite } from '../model/sites';
import type { Work } from '../model/work';
import { keyEffects, queryEffect } from './qkFix';

/** Scores of one site in one layer: [pair, position(, head or neuron)], the trailing positions of the sequences. */
export interface SiteScores {
  positions: number;
  values: Float32Array;
}

/** Tensors of a site, of the same shape: the base run's, the other side's, and the gradient. */
export interface SiteSides {
  own: tf.Tensor;
  other: tf.Tensor;
  gradient: tf.Tensor;
}

/** (other − own) · gradient, summed over features, for scores and pattern over sources, in the order [batch, positions(, head or neuron)]; axes may be joined. Inside `tf.tidy`. */
export function siteSums(site: SiteName, { dHead }: Pick<Gpt2Config, 'dHead'>, { own, other, gradient }: SiteSides): tf.Tensor {
  if (site === 'mlp_post') return tf.mul(tf.sub(other, own), gradient);
  if (isAttentionSite(site)) return tf.transpose(rowwise().differenceSums(gradient, other, own), [0, 2, 1]);
  const byHead = (x: tf.Tensor): tf.Tensor => (site === 'z' ? tf.reshape(x, [x.size / dHead, dHead]) : x);
  return rowwise().differenceSums(byHead(gradient), byHead(other), byHead(own));
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
