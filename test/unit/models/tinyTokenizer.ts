import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { loadTokenizer } from '../../../src/models/tokenizer';
import type { Tokenize } from '../../../src/shared/tokenizer';

/** A byte-level BPE in tokenizer.json form: all 256 bytes, each of `words` one token ("·Mary" with · for the leading space), <|endoftext|> last. */
export function tinyTokenizerJson(words: readonly string[]): Record<string, unknown> {
  const alphabet = byteAlphabet();
  const vocabulary = new Map(alphabet.map((character, i) => [character, i]));
  const merges: [string, string][] = [];
  // Words with a space first: their merges must win over those of the bare words within them.
  for (const word of [...words].sort((a, b) => Number(b.startsWith('·')) - Number(a.startsWith('·')))) {
    const letters = Array.from(new TextEncoder().encode(word.replace('·', ' ')), (byte) => BYTES.get(byte)!);
    for (let length = 2; length <= letters.length; length++) {
      const merged = letters.slice(0, length).join('');
      if (vocabulary.has(merged)) continue;
      vocabulary.set(merged, vocabulary.size);
      merges.push([letters.slice(0, length - 1).join(''), letters[length - 1]!]);
    }
  }
  const endOfText = vocabulary.size;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [{ id: endOfText, content: '<|endoftext|>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: '', end_of_word_suffix: '', fuse_unk: false, vocab: Object.fromEntries(vocabulary), merges },
  };
}

/** GPT-2's own table, written out independently of the code under test. */
const BYTES = new Map<number, string>();
{
  const printable = [...range(33, 126), ...range(161, 172), ...range(174, 255)];
  for (const byte of printable) BYTES.set(byte, String.fromCharCode(byte));
  let next = 256;
  for (const byte of range(0, 255)) if (!BYTES.has(byte)) BYTES.set(byte, String.fromCharCode(next++));
}

function byteAlphabet(): string[] {
  return range(0, 255).map((byte) => BYTES.get(byte)!);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** A folder of its own per suite, removed by `remove`. */
export async function temporaryFolder(): Promise<{ folder: string; write(name: string, content: unknown): Promise<string>; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'circuit-explorer-test-'));
  return {
    folder,
    write: async (name, content) => {
      const file = path.join(folder, name);
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
      return file;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A `Tokenize` function that knows these words; others are cut into bytes. */
export async function tinyTokenize(words: readonly string[]): Promise<Tokenize> {
  const { folder, write, remove } = await temporaryFolder();
  try {
    await write('tokenizer.json', tinyTokenizerJson(words));
    const tokenizer = await loadTokenizer(folder);
    return async (texts) => texts.map((text) => tokenizer.encode(text));
  } finally {
    await remove();
  }
}
