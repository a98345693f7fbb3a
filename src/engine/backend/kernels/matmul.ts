import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { HelperThreads } from './helperThreads';
import { hasRelaxedSimd, instantiateKernels, LAYOUT, type KernelProgram, type Kernels } from './module';
import { PACK_MATRIX, PACKED_MATMUL, type PackedProduct } from './packed';
import type { Team } from './rowKernels';
import { arenaBytes, mayPay, takeIfQuicker, withWideVectors } from './wide';

/** From this many multiply-adds on, waking other threads costs less than they save: about 10 µs of one thread's work. */
const WORTH_SHARING = 1e5;
/** Rows of A that are copied at a time: bounds the room for the copy. */
const ROWS_AT_ONCE = 512;
/** Bytes of one item's A in a batch that its thread copies for itself; items with more are done one after the other by all threads. */
const SMALL_A = 128 * 1024;
/** Multiply-adds of one item from which all threads work on it together. */
const LARGE_ITEM = 2e6;

type Kernel = (params: tf.KernelFunc extends (params: infer P) => unknown ? P : never) => tf.TensorInfo;
const NAMES = ['BatchMatMul', '_FusedMatMul'] as const;

interface Operand {
  info: tf.TensorInfo;
  transposed: boolean;
}

/** Addresses in the wasm memory, and how what stands there is to be read. */
interface Sides {
  a: number;
  aTransposed: boolean;
  b: number;
  layout: number;
  c: number;
  /** 0: none. */
  bias: number;
}

interface Items {
  batch: number;
  /** Bytes from item to item. */
  aStep: number;
  bStep: number;
  /** Values from row to row of A; absent: A's rows follow one another. */
  aRow?: number;
}

interface Heap {
  _malloc(bytes: number): number;
  _free(at: number): void;
}

export interface MatMulOptions {
  /** How many compute, this one included; above 1 the memory must be shared. */
  threads: number;
  /** Where the kernels' programs are. */
  folder: string;
  /** Look whether larger tiles are quicker here, which takes some 50 ms. */
  wide: boolean;
}

const ALIGNMENT = 64;

/**
 * Products of float32 matrices on tfjs's wasm backend by our own kernel (assembly/matmul.ts), with or without transposed
 * operands and in batches, on as many threads as asked for. tfjs's own is XNNPACK for plain two-dimensional products,
 * which uses no fused multiply-add and keeps a second copy of every weight, and a scalar loop on one thread for all others.
 */
export class MatMul {
  private copyOfA = { at: 0, bytes: 0 };

  private constructor(
    private readonly backend: BackendWasm,
    private readonly heap: Heap,
    /** All that its program has. */
    readonly kernels: Kernels,
    private readonly threads: HelperThreads,
    private readonly job: number,
    private readonly scratch: number,
  ) {}

  /** `stop` ends the threads. */
  static async start(backend: BackendWasm, memory: WebAssembly.Memory, { threads, folder, wide }: MatMulOptions): Promise<MatMul> {
    const heap = (backend as unknown as { wasm: Heap }).wasm;
    const { module, kernels } = await startProgram(heap, memory, folder, wide);
    const allocate = (bytes: number): number => aligned(heap._malloc(bytes + ALIGNMENT));
    const job = allocate(kernels.JOB_BYTES.value);
    new Uint8Array(memory.buffer, job, kernels.JOB_BYTES.value).fill(0);
    const scratchBytes = kernels.scratchBytes(SMALL_A);
    const scratch = Array.from({ length: threads }, () => allocate(scratchBytes));
    const helpers = await HelperThreads.start({ module, memory, job, scratch: scratch.slice(1) }, () => kernels.stop(job));
    return new MatMul(backend, heap, kernels, helpers, job, scratch[0]!);
  }

  /** For other kernels' work that may be shared. */
  get team(): Team {
    return { job: this.job, isShared: this.threads.count > 0 };
  }

