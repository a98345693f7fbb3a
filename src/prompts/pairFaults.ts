import { firstDifference, type Place, type TextPair } from '../shared/experiment';
import type { TokenText } from '../shared/run';
import type { TokenizedText } from '../shared/tokenizer';
import { placesOf } from './placesOf';
import type { Problem } from './problem';
import { resolvePosition } from './resolvePlace';
import { answersNeeded, answersRead, isAblation, isAttention, type Settings } from './rules';
import type { TokenizedAnswer, TokenizedPair } from './tokenizedPair';

/** What is wrong with a pair once its tokens are known; found in one place for editor, command line and runner. */
export interface PairFault extends Pick<Problem, 'code' | 'severity' | 'message'> {
  /** What it is in: a prompt, one answer by index, a named position, or one of the experiment's settings. */
  at: { part: 'clean' | 'corrupted' } | { part: 'correct' | 'incorrect'; index: number } | { part: 'positions'; name: string } | { part: 'setting'; field: 'at' | 'source' | 'range' };
  /** UTF-16 range in that string's value; the whole string when absent. */
  range?: [start: number, end: number];
  /** What would mend it: puts `text` in place of a range of the string's value. */
  edit?: { title: string; range: [start: number, end: number]; text: string };
}

/** What the rules depend on beside the pair. */
export interface TokenRules {
  /** Longest prompt of the model in tokens; unknown while no model is loaded. */
  context?: number;
  bosPrepended: boolean;
  settings: Settings;
}

export function pairFaults(pair: TextPair, tokenized: TokenizedPair, rules: TokenRules): PairFault[] {
  const isCorrupted = !isAblation(rules.settings.other);
  const missing = missingFaults(pair, rules);
  if (missing.length > 0) return missing;
  return [
    ...(isCorrupted ? lengthFaults(tokenized.clean, tokenized.corrupted!, rules) : []),
    ...promptFaults(pair.clean, 'clean', tokenized.clean, rules),
    ...(isCorrupted ? promptFaults(pair.corrupted!, 'corrupted', tokenized.corrupted!, rules) : []),
    ...answerFaults(pair, tokenized, rules),
    ...positionFaults(pair, tokenized, rules),
    ...placeFaults(pair, tokenized, rules),
  ];
}

/** What the parser of a file has said already: for experiments that were changed since. */
function missingFaults({ corrupted, correct, incorrect }: TextPair, { settings: { metric, other } }: TokenRules): PairFault[] {
  const needed = answersNeeded(metric);
  const named = typeof metric === 'string' ? metric : metric.activation;
  const fault = (message: string): PairFault[] => [{ code: 'missing-field', severity: 'error', message, at: { part: 'clean' } }];
  if (corrupted === undefined && !isAblation(other)) return fault('This pair has no corrupted prompt; write one, or choose another "other": zero, mean or resample.');
  if (needed.correct && correct.length === 0 && needed.incorrect && incorrect.length === 0) return fault(`The metric "${named}" needs a correct and an incorrect answer.`);
  if (needed.correct && correct.length === 0) return fault(`The metric "${named}" needs a correct answer.`);
  if (needed.incorrect && incorrect.length === 0) return fault(`The metric "${named}" needs an incorrect answer.`);
  if (metric === 'continuation' && Math.max(correct.length, incorrect.length) > 1) return fault('The metric "continuation" follows one text on each side; this pair has lists of answers.');
  return [];
}

function lengthFaults(clean: TokenizedText, corrupted: TokenizedText, { settings: { align, metric, at }, bosPrepended }: TokenRules): PairFault[] {
  const [cleanIds, corruptedIds] = [idsOf(clean.tokens), idsOf(corrupted.tokens)];
  const position = firstDifference(cleanIds, corruptedIds);
  if (position === undefined) {
    const message = 'The clean and the corrupted prompt are the same tokens, so there is nothing to attribute; change the detail that should matter.';
    return [{ code: 'equal-prompts', severity: 'error', message, at: { part: 'corrupted' } }];
  }
  const excess = corruptedIds.length - cleanIds.length;
  if (excess === 0) return [];
  if (align === 'end') {
    if (at === undefined && metric !== 'promptLogProb' && !isAttention(metric)) return [];
    const message = 'With "align": "end", prompts of unequal token counts are compared at their last position only; leave out "at", and choose a metric of the last position.';
    return [{ code: 'length-differs', severity: 'error', message, at: { part: 'corrupted' } }];
  }
  const stretch = differingStretch(clean, corrupted, position);
  // As the panel counts: BOS is a token too.
  const first = bosPrepended ? 1 : 0;
  const message =
    `Clean and corrupted must have equally many tokens: clean has ${first + cleanIds.length}, corrupted ${first + corruptedIds.length} (${Math.abs(excess)} ${excess > 0 ? 'more' : 'fewer'}${bosPrepended ? '; BOS counts as one' : ''}). ` +
    `From position ${first + position}, clean has ${listTokens(stretch.clean)} and corrupted ${listTokens(stretch.corrupted)}. ` +
    'Choose words with equally many tokens, or write "align": "end" to compare heads at the last position only.';
  return [{ code: 'length-differs', severity: 'error', message, at: { part: 'corrupted' }, range: stretch.range }];
}

