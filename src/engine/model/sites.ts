import type * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';

/** Named activations of one block, and equally the gradients with respect to them: each [rows, dModel]. */
export type BlockTensors = {
  residPre: tf.Tensor2D;
  z: tf.Tensor2D;
  attnOut: tf.Tensor2D;
  mlpOut: tf.Tensor2D;
};

/** Where a site is found among a block's tensors. Its axes and words stand in `shared/sites`. */
export const SITE_TENSORS: Readonly<Record<SiteName, keyof BlockTensors>> = {
  z: 'z',
  attn_out: 'attnOut',
  mlp_out: 'mlpOut',
  resid_pre: 'residPre',
};

export type SiteTensors = { [site in SiteName]?: tf.Tensor2D };

/** The tensors of the chosen sites. */
export function pickSites(tensors: Partial<BlockTensors>, sites: readonly SiteName[]): SiteTensors {
  return Object.fromEntries(sites.map((site) => [site, tensors[SITE_TENSORS[site]]]));
}
