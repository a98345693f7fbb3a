import { ByteLevelPreTokenizer, SequencePreTokenizer, Tokenizer, type PreTokenizer } from '@huggingface/tokenizers';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { CircuitError } from '../shared/errors';
import type { TokenText } from '../shared/run';
import type { TokenizedText, TokenizerInfo } from '../shared/tokenizer';
import { bytesOfToken, readableBytes } from './byteTokens';

export interface LoadedTokenizer {
  info: TokenizerInfo;
  /** Cuts one text, without BOS. Throws `tokenizer` when the tokenizer cannot write the text. */
  encode(text: string): TokenizedText;
  /** A token by its id, as a person reads it; an id outside the vocabulary as ⟨50300⟩. */
  decode(id: number): TokenText;
}

/** The files a tokenizer and its info are read from; only the first must be there. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'config.json'] as const;

/** The largest tokenizer.json in use are about 40 MB; anything far above is not one. */
const LARGEST_FILE = 200_000_000;

const GPT2_END_OF_TEXT = '<|endoftext|>';

/** Reads the byte-level tokenizer of a model folder. Throws `tokenizer` with the file and what to do. */
export async function loadTokenizer(folder: string): Promise<LoadedTokenizer> {
  const read = (name: (typeof TOKENIZER_FILES)[number]): Promise<JsonObject | undefined> => readJson(path.join(folder, name));
  const [definition, config, special] = await Promise.all([read('tokenizer.json'), read('tokenizer_config.json'), read('special_tokens_map.json')]);
  // What is wrong with the model's own config the engine says.
  const model = await read('config.json').catch(() => undefined);
  if (definition === undefined) {
    throw new CircuitError('tokenizer', `There is no tokenizer.json in ${folder}. In Python, AutoTokenizer.from_pretrained(…).save_pretrained(folder) writes one.`);
  }
  const file = path.join(folder, 'tokenizer.json');
  checkDefinition(definition, file);
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer({ normalizer: null, post_processor: null, decoder: null, added_tokens: [], ...definition }, config ?? {});
  } catch (error) {
    throw new CircuitError('tokenizer', `${file} cannot be used as a tokenizer; is it whole, and of a version that transformers reads?`, { cause: error });
  }
  cutAtUnicodeSpaces(tokenizer.pre_tokenizer);
  return wrap(tokenizer, definition, bosCandidates(config, special), contextOf(model));
}

type JsonObject = Record<string, unknown>;

