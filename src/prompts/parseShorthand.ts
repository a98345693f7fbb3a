import type { Node } from 'jsonc-parser';
import type { TextPair } from '../shared/experiment';
import type { FieldMap } from './jsonNode';
import { typeName } from './jsonNode';
import { checkAnswers, checkPlaces, checkPrompts, isComplete, type ParsedPair } from './parsePair';
import type { PairPlaces } from './promptFile';
import type { Reader } from './reader';
import { answersNeeded, type Settings } from './rules';

type Answers = ReturnType<Reader['answers']>;
const NONE: Answers = { texts: [], places: [] };

/**
 * `prompts`, `answers`, `pairing: "adjacent"`: prompts 2k and 2k+1 corrupt each other, so that each prompt is clean once.
 * An entry of `answers` is [correct, incorrect], or the correct answer alone: then the partner's is the incorrect one.
 */
export function readShorthand(reader: Reader, prompts: Node, fields: FieldMap, settings: Settings): ParsedPair[] {
  if (prompts.type !== 'array') {
    reader.wrongType(prompts, `"prompts" should be a list of texts, not ${typeName(prompts)}.`);
    return [];
  }
  const nodes = prompts.children ?? [];
  if (nodes.length === 0) reader.report(prompts, { code: 'empty-list', message: '"prompts" is empty; write at least two prompts.' });
  const pairing = fields.get('pairing')?.value;
  if (pairing && pairing.value !== 'adjacent') {
    reader.wrongType(pairing, '"pairing" should be "adjacent": the first prompt with the second, the third with the fourth, and so on.');
  }
  const partner = (index: number): number => index ^ 1;
  const concerned = (index: number): number[] => [index, partner(index)].filter((i) => i < nodes.length).sort((a, b) => a - b);

  const texts = nodes.map((node, i) => reader.text(node, 'A prompt', concerned(i)));
  if (nodes.length % 2 === 1) {
    const message = 'This prompt has no partner: prompts are paired first with second, third with fourth, and so on.';
    reader.report(nodes.at(-1)!, { code: 'missing-field', message, pairs: [nodes.length - 1] });
  }
  const answers = readAnswers(reader, fields, nodes.length, concerned, settings);

  const parsed = nodes.map((node, i) => {
    const twin = partner(i);
    const correct = answers[i]?.correct ?? NONE;
    const incorrect = answers[i]?.incorrect ?? answers[twin]?.correct ?? NONE;
    const places: PairPlaces = {
      pair: reader.place(node),
      lines: reader.lines(node),
      clean: reader.place(node),
      corrupted: reader.place(nodes[twin] ?? node),
      correct: correct.places,
      incorrect: incorrect.places,
      positions: {},
    };
    const pair: TextPair = { clean: texts[i] ?? '', corrupted: texts[twin] ?? '', correct: correct.texts, incorrect: incorrect.texts };
    // What both pairs of a twosome share is said once, at the second.
    const isFirst = i % 2 === 0;
    const sharesAnswers = !answers[i]?.incorrect && !answers[twin]?.incorrect;
    if (isFirst) checkPrompts(reader, pair, places, concerned(i), settings);
    if (isFirst || !sharesAnswers) checkAnswers(reader, pair, places, sharesAnswers ? concerned(i) : [i], settings);
    checkPlaces(reader, pair, node, [i], settings);
    const complete = pair.clean !== '' && pair.corrupted !== '' && isComplete(pair, settings);
    return { pair: complete ? pair : undefined, places };
  });
  // Only now are all errors known: the second prompt of a twosome can break the first.
  return parsed.map(({ pair, places }, i) => ({ pair: reader.isBroken(i) ? undefined : pair, places }));
}

/** Answers by prompt; `incorrect` is absent in the short form. */
function readAnswers(reader: Reader, fields: FieldMap, count: number, concerned: (index: number) => number[], { metric }: Settings): { correct: Answers; incorrect?: Answers }[] {
  const field = fields.get('answers');
  if (!field && answersNeeded(metric).correct) {
    const message = '"answers" is missing: a list with one entry per prompt, [correct, incorrect], such as [" Mary", " John"].';
    reader.report(fields.get('prompts')!.key, { code: 'missing-field', message });
  }
  const list = field?.value;
  if (!list) return [];
  if (list.type !== 'array') {
    reader.wrongType(list, `"answers" should be a list with one entry per prompt, not ${typeName(list)}.`);
    return [];
  }
  const entries = list.children ?? [];
  if (entries.length !== count) {
    const message = `There are ${count} prompts and ${entries.length} answers; write one entry in "answers" for each prompt.`;
    reader.report(entries[count] ?? field.key, { code: entries.length === 0 ? 'empty-list' : 'missing-field', message });
  }
  return entries.slice(0, count).map((entry, i) => {
    if (entry.type === 'string') return { correct: reader.answers(entry, 'An answer', concerned(i)) };
    const [correct, incorrect] = entry.children ?? [];
    if (entry.type !== 'array' || !correct || !incorrect || entry.children!.length !== 2) {
      reader.wrongType(entry, 'An entry of "answers" should be [correct, incorrect], such as [" Mary", " John"], or the correct answer alone.', concerned(i));
      return { correct: NONE };
    }
    return { correct: reader.answers(correct, 'The correct answer', [i]), incorrect: reader.answers(incorrect, 'The incorrect answer', [i]) };
  });
}
