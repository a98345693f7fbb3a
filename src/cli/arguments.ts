import { parseArgs } from 'node:util';
import type { BackendChoice } from '../engine/client/engine';
import type { ExperimentOverrides } from '../prompts/rules';
import { DIRECTIONS, OTHERS } from '../shared/experiment';
import { hasHeads, type SiteName } from '../shared/sites';
import { choice, headOf, metricOf, placeOf, rangeOf, siteList, usage, variantOf, whole, type VariantFlags } from './flags';

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
  raw: boolean;
  top: number;
  json: boolean;
}

export interface AttributeCommand extends ExperimentFlags {
  verb: 'attribute';
  files: string[];
  /** Absent: all but the neurons are computed, z is listed. */
  sites?: SiteName[];
  out?: string;
}

export type Over = 'all' | 'last' | 'positions' | 'by-position' | 'cells' | 'neurons';
const OVERS: readonly Over[] = ['all', 'last', 'positions', 'by-position', 'cells', 'neurons'];

export interface PatchCommand extends ExperimentFlags {
  verb: 'patch';
  file: string;
  sites: SiteName[];
  /** Absent: 'all' for sites with heads, 'neurons' for mlp_post, 'positions' for the others. */
  over?: Over;
  head?: { layer: number; head: number };
  full: boolean;
  out?: string;
}

export interface AttentionCommand extends ExperimentFlags {
  verb: 'attention';
  file: string;
  heads: { layer: number; head: number }[];
}

export interface LensCommand extends ExperimentFlags {
  verb: 'lens';
  file: string;
}

export interface InterveneCommand extends ExperimentFlags {
  verb: 'intervene';
  file: string;
}

/** The verbs that take one prompt file or stored run. */
export type RunCommand = PatchCommand | AttentionCommand | LensCommand | InterveneCommand;
export type Command = AttributeCommand | RunCommand | { verb: 'models'; json: boolean } | { verb: 'help' } | { verb: 'version' };

const BACKENDS: readonly BackendChoice[] = ['auto', 'wasm-threads', 'wasm-simd', 'wasm', 'cpu'];
const VERBS = 'attribute, patch, attention, lens, intervene and models';

const COMMON = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

const EXPERIMENT = {
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
  raw: { type: 'boolean' },
  top: { type: 'string' },
} as const;

const SITE = { site: { type: 'string', multiple: true } } as const;
const OUT = { out: { type: 'string' } } as const;
const HEAD = { head: { type: 'string', multiple: true } } as const;
const PATCH = { ...EXPERIMENT, ...SITE, ...OUT, ...HEAD, over: { type: 'string' }, full: { type: 'boolean' } } as const;

/** What the words after the program's name ask for. Throws `usage`. */
export function parseArguments(words: readonly string[]): Command {
  const [verb, ...args] = words;
  switch (verb) {
    case 'attribute':
      return parseAttribute(args);
    case 'patch':
      return parsePatch(args);
    case 'attention':
      return parseAttention(args);
    case 'lens':
    case 'intervene':
      return parseLook(verb, args);
    case 'models':
      return parseModels(args);
  }
  if (verb !== undefined && !verb.startsWith('-')) throw usage(`There is no verb "${verb}"; there are ${VERBS}.`);
  const { help, version } = parsing(() => parseArgs({ args: [...words], options: COMMON, strict: true }).values);
  if (help) return { verb: 'help' };
  if (version) return { verb: 'version' };
  throw usage(`Say what to do: ${VERBS.replace(' and ', ' or ')}.`);
}

function parseModels(args: string[]): Command {
  const { help, version, json = false } = parsing(() => parseArgs({ args, options: COMMON, strict: true }).values);
  if (help) return { verb: 'help' };
  return version ? { verb: 'version' } : { verb: 'models', json };
}

function parseAttribute(args: string[]): Command {
  const { values, positionals: files } = parsing(() => parseArgs({ args, options: { ...EXPERIMENT, ...SITE, ...OUT }, strict: true, allowPositionals: true }));
  const asked = askedFor(values);
  if (asked) return asked;
  if (files.length === 0) throw usage('Name at least one prompt file to attribute.');
  if (values.out !== undefined && files.length > 1) throw usage('--out takes one run: give one prompt file.');
  const sites = siteList(values.site ?? []);
  return { verb: 'attribute', files, ...experimentFlags(values), ...(sites && { sites }), ...(values.out !== undefined && { out: values.out }) };
}

function parsePatch(args: string[]): Command {
  const { values, positionals } = parsing(() => parseArgs({ args, options: PATCH, strict: true, allowPositionals: true }));
  const asked = askedFor(values);
  if (asked) return asked;
  const file = oneFile('patch', positionals);
  const sites = siteList(values.site ?? []) ?? ['z'];
  const over = choice('--over', values.over, OVERS);
  const heads = (values.head ?? []).map((value) => headOf('--head', value));
  if (heads.length > 1) throw usage('patch takes one --head.');
  if ((over === 'cells') !== (heads.length === 1)) throw usage('--over cells and --head LAYER.HEAD go together: the cells are those of one head.');
  for (const site of sites) checkOver(site, over);
  return {
    verb: 'patch',
    file,
    ...experimentFlags(values),
    sites,
    ...(over && { over }),
    ...(heads[0] && { head: heads[0] }),
    full: values.full ?? false,
    ...(values.out !== undefined && { out: values.out }),
  };
}

function checkOver(site: SiteName, over: Over | undefined): void {
  const wants = { all: 'heads', last: 'heads', 'by-position': 'heads', cells: 'sources', neurons: 'neurons', positions: undefined }[over ?? 'positions'];
  if (wants === 'heads' && !hasHeads(site)) throw usage(`--over ${over} is for sites with heads; ${site} has none. Use --over positions.`);
  if (wants === 'sources' && site !== 'pattern' && site !== 'scores') throw usage(`--over cells is for pattern and scores, not ${site}.`);
  if (wants === 'neurons' && site !== 'mlp_post') throw usage(`--over neurons is for mlp_post, not ${site}.`);
}

function parseAttention(args: string[]): Command {
  const { values, positionals } = parsing(() => parseArgs({ args, options: { ...EXPERIMENT, ...HEAD }, strict: true, allowPositionals: true }));
  const asked = askedFor(values);
  if (asked) return asked;
  const file = oneFile('attention', positionals);
  const heads = (values.head ?? []).flatMap((value) => value.split(',')).map((value) => headOf('--head', value));
  if (heads.length === 0) throw usage('Name at least one head: --head LAYER.HEAD, such as --head 9.6.');
  return { verb: 'attention', file, ...experimentFlags(values), heads };
}

function parseLook(verb: 'lens' | 'intervene', args: string[]): Command {
  const { values, positionals } = parsing(() => parseArgs({ args, options: EXPERIMENT, strict: true, allowPositionals: true }));
  return askedFor(values) ?? { verb, file: oneFile(verb, positionals), ...experimentFlags(values) };
}

function oneFile(verb: string, files: readonly string[]): string {
  if (files.length !== 1) throw usage(`${verb} takes one file: a prompt file, or a stored run (*.safetensors).`);
  return files[0]!;
}

function askedFor({ help, version }: { help?: boolean; version?: boolean }): Command | undefined {
  if (help) return { verb: 'help' };
  return version ? { verb: 'version' } : undefined;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof EXPERIMENT }>>['values'];

function experimentFlags(values: Values): ExperimentFlags {
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
    raw: values.raw ?? false,
    top: whole('--top', values.top, 1) ?? 10,
    json: values.json ?? false,
  };
}

function parsing<T>(parse: () => T): T {
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
