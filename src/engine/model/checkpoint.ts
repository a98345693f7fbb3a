import { existsSync } from 'node:fs';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { CircuitError } from '../../shared/errors';
import { sizeOf } from '../../shared/arrays';
import { parseConfig, type Gpt2Config } from './config';
import { startFileHash } from './fileHash';
import { firstNonFinite, widenBf16, widenF16 } from './floats';
import { readHeader, readInto, type TensorEntry } from './safetensors';
import type { Work } from './work';

/** A GPT-2 folder as Hugging Face has it, its config and header read and checked, its weights not yet. */
export interface Checkpoint {
  config: Gpt2Config;
  /** Path of model.safetensors. */
  file: string;
  fileSize: number;
  /** All tensors of the file in file order; `weight` is the plain GPT-2 name of those that are used. */
  tensors: (TensorEntry & { weight?: string })[];
  dtype: 'F32' | 'F16' | 'BF16';
  parameters: number;
}

const CHECKPOINT = 'model.safetensors';
const CONFIG = 'config.json';
/** Bytes read at a time: few enough to be still in the processor's cache when they are looked at, enough to make calls few. */
const PIECE = 1 << 20;

/** What tells whether a folder's model has changed since it was loaded. */
export async function fingerprint(folder: string): Promise<string> {
  const stamps = await Promise.all(
    [CONFIG, CHECKPOINT].map(async (name) => {
      const found = await stat(path.join(folder, name)).catch(() => undefined);
      return found ? `${found.size}@${found.mtimeMs}` : 'absent';
    }),
  );
  return [folder, ...stamps].join('|');
}

/**
 * Reads config.json and the checkpoint's header and checks that every weight is there with its shape.
 * Throws `model-missing`, `model-invalid` or `model-unsupported` (another architecture, pickled or sharded files, other dtypes).
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const file = path.join(folder, CHECKPOINT);
  const config = parseConfig(await readConfigText(folder));
  if (!existsSync(file)) throw noCheckpoint(folder);
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    throw new CircuitError('model-missing', `The file "${file}" cannot be opened.`, { cause });
  }
  try {
    const entries = await readHeader(handle);
    const { size } = await handle.stat();
    return describe(config, file, size, entries);
  } finally {
    await handle.close();
  }
}

async function readConfigText(folder: string): Promise<string> {
  try {
    return await readFile(path.join(folder, CONFIG), 'utf8');
  } catch (cause) {
    const message = existsSync(folder)
      ? `The folder "${folder}" has no readable ${CONFIG}, so it holds no model. A model folder has ${CONFIG}, ${CHECKPOINT} and tokenizer.json.`
      : `There is no model folder "${folder}".`;
    throw new CircuitError('model-missing', message, { cause });
  }
}

function noCheckpoint(folder: string): CircuitError {
  if (existsSync(path.join(folder, `${CHECKPOINT}.index.json`))) {
    return new CircuitError('model-unsupported', `The model in "${folder}" is split over several safetensors files. Save it as one ${CHECKPOINT} (in Python: model.save_pretrained(folder, max_shard_size="100GB")).`);
  }
  if (['pytorch_model.bin', 'pytorch_model.bin.index.json', 'model.ckpt.index', 'tf_model.h5'].some((name) => existsSync(path.join(folder, name)))) {
    return new CircuitError('model-unsupported', `The model in "${folder}" has no ${CHECKPOINT}, only files of another format. Pickled checkpoints are not read because they can run code; convert it (in Python: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)).`);
  }
  return new CircuitError('model-missing', `The folder "${folder}" has no ${CHECKPOINT}. Download the model's weights in safetensors form.`);
}

/** Plain GPT-2 names and shapes; weights are stored [in, out]. */
function weightShapes({ layers, dModel: d, dMlp: m, vocabulary, context, tied }: Gpt2Config): Map<string, number[]> {
  const shapes = new Map<string, number[]>([
    ['wte.weight', [vocabulary, d]],
    ['wpe.weight', [context, d]],
    ['ln_f.weight', [d]],
    ['ln_f.bias', [d]],
  ]);
  if (!tied) shapes.set('lm_head.weight', [vocabulary, d]);
  for (let layer = 0; layer < layers; layer++) {
    const block: Record<string, number[]> = {
      'ln_1.weight': [d],
      'ln_1.bias': [d],
      'attn.c_attn.weight': [d, 3 * d],
      'attn.c_attn.bias': [3 * d],
      'attn.c_proj.weight': [d, d],
      'attn.c_proj.bias': [d],
      'ln_2.weight': [d],
      'ln_2.bias': [d],
      'mlp.c_fc.weight': [d, m],
      'mlp.c_fc.bias': [m],
      'mlp.c_proj.weight': [m, d],
      'mlp.c_proj.bias': [d],
    };
    for (const [name, shape] of Object.entries(block)) shapes.set(`h.${layer}.${name}`, shape);
  }
  return shapes;
}