  /** Takes the place of tfjs's own kernels. Returns what puts them back. */
  register(): () => void {
    const own: Record<(typeof NAMES)[number], (stock: Kernel) => Kernel> = {
      BatchMatMul: (stock) => (params) => this.batchMatMul(params) ?? stock(params),
      _FusedMatMul: (stock) => (params) => this.fusedMatMul(params) ?? stock(params),
    };
    const replaced = NAMES.map((name) => {
      const config = tf.getKernel(name, 'wasm');
      tf.unregisterKernel(name, 'wasm');
      tf.registerKernel({ ...config, kernelFunc: own[name](config.kernelFunc as Kernel) as tf.KernelFunc });
      return config;
    });
    tf.registerKernel({ kernelName: PACK_MATRIX, backendName: 'wasm', kernelFunc: ({ inputs }) => this.pack((inputs as { x: tf.TensorInfo }).x) });
    tf.registerKernel({
      kernelName: PACKED_MATMUL,
      backendName: 'wasm',
      kernelFunc: ({ inputs, attrs }) => this.packedMatMul(inputs as unknown as PackedProduct['inputs'], attrs as unknown as PackedProduct['attrs']),
    });
    return () => {
      tf.unregisterKernel(PACK_MATRIX, 'wasm');
      tf.unregisterKernel(PACKED_MATMUL, 'wasm');
      for (const config of replaced) {
        tf.unregisterKernel(config.kernelName, 'wasm');
        tf.registerKernel(config);
      }
    };
  }

  stop(): Promise<void> {
    return this.threads.stop();
  }

  private batchMatMul({ inputs, attrs }: Parameters<Kernel>[0]): tf.TensorInfo | undefined {
    const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
    return this.product({ info: a, transposed: transposeA }, { info: b, transposed: transposeB });
  }

