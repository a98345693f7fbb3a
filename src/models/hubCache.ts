import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ignoreMissing } from './files';

/**
 * The cache that Hugging Face's libraries share on this machine: `models--ORG--NAME/refs/main` names a revision,
 * `snapshots/REVISION/` holds its files (links into `blobs/`). Only read, never filled.
 */
export interface CachedModel {
  /** Hub id, "openai-community/gpt2". */
  id: string;
  revision: string;
  folder: string;
}

/** Where the cache is, by the rules of huggingface_hub. */
export function hubCacheFolder(env: Readonly<Record<string, string | undefined>>, home: string): string {
  const named = env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'];
  if (named) return expandHome(named, home);
  const hub = env['HF_HOME'] || (env['XDG_CACHE_HOME'] && path.join(env['XDG_CACHE_HOME'], 'huggingface')) || path.join(home, '.cache', 'huggingface');
  return path.join(expandHome(hub, home), 'hub');
}

/** "~", "~/models" and "~\models" start at the home folder. */
export function expandHome(folder: string, home: string): string {
  return /^~(?=$|[\\/])/.test(folder) ? path.join(home, folder.slice(1)) : folder;
}

/** Two names of one repository: the hub moved GPT-2 from bare names into organisations. */
const MOVED: readonly (readonly [bare: string, now: string])[] = [
  ['gpt2', 'openai-community/gpt2'],
  ['gpt2-medium', 'openai-community/gpt2-medium'],
  ['gpt2-large', 'openai-community/gpt2-large'],
  ['gpt2-xl', 'openai-community/gpt2-xl'],
  ['distilgpt2', 'distilbert/distilgpt2'],
];

/** The ids under which a model may lie in the cache, the one asked for first. */
export function namesOf(id: string): string[] {
  const moved = MOVED.find((names) => names.includes(id));
  return moved ? [id, ...moved.filter((name) => name !== id)] : [id];
}

/** "gpt2" or "org/name", in the hub's own alphabet: no path can be written so. */
export function isHubId(reference: string): boolean {
  return /^(?:[\w-][\w.-]*\/)?[\w-][\w.-]*$/.test(reference) && !reference.includes('..') && !reference.includes('--');
}

/** A model's current revision in one cache folder; undefined when it is not there. */
export async function findCached(cache: string, id: string): Promise<CachedModel | undefined> {
  const repository = path.join(cache, `models--${id.replace('/', '--')}`);
  const snapshots = await ignoreMissing(readdir(path.join(repository, 'snapshots')), []);
  const named = (await ignoreMissing(readFile(path.join(repository, 'refs', 'main'), 'utf8'), '')).trim();
  // Without refs/main (a download of one fixed revision) the only snapshot is meant.
  const revision = snapshots.includes(named) ? named : named === '' && snapshots.length === 1 ? snapshots[0] : undefined;
  return revision === undefined ? undefined : { id, revision, folder: path.join(repository, 'snapshots', revision) };
}

/** All models in one cache folder. */
export async function listCached(cache: string): Promise<CachedModel[]> {
  const names = await ignoreMissing(readdir(cache), []);
  const ids = names.filter((name) => name.startsWith('models--')).map((name) => name.slice('models--'.length).replace('--', '/'));
  const found = await Promise.all(ids.filter(isHubId).map((id) => findCached(cache, id)));
  return found.flatMap((model) => model ?? []);
}
