import * as tf from '@tensorflow/tfjs-core';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { CircuitError } from '../../shared/errors';
import type { BackendInfo } from '../../shared/results';
import { packageFolder } from '../client/nativePackages';
import { watchImmediates } from './immediates';

/** As much of WebGPU as is used here. */
export interface AdapterInfo {
  vendor: string;
  architecture: string;
  device: string;
  description: string;
  isFallbackAdapter?: boolean;
}

interface Adapter {
  info: AdapterInfo;
  features: ReadonlySet<string>;
  limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: { requiredFeatures: string[]; requiredLimits: Record<string, number> }): Promise<unknown>;
}

interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<Adapter | null>;
}

interface GpuBuffer {
  size: number;
  mapState: 'unmapped' | 'pending' | 'mapped';
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

/** tfjs's backend, with the parts that its own reading is made of. */
interface WebGpuBackend {
  tensorMap: { get(dataId: object): { values: tf.BackendValues | null | undefined; dtype: tf.DataType; resource: GpuBuffer } };
  bufferManager: { acquireBuffer(size: number, usage: number): GpuBuffer; releaseBuffer(buffer: GpuBuffer): void };
  commandEncoder: { copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, size: number): void };
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  convertAndCacheOnCPU(dataId: object, values: tf.BackendValues): tf.BackendValues;
  readSync(dataId: object): tf.BackendValues;
}

/** Limits that tfjs wants as high as the adapter has them. */
const LIMITS = ['maxComputeWorkgroupStorageSize', 'maxComputeWorkgroupsPerDimension', 'maxStorageBufferBindingSize', 'maxBufferSize', 'maxComputeWorkgroupSizeX', 'maxComputeInvocationsPerWorkgroup'];

/** Adapters that compute on the processor, slower than wasm does. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b|software/i;

// WebGPU's own constants.
const COPY_DST = 8;
const MAP_READ = 1;

/**
 * tfjs's WebGPU backend on Dawn, from the packages in `folder`. Throws `backend` where there is no GPU or only a software adapter.
 */
export async function startWebGpu(folder: string): Promise<BackendInfo> {
  const immediates = watchImmediates();
  const dawn = (await import(pathToFileURL(path.join(packageFolder(folder, 'webgpu'), 'index.js')).href)) as { create(flags: string[]): Gpu; globals: object };
  const gpu = dawn.create([]);
  const adapter = realAdapter(await gpu.requestAdapter({ powerPreference: 'high-performance' }), process.env['CIRCUIT_EXPLORER_SOFTWARE_GPU'] === '1');
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has('bgra8unorm-storage') ? ['bgra8unorm-storage'] : [],
    requiredLimits: Object.fromEntries(LIMITS.flatMap((name) => (adapter.limits[name] === undefined ? [] : [[name, adapter.limits[name]]]))),
  });
  standInForBrowser(gpu, dawn.globals);
  const { WebGPUBackend } = createRequire(path.join(packageFolder(folder, '@tensorflow/tfjs-backend-webgpu'), 'package.json'))('.') as { WebGPUBackend: new (device: unknown, info: AdapterInfo) => WebGpuBackend & tf.KernelBackend };
  const backend = new WebGPUBackend(device, adapter.info);
  backend.readSync = (dataId) => readNow(backend, dataId, immediates.run);
  // The package has registered one of its own making.
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => backend);
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs refused it.');
  return { name: 'webgpu', threads: 1 };
}

/** The adapter, if it is a GPU's. `allowSoftware`: for tests of the backend where there is no GPU. Throws `backend`. */
export function realAdapter<T extends { info: AdapterInfo }>(adapter: T | null, allowSoftware = false): T {
  if (!adapter) throw new CircuitError('backend', 'WebGPU found no GPU on this machine (on Linux it needs a Vulkan driver). Choose the backend "auto", or install the GPU\'s driver.');
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const words = [vendor, architecture, device, description].filter((word) => word);
  if (!allowSoftware && (isFallbackAdapter === true || words.some((word) => SOFTWARE.test(word)))) {
    throw new CircuitError('backend', `WebGPU offers only a software adapter (${words.join(', ')}), which is slower than WebAssembly. Choose the backend "auto", or install the GPU's driver.`);
  }
  return adapter;
}

/** tfjs's backend looks for a browser's globals, also when it is handed a device. */
function standInForBrowser(gpu: Gpu, globals: object): void {
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true, writable: true });
  (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope ??= class WorkerGlobalScope {};
}

/**
 * A tensor's values, at once. tfjs reads synchronously through a canvas, which Node has not; and mapping a buffer ends by an
 * event. Dawn looks for its events in immediates of Node's: they are run here until the buffer is mapped.
 */
function readNow(backend: WebGpuBackend, dataId: object, runImmediates: (until: () => boolean) => void): tf.BackendValues {
  const { values, dtype, resource } = backend.tensorMap.get(dataId);
  if (values) return values;
  const staging = backend.bufferManager.acquireBuffer(resource.size, COPY_DST | MAP_READ);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.copyBufferToBuffer(resource, 0, staging, 0, resource.size);
  backend.submitQueue();
  let failure: unknown;
  staging.mapAsync(MAP_READ).catch((error: unknown) => (failure = error));
  runImmediates(() => staging.mapState !== 'pending');
  if (staging.mapState !== 'mapped') throw new CircuitError('backend', 'The GPU was lost while it computed. Run again; if it happens again, choose the backend "auto".', { cause: failure });
  const bytes = staging.getMappedRange().slice(0);
  staging.unmap();
  backend.bufferManager.releaseBuffer(staging);
  return backend.convertAndCacheOnCPU(dataId, tf.util.convertBackendValuesAndArrayBuffer(bytes, dtype as 'float32'));
}