async function readJson(file: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > LARGEST_FILE) throw new CircuitError('tokenizer', `${file} has ${Math.round(size / 1e6)} MB, which no tokenizer needs; it was not read.`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (CircuitError.is(error)) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CircuitError('tokenizer', `${file} cannot be read.`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CircuitError('tokenizer', `${file} is not valid JSON; fetch or save it again.`, { cause: error });
  }
  if (!isObject(value)) throw new CircuitError('tokenizer', `${file} should hold a JSON object.`);
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Says early and plainly what the library would trip over, and refuses tokenizers that do not work on bytes. */
function checkDefinition(definition: JsonObject, file: string): void {
  const { model, added_tokens: added } = definition;
  if (!isObject(model) || !isObject(model['vocab']) || !Array.isArray(model['merges'])) {
    const type = isObject(model) && typeof model['type'] === 'string' ? model['type'] : 'unknown';
    throw new CircuitError('tokenizer', `${file} holds no byte-pair encoding with a vocabulary and merges (its model is of type ${type}); GPT-2's tokenizer is needed.`);
  }
  const ids = Object.values(model['vocab']);
  if (ids.length === 0 || !ids.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)) {
    throw new CircuitError('tokenizer', `The vocabulary in ${file} is empty or has ids that are not whole numbers.`);
  }
  const isMerge = (merge: unknown): boolean => (typeof merge === 'string' ? merge.includes(' ') : Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string'));
  if (!model['merges'].every(isMerge)) {
    throw new CircuitError('tokenizer', `${file} holds merges that are not pairs of tokens.`);
  }
  if (added !== undefined && !(Array.isArray(added) && added.every((token) => isObject(token) && typeof token['content'] === 'string' && Number.isSafeInteger(token['id'])))) {
    throw new CircuitError('tokenizer', `${file} holds added tokens without content or id.`);
  }
  if (!isByteLevel(definition['pre_tokenizer'])) {
    throw new CircuitError('tokenizer', `${file} is not a byte-level tokenizer as GPT-2's is; models with other tokenizers are not supported yet.`);
  }
}

function isByteLevel(preTokenizer: unknown): boolean {
  if (!isObject(preTokenizer)) return false;
  const parts = preTokenizer['pretokenizers'];
  return preTokenizer['type'] === 'ByteLevel' || (Array.isArray(parts) && parts.some(isByteLevel));
}

/**
 * GPT-2's pattern with Unicode's white space, as Python and Rust cut. JavaScript's \s counts U+FEFF as a space and U+0085 not,
 * and the library uses it as it is.
 */
const SPACES = '\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const GPT2_PATTERN = new RegExp(`'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACES}\\p{L}\\p{N}]+|[${SPACES}]+(?![^${SPACES}])|[${SPACES}]+`, 'gu');

function cutAtUnicodeSpaces(preTokenizer: PreTokenizer | null): void {
  if (preTokenizer instanceof ByteLevelPreTokenizer) preTokenizer.pattern = GPT2_PATTERN;
  if (preTokenizer instanceof SequencePreTokenizer) preTokenizer.tokenizers.forEach(cutAtUnicodeSpaces);
}

/** What the files name as BOS, else GPT-2's end-of-text token. */
function bosCandidates(...files: (JsonObject | undefined)[]): string[] {
  const named = files.map((file) => file?.['bos_token']).map((token) => (isObject(token) ? token['content'] : token));
  return [...named.filter((token): token is string => typeof token === 'string'), GPT2_END_OF_TEXT];
}

/** GPT-2's name, or the general one. */
function contextOf(model: JsonObject | undefined): number | undefined {
  const length = model?.['n_positions'] ?? model?.['max_position_embeddings'];
  return Number.isSafeInteger(length) && (length as number) > 0 ? (length as number) : undefined;
}

function wrap(tokenizer: Tokenizer, definition: JsonObject, bosNames: string[], context: number | undefined): LoadedTokenizer {
  const added = new Set([...tokenizer.get_added_tokens_decoder().values()].map(({ content }) => content));
  const bytesOf = (token: string): Uint8Array => (added.has(token) ? undefined : bytesOfToken(token)) ?? new TextEncoder().encode(token);
  const bosName = bosNames.find((name) => tokenizer.token_to_id(name) !== undefined);
  const bos: TokenText | undefined = bosName === undefined ? undefined : { id: tokenizer.token_to_id(bosName)!, text: bosName };
  let vocabulary = 0;
  for (const id of tokenizer.get_vocab().values()) vocabulary = Math.max(vocabulary, id + 1);
  const normalizer = isObject(definition['normalizer']) ? tokenizer.normalizer : null;

  const encode = (text: string): TokenizedText => {
    const { ids, tokens } = tokenizer.encode(text, { add_special_tokens: false });
    const bytes = tokens.map(bytesOf);
    const offsets = locate(bytes, characters(text, normalizer));
    if (!offsets || ids.includes(undefined as unknown as number)) {
      throw new CircuitError('tokenizer', `This model's tokenizer cannot write ${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)} without changing it; use other words or another model.`);
    }
    return { tokens: ids.map((id, i) => ({ id, text: added.has(tokens[i]!) ? tokens[i]! : readableBytes(bytes[i]!) })), offsets };
  };
  const decode = (id: number): TokenText => {
    const token = tokenizer.id_to_token(id);
    // Vocabularies are padded to round sizes; a model may predict an id that no text has.
    if (token === undefined) return { id, text: `⟨${id}⟩` };
    return { id, text: added.has(token) ? token : readableBytes(bytesOf(token)) };
  };
  return { info: { vocabulary, bos, context }, encode, decode };
}

/** A stretch of the text that stands or falls as a whole, with the bytes the tokenizer sees for it. */
interface Character {
  start: number;
  end: number;
  bytes: Uint8Array;
}

/** The text's characters. A normaliser may compose or decompose, which never reaches beyond a grapheme. */
function characters(text: string, normalizer: Tokenizer['normalizer']): Character[] {
  const encoder = new TextEncoder();
  const parts = normalizer ? Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment) : Array.from(text);
  let start = 0;
  return parts.map((part) => {
    const character = { start, end: start + part.length, bytes: encoder.encode(normalizer ? normalizer.normalize(part) : part) };
    start = character.end;
    return character;
  });
}

/** UTF-16 range of each token, the whole range of every character it touches; undefined when tokens and text differ. */
function locate(tokens: Uint8Array[], text: Character[]): [start: number, end: number][] | undefined {
  const stream = text.flatMap((character) => Array.from(character.bytes, (byte) => ({ byte, character })));
  let at = 0;
  // A tokenizer may put a space first (add_prefix_space); it belongs to no character.
  const prefix = tokens[0]?.[0] === SPACE && stream[0]?.byte !== SPACE ? 1 : 0;
  const offsets: [number, number][] = [];
  for (const [index, bytes] of tokens.entries()) {
    const own = index === 0 ? bytes.subarray(prefix) : bytes;
    const touched = stream.slice(at, at + own.length);
    if (touched.length < own.length || touched.some(({ byte }, i) => byte !== own[i])) return undefined;
    offsets.push([touched[0]?.character.start ?? 0, touched.at(-1)?.character.end ?? 0]);
    at += own.length;
  }
  return at === stream.length ? offsets : undefined;
}

const SPACE = 0x20;
