import type { Place } from '../shared/errors';

/** Something a person should know about a prompt file, with its exact place. */
export interface Problem {
  code: ProblemCode;
  severity: 'error' | 'warning' | 'information';
  message: string;
  place: Place;
  /** Replacement text that would mend it, for a quick fix: `title` is what the light bulb says. */
  fix?: { title: string; place: Place; text: string };
}

export type ProblemCode =
  | 'syntax'
  | 'missing-field'
  | 'wrong-type'
  | 'empty-list'
  | 'equal-prompts'
  | 'same-answer'
  | 'length-differs'
  | 'answer-tokens'
  | 'leading-space'
  | 'too-long'
  | 'position-not-found'
  | 'unknown-model'
  | 'too-large';
