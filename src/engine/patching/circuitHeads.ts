import * as tf from '@tensorflow/tfjs-core';
import { attend, causalMask } from '../model/attention';
import { attentionScale } from '../model/forward';
import { linear } from '../model/layers';
import type { Gpt2, Linear } from '../model/weights';
import type { Work } from '../model/work';
import type { Port } from '../../shared/graph/nodes';
import type { AblatedSide } from './circuitAblated';
import { stacked, valuesOf } from './circuitMix';
import type { HeadStep } from './circuitPlan';

/**
 * The values of some heads of one layer: (z − z of the ablated run)·W_O[head], in the order of `steps`, which stand by head. `inputs`
 * are those of the layer, normalised: [pair, position, dModel] each; results too, of the trailing positions in the last layer.
 */
export async function headValues(model: Gpt2, layer: number, steps: readonly HeadStep[], inputs: readonly Float32Array[], side: AblatedSide, work: Work): Promise<Float32Array[]> {
  const { config, blocks } = model;
  const { dHead, dModel } = config;
  const { pairs, positions } = side;
  const after = layer === config.layers - 1 ? side.tail : positions;
  const rows = pairs * after;
  const weights = blocks[layer]!;
  const projected = {
    q: await projections(weights.query, steps, 'q', inputs, config.heads, rows, work),
    k: await projections(weights.key, steps, 'k', inputs, config.heads, pairs * positions, work),
    v: await projections(weights.value, steps, 'v', inputs, config.heads, pairs * positions, work),
  };
  const z = await attended(model, layer, steps, projected, side, after, work);
  // z is by step, and steps by head: one product for each head.
  const output = valuesOf(() => weights.output.weight.copy());
  const results: Float32Array[] = [];
  for (const [head, own] of byHead(steps)) {
    await work.pause();
    const part = z.subarray(results.length * rows * dHead, (results.length + own.length) * rows * dHead);
    subtract(part, side.z[layer]!, head, rows, dHead, dModel);
    const found = valuesOf(() => {
      const weight = tf.tensor2d(output.subarray(head * dHead * dModel, (head + 1) * dHead * dModel), [dHead, dModel]);
      return tf.matMul(tf.tensor2d(part, [own.length * rows, dHead]), weight);
    });
    own.forEach((_, i) => results.push(found.subarray(i * rows * dModel, (i + 1) * rows * dModel)));
  }
  return results;
}

/** By head, then by input: [row, dHead]. */
type Projections = Map<string, Float32Array>;

function projectionKey(head: number, input: number): string {
  return `${head}.${input}`;
}

/**
 * W[head]·input + b[head] for each head and each input that it reads at this port. An input that most heads read, as the full
 * residual stream is, goes through the whole matrix at once: as the model's own, it is packed already.
 */
async function projections(own: Linear, steps: readonly HeadStep[], port: Port, inputs: readonly Float32Array[], heads: number, rows: number, work: Work): Promise<Projections> {
  const { weight, bias } = own;
  const dHead = weight.shape[1] / heads;
  const all: Projections = new Map();
  const readers = new Map<number, Set<number>>();
  for (const step of steps) readers.set(step[port], (readers.get(step[port]) ?? new Set()).add(step.head));
  const shared = [...readers].flatMap(([input, by]) => (2 * by.size > heads ? [input] : []));
  for (const input of shared) {
    await work.pause();
    const found = valuesOf(() => linear(stacked([inputs[input]!], rows), own, work));
    for (const head of readers.get(input)!) all.set(projectionKey(head, input), columns(found, weight.shape[1], head * dHead, dHead));
  }
  if (shared.length === readers.size) return all;
  const [matrix, offsets] = [valuesOf(() => weight.copy()), bias.dataSync<'float32'>()];
  for (const [head, byThis] of byHead(steps)) {
    const read = [...new Set(byThis.map((step) => step[port]))].filter((input) => !shared.includes(input));
    if (read.length === 0) continue;
    await work.pause();
    const found = valuesOf(() => {
      const a = stacked(read.map((input) => inputs[input]!), rows);
      const b = tf.tensor2d(columns(matrix, weight.shape[1], head * dHead, dHead), [weight.shape[0], dHead]);
      return tf.fused.matMul({ a, b, bias: tf.tensor1d(offsets.subarray(head * dHead, (head + 1) * dHead)) });
    });
    read.forEach((input, i) => all.set(projectionKey(head, input), found.subarray(i * rows * dHead, (i + 1) * rows * dHead)));
  }
  return all;
}

