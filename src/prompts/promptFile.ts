import { CircuitError, type Place } from '../shared/errors';
import type { TextExperiment, TextPair } from '../shared/experiment';
import type { Problem } from './problem';
import type { Settings } from './rules';

/** Where the parts of one pair stand in the text. Shorthand files (`prompts`, `answers`) have the places of their strings. */
export interface PairPlaces {
  pair: Place;
  /** The whole lines of `pair`: a cursor there means this pair. */
  lines: Place;
  clean: Place;
  corrupted: Place;
  correct: Place[];
  incorrect: Place[];
  /** By position name: its value. */
  positions: Record<string, Place>;
}

/** What `parse` makes of a prompt file. `experiment` is there when nothing of severity error was found. */
export interface PromptFile {
  experiment?: TextExperiment;
  /** What the file says beside its pairs, defaults where it says nothing or something wrong. */
  settings: Settings;
  /** The values of the settings that the file has and that count. */
  settingPlaces: Partial<Record<keyof Settings, Place>>;
  /** Same order as `places`; undefined for a pair with an error of its own. The others can be run while one is broken. */
  pairs: (TextPair | undefined)[];
  /** Places of the pairs, also of those that have problems. A part that is missing has the place of its pair. */
  places: PairPlaces[];
  problems: Problem[];
  /** The text itself, so that places inside a string can be found later. */
  text: string;
}

/** Index of the pair at an offset: the pair around it, else the pair whose answer or prompt it is, else the pair on its line. */
export function pairAt({ places }: PromptFile, offset: number): number | undefined {
  const holds = (place: Place): boolean => place.offset <= offset && offset <= place.offset + place.length;
  const first = (test: (pair: PairPlaces) => boolean): number | undefined => {
    const index = places.findIndex(test);
    return index === -1 ? undefined : index;
  };
  return (
    first(({ pair }) => holds(pair)) ??
    first(({ clean, correct }) => [clean, ...correct].some(holds)) ??
    first(({ incorrect }) => incorrect.some(holds)) ??
    first(({ lines }) => holds(lines))
  );
}

/** The experiment of some of a file's pairs (all when absent). Throws `prompt-file` with the place of the first error in the way. */
export function experimentOf(file: PromptFile, pairIndices: readonly number[] = file.pairs.map((_, index) => index)): TextExperiment {
  const wanted = new Set(pairIndices);
  const error = file.problems.find(({ severity, pairs }) => severity === 'error' && (pairs === undefined || pairs.some((index) => wanted.has(index))));
  const pairs = pairIndices.flatMap((index) => file.pairs[index] ?? []);
  if (error || pairs.length === 0 || pairs.length < pairIndices.length) {
    throw new CircuitError('prompt-file', error?.message ?? 'There is no such pair in this prompt file.', { place: error?.place });
  }
  return { ...file.settings, pairs };
}

/** What a person calls a pair. Indices count from 0, names from 1. */
export function pairName(pair: Pick<TextPair, 'name'>, index: number): string {
  return pair.name ?? `pair ${index + 1}`;
}
