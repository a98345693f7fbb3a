import type * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';

/**
 * Named activations, and equally the gradients with respect to them:
 *   embed, resid_pre, resid_mid, resid_post, attn_out, mlp_out, z [batch · positions, dModel], mlp_post [batch · positions, dMlp];
 *   q (times the attention scale), k, v [batch, head, positions, dHead];
 *   scores (of the scaled q, before the mask), pattern [batch, head, destinations, sources].
 * Positions and destinations are those of the batch; sources are all, those of the prefix too. Axes and words of the
 * attributions stand in `shared/sites`.
 */
export type SiteTensors = { [site in SiteName]?: tf.Tensor };

/** Sites whose tensors are [batch, head, positions, dHead] or [batch, head, destinations, sources]; the others have rows. */
export const ATTENTION_SITES = ['q', 'k', 'v', 'scores', 'pattern'] as const satisfies readonly SiteName[];
export type AttentionSite = (typeof ATTENTION_SITES)[number];

export function isAttentionSite(site: SiteName): site is AttentionSite {
  return (ATTENTION_SITES as readonly SiteName[]).includes(site);
}

/**
 * What is done to the tensor of a site in a layer; undefined where nothing is, which is asked before the tensor is made.
 * The function runs inside `tf.tidy` and returns a tensor of the same shape, or the one it was given. embed is of layer 0.
 */
export type Change = (site: SiteName, layer: number) => ((value: tf.Tensor) => tf.Tensor) | undefined;
