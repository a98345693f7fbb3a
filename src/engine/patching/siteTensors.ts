import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { tailRows, type ForwardRun } from '../model/forward';
import { isAttentionSite } from '../model/sites';

/** Tensors of sites as forward and backward pass lay them out, whatever the site. Call these inside `tf.tidy`. */

/** What a run captured of a site; throws when it did not. */
export function capturedAt({ embed, layers }: Pick<ForwardRun, 'embed' | 'layers'>, site: SiteName, layer: number): tf.Tensor {
  const own = site === 'embed' ? embed : layers[layer]?.sites[site];
  if (!own) throw new Error(`the run did not capture ${site} of layer ${layer}`);
  return own;
}

/** Positions (destinations) that a site's tensor holds of each of `batch` sequences. */
export function positionsOf(site: SiteName, x: tf.Tensor, batch: number): number {
  return isAttentionSite(site) ? x.shape[2]! : x.shape[0]! / batch;
}

/** The trailing positions of each sequence. */
export function trailing(site: SiteName, x: tf.Tensor, batch: number, count: number): tf.Tensor {
  const positions = positionsOf(site, x, batch);
  if (positions === count) return x;
  if (!isAttentionSite(site)) return tailRows(x as tf.Tensor2D, batch, count);
  const [, heads, , width] = x.shape as [number, number, number, number];
  return tf.slice(x, [0, 0, positions - count, 0], [batch, heads, count, width]);
}

/** One row per sequence: [batch, …]. */
export function bySequence(x: tf.Tensor, batch: number): tf.Tensor2D {
  return tf.reshape(x, [batch, x.size / batch]);
}

/** A tensor with `batch` sequences again, shaped as `like`, which may have another number of them. */
export function likeSite(site: SiteName, x: tf.Tensor2D, like: tf.Tensor, positions: number): tf.Tensor {
  const [batch, size] = x.shape;
  return isAttentionSite(site) ? tf.reshape(x, [batch, ...like.shape.slice(1)]) : tf.reshape(x, [batch * positions, size / positions]);
}
