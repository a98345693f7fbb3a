import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { attendBackward, joinHeads, splitHeads } from './attention';
import { attentionScale, disposeBlock, type ForwardRun } from './forward';
import { linearBackward } from './layers';
import { rowwise } from './rowwise';
import { ATTENTION_SITES, type Change, type SiteTensors } from './sites';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/** ∂M/∂activation of a metric that reads an activation, shaped as the site in that layer of the run. */
export interface Injected {
  site: SiteName;
  layer: number;
  gradient: tf.Tensor;
}

export interface BackwardOptions {
  /** ∂M/∂(residual stream after the last block) at the run's trailing positions: [batch · tail, dModel]. Absent: zero. It stays the caller's. */
  final?: tf.Tensor2D;
  /** Added to the gradient of their site. They stay the caller's. */
  inject?: readonly Injected[];
  /** Which gradients `visit` gets. */
  wanted: readonly SiteName[];
  /** The scale 1/σ of both LayerNorms of every block is held constant. */
  freezeLayerNorm?: boolean;
  /** No gradient flows from the pattern into scores, queries and keys: theirs are zero. */
  freezePattern?: boolean;
  /** What becomes of the gradient that flows back into the computation of a site. */
  mask?: Change;
  /** The lowest layer whose gradients are wanted; absent: the first that was run. */
  downTo?: number;
  /** Leave the run's record for another backward pass. */
  keepRecord?: boolean;
  /** Give `visit` ∂M/∂LN2(resid_mid) too, [batch · positions, dModel]. */
  mlpInput?: boolean;
}

/**
 * The backward pass of a recorded forward pass, written by hand: gradients with respect to activations, none to parameters.
 * Each is that of the sequence's own metric, given through `final` and `inject`, with respect to what flowed on from the
 * site, hence before `mask`; of k and v at the batch's own positions. Shapes are those of the forward pass's captures.
 * `visit` gets each layer's gradients, last layer first (embed with layer 0), and must read or keep them at once: they and,
 * unless `keepRecord`, the layer's record are disposed after it. Layers above the last that the metric reads are not visited:
 * their gradients are zero. Throws `cancelled`.
 */
export async function backward(model: Gpt2, run: ForwardRun, options: BackwardOptions, visit: (layer: number, gradients: SiteTensors, mlpInput?: tf.Tensor2D) => void, work: Work): Promise<void> {
  let dx = options.final && tf.clone(options.final);
  const lowest = Math.max(run.firstLayer, options.downTo ?? 0);
  try {
    for (let layer = run.layers.length - 1; layer >= lowest; layer--) {
      await work.pause();
      if (dx || options.inject?.some((own) => own.layer === layer)) {
        const after: tf.Tensor2D = dx ?? tf.zeros([run.batch * (layer === run.layers.length - 1 ? run.tail : run.length), model.config.dModel]);
        dx = after;
        const { input, gradients, mlpInput } = tf.tidy(() => block(model, run, layer, after, options, work));
        dx = input;
        after.dispose();
        try {
          visit(layer, gradients, mlpInput);
        } finally {
          tf.dispose(gradients);
          mlpInput?.dispose();
        }
      }
      if (!options.keepRecord) disposeBlock(run.layers[layer]!);
      work.advance(2 * run.batch * run.length);
    }
    work.advance(2 * run.batch * run.length * (lowest - run.firstLayer));
  } finally {
    dx?.dispose();
  }
}

function block(model: Gpt2, run: ForwardRun, layer: number, after: tf.Tensor2D, options: BackwardOptions, work: Work): { input?: tf.Tensor2D; gradients: SiteTensors; mlpInput?: tf.Tensor2D } {
  const { config } = model;
  const { wanted, inject = [], mask, freezeLayerNorm: frozen = false, freezePattern } = options;
  const weights = model.blocks[layer]!;
  const { norm1, attention, norm2, mlpPre } = run.layers[layer]!.record!;
  const gradients: SiteTensors = {};
  const through = <T extends tf.Tensor>(site: SiteName, own: T): T => {
    let gradient: tf.Tensor = own;
    for (const injected of inject) {
      if (injected.site === site && injected.layer === layer) gradient = tf.add(gradient, injected.gradient);
    }
    if (wanted.includes(site)) gradients[site] = tf.clone(gradient);
    return (mask?.(site, layer)?.(gradient) ?? gradient) as T;
  };
  const concerns = (sites: readonly SiteName[]): boolean =>
    sites.some((site) => wanted.includes(site) || inject.some((own) => own.site === site && own.layer === layer) || mask?.(site, layer));

  const post = through('resid_post', after);
  const mlpOut = through('mlp_out', post);
  const mlpPost = through('mlp_post', linearBackward(mlpOut, weights.mlpOut.weight, work));
  const dPre = rowwise().activateBackward(mlpPost, mlpPre, config.activation);
  const dMlpInput = linearBackward(dPre, weights.mlpIn.weight, work);
  const mid = through('resid_mid', tf.add<tf.Tensor2D>(post, rowwise().normBackward(dMlpInput, norm2, weights.norm2.gain, frozen)));
  const visited = { gradients, ...(options.mlpInput && { mlpInput: dMlpInput }) };
  const attnOut = through('attn_out', mid);
  const z = through('z', linearBackward(attnOut, weights.output.weight, work));

  const goesOn = layer > Math.max(run.firstLayer, options.downTo ?? 0);
  const wantsInput = goesOn || wanted.includes('resid_pre') || wanted.includes('embed');
  if (!wantsInput && !concerns(ATTENTION_SITES)) return visited;
  const d = attendBackward(attention, splitHeads(z, run.batch, config.heads), run.length, { shown: concerns(['scores', 'pattern']), freezePattern }, through, work);
  if (!wantsInput) return visited;
  const dQuery = joinHeads(tf.mul<tf.Tensor4D>(d.query, attentionScale(config, layer)));
  const fromQuery = linearBackward(dQuery, weights.query.weight, work);
  const fromKeyValue = tf.add<tf.Tensor2D>(linearBackward(joinHeads(d.key), weights.key.weight, work), linearBackward(joinHeads(d.value), weights.value.weight, work));
  const whole = (rows: tf.Tensor2D): tf.Tensor2D => amongZeros(rows, run);
  const dNorm = tf.add<tf.Tensor2D>(whole(fromQuery), fromKeyValue);
  const input = through('resid_pre', tf.add<tf.Tensor2D>(whole(mid), rowwise().normBackward(dNorm, norm1, weights.norm1.gain, frozen)));
  if (layer === 0) through('embed', input);
  return { ...visited, ...(goesOn && { input }) };
}

/** Rows of trailing positions, put back among zeros: [batch · tail, width] → [batch · positions, width]. */
function amongZeros(rows: tf.Tensor2D, { batch, length }: ForwardRun): tf.Tensor2D {
  const [count, width] = rows.shape;
  const tail = count / batch;
  if (tail === length) return rows;
  const padded = tf.pad(tf.reshape<tf.Rank.R3>(rows, [batch, tail, width]), [[0, 0], [length - tail, 0], [0, 0]]);
  return tf.reshape(padded, [batch * length, width]);
}
