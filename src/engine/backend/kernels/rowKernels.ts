import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { AFFINE, DIFFERENCE_SUMS, GELU, GELU_BACKWARD, NORM_BACKWARD, NORMALISE, SOFTMAX, SOFTMAX_BACKWARD } from './rowKernelNames';

/** What assembly/rows.ts, elements.ts, gelu.ts and softmax.ts export: addresses in bytes, counts in values. */
export interface RowPrograms {
  normalise(x: number, rows: number, width: number, epsilon: number, held: number, unit: number, inverse: number): void;
  affine(unit: number, rows: number, width: number, gain: number, bias: number, to: number): void;
  normBackward(dy: number, rows: number, width: number, unit: number, inverse: number, units: number, gain: number, frozen: number, to: number): void;
  gelu(job: number, shared: number, x: number, count: number, to: number): void;
  geluBackward(job: number, shared: number, dy: number, x: number, count: number, to: number): void;
  softmax(job: number, shared: number, x: number, rows: number, width: number, mask: number, masks: number, to: number): void;
  softmaxBackward(p: number, dp: number, rows: number, width: number, to: number): void;
  differenceSums(gradient: number, other: number, own: number, rows: number, width: number, to: number): void;
  swapMiddle(from: number, outer: number, a: number, b: number, width: number, to: number): void;
  copyRows(from: number, numbers: number, count: number, width: number, to: number): void;
  cutRows(from: number, rows: number, width: number, first: number, count: number, to: number): void;
  add(a: number, b: number, count: number, to: number): void;
  subtract(a: number, b: number, count: number, to: number): void;
  multiplyEach(a: number, b: number, count: number, to: number): void;
  scale(x: number, factor: number, count: number, to: number): void;
}

/** Those who may share work: their job's address, and whether there is more than one. */
export interface Team {
  job: number;
  isShared: boolean;
}

type Inputs<Name extends string, Optional extends string = never> = Record<Name, tf.TensorInfo> & Partial<Record<Optional, tf.TensorInfo>>;
type Params = Parameters<tf.KernelFunc>[0];
type Kernel = (params: Params) => tf.TensorInfo | tf.TensorInfo[];

/**
 * Registers the kernels of rowKernelNames.ts with tfjs's wasm backend, and takes the place of some of tfjs's own where they are slow:
 * GatherV2 of rows, Transpose of the middle axes and Slice of the last one go element by element, and Add, Sub and
 * Multiply of equal shapes spend more time on being called than on adding. What is not one of these cases is still tfjs's. Returns
 * what undoes both. All tensors are float32; shapes that do not fit one another throw.
 */
export function registerRowKernels(backend: BackendWasm, programs: RowPrograms, team: Team): () => void {
  const kernels = new RowKernels(backend, programs, team);
  const added: Record<string, Kernel> = {
    [NORMALISE]: (params) => kernels.normalise(params),
    [AFFINE]: (params) => kernels.affine(params),
    [NORM_BACKWARD]: (params) => kernels.normBackward(params),
    [GELU]: (params) => kernels.gelu(params),
    [GELU_BACKWARD]: (params) => kernels.geluBackward(params),
    [SOFTMAX]: (params) => kernels.softmax(params),
    [SOFTMAX_BACKWARD]: (params) => kernels.softmaxBackward(params),
    [DIFFERENCE_SUMS]: (params) => kernels.differenceSums(params),
  };
  for (const [kernelName, kernelFunc] of Object.entries(added)) tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
  const replacing: Record<string, (params: Params) => tf.TensorInfo | undefined> = {
    Add: (params) => kernels.each('add', params),
    Sub: (params) => kernels.each('subtract', params),
    Multiply: (params) => kernels.each('multiplyEach', params) ?? kernels.scale(params),
    Slice: (params) => kernels.slice(params),
    GatherV2: (params) => kernels.gather(params),
    Transpose: (params) => kernels.transpose(params),
  };
  const replaced = Object.entries(replacing).map(([name, own]) => {
    const config = tf.getKernel(name, 'wasm');
    tf.unregisterKernel(name, 'wasm');
    tf.registerKernel({ ...config, kernelFunc: (params) => own(params) ?? config.kernelFunc(params) });
    return config;
  });
  return () => {
    for (const name of Object.keys(added)) tf.unregisterKernel(name, 'wasm');
    for (const config of replaced) {
      tf.unregisterKernel(config.kernelName, 'wasm');
      tf.registerKernel(config);
    }
  };
}

