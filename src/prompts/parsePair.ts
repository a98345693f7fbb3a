import type { Node } from 'jsonc-parser';
import type { Place } from '../shared/errors';
import type { TextPair } from '../shared/experiment';
import { fieldsOf, typeName, type FieldMap } from './jsonNode';
import { findSubstring } from './namedPosition';
import type { PairPlaces } from './promptFile';
import type { Reader } from './reader';

export interface ParsedPair {
  pair?: TextPair;
  places: PairPlaces;
}

/** One entry of `pairs`. */
export function readPair(reader: Reader, node: Node, index: number): ParsedPair {
  const pairs = [index];
  const whole = reader.place(node);
  const places: PairPlaces = { pair: whole, lines: reader.lines(node), clean: whole, corrupted: whole, correct: [], incorrect: [], positions: {} };
  if (node.type !== 'object') {
    reader.wrongType(node, `A pair should be an object { "clean": …, "corrupted": …, "correct": …, "incorrect": … }, not ${typeName(node)}.`, pairs);
    return { places };
  }
  const fields = fieldsOf(node);
  const required = (name: keyof typeof REQUIRED): Node | undefined => {
    const field = fields.get(name);
    // Without a value the syntax error says enough.
    if (!field) reader.report({ offset: node.offset, length: 1 }, { code: 'missing-field', message: `"${name}" is missing: ${REQUIRED[name]}`, pairs, inSchema: true });
    return field?.value;
  };
  const prompt = (name: 'clean' | 'corrupted'): string | undefined => {
    const value = required(name);
    if (!value) return undefined;
    places[name] = reader.place(value);
    return reader.text(value, `"${name}"`, pairs);
  };
  const answers = (name: 'correct' | 'incorrect'): string[] => {
    const value = required(name);
    if (!value) return [];
    const { texts, places: found } = reader.answers(value, `"${name}"`, pairs);
    places[name] = found;
    return texts;
  };

  const clean = prompt('clean');
  const corrupted = prompt('corrupted');
  const correct = answers('correct');
  const incorrect = answers('incorrect');
  const pair: TextPair = { clean: clean ?? '', corrupted: corrupted ?? '', correct, incorrect };
  checkPrompts(reader, pair, places, pairs);
  checkAnswers(reader, pair, places, pairs);

  const name = fields.get('name')?.value;
  if (name) pair.name = reader.text(name, '"name"', pairs);
  const firstToken = fields.get('firstToken')?.value;
  if (firstToken?.type === 'boolean') pair.firstToken = firstToken.value as boolean;
  else if (firstToken) reader.wrongType(firstToken, `"firstToken" should be true or false, not ${typeName(firstToken)}.`, pairs);
  Object.assign(pair, readPositions(reader, fields, clean, places, pairs));

  const complete = clean !== undefined && corrupted !== undefined && correct.length > 0 && incorrect.length > 0;
  return { pair: complete && !reader.isBroken(index) ? pair : undefined, places };
}

export function checkPrompts(reader: Reader, { clean, corrupted }: TextPair, places: PairPlaces, pairs: number[]): void {
  if (clean === '' || clean !== corrupted) return;
  const message = 'The clean and the corrupted prompt are equal, so there is nothing to attribute; change the detail that should matter.';
  reader.report(places.corrupted, { code: 'equal-prompts', message, pairs });
}

export function checkAnswers(reader: Reader, { correct, incorrect }: TextPair, places: PairPlaces, pairs: number[]): void {
  incorrect.forEach((answer, i) => {
    if (!correct.includes(answer)) return;
    const message = `${JSON.stringify(answer)} is both correct and incorrect, so its logit cancels out; take it out of one of them.`;
    reader.report(places.incorrect[i]!, { code: 'same-answer', message, pairs });
  });
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