/** The tokens between the common beginning and the common end, and their range in the corrupted prompt if it has any. */
function differingStretch(clean: TokenizedText, corrupted: TokenizedText, start: number): { clean: TokenText[]; corrupted: TokenText[]; range?: [number, number] } {
  const [a, b] = [clean.tokens, corrupted.tokens];
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - start && a.at(-1 - tail)!.id === b.at(-1 - tail)!.id) tail++;
  const end = b.length - tail;
  return {
    clean: a.slice(start, a.length - tail),
    corrupted: b.slice(start, end),
    range: start < end ? [corrupted.offsets[start]![0], corrupted.offsets[end - 1]![1]] : undefined,
  };
}

function promptFaults(prompt: string, part: 'clean' | 'corrupted', { tokens, offsets }: TokenizedText, { context, bosPrepended }: TokenRules): PairFault[] {
  const faults: PairFault[] = [];
  const room = context === undefined ? undefined : context - (bosPrepended ? 1 : 0);
  if (room !== undefined && tokens.length > room) {
    const message = `This prompt has ${tokens.length} tokens${bosPrepended ? ' and BOS' : ''}; the model reads at most ${context}. Shorten it by ${tokens.length - room}.`;
    faults.push({ code: 'too-long', severity: 'error', message, at: { part }, range: [offsets[room]?.[0] ?? 0, prompt.length] });
  }
  const spaces = / +$/.exec(prompt);
  if (spaces && spaces.index > 0) {
    const range: [number, number] = [spaces.index, prompt.length];
    const message = 'This prompt ends in a space. The model expects the space as part of the answer, so its predictions here are unusual; end the prompt before the space.';
    faults.push({ code: 'trailing-space', severity: 'warning', message, at: { part }, range, edit: { title: 'Remove the space at the end', range, text: '' } });
  }
  return faults;
}

function answerFaults(pair: TextPair, tokenized: TokenizedPair, rules: TokenRules): PairFault[] {
  const { metric } = rules.settings;
  const read = answersRead(metric);
  const faults = (['correct', 'incorrect'] as const).flatMap((part) =>
    read[part] ? tokenized[part].flatMap((answer, index) => answerFault(pair, pair[part][index]!, answer, { part, index }, metric)) : [],
  );
  if (metric === 'continuation') return [...faults, ...roomFaults(tokenized, rules)];
  if (!read.correct || !read.incorrect) return faults;
  const firstCorrect = new Map(tokenized.correct.map(({ tokens }, index) => [tokens[0]?.id, pair.correct[index]!]));
  tokenized.incorrect.forEach(({ tokens }, index) => {
    const twin = firstCorrect.get(tokens[0]?.id);
    const comparable = tokens.length === 1 || pair.firstToken === true;
    if (twin === undefined || !comparable) return;
    const message = `${quote(pair.incorrect[index]!)} and the correct ${quote(twin)} begin with the same token ${quote(tokens[0]!.text)}, so their logits cancel out; choose answers with different first tokens.`;
    faults.push({ code: 'same-answer', severity: 'error', message, at: { part: 'incorrect', index } });
  });
  return faults;
}

function answerFault(pair: TextPair, answer: string, { tokens, withSpace }: TokenizedAnswer, at: PairFault['at'], metric: Settings['metric']): PairFault[] {
  const mayBeLong = metric === 'continuation';
  const spaceMends = withSpace !== undefined && (withSpace.length === 1 || mayBeLong) && wantsSpace(pair.clean, answer);
  const edit: PairFault['edit'] = spaceMends ? { title: `Insert the leading space: ${quote(` ${answer}`)}`, range: [0, 0], text: ' ' } : undefined;
  if (tokens.length !== 1 && pair.firstToken !== true && !mayBeLong) {
    const advice = spaceMends
      ? `With a leading space, ${quote(` ${answer}`)}, it is one.`
      : `This model's tokenizer has no single token for it; choose another word${advised([firstTokenAdvice(tokens), continuationAdvice(pair, metric)])}.`;
    return [{ code: 'answer-tokens', severity: 'error', message: `${quote(answer)} is ${tokens.length} tokens: ${listTokens(tokens)}. ${advice}`, at, edit }];
  }
  if (!spaceMends) return [];
  const message = `${quote(answer)} has no leading space, so it means a word glued to the prompt's last one; a new word is ${quote(` ${answer}`)}.`;
  return [{ code: 'leading-space', severity: 'warning', message, at, edit }];
}

/** A continuation is read by the model but for its last token, so that it needs room behind either prompt. */
function roomFaults({ clean, corrupted, correct, incorrect }: TokenizedPair, { context, bosPrepended }: TokenRules): PairFault[] {
  if (context === undefined) return [];
  const prompt = Math.max(clean.tokens.length, corrupted?.tokens.length ?? 0) + (bosPrepended ? 1 : 0);
  return ([['correct', correct], ['incorrect', incorrect]] as const).flatMap(([part, answers]) =>
    answers.flatMap(({ tokens }, index): PairFault[] => {
      const excess = prompt + tokens.length - 1 - context;
      if (excess <= 0 || prompt > context) return [];
      const message = `This continuation has ${tokens.length} tokens behind a prompt of ${prompt}; the model reads at most ${context}. Shorten it by ${excess}.`;
      return [{ code: 'too-long', severity: 'error', message, at: { part, index } }];
    }),
  );
}

