import type { TokenText } from './run';

/** One text cut into tokens. `offsets[i]` is the UTF-16 range of token i in the text; a token inside a character has its whole range. */
export interface TokenizedText {
  tokens: TokenText[];
  offsets: [start: number, end: number][];
}

/** Cuts texts into tokens, without BOS. What `prompts/check` and the runner are given. */
export type Tokenize = (texts: string[]) => Promise<TokenizedText[]>;

export interface TokenizerInfo {
  vocabulary: number;
  /** Token that `prependBos` puts first; absent when the tokenizer names none. */
  bos?: TokenText;
  /** Longest prompt in tokens by the model's config.json; absent where that does not say. */
  context?: number;
}