/** Matches the file's tensors with the weights the config asks for. Names may carry the prefix `transformer.`; others are ignored. */
export function describe(config: Gpt2Config, file: string, fileSize: number, entries: readonly TensorEntry[]): Checkpoint {
  const shapes = weightShapes(config);
  const missing = new Set(shapes.keys());
  const dtypes = new Set<string>();
  let parameters = 0;
  const tensors = entries.map((entry) => {
    const weight = entry.name.startsWith('transformer.') ? entry.name.slice('transformer.'.length) : entry.name;
    const shape = shapes.get(weight);
    if (!shape) return entry;
    if (!missing.delete(weight)) throw new CircuitError('model-invalid', `The checkpoint holds the weight "${weight}" twice, with and without the prefix "transformer.".`);
    if (shape.join() !== entry.shape.join()) {
      throw new CircuitError('model-invalid', `The checkpoint does not fit its config.json: "${entry.name}" has shape [${entry.shape}], expected [${shape}].`);
    }
    if (entry.dtype !== 'F32' && entry.dtype !== 'F16' && entry.dtype !== 'BF16') {
      throw new CircuitError('model-unsupported', `The weight "${entry.name}" is stored as ${entry.dtype}. Weights in F32, F16 or BF16 can be read.`);
    }
    dtypes.add(entry.dtype);
    parameters += sizeOf(shape);
    return { ...entry, weight };
  });
  const absent = [...missing];
  if (absent.length > 0) {
    const more = absent.length > 1 ? ` and ${absent.length - 1} more` : '';
    throw new CircuitError('model-invalid', `The checkpoint lacks the weight "${absent[0]}"${more}. It is incomplete, or its config.json belongs to another model.`);
  }
  const dtype = (['F32', 'BF16', 'F16'] as const).find((name) => dtypes.has(name))!;
  return { config, file, fileSize, tensors, dtype, parameters };
}

/** A weight of the checkpoint as float32. */
export type TakeWeight = (weight: string, values: Float32Array, shape: readonly number[]) => void;

/** Where a weight's values are to be read into: [shape], of exactly its size, never moved until it is taken. undefined: into an array of its own. */
export type PlaceWeight = (weight: string, shape: readonly number[]) => Float32Array | undefined;

/**
 * Reads the weights in the order of the file and hands each over as float32 before the next is begun, in the array that `place`
 * gave for it. Meanwhile the whole file is read once more for its SHA-256, which is returned. Work is counted in bytes.
 * Throws `model-invalid` for a weight that holds NaN or infinity, and when the file ends before it should.
 */
export async function readWeights(checkpoint: Checkpoint, work: Work, take: TakeWeight, place: PlaceWeight = () => undefined): Promise<string> {
  const handle = await open(checkpoint.file, 'r');
  const hash = startFileHash(checkpoint.file, checkpoint.fileSize);
  try {
    let position = 0;
    for (const entry of checkpoint.tensors) {
      const { weight, shape, start, end } = entry;
      if (weight !== undefined) {
        work.advance(start - position);
        const values = place(weight, shape) ?? new Float32Array(sizeOf(shape));
        await readValues(handle, entry, values, work);
        take(weight, values, shape);
        position = end;
      }
    }
    work.advance(checkpoint.fileSize - position);
    return await hash.done;
  } finally {
    await Promise.all([hash.stop(), handle.close()]);
  }
}

/** Reads one tensor piece by piece into `values`, widened to float32. */
async function readValues(handle: FileHandle, { name, dtype, start, end }: TensorEntry, values: Float32Array, work: Work): Promise<void> {
  const bytesEach = dtype === 'F32' ? 4 : 2;
  const halves = dtype === 'F32' ? undefined : new Uint16Array(Math.min(PIECE, end - start) / 2);
  for (let at = start; at < end; at += PIECE) {
    await work.pause();
    const bytes = Math.min(PIECE, end - at);
    const first = (at - start) / bytesEach;
    const piece = values.subarray(first, first + bytes / bytesEach);
    if (halves) {
      await readInto(handle, new Uint8Array(halves.buffer, 0, bytes), at);
      const widen = dtype === 'F16' ? widenF16 : widenBf16;
      widen(halves.subarray(0, piece.length), piece);
    } else {
      await readInto(handle, new Uint8Array(piece.buffer, piece.byteOffset, bytes), at);
    }
    const bad = firstNonFinite(piece);
    if (bad !== -1) {
      throw new CircuitError('model-invalid', `The weight "${name}" holds ${piece[bad]} at index ${first + bad}. The checkpoint is damaged or its training diverged.`);
    }
    work.advance(bytes);
  }
}
