import * as tf from '@tensorflow/tfjs-core';
import { PORTS } from '../../shared/graph/nodes';
import { attentionScale, type ForwardRun } from '../model/forward';
import { filled, valuesInPlace } from '../model/heapValues';
import { linear } from '../model/layers';
import { rowwise } from '../model/rowwise';
import type { SiteTensors } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { runRow, taken, type EdgeRows } from './edgesBlocks';
import type { Target } from './edgesSteps';

/** What must be wanted of the backward pass, beside ∂M/∂LN2(resid_mid). */
export const RECEIVER_GRADIENTS = ['q', 'k', 'v', 'resid_mid', 'resid_post', 'embed'] as const;

/**
 * What a layer's scores are made of, summed over runs of the same prompts (the steps of integrated gradients). With X = W_X·y + b the
 * query, key or value of a head, y = gain ∘ x̂ + bias the normalised input, W the columns of W_X that are the head's, and
 * S = ∂M/∂X / σ, the gradient with respect to the head's input before the LayerNorm is
 *   u = g − mean g − x̂ · c,   g = gain ∘ (W·S),   c = x̂·g / dModel = S·(X − X_0) / dModel,   X_0 = W_X·bias + b,
 * without the last term where the scale is a constant. g is linear in S, so that S is summed and goes through W once; x̂ · c is of
 * rank one in each run. (Senders are centred: what of u is the same for all features does not count.)
 */
export interface LayerGradients {
  /** Σ S: [port, head, row, dHead]. */
  ports: Float32Array;
  /** By slot (edgesSteps.ts), that is by run that has the row: x̂ [row, dModel], and c [row, port · head]. None where the scale is a constant. */
  units: Float32Array[];
  along: Float32Array[];
  /** Σ ∂M/∂(what the MLP reads): [row, dModel]. */
  mlp: Float32Array;
  /** Σ of the residual stream's gradients after attention and after the MLP: what the layer's senders add to. */
  mid: Float32Array;
  post: Float32Array;
  /** In layer 0: that of the start of the stream. */
  embed?: Float32Array;
}

/** Floats of one layer's, of `rows` and so many runs. */
export function layerGradientsFloats({ dModel, heads }: Gpt2['config'], rows: number, runs: number): number {
  return rows * ((PORTS.length + 4) * dModel + runs * (dModel + PORTS.length * heads));
}

/** What a backward pass gives: by sequence of the run, the rows of which pairs it is added to. */
export type Targets = readonly (readonly Target[])[];

/** Gradients by layer of one or several runs of the same pairs. */
export class ReceiverGradients {
  private readonly layers: (LayerGradients | undefined)[] = [];

  constructor(
    private readonly model: Gpt2,
    private readonly rows: EdgeRows,
    /** The scales of receivers' LayerNorms are constants. */
    private readonly frozen: boolean,
    private readonly work: Work,
  ) {}

  /** Adds a run's gradients in a layer, as `backward` shows them. */
  add(run: ForwardRun, targets: Targets, layer: number, gradients: SiteTensors, mlpInput: tf.Tensor2D): void {
    const { config, blocks } = this.model;
    const { dModel } = config;
    const { norm2 } = run.layers[layer]!.record!;
    const size = this.rows.pairs * this.rows.positions * dModel;
    const own = (this.layers[layer] ??= {
      ports: new Float32Array(PORTS.length * size),
      units: [],
      along: [],
      mlp: new Float32Array(size),
      mid: new Float32Array(size),
      post: new Float32Array(size),
      ...(layer === 0 && { embed: new Float32Array(size) }),
    });
    const mlp = tf.tidy(() => rowwise().normBackward(mlpInput, norm2, blocks[layer]!.norm2.gain, this.frozen));
    this.sum(own.mlp, mlp, targets);
    mlp.dispose();
    this.sum(own.mid, gradients.resid_mid!, targets);
    this.sum(own.post, gradients.resid_post!, targets);
    if (own.embed) this.sum(own.embed, gradients.embed!, targets);
    this.work.poll();
    this.addPorts(own, run, targets, layer, gradients);
  }

  /** The layer's gradients, which are forgotten. */
  take(layer: number): LayerGradients {
    const own = this.layers[layer]!;
    this.layers[layer] = undefined;
    return own;
  }

  /** A gradient of all or trailing positions, [sequence · position, dModel], added up by row. */
  sum(into: Float32Array, gradient: tf.Tensor, targets: Targets): void {
    const { dModel } = this.model.config;
    const values = valuesInPlace(gradient);
    this.eachRow(targets, values.length / dModel / targets.length, (from, sequence, position) => {
      for (const { pair, sign } of targets[sequence]!) addRow(into, this.rowOf(pair, position) * dModel, values, from * dModel, dModel, sign);
    });
  }

