import type { parseArgs } from 'node:util';
import type { BackendChoice } from '../engine/client/engine';
import type { ExperimentOverrides } from '../prompts/rules';
import { DIRECTIONS, OTHERS } from '../shared/experiment';
import { choice, metricOf, placeOf, rangeOf, usage, variantOf, whole, type VariantFlags } from './flags';

/** What every verb that runs an experiment takes. */
export interface ExperimentFlags {
  /** Names, or numbers counted from 1, as written. Empty: all pairs. */
  pairs: string[];
  model?: string;
  /** Fields that are not given are absent. */
  overrides: Omit<ExperimentOverrides, 'variant'>;
  variant?: VariantFlags;
  backend: BackendChoice;
  threads: number;
  /** Folder with the packages of native backends. */
  nativeFolder?: string;
  raw: boolean;
  top: number;
  json: boolean;
}

const BACKENDS: readonly BackendChoice[] = ['auto', 'wasm-threads', 'wasm-simd', 'wasm', 'cpu', 'native', 'native-gpu', 'webgpu'];

export const COMMON = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

export const EXPERIMENT = {
  ...COMMON,
  pair: { type: 'string', multiple: true },
  model: { type: 'string' },
  direction: { type: 'string' },
  other: { type: 'string' },
  metric: { type: 'string' },
  at: { type: 'string' },
  source: { type: 'string' },
  range: { type: 'string' },
  variant: { type: 'string', multiple: true },
  stop: { type: 'string', multiple: true },
  intervene: { type: 'string', multiple: true },
  bos: { type: 'boolean' },
  'no-bos': { type: 'boolean' },
  backend: { type: 'string' },
  threads: { type: 'string' },
  'native-folder': { type: 'string' },
  raw: { type: 'boolean' },
  top: { type: 'string' },
} as const;

export function oneFile(verb: string, files: readonly string[]): string {
  if (files.length !== 1) throw usage(`${verb} takes one file: a prompt file, or a stored run (*.safetensors).`);
  return files[0]!;
}

/** `--help` and `--version` of a verb win over everything else. */
export function askedFor({ help, version }: { help?: boolean; version?: boolean }): { verb: 'help' } | { verb: 'version' } | undefined {
  if (help) return { verb: 'help' };
  return version ? { verb: 'version' } : undefined;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof EXPERIMENT }>>['values'];

export function experimentFlags(values: Values): ExperimentFlags {
  if (values.bos && values['no-bos']) throw usage('--bos and --no-bos contradict each other.');
  const overrides: ExperimentFlags['overrides'] = {
    metric: metricOf(values.metric),
    at: placeOf(values.at),
    source: placeOf(values.source),
    range: rangeOf(values.range),
    direction: choice('--direction', values.direction, DIRECTIONS),
    other: choice('--other', values.other, OTHERS),
    prependBos: values.bos ? true : values['no-bos'] ? false : undefined,
  };
  if (overrides.direction === 'denoise' && overrides.other !== undefined && overrides.other !== 'corrupted') {
    throw usage(`--other ${overrides.other} is done to the clean run, which is --direction noise.`);
  }
  const variant = variantOf({ variant: values.variant ?? [], stop: values.stop ?? [], intervene: values.intervene ?? [] });
  return {
    pairs: values.pair ?? [],
    ...(values.model !== undefined && { model: values.model }),
    overrides: Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)),
    ...(variant && { variant }),
    backend: choice('--backend', values.backend, BACKENDS) ?? 'auto',
    threads: whole('--threads', values.threads, 0) ?? 0,
    ...(values['native-folder'] !== undefined && { nativeFolder: values['native-folder'] }),
    raw: values.raw ?? false,
    top: whole('--top', values.top, 1) ?? 10,
    json: values.json ?? false,
  };
}

/** Throws `usage` where Node's own parser does not understand. */
export function parsing<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof Error && (cause as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) throw usage(inOurWords(cause));
    throw cause;
  }
}

/** Node's own messages run over several lines and advise what is not meant. Each names what it is about in quotes first. */
function inOurWords({ message }: Error): string {
  const named = /'(?:-\w, )?([^' ]*)/.exec(message)?.[1] ?? '';
  if (message.startsWith('Unknown option')) return `There is no option ${named} here.`;
  if (message.startsWith('Unexpected argument')) return `There is nothing to do with "${named}" here.`;
  if (message.includes('does not take an argument')) return `${named} takes no value.`;
  return `${named} needs a value; one that begins with a dash is written behind an equals sign, as in --at=-1.`;
}