  private fusedMatMul({ inputs, attrs }: Parameters<Kernel>[0]): tf.TensorInfo | undefined {
    const { a, b, bias, preluActivationWeights } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo; bias?: tf.TensorInfo; preluActivationWeights?: tf.TensorInfo };
    const { transposeA, transposeB, activation } = attrs as unknown as { transposeA: boolean; transposeB: boolean; activation?: string | null };
    if (preluActivationWeights || (activation && activation !== 'linear')) return undefined;
    return this.product({ info: a, transposed: transposeA }, { info: b, transposed: transposeB }, bias);
  }

  /** undefined where the stock kernel must do it: other types, empty tensors, batches that need broadcasting among several dimensions. */
  private product(a: Operand, b: Operand, bias?: tf.TensorInfo): tf.TensorInfo | undefined {
    const [batchA, rowsA, columnsA] = split(a.info.shape);
    const [batchB, rowsB, columnsB] = split(b.info.shape);
    const [m, k] = a.transposed ? [columnsA, rowsA] : [rowsA, columnsA];
    const n = b.transposed ? rowsB : columnsB;
    const [itemsA, itemsB] = [tf.util.sizeFromShape(batchA), tf.util.sizeFromShape(batchB)];
    const outer = itemsA >= itemsB ? batchA : batchB;
    if (a.info.dtype !== 'float32' || b.info.dtype !== 'float32' || m * n * k * itemsA * itemsB === 0) return undefined;
    if (itemsA !== 1 && itemsB !== 1 && batchA.join() !== batchB.join()) return undefined;
    if (bias && (bias.dtype !== 'float32' || tf.util.sizeFromShape(bias.shape) !== n)) return undefined;
    const out = this.backend.makeOutput([...outer, m, n], 'float32');
    const batch = Math.max(itemsA, itemsB);
    const [aStep, bStep] = [itemsA === 1 ? 0 : 4 * m * k, itemsB === 1 ? 0 : 4 * k * n];
    const sides: Sides = { a: this.at(a.info), aTransposed: a.transposed, b: this.at(b.info), layout: b.transposed ? LAYOUT.transposed : LAYOUT.plain, c: this.at(out), bias: bias ? this.at(bias) : 0 };
    if (batch > 1 && m * n * k < LARGE_ITEM && this.kernels.copyBytes(m, k, LAYOUT.plain) <= SMALL_A) {
      this.multiply(sides, m, n, k, { batch, aStep, bStep });
    } else {
      for (let item = 0; item < batch; item++) {
        this.inRows({ ...sides, a: sides.a + item * aStep, b: sides.b + item * bStep, c: sides.c + item * 4 * m * n }, m, n, k);
      }
    }
    return out;
  }

  private pack(x: tf.TensorInfo): tf.TensorInfo {
    const [rows, columns] = x.shape as [number, number];
    const width = this.kernels.COLUMNS.value;
    const out = this.backend.makeOutput([Math.ceil(columns / width), rows, width], 'float32');
    this.kernels.pack(this.at(x), rows, columns, this.at(out));
    return out;
  }

  private packedMatMul({ x, weight, bias }: PackedProduct['inputs'], { columns, transposed }: PackedProduct['attrs']): tf.TensorInfo {
    const m = x.shape[0]!;
    const rows = weight.shape[1]!;
    const [k, n] = transposed ? [columns, rows] : [rows, columns];
    tf.util.assert(x.shape[1] === k, () => `rows of ${x.shape[1]} values cannot be multiplied by a weight with ${k}`);
    const out = this.backend.makeOutput([m, n], 'float32');
    const layout = transposed ? LAYOUT.packedTransposed : LAYOUT.packed;
    this.inRows({ a: this.at(x), aTransposed: false, b: this.at(weight), layout, c: this.at(out), bias: bias ? this.at(bias) : 0 }, m, n, k);
    return out;
  }

  private at(info: tf.TensorInfo): number {
    return this.backend.getMemoryOffset(info.dataId);
  }

  /** One product, some rows of A after the other. */
  private inRows(sides: Sides, m: number, n: number, k: number): void {
    for (let row = 0; row < m; row += ROWS_AT_ONCE) {
      const rows = Math.min(ROWS_AT_ONCE, m - row);
      const a = sides.a + 4 * row * (sides.aTransposed ? 1 : k);
      this.multiply({ ...sides, a, c: sides.c + 4 * row * n }, rows, n, k, { batch: 1, aStep: 0, bStep: 0, aRow: sides.aTransposed ? m : k });
    }
  }

  private multiply({ a, aTransposed, b, layout, c, bias }: Sides, m: number, n: number, k: number, { batch, aStep, bStep, aRow = aTransposed ? m : k }: Items): void {
    const isShared = this.threads.count > 0 && batch * m * n * k >= WORTH_SHARING;
    const copyOfA = batch > 1 ? 0 : this.roomForA(this.kernels.copyBytes(m, k, layout));
    this.kernels.multiply(this.job, this.scratch, copyOfA, Number(isShared), a, Number(aTransposed), aRow, b, layout, c, bias, m, n, k, batch, aStep, bStep);
  }

  /** Room for a copy of A. It grows and is kept: products of one size follow one another. */
  private roomForA(bytes: number): number {
    if (bytes > this.copyOfA.bytes) {
      if (this.copyOfA.bytes > 0) this.heap._free(this.copyOfA.at);
      this.copyOfA = { at: 0, bytes: 0 };
      this.copyOfA = { at: this.heap._malloc(bytes) >>> 0, bytes };
    }
    return this.copyOfA.at;
  }
}

/** The quickest program that this machine can take. */
async function startProgram(heap: Heap, memory: WebAssembly.Memory, folder: string, wide: boolean): Promise<KernelProgram> {
  const isRelaxed = hasRelaxedSimd();
  const narrow = await instantiateKernels(folder, memory, isRelaxed ? 'relaxed' : 'simd');
  if (!wide || !isRelaxed || !mayPay()) return narrow;
  const arena = heap._malloc(arenaBytes(narrow.kernels) + ALIGNMENT);
  try {
    return (await withWideVectors(() => takeIfQuicker(narrow, () => instantiateKernels(folder, memory, 'wide'), memory, aligned(arena)))) ?? narrow;
  } finally {
    heap._free(arena);
  }
}

function aligned(at: number): number {
  return (((at >>> 0) + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) >>> 0;
}

/** Batch dimensions, rows and columns. */
function split(shape: readonly number[]): [number[], number, number] {
  return [shape.slice(0, -2), shape.at(-2)!, shape.at(-1)!];
}
