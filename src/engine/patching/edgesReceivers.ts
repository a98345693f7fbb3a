import * as tf from '@tensorflow/tfjs-core';
import { attentionScale, type ForwardRun } from '../model/forward';
import { normBackward, type Normalised } from '../model/layers';
import { matrices } from '../model/rows';
import type { SiteTensors } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { eachSequence, taken, type PositionBlock } from './edgesBlocks';

/**
 * Gradients with respect to receivers' inputs in a block, u_r = ∂M/∂input_r, the input being the residual stream before the
 * receiver's LayerNorm: per pair a matrix [receiver, position · dModel]. Rows are written one after the other.
 */
export class ReceiverRows {
  readonly values: Float32Array[];
  private readonly size: number;

  constructor(
    private readonly run: Pick<ForwardRun, 'batch' | 'length'>,
    readonly block: PositionBlock,
    private readonly dModel: number,
    readonly count: number,
  ) {
    this.size = block.positions * dModel;
    this.values = Array.from({ length: run.batch }, () => new Float32Array(count * this.size));
  }

  /** A gradient of all or trailing positions: [pair · position, dModel]. */
  put(row: number, gradient: Float32Array): void {
    eachSequence(gradient, { ...this.run, width: this.dModel }, this.block, (pair, start, position, count) => {
      this.values[pair]!.set(gradient.subarray(start, start + count * this.dModel), row * this.size + position * this.dModel);
    });
  }

  /** The same of the block's positions only. */
  putBlock(row: number, gradient: Float32Array): void {
    this.values.forEach((own, pair) => own.set(gradient.subarray(pair * this.size, (pair + 1) * this.size), row * this.size));
  }

  /** Rows from `row` on, one for each position: that of `from` there, zero elsewhere. */
  spread(row: number, from: number): void {
    for (const own of this.values) {
      for (let position = 0; position < this.block.positions; position++) {
        const start = from * this.size + position * this.dModel;
        own.copyWithin((row + position) * this.size + position * this.dModel, start, start + this.dModel);
      }
    }
  }

  /** [receiver, position · dModel]. Inside `tf.tidy`. */
  of(pair: number): tf.Tensor2D {
    return tf.tensor2d(this.values[pair]!, [this.count, this.size]);
  }
}

/**
 * A layer's query, key and value inputs, head by head. With dX = ∂M/∂X of one port and head, u is the LayerNorm's backward pass of
 * W_X[head]·dX at the run: it is linear in that, so that the parts are exact and add up to the whole.
 */
export class PortInputs {
  /** Per port and head [pair · position, dHead], of all positions or the last layer's queries. */
  private readonly gradients: Float32Array[];
  /** W_X[head]ᵀ: [dHead, dModel]. */
  private readonly readers: tf.Tensor2D[];
  private readonly unit: Float32Array;
  private readonly inverse: Float32Array;

  /** `gradients`: of q, k and v, as the backward pass gives them. Lives inside a `tf.tidy`. */
  constructor(
    private readonly model: Gpt2,
    private readonly run: ForwardRun,
    private readonly layer: number,
    { q, k, v }: SiteTensors,
    private readonly work: Work,
  ) {
    const { query, key, value } = model.blocks[layer]!;
    // The site q is times the attention scale.
    const dQuery = tf.mul(q!, attentionScale(model.config, layer));
    this.gradients = [dQuery, k!, v!].flatMap((x) => byHead(x as tf.Tensor4D));
    this.readers = [query, key, value].flatMap(({ weight }) => {
      const parts = matrices(tf.transpose(weight), model.config.dHead);
      return Array.from({ length: parts.count }, (_, head) => parts.at(head));
    });
    const norm = run.layers[layer]!.record!.norm1;
    this.unit = norm.unit.dataSync<'float32'>();
    this.inverse = norm.inverse.dataSync<'float32'>();
  }

  /** Writes the rows of all ports, from the first on. `frozen`: the LayerNorm's scale is a constant. */
  into(rows: ReceiverRows, frozen: boolean): void {
    const { dModel, dHead } = this.model.config;
    const size = this.run.batch * rows.block.positions * dModel;
    const inputs = taken(tf.tidy(() => {
      const parts = this.gradients.map((gradient, port) => {
        this.work.poll();
        return tf.tidy(() => tf.matMul<tf.Tensor2D>(this.inBlock(gradient, dHead, rows.block), this.readers[port]!));
      });
      const norm: Normalised = { unit: this.inBlock(this.unit, dModel, rows.block), inverse: this.inBlock(this.inverse, 1, rows.block) };
      const all = tf.reshape(tf.concat(parts, 0), [parts.length, size / dModel, dModel]);
      return tf.tidy(() => normBackward(all, norm, this.model.blocks[this.layer]!.norm1.gain, frozen));
    }));
    this.readers.forEach((_, port) => rows.putBlock(port, inputs.subarray(port * size, (port + 1) * size)));
  }

  /** [pair · position of the block, width]; zero where nothing is known. */
  private inBlock(values: Float32Array, width: number, block: PositionBlock): tf.Tensor2D {
    const size = this.run.batch * block.positions;
    const own = new Float32Array(size * width);
    eachSequence(values, { ...this.run, width }, block, (pair, start, position, count) => own.set(values.subarray(start, start + count * width), (pair * block.positions + position) * width));
    return tf.tensor2d(own, [size, width]);
  }
}

/** [pair, head, position, dHead] → per head [pair · position, dHead]. */
function byHead(x: tf.Tensor4D): Float32Array[] {
  const [batch, heads, positions, dHead] = x.shape;
  const size = positions * dHead;
  const values = x.dataSync<'float32'>();
  return Array.from({ length: heads }, (_, head) => {
    const own = new Float32Array(batch * size);
    for (let pair = 0; pair < batch; pair++) own.set(values.subarray((pair * heads + head) * size, (pair * heads + head + 1) * size), pair * size);
    return own;
  });
}
