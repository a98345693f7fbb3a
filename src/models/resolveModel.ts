import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CircuitError } from '../shared/errors';
import { isFile, isFolder } from './files';
import { expandHome, findCached, isHubId, listCached, namesOf } from './hubCache';
import type { ModelSource } from './modelSource';

/** Where models may lie on this machine. */
export interface ModelPlaces {
  /** The model that comes with the extension. */
  bundledFolder: string;
  /** Hugging Face caches, see `hubCacheFolder`. */
  cacheFolders: readonly string[];
  /** What "~" means. */
  home: string;
}

export const BUNDLED = 'bundled';

/** True when a reference names a folder, not the bundled model or a hub id. In Restricted Mode a prompt file's folder is ignored. */
export function isFolderReference(reference: string): boolean {
  return path.isAbsolute(reference) || path.win32.isAbsolute(reference) || /^(?:~|\.{1,2})(?:$|[\\/])/.test(reference) || /^[A-Za-z]:/.test(reference) || reference.includes('\\');
}

/**
 * Finds a model's files: "bundled", a folder, or a hub id that is in a Hugging Face cache. Never downloads.
 * Throws `model-missing` (no such model, or which file is missing and what to do), `model-unsupported` (weights in a form we do not read).
 */
export async function resolveModel(reference: string, places: ModelPlaces): Promise<ModelSource> {
  try {
    const source = await find(reference.trim(), places);
    await checkFiles(source.folder, reference);
    return source;
  } catch (error) {
    if (CircuitError.is(error)) throw error;
    throw new CircuitError('model-missing', `The files of the model ${reference} cannot be read; check the path and its permissions.`, { cause: error });
  }
}

async function find(reference: string, places: ModelPlaces): Promise<ModelSource> {
  if (reference === BUNDLED) return { id: BUNDLED, folder: places.bundledFolder };
  if (reference === '') throw new CircuitError('model-missing', 'No model is named; write "bundled", a folder, or a hub id such as "openai-community/gpt2".');
  if (isFolderReference(reference)) return findFolder(reference, places);
  if (!isHubId(reference)) {
    throw new CircuitError('model-missing', `${JSON.stringify(reference)} names no model; write "bundled", a whole folder path, or a hub id such as "openai-community/gpt2".`);
  }
  let incomplete: ModelSource | undefined;
  for (const cache of places.cacheFolders) {
    for (const id of namesOf(reference)) {
      const cached = await findCached(cache, id);
      if (cached && (await isFile(path.join(cached.folder, 'model.safetensors')))) return cached;
      incomplete ??= cached;
    }
  }
  // What it lacks is said where the files are checked.
  if (incomplete) return incomplete;
  const searched = places.cacheFolders.length > 0 ? places.cacheFolders.join(', ') : 'no cache folder';
  throw new CircuitError(
    'model-missing',
    `The model ${reference} is not on this machine (searched: ${searched}). Circuit Explorer downloads nothing by itself: fetch it with "hf download ${reference}", or name a folder that holds it.`,
  );
}

async function findFolder(reference: string, { home }: ModelPlaces): Promise<ModelSource> {
  const expanded = expandHome(reference, home);
  // Only who asks knows what a relative path starts from: the prompt file's folder or the working folder.
  if (!path.isAbsolute(expanded)) {
    throw new CircuitError('model-missing', `${reference} is not a whole path on this machine; write the folder from its root.`);
  }
  const folder = path.resolve(expanded);
  if (!(await isFolder(folder))) throw new CircuitError('model-missing', `There is no folder ${folder}; check the path of the model.`);
  return { id: path.basename(folder) || folder, folder };
}

/** The three files that a model takes, each missing one named. */
async function checkFiles(folder: string, reference: string): Promise<void> {
  const [config, weights, tokenizer, sharded, pickled] = await Promise.all(
    ['config.json', 'model.safetensors', 'tokenizer.json', 'model.safetensors.index.json', 'pytorch_model.bin'].map((name) => isFile(path.join(folder, name))),
  );
  if (config && !weights && (sharded || pickled)) {
    const found = sharded ? 'has its weights in several files (model.safetensors.index.json)' : 'has its weights only as pytorch_model.bin, which can run code when opened';
    throw new CircuitError(
      'model-unsupported',
      `The model in ${folder} ${found}; one model.safetensors is needed. In Python: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, safe_serialization=True, max_shard_size="100GB").`,
    );
  }
  const missing = [!config && 'config.json', !weights && 'model.safetensors', !tokenizer && 'tokenizer.json'].filter((name) => name !== false);
  if (missing.length === 0) return;
  const advice = !config && !weights
    ? 'Is this the folder of a model in Hugging Face form?'
    : tokenizer
      ? 'Fetch or save the model again.'
      : 'In Python, AutoTokenizer.from_pretrained(…).save_pretrained(folder) writes tokenizer.json.';
  const model = reference === BUNDLED ? 'The bundled model' : `The model ${reference}`;
  throw new CircuitError('model-missing', `${model} has no ${missing.join(', no ')} in ${folder}. ${advice}`);
}

/** The bundled model, then every complete GPT-2 in the caches by name. */
export async function listModels(places: Pick<ModelPlaces, 'bundledFolder' | 'cacheFolders'>): Promise<ModelSource[]> {
  const cached = (await Promise.all(places.cacheFolders.map(listCached))).flat();
  const usable = await Promise.all(
    cached.map(async (model) => {
      const complete = await Promise.all(['model.safetensors', 'tokenizer.json'].map((name) => isFile(path.join(model.folder, name))));
      return complete.every(Boolean) && (await modelType(model.folder)) === 'gpt2';
    }),
  );
  const found = cached.filter((_, i) => usable[i]).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return [{ id: BUNDLED, folder: places.bundledFolder }, ...found];
}

/** `model_type` of a config.json; undefined when it cannot be read, for a list that is no reason to fail. */
async function modelType(folder: string): Promise<unknown> {
  try {
    return (JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as { model_type?: unknown }).model_type;
  } catch {
    return undefined;
  }
}
