import * as tf from '@tensorflow/tfjs-core';
import { createRequire } from 'node:module';
import path from 'node:path';
// The default import is Node's own module object: what is put there, tfjs-node finds.
import util from 'node:util';
import { CircuitError } from '../../shared/errors';
import type { BackendInfo, NativeName } from '../../shared/results';
import { checkInstalled, NATIVE_PACKAGES, packageFolder } from '../client/nativePackages';
import { THREADS_VARIABLE } from '../client/nativeEnvironment';
import { startWebGpu } from './webGpu';

export interface NativeRequest {
  name: NativeName;
  /** As asked for; how many there are is in the process's environment (nativeEnvironment). */
  threads: number;
  /** Folder with the packages in its node_modules. */
  folder: string | undefined;
}

/** As tfjs-node makes it. */
interface TensorFlowBackend {
  /** Whether TensorFlow found a GPU; the GPU package computes on the processor when it did not. */
  isUsingGpuDevice: boolean;
}

let running: { request: NativeRequest; info: BackendInfo } | undefined;

/**
 * Starts a backend out of a package that is no part of this program. Only in a process of its own (engineProcess): native code
 * may abort, and TensorFlow reads its settings once. Throws `backend` where the package is missing, does not load, or finds no GPU.
 */
export async function startNative(request: NativeRequest): Promise<BackendInfo> {
  if (running) {
    const { name, threads, folder } = running.request;
    if (name === request.name && threads === request.threads && folder === request.folder) return running.info;
    throw new CircuitError('internal', `This process runs the backend "${name}" and cannot take another; "${request.name}" needs a process of its own.`);
  }
  const { name, folder } = request;
  checkInstalled(folder, name);
  // Also keeps the package's own tfjs-core from telling that its backends are registered already.
  tf.enableProdMode();
  try {
    const info = name === 'webgpu' ? await startWebGpu(folder) : { name, threads: await startTensorFlow(name, folder) };
    running = { request, info };
    return info;
  } catch (error) {
    if (CircuitError.is(error)) throw error;
    const what = error instanceof Error ? error.message : String(error);
    throw new CircuitError('backend', `The backend "${name}" could not be loaded: ${firstLines(what)} Install it again, or set the backend to "auto".`, { cause: error });
  }
}

/** Returns the number of threads. */
async function startTensorFlow(name: 'native' | 'native-gpu', folder: string): Promise<number> {
  restoreNodeUtil();
  const packageName = NATIVE_PACKAGES[name][0]!.name;
  // The package brings a tfjs-core of its own. Both find backends, kernels and tensors in the same global registry.
  createRequire(path.join(packageFolder(folder, packageName), 'package.json'))('.');
  if (!(await tf.setBackend('tensorflow'))) throw new Error('tfjs refused it.');
  if (name === 'native-gpu' && !(tf.backend() as unknown as TensorFlowBackend).isUsingGpuDevice) {
    throw new CircuitError('backend', 'TensorFlow found no GPU that it can use, and would compute on the processor. It needs an NVIDIA GPU with its driver and the CUDA 11 and cuDNN 8 libraries; the log has its own words. Or choose the backend "native" or "auto".');
  }
  return Number(process.env[THREADS_VARIABLE]);
}

/** tfjs-node 4.22.0 calls what Node 23 removed (tfjs#8425 mends it and was never released). */
function restoreNodeUtil(): void {
  const functions = util as unknown as Record<string, unknown>;
  functions['isNullOrUndefined'] ??= (value: unknown): boolean => value === null || value === undefined;
  functions['isArray'] ??= Array.isArray;
}

/** Node puts the whole stack of requires into its message. */
function firstLines(message: string): string {
  const text = message.split('\n').slice(0, 3).join(' ').trim();
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
