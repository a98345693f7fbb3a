import path from 'node:path';
import type { RunSettings } from '../runner/settings';
import { DIRECTIONS } from '../shared/experiment';

/** True and false, as a prompt file says it, are understood too. */
const PREPEND_BOS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([['always', true], [true, true], ['never', false], [false, false]]);

/** The folder with native backends that a setting names, if it names one. `~` is the home folder. */
export function nativeFolderFrom(value: unknown, home: string): string | undefined {
  const text = typeof value === 'string' ? value.trim() : '';
  if (text === '') return undefined;
  return path.resolve(home, text.replace(/^~(?=$|[\\/])/, home));
}

/** Settings as they may be used: settings.json takes any value, and one of the wrong type counts as not set (the editor marks it there). */
export function runSettingsFrom(get: (name: string) => unknown): RunSettings {
  const [model, backend, threads, prependBos, direction] = ['model', 'backend', 'threads', 'prependBos', 'direction'].map(get);
  return {
    model: (typeof model === 'string' && model.trim()) || 'bundled',
    // A name that is none is the engine's to refuse, with those there are.
    backend: typeof backend === 'string' ? (backend as RunSettings['backend']) : 'auto',
    threads: typeof threads === 'number' && threads > 0 ? Math.trunc(threads) : 0,
    prependBos: PREPEND_BOS.get(prependBos) ?? 'model',
    direction: DIRECTIONS.find((known) => known === direction) ?? 'denoise',
  };
}
