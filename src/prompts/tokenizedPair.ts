import type { TextPair } from '../shared/experiment';
import type { TokenText } from '../shared/run';
import type { Tokenize, TokenizedText } from '../shared/tokenizer';

/** One pair cut into tokens, without BOS. */
export interface TokenizedPair {
  clean: TokenizedText;
  /** Absent where the pair has no corrupted prompt. */
  corrupted?: TokenizedText;
  correct: TokenizedAnswer[];
  incorrect: TokenizedAnswer[];
}

export interface TokenizedAnswer {
  tokens: TokenText[];
  /** The same with a space before it; absent where the answer has one already. */
  withSpace?: TokenText[];
}

/** Cuts all texts of the pairs in one call, each text once. */
export async function tokenizePairs(pairs: readonly TextPair[], tokenize: Tokenize): Promise<TokenizedPair[]> {
  const answers = pairs.flatMap(({ correct, incorrect }) => [...correct, ...incorrect]);
  const unspaced = answers.filter((answer) => !startsWithSpace(answer)).map((answer) => ` ${answer}`);
  const texts = [...new Set([...pairs.flatMap(({ clean, corrupted }) => (corrupted === undefined ? [clean] : [clean, corrupted])), ...answers, ...unspaced])];
  const tokenized = await tokenize(texts);
  const found = new Map(texts.map((text, i) => [text, tokenized[i]!]));
  const of = (text: string): TokenizedText => found.get(text)!;
  const answerOf = (answer: string): TokenizedAnswer => ({
    tokens: of(answer).tokens,
    ...(!startsWithSpace(answer) && { withSpace: of(` ${answer}`).tokens }),
  });
  return pairs.map(({ clean, corrupted, correct, incorrect }) => ({
    clean: of(clean),
    ...(corrupted !== undefined && { corrupted: of(corrupted) }),
    correct: correct.map(answerOf),
    incorrect: incorrect.map(answerOf),
  }));
}

function startsWithSpace(text: string): boolean {
  return /^\s/.test(text);
}