/** A first token of a space, one letter or half a character, as of words cut into bytes, says little of the answer. */
function firstTokenAdvice([first]: readonly TokenText[]): string {
  return first && /[\p{L}\p{N}]{2}/u.test(first.text) ? `write "firstToken": true in the pair to let ${quote(first.text)} stand for it` : '';
}

/** The metric that reads all tokens of an answer, where it can take the place of one that reads a token of each side. */
function continuationAdvice({ correct, incorrect }: TextPair, metric: Settings['metric']): string {
  const single = correct.length <= 1 && incorrect.length <= 1;
  return single && (metric === 'logitDiff' || metric === 'logProb') ? 'write "metric": "continuation" in the file, which reads all tokens of an answer' : '';
}

function advised(ways: readonly string[]): string {
  return ways.filter((way) => way !== '').map((way) => `, or ${way}`).join('');
}

/** True where a new word would follow with a space: not after a space, an open bracket or quote, nor within a number. */
function wantsSpace(prompt: string, answer: string): boolean {
  if (/\p{N}$/u.test(prompt) && /^\p{N}/u.test(answer)) return false;
  return /^[\p{L}\p{N}]/u.test(answer) && /[\p{L}\p{M}\p{N},.;:!?)\]}%]$/u.test(prompt);
}

function positionFaults({ clean, positions }: TextPair, tokenized: TokenizedPair, { bosPrepended, settings: { other } }: TokenRules): PairFault[] {
  const length = tokenized.clean.tokens.length + (bosPrepended ? 1 : 0);
  const corrupted = tokenized.corrupted && !isAblation(other) ? tokenized.corrupted.tokens.length + (bosPrepended ? 1 : 0) : length;
  return Object.entries(positions ?? {}).flatMap(([name, position]): PairFault[] => {
    const at = { part: 'positions' as const, name };
    const index = resolvePosition(position, clean, tokenized.clean, bosPrepended);
    if (index === undefined) {
      const message = typeof position === 'string' ? `${quote(position)} is not in the clean prompt.` : `There is no token ${position}: ${counted(length, bosPrepended)}.`;
      return [{ code: 'position-not-found', severity: 'error', message, at }];
    }
    if (length - index <= corrupted) return [];
    const message = `This position is ${length - index} tokens before the clean prompt's end, further than the corrupted prompt is long; there is nothing to compare there.`;
    return [{ code: 'position-not-found', severity: 'warning', message, at }];
  });
}

/** Where the metric is read: the places are there, and in order. */
function placeFaults(pair: TextPair, tokenized: TokenizedPair, rules: TokenRules): PairFault[] {
  const { bosPrepended, settings } = rules;
  const length = tokenized.clean.tokens.length + (bosPrepended ? 1 : 0);
  const fault = (field: 'at' | 'source' | 'range', message: string): PairFault[] => [{ code: 'position-not-found', severity: 'error', message, at: { part: 'setting', field } }];
  const missing = (field: 'at' | 'source' | 'range', place: Place): PairFault[] =>
    fault(field, typeof place === 'string' ? `The pair does not name the position ${quote(place)}; write it into its "positions".` : `There is no token ${place}: ${counted(length, bosPrepended)}.`);
  const found = placesOf(pair, tokenized, rules);
  if ('missing' in found) return missing(found.missing.field, found.missing.place);
  const { at = length - 1, source, range } = found;
  if (source !== undefined && source > at) return fault('source', `The source, position ${source}, stands behind the destination, position ${at}; a head sees only what is before it.`);
  if (!range) return [];
  const [first, last] = range;
  if (first > last) return fault('range', settings.range ? `The range begins at position ${first}, behind its end at ${last}.` : 'Clean and corrupted differ at the last token only, so that no prediction of the prompt follows; write a "range".');
  return last < length - 1 ? [] : fault('range', `The range ends at the last position, ${last}, after which the prompt has no token to predict; end it at -2.`);
}

function counted(length: number, bosPrepended: boolean): string {
  return `the clean prompt has ${length} tokens${bosPrepended ? ' with BOS' : ''}, 0 to ${length - 1}, or -${length} to -1 from the end`;
}

function idsOf(tokens: readonly TokenText[]): number[] {
  return tokens.map(({ id }) => id);
}

/** Long lists name the first few: the message is read in a hover. */
function listTokens(tokens: readonly TokenText[]): string {
  if (tokens.length === 0) return 'nothing';
  const shown = tokens.slice(0, 8).map(({ text }) => quote(text));
  return shown.join(' + ') + (tokens.length > shown.length ? ' + …' : '');
}

function quote(text: string): string {
  return JSON.stringify(text);
}
