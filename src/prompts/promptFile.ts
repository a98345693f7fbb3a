import type { Place } from '../shared/errors';
import type { TextExperiment } from '../shared/experiment';
import type { Problem } from './problem';

/** Where the parts of one pair stand in the text. Shorthand files (`prompts`, `answers`) have the places of their strings. */
export interface PairPlaces {
  pair: Place;
  clean: Place;
  corrupted: Place;
  correct: Place[];
  incorrect: Place[];
  /** By position name. */
  positions: Record<string, Place>;
}

/** What `parse` makes of a prompt file. `experiment` is there when nothing of severity error was found. */
export interface PromptFile {
  experiment?: TextExperiment;
  /** Places of the pairs, also of those that have problems; same order as `experiment.pairs`. */
  places: PairPlaces[];
  problems: Problem[];
}
