import * as tf from '@tensorflow/tfjs-core';
import { attendBackward, joinHeads, splitHeads } from './attention';
import { attentionScale, disposeBlock, type ForwardRun } from './forward';
import { activationSlope, linearBackward, normalise, normBackward } from './layers';
import type { BlockTensors } from './sites';
import type { Gpt2 } from './weights';
import type { Work } from './work';

/**
 * The backward pass of a recorded forward pass, written by hand: gradients with respect to activations, none to parameters.
 * `direction` [batch, dModel] is the metric's linear read-out of the normalised final residual stream, one per sequence;
 * the gradient is that of each sequence's own metric, `direction · LN_f(last)`.
 * `visit` gets each layer's gradients, last layer first, and must read or keep them at once: they and the layer's
 * record are disposed after it. In the last layer z, attnOut and mlpOut have one row per sequence (the last position),
 * as in the forward pass. The gradient with respect to resid_pre of layer 0 is computed only if `toEmbedding`.
 */
export async function backward(model: Gpt2, run: ForwardRun, direction: tf.Tensor2D, toEmbedding: boolean, visit: (layer: number, gradients: Partial<BlockTensors>) => void, work: Work): Promise<void> {
  const { config } = model;
  let dx = tf.tidy(() => normBackward(direction, normalise(run.last, config.layerNormEpsilon), model.finalNorm.gain));
  try {
    for (let layer = config.layers - 1; layer >= 0; layer--) {
      await work.pause();
      const mlpOut = dx;
      const wantsInput = layer > 0 || toEmbedding;
      const gradients = tf.tidy(() => block(model, run, layer, mlpOut, wantsInput, work));
      try {
        visit(layer, { mlpOut, ...gradients });
      } finally {
        tf.dispose([mlpOut, gradients.attnOut, gradients.z]);
        if (gradients.residPre) dx = gradients.residPre;
      }
      disposeBlock(run.layers[layer]!);
      work.advance(2 * run.batch * run.length);
    }
  } finally {
    if (!dx.isDisposed) dx.dispose();
  }
}

function block(model: Gpt2, run: ForwardRun, layer: number, mlpOut: tf.Tensor2D, wantsInput: boolean, work: Work): { attnOut: tf.Tensor2D; z: tf.Tensor2D; residPre?: tf.Tensor2D } {
  const { config } = model;
  const weights = model.blocks[layer]!;
  const { norm1, attention, norm2, mlpPre } = run.layers[layer]!.record!;

  const dPre = tf.mul<tf.Tensor2D>(linearBackward(mlpOut, weights.mlpOut.weight, work), activationSlope(mlpPre, config.activation));
  const attnOut = tf.add<tf.Tensor2D>(mlpOut, normBackward(linearBackward(dPre, weights.mlpIn.weight, work), norm2, weights.norm2.gain));
  const z = linearBackward(attnOut, weights.output.weight, work);
  if (!wantsInput) return { attnOut, z };

  const d = attendBackward(attention, splitHeads(z, run.batch, config.heads), run.length, work);
  const dQuery = joinHeads(tf.mul<tf.Tensor4D>(d.query, attentionScale(config, layer)));
  const fromQuery = linearBackward(dQuery, weights.query.weight, work);
  const fromKeyValue = tf.add<tf.Tensor2D>(linearBackward(joinHeads(d.key), weights.key.weight, work), linearBackward(joinHeads(d.value), weights.value.weight, work));
  const whole = (rows: tf.Tensor2D): tf.Tensor2D => atLastPosition(rows, run);
  const dNorm = tf.add<tf.Tensor2D>(whole(fromQuery), fromKeyValue);
  return { attnOut, z, residPre: tf.add<tf.Tensor2D>(whole(attnOut), normBackward(dNorm, norm1, weights.norm1.gain)) };
}

/** Rows of the last position only, put back among zeros: [batch, width] → [batch · positions, width]. */
function atLastPosition(rows: tf.Tensor2D, { batch, length }: ForwardRun): tf.Tensor2D {
  const [count, width] = rows.shape;
  if (count === batch * length) return rows;
  const padded = tf.pad(tf.reshape<tf.Rank.R3>(rows, [batch, 1, width]), [[0, 0], [length - 1, 0], [0, 0]]);
  return tf.reshape(padded, [batch * length, width]);
}
