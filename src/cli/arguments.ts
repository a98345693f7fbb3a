import { parseArgs } from 'node:util';
import { hasHeads, type SiteName } from '../shared/sites';
import { askedFor, COMMON, EXPERIMENT, experimentFlags, oneFile, parsing, type ExperimentFlags } from './experimentFlags';
import { choice, headOf, siteList, usage } from './flags';
import { parseCircuit, parsePaths, parseVerifyPublished, type CircuitCommand, type PathsCommand, type VerifyPublishedCommand } from './graphArguments';

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
export type RunCommand = PatchCommand | AttentionCommand | LensCommand | InterveneCommand | PathsCommand | CircuitCommand;
/** The verbs that run something. */
export type WorkCommand = AttributeCommand | RunCommand | VerifyPublishedCommand;
export type Command = WorkCommand | { verb: 'models'; json: boolean } | { verb: 'help' } | { verb: 'version' };

const VERBS = 'attribute, patch, attention, lens, intervene, paths, circuit, verify-published and models';

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
    case 'paths':
      return parsePaths(args);
    case 'circuit':
      return parseCircuit(args);
    case 'verify-published':
      return parseVerifyPublished(args);
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
