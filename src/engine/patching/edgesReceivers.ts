import * as tf from '@tensorflow/tfjs-core';
import { PORTS } from '../../shared/graph/nodes';
import { amongZeros } from '../model/backward';
import { attentionScale, type ForwardRun } from '../model/forward';
import { normBackward, type Normalised } from '../model/layers';
import { matrices, takeRows } from '../model/rows';
import type { SiteTensors } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { rowsOfBlock, type PositionBlock } from './edgesBlocks';

/**
 * Gradients with respect to receivers' inputs, u_r = ∂M/∂input_r, the input being the residual stream before the receiver's
 * LayerNorm. Each is laid out as columns that a product with senders takes: [pair · position · dModel, receivers].
 */
export type Columns = tf.Tensor2D;

/** A layer's query, key and value inputs, head by head: which weights read them is cut once for all blocks. */
export class PortInputs {
  /** ∂M/∂(q, k, v) of each head at all positions that are run: [port · head][pair, position, dHead]. */
  private readonly gradients: Float32Array[];
  /** W_X[head]ᵀ: [dHead, dModel]. */
  private readonly readers: tf.Tensor2D[];

  /** `gradients`: of q, k and v, as the backward pass gives them. Inside `tf.tidy`. */
  constructor(
    private readonly model: Gpt2,
    private readonly run: ForwardRun,
    private readonly layer: number,
    gradients: SiteTensors,
    private readonly work: Work,
  ) {
    const { query, key, value } = model.blocks[layer]!;
    // The site q is times the attention scale.
    const dQuery = tf.mul(gradients.q!, attentionScale(model.config, layer));
    this.gradients = [dQuery, gradients.k!, gradients.v!].flatMap((x) => this.byHead(x as tf.Tensor4D));
    this.readers = [query, key, value].flatMap(({ weight }) => {
      const parts = matrices(tf.transpose(weight), model.config.dHead);
      return Array.from({ length: model.config.heads }, (_, head) => parts.at(head));
    });
  }

  /**
   * With g = gain ∘ W_X[head]·∂M/∂X the LayerNorm's backward pass of g at the run, port by port: it is linear in g, so that the
   * parts are exact and add up to the whole. `frozen`: its scale is a constant. Inside `tf.tidy`.
   */
  columns(block: PositionBlock, frozen: boolean): Columns {
    const { batch, length } = this.run;
    const { dHead, dModel } = this.model.config;
    const rows = batch * block.positions;
    const parts = this.gradients.map((values, i) => {
      this.work.poll();
      const own = new Float32Array(rows * dHead);
      for (let pair = 0; pair < batch; pair++) {
        const start = (pair * length + block.first) * dHead;
        own.set(values.subarray(start, start + block.positions * dHead), pair * block.positions * dHead);
      }
      return tf.tidy(() => tf.matMul<tf.Tensor2D>(tf.tensor2d(own, [rows, dHead]), this.readers[i]!));
    });
    const { unit, inverse } = this.run.layers[this.layer]!.record!.norm1;
    const norm: Normalised = { unit: rowsOfBlock(unit, this.run, block), inverse: rowsOfBlock(inverse, this.run, block) };
    const ports = tf.reshape(tf.concat(parts, 0), [PORTS.length * this.model.config.heads, rows, dModel]);
    const inputs = tf.tidy(() => normBackward(ports, norm, this.model.blocks[this.layer]!.norm1.gain, frozen));
    return tf.transpose(tf.reshape(inputs, [ports.shape[0], rows * dModel]));
  }

  /** [pair, head, positions, dHead] → [head][pair, position, dHead]; the last layer has queries at trailing positions only. */
  private byHead(x: tf.Tensor4D): Float32Array[] {
    const [batch, heads, positions, dHead] = x.shape;
    const { length } = this.run;
    const values = x.dataSync<'float32'>();
    return Array.from({ length: heads }, (_, head) => {
      const own = new Float32Array(batch * length * dHead);
      for (let pair = 0; pair < batch; pair++) {
        const start = (pair * heads + head) * positions * dHead;
        own.set(values.subarray(start, start + positions * dHead), (pair * length + length - positions) * dHead);
      }
      return own;
    });
  }
}

/** The column of a gradient [pair · position, dModel], of trailing positions or all, in a block. Inside `tf.tidy`. */
export function columnOf(gradient: tf.Tensor2D, run: ForwardRun, block: PositionBlock): Columns {
  const rows = rowsOfBlock(amongZeros(gradient, run), run, block);
  return tf.reshape(rows, [rows.size, 1]);
}

/** Column `index`: [pair · position · dModel, 1]. Inside `tf.tidy`. */
export function columnAt(columns: Columns, index: number): tf.Tensor2D {
  const [size, count] = columns.shape;
  return count === 1 ? columns : tf.reshape(takeRows(tf.transpose(columns), [index]), [size, 1]);
}
