import { parseArgs } from 'node:util';
import type { BackendChoice } from '../engine/client/engine';
import { CircuitError } from '../shared/errors';
import { DIRECTIONS, METRICS, type Direction, type Metric } from '../shared/experiment';
import { SITE_NAMES, type SiteName } from '../shared/sites';

export const HELP = `Usage: circuit-explorer attribute FILE... [options]
       circuit-explorer models [--json]

attribute   Attribution patching of the prompt pairs in each FILE (*.prompts.json):
            which heads, positions and layers carry the difference between clean and corrupted.
models      The models on this machine that can be attributed.

Options of attribute (what is given here wins over what the file says):
  --pair N|NAME        only this pair, by its name or by its number counted from 1; may be repeated
  --model ID|FOLDER    "bundled" (the default), a model in the Hugging Face cache, or a folder
  --direction WAY      denoise (the default): clean activations patched into the corrupted run;
                       noise: corrupted activations patched into the clean run
  --metric NAME        what is attributed: ${METRICS.join(', ')}
  --bos, --no-bos      put the model's BOS token before each prompt, or do not
  --backend NAME       auto (the default), wasm-threads, wasm-simd, wasm or cpu
  --threads N          threads of wasm-threads; 0 (the default): as many as serve
  --raw                scores in logits instead of shares of the clean-corrupted difference
  --top K              how many heads and positions to list (10)
  --site NAME          what the list of positions is of: ${SITE_NAMES.join(', ')} (z)
  --out FILE           also write the run, as safetensors (one prompt file only)
  --json               one JSON document on standard output (a list of them for several files)

  --help, --version

Positive scores support the correct answer. Exit code: 0 done, 2 the input is wrong
(the message says file:line:column), 3 cancelled, 1 anything else. Ctrl-C cancels, twice kills.
`;

export interface AttributeCommand {
  verb: 'attribute';
  files: string[];
  /** Names, or numbers counted from 1, as written. Empty: all pairs. */
  pairs: string[];
  model?: string;
  direction?: Direction;
  metric?: Metric;
  prependBos?: boolean;
  backend: BackendChoice;
  threads: number;
  raw: boolean;
  top: number;
  site: SiteName;
  out?: string;
  json: boolean;
}

export type Command = AttributeCommand | { verb: 'models'; json: boolean } | { verb: 'help' } | { verb: 'version' };

const BACKENDS: readonly BackendChoice[] = ['auto', 'wasm-threads', 'wasm-simd', 'wasm', 'cpu'];

const COMMON = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

const ATTRIBUTE = {
  ...COMMON,
  pair: { type: 'string', multiple: true },
  model: { type: 'string' },
  direction: { type: 'string' },
  metric: { type: 'string' },
  bos: { type: 'boolean' },
  'no-bos': { type: 'boolean' },
  backend: { type: 'string' },
  threads: { type: 'string' },
  raw: { type: 'boolean' },
  top: { type: 'string' },
  site: { type: 'string' },
  out: { type: 'string' },
} as const;

/** What the words after the program's name ask for. Throws `usage`. */
export function parseArguments(words: readonly string[]): Command {
  const [verb, ...rest] = words;
  if (verb === undefined) throw usage('Say what to do: attribute or models.');
  if (verb === 'attribute') return parseAttribute(rest);
  if (verb === 'models') return parseModels(rest);
  if (!verb.startsWith('-')) throw usage(`There is no verb "${verb}"; there are attribute and models.`);
  const { help, version } = parsing(() => parseArgs({ args: [...words], options: COMMON, strict: true }).values);
  if (help) return { verb: 'help' };
  if (version) return { verb: 'version' };
  throw usage('Say what to do: attribute or models.');
}

function parseModels(args: string[]): Command {
  const { help, version, json = false } = parsing(() => parseArgs({ args, options: COMMON, strict: true }).values);
  if (help) return { verb: 'help' };
  return version ? { verb: 'version' } : { verb: 'models', json };
}

function parseAttribute(args: string[]): Command {
  const { values, positionals: files } = parsing(() => parseArgs({ args, options: ATTRIBUTE, strict: true, allowPositionals: true }));
  if (values.help) return { verb: 'help' };
  if (values.version) return { verb: 'version' };
  if (files.length === 0) throw usage('Name at least one prompt file to attribute.');
  if (values.bos && values['no-bos']) throw usage('--bos and --no-bos contradict each other.');
  if (values.out !== undefined && files.length > 1) throw usage('--out takes one run: give one prompt file.');
  return {
    verb: 'attribute',
    files,
    pairs: values.pair ?? [],
    model: values.model,
    direction: choice('--direction', values.direction, DIRECTIONS),
    metric: choice('--metric', values.metric, METRICS),
    prependBos: values.bos ? true : values['no-bos'] ? false : undefined,
    backend: choice('--backend', values.backend, BACKENDS) ?? 'auto',
    threads: whole('--threads', values.threads, 0) ?? 0,
    raw: values.raw ?? false,
    top: whole('--top', values.top, 1) ?? 10,
    site: choice('--site', values.site, SITE_NAMES) ?? 'z',
    out: values.out,
    json: values.json ?? false,
  };
}

function choice<T extends string>(flag: string, value: string | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined || choices.includes(value as T)) return value as T | undefined;
  throw usage(`${flag} is one of ${choices.join(', ')}, not "${value}".`);
}

function whole(flag: string, value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number) || number < least) throw usage(`${flag} is a whole number, ${least} or more, not "${value}".`);
  return number;
}

function parsing<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof Error && (cause as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) {
      throw new CircuitError('usage', cause.message, { cause });
    }
    throw cause;
  }
}

function usage(message: string): CircuitError {
  return new CircuitError('usage', message);
}
