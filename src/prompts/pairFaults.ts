import { firstDifference, type TextExperiment, type TextPair } from '../shared/experiment';
import type { TokenText } from '../shared/run';
import type { TokenizedText } from '../shared/tokenizer';
import type { Problem } from './problem';
import type { TokenizedAnswer, TokenizedPair } from './tokenizedPair';

/** What is wrong with a pair once its tokens are known; found in one place for editor, command line and runner. */
export interface PairFault extends Pick<Problem, 'code' | 'severity' | 'message'> {
  /** The string it is in: a prompt, one answer by index, or a named position. */
  at: { part: 'clean' | 'corrupted' } | { part: 'correct' | 'incorrect'; index: number } | { part: 'positions'; name: string };
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
  align?: TextExperiment['align'];
}

export function pairFaults(pair: TextPair, tokenized: TokenizedPair, rules: TokenRules): PairFault[] {
  return [
    ...lengthFaults(tokenized, rules),
    ...(['clean', 'corrupted'] as const).flatMap((part) => promptFaults(pair[part], part, tokenized[part], rules)),
    ...answerFaults(pair, tokenized),
    ...positionFaults(pair, tokenized.clean.tokens.length),
  ];
}

function lengthFaults({ clean, corrupted }: TokenizedPair, { align, bosPrepended }: TokenRules): PairFault[] {
  const [cleanIds, corruptedIds] = [idsOf(clean.tokens), idsOf(corrupted.tokens)];
  const position = firstDifference(cleanIds, corruptedIds);
  if (position === undefined) {
    const message = 'The clean and the corrupted prompt are the same tokens, so there is nothing to attribute; change the detail that should matter.';
    return [{ code: 'equal-prompts', severity: 'error', message, at: { part: 'corrupted' } }];
  }
  const excess = corruptedIds.length - cleanIds.length;
  if (excess === 0 || align === 'end') return [];
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

function answerFaults(pair: TextPair, tokenized: TokenizedPair): PairFault[] {
  const faults = (['correct', 'incorrect'] as const).flatMap((part) =>
    tokenized[part].flatMap((answer, index) => answerFault(pair, pair[part][index]!, answer, { part, index }) ?? []),
  );
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

function answerFault(pair: TextPair, answer: string, { tokens, withSpace }: TokenizedAnswer, at: PairFault['at']): PairFault | undefined {
  const spaceMends = withSpace?.length === 1 && wantsSpace(pair.clean, answer);
  const edit: PairFault['edit'] = spaceMends ? { title: `Insert the leading space: ${quote(` ${answer}`)}`, range: [0, 0], text: ' ' } : undefined;
  if (tokens.length !== 1 && pair.firstToken !== true) {
    const advice = spaceMends
      ? `With a leading space, ${quote(` ${answer}`)}, it is one.`
      : `This model's tokenizer has no single token for it; choose another word${firstTokenAdvice(tokens)}.`;
    return { code: 'answer-tokens', severity: 'error', message: `${quote(answer)} is ${tokens.length} tokens: ${listTokens(tokens)}. ${advice}`, at, edit };
  }
  if (!spaceMends) return undefined;
  const message = `${quote(answer)} has no leading space, so it means a word glued to the prompt's last one; a new word is ${quote(` ${answer}`)}.`;
  return { code: 'leading-space', severity: 'warning', message, at, edit };
}

/** A first token of a space, one letter or half a character, as of words cut into bytes, says little of the answer. */
function firstTokenAdvice([first]: readonly TokenText[]): string {
  return first && /[\p{L}\p{N}]{2}/u.test(first.text) ? `, or write "firstToken": true in the pair to let ${quote(first.text)} stand for it` : '';
}

/** True where a new word would follow with a space: not after a space, an open bracket or quote, nor within a number. */
function wantsSpace(prompt: string, answer: string): boolean {
  if (/\p{N}$/u.test(prompt) && /^\p{N}/u.test(answer)) return false;
  return /^[\p{L}\p{N}]/u.test(answer) && /[\p{L}\p{M}\p{N},.;:!?)\]}%]$/u.test(prompt);
}

function positionFaults({ positions }: TextPair, length: number): PairFault[] {
  return Object.entries(positions ?? {}).flatMap(([name, position]) => {
    if (typeof position === 'string' || (position >= -length && position < length)) return [];
    const message = `There is no token ${position}: the clean prompt has ${length} tokens, 0 to ${length - 1}, or -${length} to -1 from the end.`;
    return [{ code: 'position-not-found' as const, severity: 'error' as const, message, at: { part: 'positions' as const, name } }];
  });
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
