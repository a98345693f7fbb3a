import type { NamedArrays } from './arrays';
import type { TextExperiment } from './experiment';
import type { BackendInfo, ModelInfo, PairGroup } from './results';

/** One token as a person reads it. Bytes that are no valid UTF-8 on their own are written as ⟨E2⟩. */
export interface TokenText {
  id: number;
  text: string;
}

export interface RunPair {
  name: string;
  clean: TokenText[];
  corrupted: TokenText[];
  correct: TokenText[];
  incorrect: TokenText[];
  /** First differing position. */
  differsAt: number;
  logitDiff: { clean: number; corrupted: number };
}

export interface RunNote {
  severity: 'info' | 'warning';
  message: string;
}

export const RUN_FORMAT_VERSION = 1;

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
}

/** The arrays are those of AttributionResult. */
export interface Run {
  manifest: RunManifest;
  arrays: NamedArrays;
}
