import * as tf from '@tensorflow/tfjs-core';
import type { Work } from '../model/work';
import type { MixedInput } from './circuitPlan';

/** The last `size` numbers of each of `count` equal parts of x; x itself where that is all. */
export function trailingRows(x: Float32Array, count: number, size: number): Float32Array {
  const whole = x.length / count;
  if (whole === size) return x;
  const taken = new Float32Array(count * size);
  for (let part = 0; part < count; part++) taken.set(x.subarray((part + 1) * whole - size, (part + 1) * whole), part * size);
  return taken;
}

/** Bounds of one product: floats of its right operand, and operations between two looks at the cancel flag. */
export const FLOATS_AT_ONCE = 1 << 22;
const FLOPS_AT_ONCE = 1e9;

/**
 * A product copies and packs each value, however few inputs have it; from so many uses of a value on that is quicker than adding
 * values up one after the other (measured on wasm with 40 rows of GPT-2 small: 0.4 ms a value against 0.06 ms a use).
 */
const USES_WORTH_A_PRODUCT = 6;

/** Gets some of the inputs, by their indices, or of these the rows from `first` on: [input · row, dModel]. Inside `tf.tidy`. */
type UseMixed = (mixed: tf.Tensor2D, indices: readonly number[], first: number) => void;

/**
 * Inputs of receivers: ablated residual stream + Σ values. Of each circuit that brings inputs of its own they are one matrix product
 * of [input, value] and [value, row · dModel], in pieces of rows; where values have few uses they are added up plainly. `ablated` is
 * [row, dModel], `valueOf` gives as many rows. Throws `cancelled`.
 */
export function mixInputs(inputs: readonly MixedInput[], ablated: Float32Array, valueOf: (value: number) => Float32Array, dModel: number, work: Work, use: UseMixed): void {
  const few: number[] = [];
  for (const indices of byCircuit(inputs)) {
    const uses = indices.reduce((sum, index) => sum + inputs[index]!.values.length, 0);
    const used = [...new Set(indices.flatMap((index) => inputs[index]!.values))];
    if (uses < USES_WORTH_A_PRODUCT * used.length || used.length === 0) few.push(...indices);
    else multiply(inputs, indices, used, ablated, valueOf, dModel, work, use);
  }
  const step = Math.max(1, Math.floor(FLOATS_AT_ONCE / ablated.length));
  for (let first = 0; first < few.length; first += step) {
    const indices = few.slice(first, first + step);
    const sums = new Float32Array(indices.length * ablated.length);
    indices.forEach((index, i) => {
      work.poll();
      const sum = sums.subarray(i * ablated.length, (i + 1) * ablated.length);
      sum.set(ablated);
      addUp(sum, inputs[index]!.values.map(valueOf));
    });
    tf.tidy(() => use(tf.tensor2d(sums, [sums.length / dModel, dModel]), indices, 0));
  }
}

function multiply(inputs: readonly MixedInput[], indices: readonly number[], used: readonly number[], ablated: Float32Array, valueOf: (value: number) => Float32Array, dModel: number, work: Work, use: UseMixed): void {
  const rows = ablated.length / dModel;
  const columnOf = new Map(used.map((value, column) => [value, column + 1]));
  const width = used.length + 1;
  const mask = new Float32Array(indices.length * width);
  indices.forEach((index, row) => {
    mask[row * width] = 1;
    for (const value of inputs[index]!.values) mask[row * width + columnOf.get(value)!] = 1;
  });
  const sources = [ablated, ...used.map(valueOf)];
  const step = Math.max(1, Math.floor(Math.min(FLOATS_AT_ONCE / width, FLOPS_AT_ONCE / (2 * width * indices.length)) / dModel));
  for (let first = 0; first < rows; first += step) {
    work.poll();
    const end = Math.min(rows, first + step);
    const size = (end - first) * dModel;
    const below = new Float32Array(width * size);
    sources.forEach((source, i) => below.set(source.subarray(first * dModel, end * dModel), i * size));
    tf.tidy(() => {
      const mixed = tf.matMul<tf.Tensor2D>(tf.tensor2d(mask, [indices.length, width]), tf.tensor2d(below, [width, size]));
      use(tf.reshape(mixed, [indices.length * (end - first), dModel]), indices, first);
    });
  }
}

/** Four at a time, which halves what is read and written. */
function addUp(sum: Float32Array, values: readonly Float32Array[]): void {
  let i = 0;
  for (; i + 4 <= values.length; i += 4) {
    const [a, b, c, d] = [values[i]!, values[i + 1]!, values[i + 2]!, values[i + 3]!];
    for (let j = 0; j < sum.length; j++) sum[j]! += a[j]! + b[j]! + c[j]! + d[j]!;
  }
  for (; i < values.length; i++) {
    const value = values[i]!;
    for (let j = 0; j < sum.length; j++) sum[j]! += value[j]!;
  }
}

/** Inputs of one circuit stand together. */
function byCircuit(inputs: readonly MixedInput[]): number[][] {
  const groups = new Map<number, number[]>();
  inputs.forEach(({ circuit }, index) => {
    const own = groups.get(circuit);
    if (own) own.push(index);
    else groups.set(circuit, [index]);
  });
  return [...groups.values()];
}

/** Arrays of `rows` rows each, one below the other. */
export function stacked(parts: readonly Float32Array[], rows: number): tf.Tensor2D {
  const size = parts[0]!.length;
  const all = new Float32Array(parts.length * size);
  parts.forEach((part, i) => all.set(part, i * size));
  return tf.tensor2d(all, [parts.length * rows, size / rows]);
}

/** The values of the tensor that `compute` returns. Not as the result of `tidy`, which would look for tensors in them, number by number. */
export function valuesOf(compute: () => tf.Tensor): Float32Array {
  const result = tf.tidy(compute);
  const values = result.dataSync<'float32'>();
  result.dispose();
  return values;
}