/** Multiply-adds of attention between two looks at the cancel flag: wasm's batched product is a scalar loop. */
const PRODUCTS_AT_ONCE = 2e7;

/** z of each step: [step, pair, query position, dHead], flat. */
async function attended({ config }: Gpt2, layer: number, steps: readonly HeadStep[], projected: Record<Port, Projections>, { pairs, positions, prefix, past }: AblatedSide, queries: number, work: Work): Promise<Float32Array> {
  const { dHead, heads } = config;
  const length = prefix + positions;
  const scale = attentionScale(config, layer);
  const z = new Float32Array(steps.length * pairs * queries * dHead);
  const at = (port: Port, step: HeadStep): Float32Array => projected[port].get(projectionKey(step.head, step[port]))!;
  const step = Math.max(1, Math.floor(PRODUCTS_AT_ONCE / (2 * pairs * queries * length * dHead)));
  const mask = causalMask(queries, length);
  try {
    for (let first = 0; first < steps.length; first += step) {
      await work.pause();
      const own = steps.slice(first, first + step);
      const all = (port: 'k' | 'v', from: 'key' | 'value'): tf.Tensor4D => {
        const joined = new Float32Array(own.length * pairs * length * dHead);
        own.forEach((one, i) => {
          const suffix = at(port, one);
          for (let pair = 0; pair < pairs; pair++) {
            const place = (i * pairs + pair) * length * dHead;
            if (past) {
              const start = (pair * heads + one.head) * prefix * dHead;
              joined.set(past[layer]![from].subarray(start, start + prefix * dHead), place);
            }
            joined.set(suffix.subarray(pair * positions * dHead, (pair + 1) * positions * dHead), place + prefix * dHead);
          }
        });
        return tf.tensor4d(joined, [own.length * pairs, 1, length, dHead]);
      };
      const found = valuesOf(() => {
        const query = tf.reshape(tf.mul(stacked(own.map((one) => at('q', one)), pairs * queries), scale), [own.length * pairs, 1, queries, dHead]) as tf.Tensor4D;
        return attend({ query, key: all('k', 'key'), value: all('v', 'value'), mask }, work);
      });
      z.set(found, first * pairs * queries * dHead);
    }
    return z;
  } finally {
    mask?.dispose();
  }
}

/** z of one head, [step, row, dHead], − that head's part of the ablated run's z, [row, dModel]; in place. */
function subtract(z: Float32Array, ablated: Float32Array, head: number, rows: number, dHead: number, dModel: number): void {
  for (let row = 0; row < z.length / dHead; row++) {
    const from = (row % rows) * dModel + head * dHead;
    for (let i = 0; i < dHead; i++) z[row * dHead + i]! -= ablated[from + i]!;
  }
}

function byHead(steps: readonly HeadStep[]): Map<number, HeadStep[]> {
  const groups = new Map<number, HeadStep[]>();
  for (const step of steps) groups.set(step.head, [...(groups.get(step.head) ?? []), step]);
  return groups;
}

/** Columns of a matrix that is `width` wide. */
function columns(matrix: Float32Array, width: number, first: number, count: number): Float32Array {
  const rows = matrix.length / width;
  const taken = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++) taken.set(matrix.subarray(row * width + first, row * width + first + count), row * count);
  return taken;
}
