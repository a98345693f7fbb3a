/**
 * GPT-2's byte alphabet: tokens of a byte-level tokenizer are written with one printable character per byte.
 * Printable Latin-1 bytes stand for themselves, the others follow from U+0100 in order.
 */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    map.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return map;
})();

/** Bytes of a token written in the byte alphabet; undefined when a character is not of it. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = Array.from(token, (character) => BYTE_OF_CHARACTER.get(character));
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[]);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as a person reads them: UTF-8 where it is valid, other bytes as ⟨E2⟩. */
export function readableBytes(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes[i]!);
    const character = length === 0 ? undefined : decodeStrictly(bytes.subarray(i, i + length));
    text += character ?? `⟨${bytes[i]!.toString(16).toUpperCase().padStart(2, '0')}⟩`;
    i += character === undefined ? 1 : length;
  }
  return text;
}

/** How many bytes a UTF-8 character has that begins with this one; 0 for a byte that begins none. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // Not valid UTF-8: what this function is asked to find out.
    return undefined;
  }
}
