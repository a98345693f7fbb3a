import type { Other, TextExperiment } from '../shared/experiment';
import type { EdgeMask } from '../shared/graph/mask';
import type { Edge } from '../shared/graph/nodes';
import type { CircuitMetrics, EdgeMethod, EdgeResult, PathMode } from '../shared/paths';
import type { Predictions } from '../shared/panelProtocol';
import type { AttentionResult, CallOptions, LensResult, MetricValues, PatchCell } from '../shared/results';
import type { Run, TokenText } from '../shared/run';
import type { SiteName } from '../shared/sites';
import type { TokenizedText, TokenizerInfo } from '../shared/tokenizer';
import type { RunSettings } from './settings';

export interface AttributionJob {
  experiment: TextExperiment;
  settings: RunSettings;
  title: string;
  source?: { uri: string; pairIndices?: number[] };
  /** Absent: those of `DEFAULT_SITES` that the experiment has; none where its metric has no gradient (`hasGradient`). */
  sites?: readonly SiteName[];
}

/**
 * Further work on a finished run. The run's own model is found and loaded again, whatever the settings say now; of them only
 * the backend, its threads and, for a model in a folder, the place count.
 */
export interface RunJob {
  run: Run;
  settings: RunSettings;
}

/** An answer the model itself would give, for the pick list of a pair without answers. */
export interface AnswerSuggestion {
  token: TokenText;
  probability: number;
}

/** What came out of a run's interventions: see InterventionResult; `pairs` has the predictions of each pair. */
export interface InterventionOutcome {
  metric: MetricValues<number[]>;
  patched: number[];
  pairs: Predictions[];
  seconds: number;
}

/**
 * One experiment from text to run, and what is asked of a run later. Jobs queue: one runs at a time, in the order they came, but
 * attention, lens and predictions, which take a moment, before what else waits.
 */
export interface ExperimentRunner {
  /** Tokenises, checks, loads the model, attributes, builds the run. Throws CircuitError (`experiment`, `model-…`, `too-big`, `cancelled`, …). Does not save. */
  attribute(job: AttributionJob, call?: CallOptions): Promise<Run>;
  /**
   * Patches cells exactly, those only that the run has not measured yet, and returns the run with their effects. Progress
   * carries what was measured since the last, so that nothing is lost when the call is cancelled (`cancelled`): add it with
   * `withExact`. Throws `model-missing` when the run's model is not there any more, or is another one by now. Does not save.
   */
  patch(job: RunJob & { cells: readonly PatchCell[] }, call?: CallOptions): Promise<Run>;
  /** Attention of some heads of one layer for one pair of a run. Throws as `patch`. */
  attention(job: RunJob & { pair: number; layer: number; heads: readonly number[] }, call?: CallOptions): Promise<AttentionResult>;
  /** Logit lens and direct logit attribution of a run. Throws as `patch`. */
  lens(job: RunJob, call?: CallOptions): Promise<LensResult>;
  /** Attributes a run's edges and returns the run with them, in place of those of another method. Throws as `patch`. */
  paths(job: RunJob & { method: EdgeMethod }, call?: CallOptions): Promise<Run>;
  /** The edges into some receivers by position, attributed as the run's are. Throws as `patch`. */
  pathPositions(job: RunJob & { receivers: readonly number[] }, call?: CallOptions): Promise<EdgeResult>;
  /** Patches edges exactly, those only that the run has not measured yet in this mode; otherwise as `patch`. */
  patchPaths(job: RunJob & { mode: PathMode; edges: readonly Edge[] }, call?: CallOptions): Promise<Run>;
  /** Runs circuits on the run's pairs. Throws as `patch`. */
  circuits(job: RunJob & { circuits: readonly EdgeMask[]; ablation: Other }, call?: CallOptions): Promise<CircuitMetrics>;
  /** Runs a run's interventions once more and says what comes out, `top` predictions of each pair. Throws as `patch`. */
  intervene(job: RunJob & { top: number }, call?: CallOptions): Promise<InterventionOutcome>;
  /** What the model says after the prompts of one pair; `patched` where the run has interventions. Throws as `patch`. */
  predictions(job: RunJob & { pair: number; top: number }, call?: CallOptions): Promise<Predictions>;
  /** The model's most probable next tokens after clean and corrupted. */
  suggestAnswers(params: { clean: string; corrupted: string; settings: RunSettings; top: number }, call?: CallOptions): Promise<{ clean: AnswerSuggestion[]; corrupted: AnswerSuggestion[] }>;
  /** Cuts texts with the tokenizer of a model on this machine, without loading the model. */
  tokenize(params: { texts: string[]; model: string }, call?: CallOptions): Promise<TokenizedText[]>;
  tokenizerInfo(params: { model: string }): Promise<TokenizerInfo>;
  dispose(): Promise<void>;
}
