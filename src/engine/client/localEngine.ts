import path from 'node:path';
import { CircuitError } from '../../shared/errors';
import type { TokenExperiment } from '../../shared/experiment';
import type { CircuitMetrics, EdgeResult, PathPatchResult } from '../../shared/paths';
import type { AttentionResult, AttributionResult, BackendInfo, InterventionResult, LensResult, ModelInfo, OwnBackendName, PatchResult, Prediction } from '../../shared/results';
import { SITE_NAMES } from '../../shared/sites';
import { startNative } from '../backend/native';
import { heapGrowth, startBackend, stopBackend } from '../backend/start';
import { fingerprint, openCheckpoint, type Checkpoint } from '../model/checkpoint';
import { lastLogits } from '../model/logits';
import { keepRows, type KnownRows } from '../model/knownRows';
import { checkLoad, checkPrompts, fillableBytes, freeMemory, weightBytes } from '../model/memory';
import { topPredictions } from '../model/predictions';
import { sequencesWork } from '../model/trailing';
import { disposeWeights, loadWeights, type Gpt2 } from '../model/weights';
import { Work, type WorkOptions } from '../model/work';
import { attention, attentionWork, planOfPair } from '../patching/attention';
import { attribute } from '../patching/attribution';
import { patchExactly } from '../patching/exact';
import { planExact } from '../patching/exactPlan';
import { intervene, interveneWork } from '../patching/intervene';
import { lens, LENS_SITES, lensWork } from '../patching/lens';
import { metricTail } from '../patching/metricPositions';
import { checkPrompt, planChunks, planWork } from '../patching/plan';
import { checkPatch, checkRun } from '../patching/planMemory';
import { runCircuits } from '../patching/circuitRuns';
import { attributeEdges } from '../patching/edges';
import { patchPaths } from '../patching/pathPatching';
import type { AttentionParams, AttributeParams, CircuitsParams, EdgesParams, Engine, EngineCapabilities, LoadedModel, LoadParams, PatchParams, PathsParams, PredictParams } from './engine';
import { isNative } from './nativePackages';

export interface LocalEngineOptions {
  /** Folder with tfjs's wasm binaries and the scripts of its threaded build. */
  wasmFolder: string;
  /** Folder with the native backends' packages. Only in a process of its own, which native code may take down. */
  nativeFolder?: string;
  /** Bytes the process may still take; the system's own answer by default. */
  freeMemory?: () => number;
  /** Most bytes of forward passes that are kept for later calls. */
  keptBytes?: number;
}

interface Loaded {
  model: Gpt2;
  /** What its forward passes gave, for the calls to come. */
  rows: KnownRows;
  info: ModelInfo;
  backend: BackendInfo;
  /** Folder, its files' stamps and the backend asked for. */
  key: string;
}

/** Forward passes of prompts are kept up to so many bytes (GPT-2 small: some 600 rows, at most), and up to that share of what is free. */
const MOST_KEPT = 256 << 20;
const KEPT_SHARE = 1 / 8;

/**
 * From this d_model on, handing work to threads costs less than it saves. Measured with tfjs's own threads, before ours, with six layers and the tutorial's eight
 * prompts, two threads against one: 128: 98 ms to 66; 256: 149 to 160; 512: 454 to 673.
 */
const WIDTH_WORTH_THREADS = 256;

/**
 * The engine in this thread. Calls queue. While it computes the thread answers nothing else, except between pieces of work.
 * tfjs keeps one backend per thread, so there may be one of these at a time: dispose it before making the next.
 */
export class LocalEngine implements Engine {
  readonly capabilities: EngineCapabilities = { sites: SITE_NAMES };
  private loaded?: Loaded;
  private queue: Promise<unknown> = Promise.resolve();
  private disposed = false;

  constructor(private readonly options: LocalEngineOptions) {}

