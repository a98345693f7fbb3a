import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TokenPair } from '../../src/shared/experiment';
import { hashCheckpoint } from '../fixtures/hashCheckpoint';
import expected from '../fixtures/expected/gpt2-small-size.json';

export const LENGTH = 15;
export const DIFFERS_AT = 10;
const PAIRS = 8;

/** Writes GPT-2 small's shape with hash weights as Hugging Face files (F32, half a gigabyte). */
export async function writeCheckpoint(folder: string): Promise<void> {
  const { config, tensors } = hashCheckpoint(expected.checkpoint);
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  const file = await open(path.join(folder, 'model.safetensors'), 'w');
  try {
    await file.writeFile(Buffer.concat([prefix, padded]));
    for (const { data } of tensors.values()) await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } finally {
    await file.close();
  }
}

/**
 * W1, the shape of the nnsight tutorial with BOS: eight pairs of 15 tokens that differ at position 10 alone, where one
 * name takes the other's place; each prompt is clean in one pair and corrupted in its neighbour.
 */
export function tutorialShape(): TokenPair[] {
  const token = (prompt: number, position: number): number => (1000 + 7919 * prompt + 104729 * position) % 50000;
  return Array.from({ length: PAIRS }, (_, index) => {
    const prompt = index >> 1;
    const names = [token(prompt, 2), token(prompt, 4)];
    const [own, other] = index % 2 === 0 ? names : names.reverse();
    const at = (name: number): number[] =>
      Array.from({ length: LENGTH }, (__, position) => (position === DIFFERS_AT ? name : token(prompt, position)));
    return { clean: at(own!), corrupted: at(other!), correct: [other!], incorrect: [own!] };
  });
}
