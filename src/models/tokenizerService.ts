import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { CallOptions } from '../shared/results';
import type { TokenText } from '../shared/run';
import type { TokenizedText, TokenizerInfo } from '../shared/tokenizer';
import { loadTokenizer, TOKENIZER_FILES, type LoadedTokenizer } from './tokenizer';

/** Cuts texts with the tokenizer of a model folder. Served in a thread of its own; in-process in tests. Throws `tokenizer`. */
export interface TokenizerService {
  encode(params: { folder: string; texts: string[] }, call?: CallOptions): Promise<TokenizedText[]>;
  /** Tokens by their ids, as a person reads them. */
  decode(params: { folder: string; ids: number[] }, call?: CallOptions): Promise<TokenText[]>;
  info(params: { folder: string }, call?: CallOptions): Promise<TokenizerInfo>;
}

/** A tokenizer with its maps takes some 50 MB for GPT-2; a person compares two or three models. */
const MOST_KEPT = 3;

/** The service itself. Keeps the tokenizers used last, as long as their files are unchanged. */
export function createTokenizerService(): TokenizerService {
  const kept = new Map<string, { stamp: string; tokenizer: Promise<LoadedTokenizer> }>();

  const tokenizerOf = async (folder: string): Promise<LoadedTokenizer> => {
    const stamp = await stampOf(folder);
    let entry = kept.get(folder);
    if (entry?.stamp !== stamp) entry = { stamp, tokenizer: loadTokenizer(folder) };
    // Put last: the first is the one unused for longest.
    kept.delete(folder);
    kept.set(folder, entry);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
    try {
      return await entry.tokenizer;
    } catch (error) {
      // A failure is not kept: the file may be readable the next time.
      if (kept.get(folder) === entry) kept.delete(folder);
      throw error;
    }
  };

  return {
    encode: async ({ folder, texts }) => {
      const tokenizer = await tokenizerOf(folder);
      return texts.map((text) => tokenizer.encode(text));
    },
    decode: async ({ folder, ids }) => {
      const tokenizer = await tokenizerOf(folder);
      return ids.map((id) => tokenizer.decode(id));
    },
    info: async ({ folder }) => (await tokenizerOf(folder)).info,
  };
}

/** Changes when one of the tokenizer's files does; also when one appears or goes. */
async function stampOf(folder: string): Promise<string> {
  const stamps = await Promise.all(
    TOKENIZER_FILES.map(async (name) => {
      try {
        const { mtimeMs, size } = await stat(path.join(folder, name));
        return `${mtimeMs}:${size}`;
      } catch {
        // Loading says what is wrong with a file that cannot be looked at.
        return 'absent';
      }
    }),
  );
  return stamps.join(' ');
}