  load(params: LoadParams, call?: WorkOptions): Promise<LoadedModel> {
    return this.next(call, async () => {
      const start = performance.now();
      const folder = path.resolve(params.folder);
      const files = await fingerprint(folder);
      const key = [files, params.backend, params.threads].join('|');
      if (this.loaded?.key === key) {
        const model = { ...this.loaded.info, id: params.id, revision: params.revision };
        return { model, backend: this.loaded.backend, seconds: 0 };
      }
      const checkpoint = await openCheckpoint(params.folder);
      this.unload();
      const { backend: choice, threads } = params;
      const preferOneThread = threads === 0 && checkpoint.config.dModel < WIDTH_WORTH_THREADS;
      const { wasmFolder, nativeFolder } = this.options;
      const backend = isNative(choice) ? await startNative({ name: choice, threads, folder: nativeFolder }) : await startBackend({ choice, threads, preferOneThread, wasmFolder });
      checkLoad(checkpoint, memoryOf(backend), this.room(backend, 0));
      const work = new Work(call, checkpoint.fileSize);
      work.begin('Reading the model');
      const { model, hash } = await loadWeights(checkpoint, work);
      if ((await fingerprint(folder)) !== files) {
        disposeWeights(model);
        throw new CircuitError('model-invalid', `The model in "${folder}" changed while it was being read. Run again when it has been written.`);
      }
      const info = describe(params, checkpoint, hash);
      this.loaded = { model, rows: keepRows(model, 0), info, backend, key };
      return { model: info, backend, seconds: (performance.now() - start) / 1000 };
    });
  }

  attribute({ experiment, sites }: AttributeParams, call?: WorkOptions): Promise<AttributionResult> {
    return this.next(call, async () => {
      const { model, backend } = this.current();
      const start = performance.now();
      const unknown = sites.find((site) => !SITE_NAMES.includes(site));
      if (unknown !== undefined) throw new CircuitError('experiment', `There is no site "${String(unknown)}"; there are ${SITE_NAMES.join(', ')}.`);
      const plan = planChunks(experiment, model.config);
      checkRun(model.config, plan, { sites: [...new Set(sites)], record: true }, ...this.limits());
      const work = new Work(call, planWork(plan, model.config, sites.length === 0));
      const result = await attribute(model, plan, [...new Set(sites)], work);
      return { ...result, backend, seconds: (performance.now() - start) / 1000 };
    });
  }

  patch({ experiment, cells }: PatchParams, call?: WorkOptions): Promise<PatchResult> {
    return this.next(call, async () => {
      const { model, backend } = this.current();
      const start = performance.now();
      // What else the variant says concerns gradients.
      const variant = experiment.variant?.interventions && { interventions: experiment.variant.interventions };
      const plan = planChunks({ ...experiment, variant }, model.config);
      const exact = planExact(plan, cells, model.config, fillableBytes(model.config, ...this.limits()));
      checkPatch(model.config, plan, cells, ...this.limits());
      const result = await patchExactly(model, exact, new Work(call, exact.work));
      return { ...result, backend, seconds: (performance.now() - start) / 1000 };
    });
  }

  attention({ experiment, pair, layer, heads }: AttentionParams, call?: WorkOptions): Promise<AttentionResult> {
    return this.next(call, async () => {
      const { model } = this.current();
      const plan = planChunks(experiment, model.config);
      checkRun(model.config, planOfPair(plan, pair), { sites: ['pattern'], layers: 1, record: true }, ...this.limits());
      return attention(model, plan, { pair, layer, heads }, new Work(call, attentionWork(model, plan, pair)));
    });
  }

  lens({ experiment }: { experiment: TokenExperiment }, call?: WorkOptions): Promise<LensResult> {
    return this.next(call, async () => {
      const { model } = this.current();
      planChunks(experiment, model.config); // for its checks
      const prompts = experiment.pairs.flatMap(({ clean, corrupted = [] }) => [clean, corrupted]);
      const tail = Math.max(...experiment.pairs.map((pair) => metricTail('logitDiff', pair)));
      checkPrompts(model.config, prompts, { sites: LENS_SITES, tail }, ...this.limits());
      return lens(model, experiment, new Work(call, lensWork(model, experiment)));
    });
  }

  intervene({ experiment, top }: { experiment: TokenExperiment; top: number }, call?: WorkOptions): Promise<InterventionResult> {
    return this.next(call, async () => {
      const { model } = this.current();
      const start = performance.now();
      const plan = planChunks(experiment, model.config);
      checkRun(model.config, plan, { sites: [], record: false }, ...this.limits());
      const result = await intervene(model, plan, top, new Work(call, interveneWork(model, plan)));
      return { ...result, seconds: (performance.now() - start) / 1000 };
    });
  }

