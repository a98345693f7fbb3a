import type { Place } from '../shared/errors';

/** Something a person should know about a prompt file, with its exact place. */
export interface Problem {
  code: ProblemCode;
  severity: 'error' | 'warning' | 'information';
  message: string;
  place: Place;
  /** Indices of the pairs it concerns; absent when it concerns the whole file. */
  pairs?: number[];
  /** The setting that it is in, where the file does not say it (the command line does): the place is then the file's beginning. */
  setting?: 'at' | 'source' | 'range';
  /** The JSON schema finds it too: an editor that validates by the schema leaves it out, so that it is said once. */
  inSchema?: boolean;
  /** Replacement text that would mend it, for a quick fix: `title` is what the light bulb says. */
  fix?: { title: string; place: Place; text: string };
}

export type ProblemCode =
  | 'syntax'
  | 'missing-field'
  | 'wrong-type'
  | 'unknown-field'
  | 'combination'
  | 'empty-list'
  | 'equal-prompts'
  | 'same-answer'
  | 'length-differs'
  | 'answer-tokens'
  | 'leading-space'
  | 'trailing-space'
  | 'too-long'
  | 'position-not-found'
  | 'unknown-model'
  | 'too-large';
