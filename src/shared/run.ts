import type { NamedArrays } from './arrays';
import type { TextExperiment } from './experiment';
import type { EdgeMethod, GraphNotes, StoredCircuit } from './paths';
import type { BackendInfo, MetricValues, ModelInfo, PairGroup } from './results';
import type { SiteName } from './sites';

/** One token as a person reads it. Bytes that are no valid UTF-8 on their own are written as ⟨E2⟩. */
export interface TokenText {
  id: number;
  text: string;
}

export interface RunPair {
  name: string;
  clean: TokenText[];
  /** The clean tokens once more where there is no corrupted prompt. */
  corrupted: TokenText[];
  /** Of a `continuation` its tokens in order, otherwise one token per answer. */
  correct: TokenText[];
  incorrect: TokenText[];
  /** First differing position; absent where there is no corrupted prompt. */
  differsAt?: number;
  /** Where the metric is read, as token indices of the clean prompt; `at` is absent for the last position. */
  at?: number;
  source?: number;
  range?: [number, number];
  /** The file's named positions as token indices of the clean prompt, in its order. */
  positions?: Record<string, number>;
  /** Raw. */
  metric: MetricValues<number>;
}

export interface RunNote {
  severity: 'info' | 'warning';
  message: string;
}

/** 2: `metric` where 1 had `logitDiff`; exact effects; more sites. Edges, paths and circuits were added to 2 later: a run need not have them. */
export const RUN_FORMAT_VERSION = 2;

/** A finished experiment, without its arrays. JSON, stored in the run file's metadata. */
export interface RunManifest {
  formatVersion: typeof RUN_FORMAT_VERSION;
  /** Unique, sortable by time. */
  id: string;
  extensionVersion: string;
  /** ISO 8601, UTC. */
  createdAt: string;
  /** What the person ran: shown as the run's title. */
  title: string;
  /** URI of the prompt file, if it came from one, and which of its pairs (all when absent). */
  source?: { uri: string; pairIndices?: number[] };
  experiment: TextExperiment;
  prependBos: boolean;
  model: ModelInfo;
  backend: BackendInfo;
  pairs: RunPair[];
  groups: PairGroup[];
  /** Seconds. `load` is 0 when the model was loaded already. */
  timings: { load: number; run: number };
  notes: RunNote[];
  /** Sites in the order in which `exact.cells` numbers them, where the run holds exact effects. */
  exactSites?: SiteName[];
  /** How the run's edges were attributed, where they were. */
  paths?: { method: EdgeMethod; seconds: number };
  circuits?: StoredCircuit[];
  graph?: GraphNotes;
}

/**
 * The arrays are those of AttributionResult, and where something was patched exactly
 *   exact.cells    [cell, field] with the fields site (index into exactSites), group, layer, head, position, source, neuron;
 *                  −1: absent, position −2: 'last'
 *   exact.effects  [cell, pair], see MeasuredEffects; NaN for pairs that are not in the cell's group
 * (`shared/exact` reads and writes them), and where edges were attributed or patched exactly
 *   paths.edges, paths.senders, see EdgeResult
 *   paths.cells    [edge, field] with the fields mode (index into PATH_MODES), sender, receiver
 *   paths.effects  [edge, pair], see MeasuredPaths
 * (`shared/graph/stored` reads and writes these).
 */
export interface Run {
  manifest: RunManifest;
  arrays: NamedArrays;
}
