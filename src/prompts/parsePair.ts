import type { Node } from 'jsonc-parser';
import type { Place } from '../shared/errors';
import type { TextPair } from '../shared/experiment';
import { fieldsOf, typeName, type FieldMap } from './jsonNode';
import { findSubstring } from './namedPosition';
import type { PairPlaces } from './promptFile';
import type { Reader } from './reader';
import { answersNeeded, answersRead, isAblation, type Settings } from './rules';

export interface ParsedPair {
  pair?: TextPair;
  places: PairPlaces;
}

/** One entry of `pairs`. */
export function readPair(reader: Reader, node: Node, index: number, settings: Settings): ParsedPair {
  const pairs = [index];
  const whole = reader.place(node);
  const places: PairPlaces = { pair: whole, lines: reader.lines(node), clean: whole, corrupted: whole, correct: [], incorrect: [], positions: {} };
  if (node.type !== 'object') {
    reader.wrongType(node, `A pair should be an object { "clean": …, "corrupted": …, "correct": …, "incorrect": … }, not ${typeName(node)}.`, pairs);
    return { places };
  }
  const fields = fieldsOf(node);
  const needed = answersNeeded(settings.metric);
  const mayLack = (name: 'corrupted' | 'correct' | 'incorrect'): boolean => (name === 'corrupted' ? isAblation(settings.other) : !needed[name]);
  const valueOf = (name: keyof typeof REQUIRED): Node | undefined => {
    const field = fields.get(name);
    // Without a value the syntax error says enough.
    if (!field && (name === 'clean' || !mayLack(name))) {
      reader.report({ offset: node.offset, length: 1 }, { code: 'missing-field', message: `"${name}" is missing: ${REQUIRED[name]}`, pairs, ...(name === 'clean' && { inSchema: true }) });
    }
    return field?.value;
  };
  const prompt = (name: 'clean' | 'corrupted'): string | undefined => {
    const value = valueOf(name);
    if (!value) return undefined;
    places[name] = reader.place(value);
    return reader.text(value, `"${name}"`, pairs);
  };
  const answers = (name: 'correct' | 'incorrect'): string[] => {
    const value = valueOf(name);
    if (!value) return [];
    const { texts, places: found } = reader.answers(value, `"${name}"`, pairs);
    places[name] = found;
    return texts;
  };

  const clean = prompt('clean');
  const corrupted = prompt('corrupted');
  const correct = answers('correct');
  const incorrect = answers('incorrect');
  const pair: TextPair = { clean: clean ?? '', ...(corrupted !== undefined && { corrupted }), correct, incorrect };
  checkPrompts(reader, pair, places, pairs, settings);
  checkAnswers(reader, pair, places, pairs, settings);

  const name = fields.get('name')?.value;
  if (name) pair.name = reader.text(name, '"name"', pairs);
  const firstToken = fields.get('firstToken')?.value;
  const stands = firstToken && reader.flag(firstToken, '"firstToken"', pairs);
  if (stands !== undefined) pair.firstToken = stands;
  Object.assign(pair, readPositions(reader, fields, clean, places, pairs));

  checkPlaces(reader, pair, fields.get('positions')?.value ?? { offset: node.offset, length: 1 }, pairs, settings);

  const complete = clean !== undefined && isComplete(pair, settings);
  return { pair: complete && !reader.isBroken(index) ? pair : undefined, places };
}

/** Whether a pair has all that its experiment needs. */
export function isComplete({ corrupted, correct, incorrect }: TextPair, { metric, other }: Settings): boolean {
  const needed = answersNeeded(metric);
  return (corrupted !== undefined || isAblation(other)) && (correct.length > 0 || !needed.correct) && (incorrect.length > 0 || !needed.incorrect);
}

export function checkPrompts(reader: Reader, { clean, corrupted }: TextPair, places: PairPlaces, pairs: number[], { other }: Settings): void {
  if (clean === '' || clean !== corrupted || isAblation(other)) return;
  const message = 'The clean and the corrupted prompt are equal, so there is nothing to attribute; change the detail that should matter.';
  reader.reportAt(places.corrupted, { code: 'equal-prompts', message, pairs });
}

export function checkAnswers(reader: Reader, { correct, incorrect }: TextPair, places: PairPlaces, pairs: number[], { metric }: Settings): void {
  const read = answersRead(metric);
  if (metric === 'continuation') {
    for (const [texts, found] of [[correct, places.correct], [incorrect, places.incorrect]] as const) {
      if (texts.length < 2) continue;
      const message = 'The metric "continuation" follows one text on each side; write one answer here, of as many words as you like.';
      reader.reportAt(found[1]!, { code: 'combination', message, pairs });
    }
  }
  if (!read.correct || !read.incorrect) return;
  incorrect.forEach((answer, i) => {
    if (!correct.includes(answer)) return;
    const message = `${JSON.stringify(answer)} is both correct and incorrect, so its logit cancels out; take it out of one of them.`;
    reader.reportAt(places.incorrect[i]!, { code: 'same-answer', message, pairs });
  });
}

/** The positions that the experiment names are among the pair's. */
export function checkPlaces(reader: Reader, { positions = {} }: TextPair, node: Pick<Node, 'offset' | 'length'>, pairs: number[], { at, source, range = [0, 0] }: Settings): void {
  const read = [['at', at], ['source', source], ['range', range[0]], ['range', range[1]]] as const;
  for (const [field, place] of read) {
    if (typeof place !== 'string' || Object.hasOwn(positions, place)) continue;
    const message = `"${field}" is the position ${JSON.stringify(place)}, which this pair does not name; write it into the pair's "positions".`;
    reader.report(node, { code: 'position-not-found', message, pairs });
  }
}

function readPositions(reader: Reader, fields: FieldMap, clean: string | undefined, places: PairPlaces, pairs: number[]): Pick<TextPair, 'positions'> {
  const node = fields.get('positions')?.value;
  if (!node) return {};
  if (node.type !== 'object') {
    reader.wrongType(node, `"positions" should be an object such as { "S2": "#2 John", "END": -1 }, not ${typeName(node)}.`, pairs);
    return {};
  }
  const found: [name: string, position: string | number, place: Place][] = [];
  for (const [name, { value }] of fieldsOf(node)) {
    if (!value) continue;
    if (value.type === 'number' && Number.isInteger(value.value)) {
      found.push([name, value.value as number, reader.place(value)]);
    } else if (value.type === 'string' && value.value !== '') {
      const position = value.value as string;
      if (clean !== undefined && !findSubstring(clean, position)) {
        const message = `${JSON.stringify(position)} is not in the clean prompt. Write a part of it, "#2 …" for its second occurrence, or a token index (-1 is the last).`;
        reader.report(value, { code: 'position-not-found', message, pairs });
      }
      found.push([name, position, reader.place(value)]);
    } else {
      reader.wrongType(value, `The position "${name}" should be a part of the clean prompt or a whole number, a token index.`, pairs);
    }
  }
  places.positions = Object.fromEntries(found.map(([name, , place]) => [name, place]));
  return { positions: Object.fromEntries(found.map(([name, position]) => [name, position])) };
}

const REQUIRED = {
  clean: 'the prompt after which the correct answer is right.',
  corrupted: 'the same prompt with one detail changed, so that the incorrect answer is right.',
  correct: 'the word (or list of words) that should follow the clean prompt, with its leading space, such as " Mary".',
  incorrect: 'the word (or list of words) that should follow the corrupted prompt, with its leading space, such as " John".',
};
