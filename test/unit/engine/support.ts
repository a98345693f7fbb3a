import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CircuitError } from '../../../src/shared/errors';
import type { ArrayView } from '../../../src/shared/arrays';
import type { Direction, TokenExperiment, TokenPair } from '../../../src/shared/experiment';
import type { SiteName } from '../../../src/shared/sites';
import type { LoadParams } from '../../../src/engine/client/engine';
import { hashCheckpoint, type HashCheckpointConfig, type HashTensor } from '../../fixtures/hashCheckpoint';

/** tfjs's programs and those of our own kernels, as `npm run build` leaves them. */
export const WASM_FOLDER = path.resolve('dist/wasm');

export interface ExpectedArray {
  shape: number[];
  data: number[];
}

export type SiteErrors = Record<'z' | 'zAll' | 'zLast' | 'positions' | 'attn_out' | 'mlp_out' | 'resid_pre', number[]>;

export interface ExpectedExperiment {
  name: string;
  align: 'end' | null;
  pairs: TokenPair[];
  logits: { clean: ExpectedArray; corrupted: ExpectedArray; float32Error: number };
  logitDiff: { clean: number[]; corrupted: number[]; meanDifference: number };
  directions: Record<
    Direction,
    {
      pairs: Partial<Record<keyof SiteErrors, ExpectedArray>>[];
      heads: { allPositions: ExpectedArray; lastPosition: ExpectedArray };
      positions: (ExpectedArray & { length: number; pairs: number[] })[];
      float32Error: SiteErrors;
    }
  >;
}

export interface ExpectedCheckpoint {
  /** Not in the bundled model's file: its weights are in media/model. */
  checkpoint: HashCheckpointConfig;
  logitTokens: number[] | null;
  experiments: ExpectedExperiment[];
}

export async function expectedValues(name: string): Promise<ExpectedCheckpoint> {
  return JSON.parse(await readFile(path.join('test', 'fixtures', 'expected', `${name}.json`), 'utf8')) as ExpectedCheckpoint;
}

export function tokenExperiment({ align, pairs }: Pick<ExpectedExperiment, 'align' | 'pairs'>, direction: Direction): TokenExperiment {
  return { metric: 'logitDiff', direction, pairs, ...(align === 'end' && { align }) };
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'circuit-engine-'));
}

export async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Writes a hash checkpoint as a model folder in F32 and returns its path. */
export async function writeHashModel(recipe: HashCheckpointConfig, change: (config: Record<string, unknown>, tensors: Map<string, HashTensor>) => void = () => undefined): Promise<string> {
  const { config, tensors } = hashCheckpoint(recipe);
  const folder = await temporaryFolder();
  const fields = { ...config } as unknown as Record<string, unknown>;
  change(fields, tensors);
  await writeModel(folder, fields, tensors);
  return folder;
}

export async function writeModel(folder: string, config: unknown, tensors: ReadonlyMap<string, HashTensor>): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const file = await open(path.join(folder, 'model.safetensors'), 'w');
  try {
    await file.write(safetensorsStart(JSON.stringify(header)));
    for (const { data } of tensors.values()) await file.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } finally {
    await file.close();
  }
}

/** Header length and header. `length` may lie. */
export function safetensorsStart(header: string, length = BigInt(Buffer.byteLength(header))): Buffer {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length);
  return Buffer.concat([start, Buffer.from(header)]);
}

/** A prompt in a vocabulary of 101 tokens. */
export function examplePrompt(seed: number, length: number): number[] {
  return Array.from({ length }, (_, i) => (seed * 31 + i * i * 17 + i * 5) % 101);
}

/** Prompts that differ at `first` only. */
export function examplePair(seed: number, length: number, first: number): TokenPair & { corrupted: number[] } {
  const clean = examplePrompt(seed, length);
  return { clean, corrupted: clean.map((token, i) => (i === first ? (token + 7) % 101 : token)), correct: [seed], incorrect: [seed + 40] };
}

export function loadParams(folder: string, change: Partial<LoadParams> = {}): LoadParams {
  return { folder, id: 'test', backend: 'wasm-simd', threads: 0, ...change };
}

/** Largest |value − reference| divided by largest |reference|, per layer, over pairs. Arrays are [pair][layer, …]. */
export function layerErrors(values: readonly ArrayView[], references: readonly ExpectedArray[]): number[] {
  const layers = references[0]!.shape[0]!;
  return Array.from({ length: layers }, (_, layer) => {
    let difference = 0;
    let size = 0;
    references.forEach(({ data }, pair) => {
      const width = data.length / layers;
      for (let i = layer * width; i < (layer + 1) * width; i++) {
        difference = Math.max(difference, Math.abs(values[pair]!.data[i]! - data[i]!));
        size = Math.max(size, Math.abs(data[i]!));
      }
    });
    return difference / size;
  });
}

/** Largest |difference| divided by largest |reference|. */
export function relativeError(values: ArrayLike<number>, reference: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  if (values.length !== reference.length) return Infinity;
  for (let i = 0; i < reference.length; i++) {
    // Written so that NaN does not pass for a small number.
    const own = Math.abs(values[i]! - reference[i]!);
    if (!(own <= difference)) difference = own;
    size = Math.max(size, Math.abs(reference[i]!));
  }
  return difference / size;
}

/**
 * Largest difference divided by the largest reference of that site, or by a hundredth of resid_pre's where the site has no
 * effects of that size: rounding is that of the sums that go through the stream. embed, which is resid_pre of layer 0, is
 * measured as that is, by the largest of all layers.
 */
export function siteError(values: ArrayLike<number>, reference: Record<SiteName, Float32Array>, site: SiteName): number {
  const largest = (own: Float32Array): number => own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = Math.max(largest(reference[site]), largest(reference.resid_pre) / (site === 'embed' ? 1 : 100));
  return relativeError([...Array.from(values), scale], [...reference[site], scale]);
}

/** What a memory estimate says when it refuses; fails when it does not. */
export function tooBigMessage(check: () => void): string {
  try {
    check();
  } catch (error) {
    assert.ok(CircuitError.is(error, 'too-big'));
    return error.message;
  }
  assert.fail('was not refused');
}

/** A clock by which every look is a tenth of a second after the one before: whatever is spaced by time is reported each time. */
export function everyLookATenth(): () => number {
  let time = 0;
  return () => (time += 100);
}
