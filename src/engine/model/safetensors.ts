import type { FileHandle } from 'node:fs/promises';
import { CircuitError } from '../../shared/errors';

/**
 * Reading .safetensors: eight bytes of header length (little endian), a JSON header that names each tensor's dtype,
 * shape and byte range, then the bytes. Format: https://github.com/huggingface/safetensors#format
 */

const BYTES_PER_ELEMENT = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

export type SafetensorsDtype = keyof typeof BYTES_PER_ELEMENT;

export interface TensorEntry {
  name: string;
  dtype: SafetensorsDtype;
  shape: number[];
  /** Byte range in the file (not in the data section). */
  start: number;
  end: number;
}

/** The format's own limit. */
export const LARGEST_HEADER = 100_000_000;
const MAX_RANK = 8;

/**
 * Reads and checks the header. Returns the tensors in the order in which their bytes stand in the file.
 * Throws `model-invalid` when it is truncated, too large, no JSON, names an unknown dtype or a tensor twice,
 * or when byte ranges overlap, leave the file or do not fit their shapes.
 */
export async function readHeader(file: FileHandle): Promise<TensorEntry[]> {
  const { size } = await file.stat();
  if (size < 8) throw invalid(`it has ${size} bytes, fewer than the 8 of a header length`);
  const length = (await readRange(file, 0, 8)).readBigUInt64LE();
  if (length > BigInt(LARGEST_HEADER)) throw invalid(`its header claims ${length} bytes, more than the allowed ${LARGEST_HEADER}`);
  if (length > BigInt(size - 8)) throw invalid(`its header claims ${length} bytes, but the file has ${size}: it is truncated or no safetensors file`);
  const dataStart = 8 + Number(length);
  const bytes = await readRange(file, 8, Number(length));
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid('its header is not UTF-8', cause);
  }
  return parseHeader(text, dataStart, size);
}

/** The pure half of `readHeader`. */
export function parseHeader(text: string, dataStart: number, fileSize: number): TensorEntry[] {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw invalid('its header is not JSON', cause);
  }
  if (!isRecord(header)) throw invalid('its header is not a JSON object');
  const twice = repeatedKey(text);
  if (twice !== undefined) throw invalid(`its header names "${twice}" twice`);

  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    entries.push(parseEntry(name, value, dataStart, fileSize));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  for (let i = 1; i < entries.length; i++) {
    const [before, after] = [entries[i - 1]!, entries[i]!];
    if (after.start < before.end) throw invalid(`the bytes of "${before.name}" and "${after.name}" overlap`);
  }
  return entries;
}

function parseEntry(name: string, value: unknown, dataStart: number, fileSize: number): TensorEntry {
  if (!isRecord(value)) throw invalid(`tensor "${name}" is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(BYTES_PER_ELEMENT, dtype)) {
    throw invalid(`tensor "${name}" has the unknown dtype ${JSON.stringify(dtype)}`);
  }
  if (!isCounts(shape) || shape.length > MAX_RANK) throw invalid(`tensor "${name}" has no valid shape`);
  if (!isCounts(offsets) || offsets.length !== 2) throw invalid(`tensor "${name}" has no valid data_offsets`);
  const [from, to] = offsets as [number, number];
  if (from > to || dataStart + to > fileSize) {
    throw invalid(`tensor "${name}" claims bytes ${from} to ${to} of ${fileSize - dataStart}: the file is truncated or damaged`);
  }
  const wanted = shape.reduce((product, extent) => product * extent, BYTES_PER_ELEMENT[dtype as SafetensorsDtype]);
  if (to - from !== wanted) {
    throw invalid(`tensor "${name}" has ${to - from} bytes; ${dtype} of shape ${JSON.stringify(shape)} needs ${wanted}`);
  }
  return { name, dtype: dtype as SafetensorsDtype, shape, start: dataStart + from, end: dataStart + to };
}

/**
 * JSON.parse keeps the last of two equal keys silently; a header in which a name stands twice is damaged or hostile.
 * `text` is known to be a JSON object. Read sign by sign: on a text of millions of signs a pattern for strings overflows the stack.
 */
function repeatedKey(text: string): string | undefined {
  const seen = new Set<string>();
  const colon = /\s*:/y;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '{' || sign === '[') depth++;
    else if (sign === '}' || sign === ']') depth--;
    if (sign !== '"') continue;
    const start = at;
    at = closingQuote(text, start);
    colon.lastIndex = at + 1;
    if (depth !== 1 || !colon.test(text)) continue;
    const name = JSON.parse(text.slice(start, at + 1)) as string;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

function closingQuote(text: string, openingQuote: number): number {
  let at = openingQuote + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** Reads exactly `length` bytes at `start`, however many reads that takes. */
async function readRange(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  await readInto(file, bytes, start);
  return bytes;
}

/** Fills `target` from position `start` of the file. Throws `model-invalid` when the file ends before. */
export async function readInto(file: FileHandle, target: Uint8Array, start: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await file.read(target, done, target.length - done, start + done);
    if (bytesRead === 0) throw invalid('it ended while it was being read');
    done += bytesRead;
  }
}

function invalid(what: string, cause?: unknown): CircuitError {
  return new CircuitError('model-invalid', `The checkpoint cannot be read: ${what}. Download or convert it again.`, { cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