/** Finds room for each result and tells the programs where everything lies. */
class RowKernels {
  constructor(
    private readonly backend: BackendWasm,
    private readonly programs: RowPrograms,
    private readonly team: Team,
  ) {}

  normalise({ inputs, attrs }: Params): tf.TensorInfo[] {
    const { x, held } = inputs as Inputs<'x', 'held'>;
    const { epsilon } = attrs as unknown as { epsilon: number };
    const [rows, width] = rowsOf(x);
    if (held) check(sizeOf(held) === rows, x, held);
    const unit = this.like(x);
    if (held) {
      this.programs.normalise(this.at(x), rows, width, epsilon, this.at(held), this.at(unit), 0);
      return [unit];
    }
    const inverse = this.backend.makeOutput([...x.shape.slice(0, -1), 1], 'float32');
    this.programs.normalise(this.at(x), rows, width, epsilon, 0, this.at(unit), this.at(inverse));
    return [unit, inverse];
  }

  affine({ inputs }: Params): tf.TensorInfo {
    const { unit, gain, bias } = inputs as Inputs<'unit' | 'gain' | 'bias'>;
    const [rows, width] = rowsOf(unit);
    check(sizeOf(gain) === width && sizeOf(bias) === width, unit, gain, bias);
    const out = this.like(unit);
    this.programs.affine(this.at(unit), rows, width, this.at(gain), this.at(bias), this.at(out));
    return out;
  }

  normBackward({ inputs, attrs }: Params): tf.TensorInfo {
    const { dy, unit, inverse, gain } = inputs as Inputs<'dy' | 'unit' | 'inverse' | 'gain'>;
    const { frozen } = attrs as unknown as { frozen: boolean };
    const [rows, width] = rowsOf(dy);
    const units = sizeOf(inverse);
    check(rows % units === 0 && sizeOf(unit) === units * width && sizeOf(gain) === width, dy, unit, inverse, gain);
    const out = this.like(dy);
    this.programs.normBackward(this.at(dy), rows, width, this.at(unit), this.at(inverse), units, this.at(gain), Number(frozen), this.at(out));
    return out;
  }

  gelu({ inputs }: Params): tf.TensorInfo {
    const { x } = inputs as Inputs<'x'>;
    const out = this.like(x);
    this.programs.gelu(this.team.job, Number(this.team.isShared), this.at(x), sizeOf(x), this.at(out));
    return out;
  }

  geluBackward({ inputs }: Params): tf.TensorInfo {
    const { dy, x } = inputs as Inputs<'dy' | 'x'>;
    check(areAlike(dy, x), dy, x);
    const out = this.like(x);
    this.programs.geluBackward(this.team.job, Number(this.team.isShared), this.at(dy), this.at(x), sizeOf(x), this.at(out));
    return out;
  }

  softmax({ inputs }: Params): tf.TensorInfo {
    const { scores, mask } = inputs as Inputs<'scores', 'mask'>;
    const [rows, width] = rowsOf(scores);
    const masks = mask ? sizeOf(mask) / width : 1;
    if (mask) check(mask.shape.at(-1) === width && rows % masks === 0, scores, mask);
    const out = this.like(scores);
    this.programs.softmax(this.team.job, Number(this.team.isShared), this.at(scores), rows, width, mask ? this.at(mask) : 0, masks, this.at(out));
    return out;
  }

  softmaxBackward({ inputs }: Params): tf.TensorInfo {
    const { p, dp } = inputs as Inputs<'p' | 'dp'>;
    check(areAlike(p, dp), p, dp);
    const out = this.like(p);
    this.programs.softmaxBackward(this.at(p), this.at(dp), ...rowsOf(p), this.at(out));
    return out;
  }

  differenceSums({ inputs }: Params): tf.TensorInfo {
    const { gradient, other, own } = inputs as Inputs<'gradient' | 'other' | 'own'>;
    check(areAlike(gradient, other) && areAlike(gradient, own), gradient, other, own);
    const out = this.backend.makeOutput(gradient.shape.slice(0, -1), 'float32');
    this.programs.differenceSums(this.at(gradient), this.at(other), this.at(own), ...rowsOf(gradient), this.at(out));
    return out;
  }

