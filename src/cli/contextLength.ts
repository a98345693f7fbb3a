import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** Longest prompt in tokens by a model's config.json; undefined when it does not say. What is wrong with the file, loading the model tells. */
export async function contextLength(folder: string): Promise<number | undefined> {
  try {
    const { n_positions: positions } = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as { n_positions?: unknown };
    return Number.isSafeInteger(positions) ? (positions as number) : undefined;
  } catch {
    return undefined;
  }
}
