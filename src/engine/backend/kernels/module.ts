import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { RowPrograms } from './rowKernels';

/** What assembly/index.ts exports; pointers and sizes are bytes in the memory it was given. */
export interface Kernels extends RowPrograms {
  /** Columns of a panel of a packed matrix. */
  COLUMNS: { value: number };
  JOB_BYTES: { value: number };
  scratchBytes(smallA: number): number;
  copyBytes(m: number, k: number, layout: number): number;
  multiply(
    job: number, scratch: number, copyOfA: number, shared: number,
    a: number, aTransposed: number, aRow: number, b: number, layout: number, c: number, bias: number,
    m: number, n: number, k: number, batch: number, aStep: number, bStep: number,
  ): void;
  pack(from: number, rows: number, columns: number, to: number): void;
  help(job: number, scratch: number): void;
  stop(job: number): void;
}

// (func (param v128 v128 v128) (result v128) … f32x4.relaxed_madd)
const RELAXED_PROBE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11]);

/**
 * Whether wasm may use fused multiply-adds, twice the arithmetic in the same time. V8 has them from 11.4 on; Node 20 (V8 11.3)
 * knows them but asks for a flag, which concerns only programs that are compiled after it and that use them.
 */
export function hasRelaxedSimd(): boolean {
  if (WebAssembly.validate(RELAXED_PROBE)) return true;
  if (!process.versions.v8.startsWith('11.')) return false;
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(RELAXED_PROBE);
}

/** Layouts of the right operand, as in assembly/matmul.ts. */
export const LAYOUT = { plain: 0, transposed: 1, packed: 2, packedTransposed: 3 } as const;

/** A program of kernels, linked to a memory. */
export interface KernelProgram {
  module: WebAssembly.Module;
  kernels: Kernels;
}

/** `wide`: fused multiply-adds on larger tiles (wide.ts). */
export type KernelVariant = 'simd' | 'relaxed' | 'wide';

/** Compiles a variant of the kernels and links it to the memory. */
export async function instantiateKernels(folder: string, memory: WebAssembly.Memory, variant: KernelVariant): Promise<KernelProgram> {
  const name = ['kernels', variant, ...(memory.buffer instanceof SharedArrayBuffer ? ['shared'] : [])].join('-');
  const module = await WebAssembly.compile(readFileSync(path.join(folder, `${name}.wasm`)));
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  return { module, kernels: exports as unknown as Kernels };
}