  each(program: 'add' | 'subtract' | 'multiplyEach', { inputs }: Params): tf.TensorInfo | undefined {
    const { a, b } = inputs as Inputs<'a' | 'b'>;
    if (a.dtype !== 'float32' || b.dtype !== 'float32' || !areAlike(a, b)) return undefined;
    const out = this.like(a);
    this.programs[program](this.at(a), this.at(b), sizeOf(a), this.at(out));
    return out;
  }

  /** Times one number. */
  scale({ inputs }: Params): tf.TensorInfo | undefined {
    const { a, b } = inputs as Inputs<'a' | 'b'>;
    if (a.dtype !== 'float32' || b.dtype !== 'float32' || b.shape.length > 0) return undefined;
    const out = this.like(a);
    this.programs.scale(this.at(a), this.at(b), sizeOf(a), this.at(out));
    return out;
  }

  gather({ inputs, attrs }: Params): tf.TensorInfo | undefined {
    const { x, indices } = inputs as Inputs<'x' | 'indices'>;
    const { axis, batchDims } = attrs as unknown as { axis: number; batchDims: number };
    if (x.dtype !== 'float32' || indices.dtype !== 'int32' || axis !== 0 || batchDims !== 0) return undefined;
    const [count, ...rest] = x.shape;
    const numbers = this.backend.readSync(indices.dataId) as Int32Array;
    for (const number of numbers) tf.util.assert(number >= 0 && number < count!, () => `row ${number} was asked for of ${count}`);
    const out = this.backend.makeOutput([...indices.shape, ...rest], 'float32');
    this.programs.copyRows(this.at(x), this.at(indices), numbers.length, tf.util.sizeFromShape(rest), this.at(out));
    return out;
  }

  /** Of [outer, a, b, width] to [outer, b, a, width]. */
  transpose({ inputs, attrs }: Params): tf.TensorInfo | undefined {
    const { x } = inputs as Inputs<'x'>;
    const { perm } = attrs as unknown as { perm: number[] };
    if (x.dtype !== 'float32' || perm.join() !== '0,2,1,3') return undefined;
    const [outer, a, b, width] = x.shape as [number, number, number, number];
    const out = this.backend.makeOutput([outer, b, a, width], 'float32');
    this.programs.swapMiddle(this.at(x), outer, a, b, width, this.at(out));
    return out;
  }

  /** Of the last axis only. */
  slice({ inputs, attrs }: Params): tf.TensorInfo | undefined {
    const { x } = inputs as Inputs<'x'>;
    const { begin, size } = attrs as unknown as { begin: number | number[]; size: number | number[] };
    if (x.dtype !== 'float32' || x.shape.length === 0) return undefined;
    const [starts, lengths] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
    if (lengths.some((length, axis) => axis < lengths.length - 1 && length !== x.shape[axis])) return undefined;
    tf.slice_util.assertParamsValid(x, starts, lengths);
    const out = this.backend.makeOutput(lengths, 'float32');
    this.programs.cutRows(this.at(x), ...rowsOf(x), starts.at(-1)!, lengths.at(-1)!, this.at(out));
    return out;
  }

  private like({ shape }: tf.TensorInfo): tf.TensorInfo {
    return this.backend.makeOutput(shape, 'float32');
  }

  private at({ dataId }: tf.TensorInfo): number {
    return this.backend.getMemoryOffset(dataId);
  }
}

function sizeOf({ shape }: tf.TensorInfo): number {
  return tf.util.sizeFromShape(shape);
}

function areAlike(a: tf.TensorInfo, b: tf.TensorInfo): boolean {
  return tf.util.arraysEqual(a.shape, b.shape);
}

/** How many rows, and how long each is. */
function rowsOf(x: tf.TensorInfo): [rows: number, width: number] {
  const width = x.shape.at(-1)!;
  return [tf.util.sizeFromShape(x.shape.slice(0, -1)), width];
}

function check(fit: boolean, ...tensors: tf.TensorInfo[]): void {
  tf.util.assert(fit, () => `shapes do not fit one another: ${tensors.map(({ shape }) => `[${shape.join()}]`).join(', ')}`);
}