  edges(params: EdgesParams, call?: WorkOptions): Promise<EdgeResult> {
    return this.next(call, async () => {
      const { model, backend } = this.current();
      const start = performance.now();
      const result = await attributeEdges(model, params, this.limits(), call);
      return { ...result, backend, seconds: (performance.now() - start) / 1000 };
    });
  }

  patchPaths(params: PathsParams, call?: WorkOptions): Promise<PathPatchResult> {
    return this.next(call, async () => {
      const { model, backend } = this.current();
      const start = performance.now();
      const result = await patchPaths(model, params, this.limits(), call);
      return { ...result, backend, seconds: (performance.now() - start) / 1000 };
    });
  }

  circuits(params: CircuitsParams, call?: WorkOptions): Promise<CircuitMetrics> {
    return this.next(call, async () => {
      const { model, backend } = this.current();
      const start = performance.now();
      const result = await runCircuits(model, params, this.limits(), call);
      return { ...result, backend, seconds: (performance.now() - start) / 1000 };
    });
  }

  predict({ prompts, top }: PredictParams, call?: WorkOptions): Promise<Prediction[][]> {
    return this.next(call, async () => (await this.lastLogits(prompts, call)).map((logits) => topPredictions(logits, top)));
  }

  logits({ prompts }: { prompts: number[][] }, call?: WorkOptions): Promise<Float32Array[]> {
    return this.next(call, () => this.lastLogits(prompts, call));
  }

  dispose(): Promise<void> {
    return this.next(undefined, async () => {
      this.unload();
      stopBackend();
      this.disposed = true;
    });
  }

  private async lastLogits(prompts: number[][], call?: WorkOptions): Promise<Float32Array[]> {
    const { model } = this.current();
    prompts.forEach((tokens, index) => checkPrompt(tokens, `Prompt ${index + 1}`, model.config));
    checkPrompts(model.config, prompts, { sites: [], tail: 1 }, ...this.limits());
    const work = new Work(call, sequencesWork(model, prompts));
    work.begin('Computing logits');
    return lastLogits(model, prompts, work);
  }

  /** Runs a call after all earlier ones, however they ended. */
  private next<T>(call: WorkOptions | undefined, compute: () => Promise<T>): Promise<T> {
    const result = this.queue.then(() => {
      if (this.disposed) throw new CircuitError('internal', 'The engine has been disposed.');
      // Cancelled while it waited.
      new Work(call).poll();
      return compute();
    });
    this.queue = result.catch(() => undefined);
    return result;
  }

  private current(): Loaded {
    if (!this.loaded) throw new CircuitError('model-missing', 'No model is loaded. Load one first.');
    return this.loaded;
  }

  /** The backend, and the bytes that a call may fill beside the loaded weights and the rows that are kept, of which it sets the bound. */
  private limits(): [OwnBackendName, number] {
    const { model, rows, backend } = this.current();
    const room = rows.bytes + this.room(backend, weightBytes(model.config, memoryOf(backend)));
    const kept = Math.max(0, Math.min(this.options.keptBytes ?? MOST_KEPT, room * KEPT_SHARE));
    rows.limit(kept);
    return [memoryOf(backend), room - kept];
  }

  private unload(): void {
    if (this.loaded) disposeWeights(this.loaded.model);
    this.loaded = undefined;
  }

  /** Bytes that can be filled: what the system can give, and what the wasm heap has taken from it and `held` does not fill. */
  private room(backend: BackendInfo, held: number): number {
    const free = (this.options.freeMemory ?? freeMemory)();
    return memoryOf(backend) === 'cpu' ? free : free + heapGrowth() - held;
  }
}

/** The backend whose estimates of memory hold: native ones keep each weight once and have no heap of their own, as cpu. */
function memoryOf({ name }: BackendInfo): OwnBackendName {
  return isNative(name) ? 'cpu' : name;
}

function describe({ id, revision }: LoadParams, { config, dtype, parameters }: Checkpoint, checkpointHash: string): ModelInfo {
  const { layers, heads, dModel, dHead, dMlp, vocabulary, context } = config;
  return { id, revision, checkpointHash, layers, heads, dModel, dHead, dMlp, vocabulary, context, parameters, dtype };
}
