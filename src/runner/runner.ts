import type { TextExperiment } from '../shared/experiment';
import type { CallOptions } from '../shared/results';
import type { Run, TokenText } from '../shared/run';
import type { TokenizedText, TokenizerInfo } from '../shared/tokenizer';
import type { RunSettings } from './settings';

export interface AttributionJob {
  experiment: TextExperiment;
  settings: RunSettings;
  title: string;
  source?: { uri: string; pairIndices?: number[] };
}

/** An answer the model itself would give, for the pick list of a pair without answers. */
export interface AnswerSuggestion {
  token: TokenText;
  probability: number;
}

/** One experiment from text to run. Jobs queue: one runs at a time, in the order they came. */
export interface ExperimentRunner {
  /** Tokenises, checks, loads the model, attributes, builds the run. Throws CircuitError (`experiment`, `model-…`, `too-big`, `cancelled`, …). Does not save. */
  attribute(job: AttributionJob, call?: CallOptions): Promise<Run>;
  /** The model's most probable next tokens after clean and corrupted. */
  suggestAnswers(params: { clean: string; corrupted: string; settings: RunSettings; top: number }, call?: CallOptions): Promise<{ clean: AnswerSuggestion[]; corrupted: AnswerSuggestion[] }>;
  /** Cuts texts with the tokenizer of a model on this machine, without loading the model. */
  tokenize(params: { texts: string[]; model: string }, call?: CallOptions): Promise<TokenizedText[]>;
  tokenizerInfo(params: { model: string }): Promise<TokenizerInfo>;
  dispose(): Promise<void>;
}
