import type { Place } from '../shared/errors';
import type { Tokenize } from '../shared/tokenizer';
import { pairFaults, type PairFault, type TokenRules } from './pairFaults';
import { offsetInString, Places } from './place';
import type { Problem } from './problem';
import type { PromptFile } from './promptFile';
import { tokenizePairs } from './tokenizedPair';

/** What `check` needs to know of the model. */
export type ModelFacts = Pick<TokenRules, 'context' | 'bosPrepended'>;

/** What only the tokens show, for every sound pair of the file, with exact places. Rejects when `tokenize` does. */
export async function checkExperiment(file: PromptFile, tokenize: Tokenize, facts: ModelFacts): Promise<Problem[]> {
  const sound = file.pairs.flatMap((pair, index) => (pair ? [{ pair, index }] : []));
  const tokenized = await tokenizePairs(sound.map(({ pair }) => pair), tokenize);
  const finder = new Places(file.text);
  const problems = new Map<string, Problem>();
  sound.forEach(({ pair, index }, i) => {
    for (const fault of pairFaults(pair, tokenized[i]!, { ...facts, settings: file.settings })) {
      const problem = locate(fault, file, index, finder);
      // In the shorthand two pairs share their strings: what holds for both is said once.
      const key = `${problem.code} ${problem.place.offset} ${problem.message}`;
      const known = problems.get(key);
      if (known) known.pairs!.push(index);
      else problems.set(key, problem);
    }
  });
  return [...problems.values()];
}

function locate({ at, range, edit, code, severity, message }: PairFault, file: PromptFile, index: number, finder: Places): Problem {
  // What is said elsewhere than in the file is in no pair: it is told once.
  const setting = at.part === 'setting' && file.settings[at.field] !== undefined && !file.settingPlaces[at.field] ? at.field : undefined;
  const string = setting ? finder.at(0, 1) : placeOf(at, file, index);
  const within = ([start, end]: [number, number]): Place => {
    const from = offsetInString(file.text, string, start);
    return finder.at(from, offsetInString(file.text, string, end) - from);
  };
  const fix = edit && { title: edit.title, place: within(edit.range), text: edit.text };
  return { code, severity, message, place: range ? within(range) : string, pairs: [index], ...(fix && { fix }), ...(setting && { setting }) };
}

function placeOf(at: PairFault['at'], file: PromptFile, index: number): Place {
  const places = file.places[index]!;
  switch (at.part) {
    case 'clean':
    case 'corrupted':
      return places[at.part];
    case 'correct':
    case 'incorrect':
      return places[at.part][at.index]!;
    case 'positions':
      return places.positions[at.name]!;
    case 'setting':
      // What was not said at all is shown where the pair begins.
      return file.settingPlaces[at.field] ?? places.clean;
  }
}