  private addPorts(own: LayerGradients, run: ForwardRun, targets: Targets, layer: number, gradients: SiteTensors): void {
    const { config } = this.model;
    const { heads, dHead, dModel } = config;
    const { pairs, positions, length } = this.rows;
    const rows = pairs * positions;
    const ports = PORTS.length * heads;
    const { norm1, attention } = run.layers[layer]!.record!;
    const scale = attentionScale(config, layer);
    const values = { q: attention.query, k: attention.key, v: attention.value };
    const constantsOf = this.frozen ? undefined : constantParts(this.model, layer, this.work);
    // All of them are there, so that what is read in place stays.
    const inverse = valuesInPlace(norm1.inverse);
    if (!this.frozen) {
      const unit = valuesInPlace(norm1.unit);
      for (const { slot } of targets.flat()) {
        own.units[slot] ??= new Float32Array(rows * dModel);
        own.along[slot] ??= new Float32Array(rows * ports);
      }
      this.eachRow(targets, length, (from, sequence, position) => {
        for (const { pair, slot } of targets[sequence]!) own.units[slot]!.set(unit.subarray(from * dModel, (from + 1) * dModel), this.rowOf(pair, position) * dModel);
      });
    }
    PORTS.forEach((port, p) => {
      const gradient = valuesInPlace(gradients[port]!);
      const known = gradient.length / dModel / run.batch;
      const value = valuesInPlace(values[port]);
      const computed = values[port].shape[2];
      // The site q, and its gradient, are of queries times the attention scale.
      const factor = port === 'q' ? scale : 1;
      const constant = constantsOf?.[p]?.map((one) => one * factor);
      this.eachRow(targets, known, (from, sequence, position) => {
        const place = from - sequence * known;
        const perSigma = inverse[sequence * length + length - known + place]!;
        for (let head = 0; head < heads; head++) {
          const source = ((sequence * heads + head) * known + place) * dHead;
          // Keys and values of a prefix come first.
          const at = ((sequence * heads + head) * computed + computed - known + place) * dHead;
          const along = constant ? (perSigma * dot(gradient, source, value, at, constant, head * dHead, dHead)) / dModel : 0;
          for (const { pair, sign, slot } of targets[sequence]!) {
            const row = this.rowOf(pair, position);
            addRow(own.ports, ((p * heads + head) * rows + row) * dHead, gradient, source, dHead, sign * factor * perSigma);
            if (constant) own.along[slot]![row * ports + p * heads + head] = sign * along;
          }
        }
      });
    });
  }

  private rowOf(pair: number, position: number): number {
    return pair * this.rows.positions + position;
  }

  /** Each row that the run has computed at its `known` trailing positions and that is added to something: where it is, and whose. */
  private eachRow(targets: Targets, known: number, use: (from: number, sequence: number, position: number) => void): void {
    targets.forEach(({ length }, sequence) => {
      for (let position = 0; length > 0 && position < this.rows.positions; position++) {
        const from = runRow(this.rows, known, sequence, position);
        if (from >= 0) use(from, sequence, position);
      }
    });
  }
}

/** Σ a · (b − c) over `width` values of each. */
function dot(a: Float32Array, fromA: number, b: Float32Array, fromB: number, c: Float32Array, fromC: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += a[fromA + i]! * (b[fromB + i]! - c[fromC + i]!);
  return sum;
}

function addRow(into: Float32Array, start: number, values: Float32Array, from: number, width: number, factor: number): void {
  for (let i = 0; i < width; i++) into[start + i]! += factor * values[from + i]!;
}

const constants = new WeakMap<Gpt2['blocks'][number], Float32Array[]>();

/** X_0 of all heads, by port: what queries, keys and values are where the normalised residual stream is 0. */
function constantParts({ config: { dModel }, blocks }: Gpt2, layer: number, work: Work): Float32Array[] {
  const block = blocks[layer]!;
  const { norm1, query, key, value } = block;
  let known = constants.get(block);
  if (!known) constants.set(block, (known = [query, key, value].map((own) => taken(tf.tidy(() => linear(tf.reshape(norm1.bias, [1, dModel]), own, work))))));
  return known;
}

/** W of each port and head, as products with S want them: [port · head, dModel, dHead]. Inside `tf.tidy`. */
export function portReaders({ config: { heads, dHead, dModel }, blocks }: Gpt2, layer: number): tf.Tensor3D {
  const { query, key, value } = blocks[layer]!;
  const size = dModel * dModel;
  return filled<tf.Tensor3D>([PORTS.length * heads, dModel, dHead], (all) => {
    [query, key, value].forEach(({ weight }, port) => weight.copyColumns(dHead, all.subarray(port * size, (port + 1) * size)));
  });
}
