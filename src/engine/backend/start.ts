import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { CircuitError } from '../../shared/errors';
import type { BackendInfo, OwnBackendName } from '../../shared/results';
import { MatMul, type MatMulOptions } from './kernels/matmul';
import { registerRowKernels } from './kernels/rowKernels';
import { defaultThreads, MOST_THREADS, withMemories, withoutPthreads } from './threads';

export interface BackendRequest {
  choice: 'auto' | OwnBackendName;
  /** 0: as many as `defaultThreads` says. */
  threads: number;
  /** The model is so small that with 'auto' one thread is the quicker choice, and larger tiles are not worth looking for. */
  preferOneThread?: boolean;
  /** Folder with tfjs's wasm binaries and those of our own kernels. */
  wasmFolder: string;
}

/** Quickest first. */
const ORDER: readonly OwnBackendName[] = ['wasm-threads', 'wasm-simd', 'wasm', 'cpu'];

const BINARY: Readonly<Record<Exclude<OwnBackendName, 'cpu'>, string>> = {
  'wasm-threads': 'tfjs-backend-wasm-threaded-simd.wasm',
  'wasm-simd': 'tfjs-backend-wasm-simd.wasm',
  wasm: 'tfjs-backend-wasm.wasm',
};

/** tfjs keeps one backend per JavaScript thread, so this is as global as it is there. */
let running: { request: BackendRequest; info: BackendInfo; heapAtStart: number } | undefined;
/** Our kernels in the place of tfjs's, and their threads. */
let kernels: { stop(): void } | undefined;
let wasmPaths: string | undefined;
const makeWasm = tf.findBackendFactory('wasm') as () => Promise<BackendWasm>;

/**
 * Starts the backend asked for, or with 'auto' the quickest that starts; keeps the running one when the request is the same.
 * Tensors of a backend that is replaced are lost: dispose them before. Throws `backend`.
 */
export async function startBackend(request: BackendRequest): Promise<BackendInfo> {
  if (running && isSame(running.request, request)) return running.info;
  stopBackend();
  // Also keeps tfjs from advertising its native packages on the console.
  tf.enableProdMode();
  const failures: string[] = [];
  const causes: unknown[] = [];
  for (const name of request.choice === 'auto' ? ORDER : [request.choice]) {
    const threads = name === 'wasm-threads' ? Math.min(MOST_THREADS, request.threads || defaultThreads()) : 1;
    if (request.choice === 'auto' && name === 'wasm-threads') {
      if (request.preferOneThread) continue;
      if (threads === 1) {
        failures.push(request.threads === 1 ? 'one thread was asked for' : 'this machine has one core');
        continue;
      }
    }
    try {
      const actual = await start(name, threads, request);
      const info: BackendInfo = { name, threads: actual };
      if (failures.length > 0) info.note = failures.join('; ');
      running = { request, info, heapAtStart: heapBytes() };
      return info;
    } catch (error) {
      failures.push(`${name} did not start (${error instanceof Error ? error.message : describe(error)})`);
      causes.push(error);
    }
  }
  throw new CircuitError('backend', `No tfjs backend could be started: ${failures.join('; ')}. Try another backend in the settings.`, { cause: causes[0] });
}

/** Ends the running backend, its memory and its threads. */
export function stopBackend(): void {
  if (!running) return;
  const name = running.info.name === 'cpu' ? 'cpu' : 'wasm';
  running = undefined;
  kernels?.stop();
  kernels = undefined;
  if (name === 'wasm') tf.removeBackend('wasm');
}

/** Bytes by which the wasm heap has grown since its start. It never shrinks, so what it does not use of them it will use first. 0 on cpu. */
export function heapGrowth(): number {
  return running ? heapBytes() - running.heapAtStart : 0;
}

function heapBytes(): number {
  return tf.getBackend() === 'wasm' ? heapOf(tf.backend() as BackendWasm).byteLength : 0;
}

function heapOf(backend: BackendWasm): Uint8Array {
  return (backend as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8;
}

function isSame(a: BackendRequest, b: BackendRequest): boolean {
  return a.choice === b.choice && a.threads === b.threads && a.preferOneThread === b.preferOneThread && a.wasmFolder === b.wasmFolder;
}

async function start(name: OwnBackendName, threads: number, { wasmFolder, preferOneThread }: BackendRequest): Promise<number> {
  if (name === 'cpu') {
    // Importing it registers it; naming its class keeps bundlers, which take it for free of side effects, from dropping the import.
    if (!tf.findBackendFactory('cpu')) tf.registerBackend('cpu', () => new MathBackendCPU());
    if (!(await tf.setBackend('cpu'))) throw new Error('tfjs refused it');
    return 1;
  }
  if (name !== 'wasm' && !hasSimd()) throw new Error('this machine has no wasm SIMD');
  tf.env().set('WASM_HAS_SIMD_SUPPORT', name !== 'wasm');
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', name === 'wasm-threads');
  // Looked for first: tfjs reports a missing file as advice on web servers, and accepts no other path after it.
  await access(path.join(wasmFolder, BINARY[name]));
  if (wasmPaths !== wasmFolder) setWasmPaths(wasmFolder + path.sep);
  wasmPaths = wasmFolder;
  setThreadsCount(1);
  const { result: backend, memories } = await withMemories(() => withoutHandlers(() => (name === 'wasm-threads' ? withoutPthreads(makeWasm) : makeWasm())));
  failOnFullHeap(backend);
  if (tf.findBackendFactory('wasm')) tf.removeBackend('wasm');
  tf.registerBackend('wasm', () => backend);
  if (!(await tf.setBackend('wasm'))) throw new Error('tfjs refused it');
  if (name !== 'wasm') kernels = await startKernels(backend, memories, { threads, folder: wasmFolder, wide: !preferOneThread });
  return threads;
}

async function startKernels(backend: BackendWasm, memories: readonly WebAssembly.Memory[], options: MatMulOptions): Promise<{ stop(): void }> {
  const memory = memories.find(({ buffer }) => buffer === heapOf(backend).buffer);
  if (!memory) throw new Error("tfjs's wasm memory was not found");
  const matMul = await MatMul.start(backend, memory, options);
  const putBack = [matMul.register(), registerRowKernels(backend, matMul.kernels, matMul.team)];
  return {
    stop: () => {
      for (const undo of putBack) undo();
      matMul.stop();
    },
  };
}

function hasSimd(): boolean {
  // (func (result v128) i32.const 0 i8x16.splat), as tfjs itself asks.
  return WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11]));
}

/** emscripten's glue installs process-wide handlers that rethrow whatever they hear of: they are taken out again. */
async function withoutHandlers<T>(start: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.listeners(event as 'uncaughtException'));
  try {
    return await start();
  } finally {
    events.forEach((event, i) => {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (!before[i]!.includes(listener)) process.removeListener(event, listener);
      }
    });
  }
}

/** tfjs does not look whether the heap had room and would write at address 0. */
function failOnFullHeap(backend: BackendWasm): void {
  const heap = (backend as unknown as { wasm: { _malloc(bytes: number): number; _free(at: number): void } }).wasm;
  // The first call replaces the function by the real one; only then can it be wrapped.
  heap._free(heap._malloc(8));
  const malloc = heap._malloc;
  heap._malloc = (bytes) => {
    const at = malloc(bytes);
    if (at === 0 && bytes > 0) throw new CircuitError('too-big', 'The wasm memory (4 GiB) is full. Use a smaller model, shorter prompts or fewer sites.');
    return at;
  };
}

function describe(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
