import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { disposeRun, forward, ROWS_AT_ONCE } from '../model/forward';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { bySequence, capturedAt, likeSite, positionsOf } from './siteTensors';

/** Mean activations of prompts of one length: each a site's tensor of one sequence. */
export interface Means {
  at(site: SiteName, layer: number): tf.Tensor;
  dispose(): void;
}

/**
 * The mean over prompts of equal length, position by position, of the sites in their layers; in the last layer at the `tail`
 * trailing positions (resid_pre, k and v at all). The caller disposes it. Throws `cancelled`.
 */
export async function meansOf(model: Gpt2, prompts: readonly (readonly number[])[], places: readonly { site: SiteName; layer: number }[], tail: number, work: Work): Promise<Means> {
  const sums = new Map<string, tf.Tensor>();
  const dispose = (): void => tf.dispose([...sums.values()]);
  const sites = [...new Set(places.map(({ site }) => site))];
  const capturesIn = (site: SiteName, layer: number): boolean => places.some((place) => place.site === site && place.layer === layer);
  const atOnce = Math.max(1, Math.floor(ROWS_AT_ONCE / prompts[0]!.length));
  try {
    for (let first = 0; first < prompts.length; first += atOnce) {
      const tokens = prompts.slice(first, first + atOnce);
      const run = await forward(model, { tokens, start: 0 }, { sites, capturesIn, record: false, tail }, work);
      try {
        for (const { site, layer } of places) {
          const key = `${site}.${layer}`;
          const before = sums.get(key);
          const sum = tf.tidy(() => {
            const x = capturedAt(run, site, layer);
            const own = tf.div(tf.sum(bySequence(x, tokens.length), 0, true), prompts.length) as tf.Tensor2D;
            const shaped = likeSite(site, own, x, positionsOf(site, x, tokens.length));
            return before ? tf.add(before, shaped) : shaped;
          });
          sums.set(key, sum);
          before?.dispose();
        }
      } finally {
        disposeRun(run);
      }
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    at: (site, layer) => {
      const own = sums.get(`${site}.${layer}`);
      if (!own) throw new Error(`no mean was taken of ${site} of layer ${layer}`);
      return own;
    },
    dispose,
  };
}
