import type { Other, TokenExperiment } from '../../shared/experiment';
import type { AttentionResult, AttributionResult, BackendInfo, BackendName, CallOptions, InterventionResult, LensResult, ModelInfo, PatchCell, PatchResult, Prediction } from '../../shared/results';
import type { Edge } from '../../shared/graph/nodes';
import type { EdgeMask } from '../../shared/graph/mask';
import type { CircuitMetrics, EdgeMethod, EdgeResult, PathMode, PathPatchResult } from '../../shared/paths';
import type { SiteName } from '../../shared/sites';

/**
 * The engine as everyone above it sees it. One model at a time, one call at a time: a second call waits for the first.
 * Implemented in-process (tests) and in a worker thread (everything else); later in a child process and by nnsight.
 */
export interface Engine {
  readonly capabilities: EngineCapabilities;
  /** Starts the backend if need be and loads a checkpoint; keeps the loaded one when it is the same folder and unchanged. */
  load(params: LoadParams, call?: CallOptions): Promise<LoadedModel>;
  /** Node attribution, see AttributionResult. Throws `model-missing` when nothing is loaded. */
  attribute(params: AttributeParams, call?: CallOptions): Promise<AttributionResult>;
  /**
   * Exact activation patching, one forward pass per cell and pair, in batches and from the patched layer on. Progress carries
   * what has been measured. Throws `experiment` for a cell that is not there, `too-big`, `cancelled`.
   */
  patch(params: PatchParams, call?: CallOptions): Promise<PatchResult>;
  /** Attention patterns of one pair and what each cell carries. */
  attention(params: AttentionParams, call?: CallOptions): Promise<AttentionResult>;
  /** Direct logit attribution and logit lens; throws `experiment` where a pair has no answers. */
  lens(params: { experiment: TokenExperiment }, call?: CallOptions): Promise<LensResult>;
  /** Runs the experiment's interventions (`variant.interventions`) and says what comes out. */
  intervene(params: { experiment: TokenExperiment; top: number }, call?: CallOptions): Promise<InterventionResult>;
  /** Edge attribution, see EdgeResult. Throws `experiment` for a method or an experiment that edges are not derived for. */
  edges(params: EdgesParams, call?: CallOptions): Promise<EdgeResult>;
  /** Exact path patching, see PathMode; progress carries the edges that were measured (`paths`). */
  patchPaths(params: PathsParams, call?: CallOptions): Promise<PathPatchResult>;
  /** Runs circuits, see CircuitMetrics. */
  circuits(params: CircuitsParams, call?: CallOptions): Promise<CircuitMetrics>;
  /** The model's own next tokens after each prompt, most probable first. */
  predict(params: PredictParams, call?: CallOptions): Promise<Prediction[][]>;
  /** Logits at the last position of each prompt, for all of the vocabulary: [prompt][token]. */
  logits(params: { prompts: number[][] }, call?: CallOptions): Promise<Float32Array[]>;
  /** Frees the engine; it cannot be used again. */
  dispose(): Promise<void>;
}

export interface EngineCapabilities {
  sites: readonly SiteName[];
}

export type BackendChoice = 'auto' | BackendName;

export interface LoadParams {
  /** Folder with config.json and model.safetensors. */
  folder: string;
  /** What a person calls the model. */
  id: string;
  revision?: string;
  backend: BackendChoice;
  /** Threads for the wasm backend; 0: the engine decides (all cores up to two, else one less than there are; one for small models). */
  threads: number;
}

export interface LoadedModel {
  model: ModelInfo;
  backend: BackendInfo;
  /** Seconds; 0 when it was loaded already. */
  seconds: number;
}

export interface AttributeParams {
  experiment: TokenExperiment;
  sites: readonly SiteName[];
}

export interface PredictParams {
  prompts: number[][];
  top: number;
}

export interface PatchParams {
  experiment: TokenExperiment;
  cells: readonly PatchCell[];
}

export interface AttentionParams {
  experiment: TokenExperiment;
  /** Index of the pair. */
  pair: number;
  layer: number;
  heads: readonly number[];
}

export interface EdgesParams {
  experiment: TokenExperiment;
  method: EdgeMethod;
  /** Indices of receivers whose edges are wanted by position too. */
  receivers?: readonly number[];
}

export interface PathsParams {
  experiment: TokenExperiment;
  mode: PathMode;
  edges: readonly Edge[];
}

export interface CircuitsParams {
  experiment: TokenExperiment;
  circuits: readonly EdgeMask[];
  /** What stands on the edges outside; in place of the experiment's `other`. */
  ablation: Other;
}
