import { parseArgs } from 'node:util';
import type { BackendChoice } from '../engine/client/engine';
import { INTEGRATION_RULES, OTHERS, type Other } from '../shared/experiment';
import { SEED } from '../shared/graph/random';
import type { CircuitSelection } from '../shared/graph/select';
import { DEFAULT_EDGE_METHOD, DEFAULT_EDGE_STEPS, type EdgeMethod, type PathMode } from '../shared/paths';
import type { GraphFormat } from '../shared/pathsProtocol';
import { askedFor, COMMON, EXPERIMENT, experimentFlags, oneFile, parsing, type ExperimentFlags } from './experimentFlags';
import { choice, number, stepsOf, usage, whole } from './flags';

/** What every verb that attributes edges takes. */
export interface EdgeFlags extends ExperimentFlags {
  file: string;
  /** Absent where nothing is said: as the stored run has them, otherwise `DEFAULT_EDGE_METHOD`. */
  method?: EdgeMethod;
  out?: string;
  /** A file whose ending says the format. */
  exportTo?: string;
}

export interface PathsCommand extends EdgeFlags {
  verb: 'paths';
  /** Only edges into or out of this node, as written. */
  into?: string;
  from?: string;
  /** Only these edges, as written. */
  edges: string[];
  exact?: PathMode;
  byPosition: boolean;
}

export type Size = { edges: number } | { percent: number } | { threshold: number };

export interface CircuitCommand extends EdgeFlags {
  verb: 'circuit';
  size?: Size;
  select: Exclude<CircuitSelection['by'], 'threshold'>;
  prune: boolean;
  /** Absent: the experiment's own other side. */
  ablation?: Other;
  curve: boolean;
  /** Random circuits beside each. */
  random: number;
  seed: number;
  minimality: boolean;
  /** ACDC's threshold, raw. */
  acdc?: number;
  stability: boolean;
  /** Held-out pairs. */
  evaluate?: string;
  importFrom?: string;
  name?: string;
}

export interface VerifyPublishedCommand {
  verb: 'verify-published';
  /** Whose published numbers. */
  of: 'gpt2';
  /** Where the model lies, when it is not found by its name. */
  model?: string;
  /** MIB's graph file. */
  circuit?: string;
  backend: BackendChoice;
  threads: number;
  nativeFolder?: string;
  json: boolean;
}

type Asked = { verb: 'help' } | { verb: 'version' };

const EDGES = { ...EXPERIMENT, out: { type: 'string' }, method: { type: 'string' }, 'layer-norm': { type: 'string' }, export: { type: 'string' } } as const;
const PATHS = { ...EDGES, into: { type: 'string' }, from: { type: 'string' }, edge: { type: 'string', multiple: true }, exact: { type: 'string' }, 'by-position': { type: 'boolean' } } as const;
const CIRCUIT = {
  ...EDGES,
  edges: { type: 'string' },
  percent: { type: 'string' },
  threshold: { type: 'string' },
  select: { type: 'string' },
  'no-prune': { type: 'boolean' },
  ablation: { type: 'string' },
  curve: { type: 'boolean' },
  random: { type: 'string' },
  seed: { type: 'string' },
  minimality: { type: 'boolean' },
  acdc: { type: 'string' },
  stability: { type: 'boolean' },
  evaluate: { type: 'string' },
  import: { type: 'string' },
  name: { type: 'string' },
} as const;
const VERIFY = { ...COMMON, model: { type: 'string' }, circuit: { type: 'string' }, backend: { type: 'string' }, threads: { type: 'string' }, 'native-folder': { type: 'string' } } as const;

/** Formats by ending. */
const EXPORTS: Readonly<Record<string, GraphFormat>> = { json: 'mib', dot: 'dot', mmd: 'mermaid', csv: 'csv' };

const LAYER_NORMS = ['full', 'receiver', 'all'] as const;
const MODES: Readonly<Record<string, PathMode>> = { direct: 'direct', 'direct-frozen': 'directFrozen', 'through-mlps': 'throughMlps' };

/** How a mode is written on the command line. */
export function modeFlag(mode: PathMode): string {
  return Object.keys(MODES).find((name) => MODES[name] === mode)!;
}

export function parsePaths(args: string[]): PathsCommand | Asked {
  const { values, positionals } = parsing(() => parseArgs({ args, options: PATHS, strict: true, allowPositionals: true }));
  const asked = askedFor(values);
  if (asked) return asked;
  const exact = choice('--exact', values.exact, Object.keys(MODES));
  const edges = values.edge ?? [];
  const byPosition = values['by-position'] ?? false;
  if (byPosition && edges.length !== 1) throw usage("--by-position shows one edge: --edge NAME, such as --edge 'a5.h5->a8.h6<v>'.");
  if (byPosition && (exact !== undefined || values.export !== undefined)) throw usage('--by-position shows estimates only: leave out --exact and --export.');
  if (edges.length > 0 && (values.into !== undefined || values.from !== undefined)) throw usage('--edge names edges one by one; --into and --from choose among all: give one or the other.');
  return {
    verb: 'paths',
    ...edgeFlags('paths', values, positionals),
    ...(values.into !== undefined && { into: values.into }),
    ...(values.from !== undefined && { from: values.from }),
    edges,
    ...(exact !== undefined && { exact: MODES[exact]! }),
    byPosition,
  };
}

export function parseCircuit(args: string[]): CircuitCommand | Asked {
  const { values, positionals } = parsing(() => parseArgs({ args, options: CIRCUIT, strict: true, allowPositionals: true }));
  const asked = askedFor(values);
  if (asked) return asked;
  const size = sizeOf(values);
  const { import: importFrom, evaluate, name } = values;
  const [curve, minimality, stability] = [values.curve ?? false, values.minimality ?? false, values.stability ?? false];
  const acdc = number('--acdc', values.acdc, 0);
  if (size && importFrom !== undefined) throw usage('--import brings a circuit of its own: leave out --edges, --percent and --threshold.');
  if (!size && importFrom === undefined) {
    if (!curve) throw usage('Say which circuit: --edges N, --percent P, --threshold T or --import FILE; or --curve for all of MIB\'s budgets.');
    const needing = [minimality && '--minimality', acdc !== undefined && '--acdc', stability && '--stability', values.export !== undefined && '--export', name !== undefined && '--name'].filter((flag) => flag !== false);
    if (needing.length > 0) throw usage(`${needing.join(', ')} concerns one circuit: give --edges N, --percent P or --threshold T.`);
  }
  if (importFrom !== undefined && stability) throw usage('--stability selects the circuit anew from other pairs: an imported one is not selected.');
  if (importFrom !== undefined && (values.select !== undefined || values['no-prune'])) throw usage('--select and --no-prune concern how a circuit is chosen; an imported one is run as it is.');
  const select = choice('--select', values.select, ['top', 'greedy'] as const) ?? 'top';
  if (size && 'threshold' in size && values.select !== undefined) throw usage('--threshold takes every edge of that size; --select goes with --edges, --percent and --curve.');
  const ablation = choice('--ablation', values.ablation, OTHERS);
  return {
    verb: 'circuit',
    ...edgeFlags('circuit', values, positionals),
    ...(size && { size }),
    select,
    prune: !(values['no-prune'] ?? false),
    ...(ablation && { ablation }),
    ...{ curve, minimality, stability },
    random: whole('--random', values.random, 0) ?? 20,
    seed: whole('--seed', values.seed, 0) ?? SEED,
    ...(acdc !== undefined && { acdc }),
    ...(evaluate !== undefined && { evaluate }),
    ...(importFrom !== undefined && { importFrom }),
    ...(name !== undefined && { name }),
  };
}

export function parseVerifyPublished(args: string[]): VerifyPublishedCommand | Asked {
  const { values, positionals } = parsing(() => parseArgs({ args, options: VERIFY, strict: true, allowPositionals: true }));
  const asked = askedFor(values);
  if (asked) return asked;
  if (positionals.length !== 1 || positionals[0] !== 'gpt2') throw usage('verify-published takes the model whose published numbers are compared: gpt2 is the one there are numbers of.');
  const { backend, threads, nativeFolder } = experimentFlags(values);
  const { model, circuit, json = false } = values;
  return { verb: 'verify-published', of: 'gpt2', ...(model !== undefined && { model }), ...(circuit !== undefined && { circuit }), backend, threads, ...(nativeFolder !== undefined && { nativeFolder }), json };
}

function edgeFlags(verb: string, values: ReturnType<typeof parseArgs<{ options: typeof EDGES }>>['values'], positionals: readonly string[]): EdgeFlags {
  const file = oneFile(verb, positionals);
  const method = methodOf(values.method, values['layer-norm']);
  if (values.export !== undefined) formatOf(values.export);
  return { file, ...experimentFlags(values), ...(method && { method }), ...(values.out !== undefined && { out: values.out }), ...(values.export !== undefined && { exportTo: values.export }) };
}

/** Undefined where neither flag is given. */
function methodOf(name: string | undefined, layerNorm: string | undefined): EdgeMethod | undefined {
  if (name === undefined && layerNorm === undefined) return undefined;
  const frozen = choice('--layer-norm', layerNorm, LAYER_NORMS) ?? 'full';
  return { ...(name === undefined ? DEFAULT_EDGE_METHOD : methodNamed(name)), ...(frozen !== 'full' && { layerNorm: frozen }) };
}

function methodNamed(name: string): EdgeMethod {
  if (name === 'eap') return {};
  if (name === 'clean-corrupted') return { bothGradients: true };
  const [found, steps = String(DEFAULT_EDGE_STEPS), written = 'left'] = /^eap-ig(?:=(\d+)(?::(.*))?)?$/.exec(name) ?? [];
  const rule = INTEGRATION_RULES.find((candidate) => candidate === written);
  if (found === undefined || !rule) throw usage(`--method is eap, eap-ig, eap-ig=STEPS[:left|right|midpoint] or clean-corrupted, not "${name}".`);
  return { integrated: { steps: stepsOf('--method eap-ig', steps), rule } };
}

function sizeOf({ edges, percent, threshold }: { edges?: string; percent?: string; threshold?: string }): Size | undefined {
  const sizes: Size[] = [];
  if (edges !== undefined) sizes.push({ edges: whole('--edges', edges, 1)! });
  if (percent !== undefined) sizes.push({ percent: number('--percent', percent, 0, 100)! });
  if (threshold !== undefined) sizes.push({ threshold: number('--threshold', threshold, 0)! });
  if (sizes.length > 1) throw usage('--edges, --percent and --threshold each say how large the circuit is: give one.');
  return sizes[0];
}

/** The format that a file's ending asks for. */
export function formatOf(file: string): GraphFormat {
  const ending = /\.([^./\\]+)$/.exec(file)?.[1]?.toLowerCase() ?? '';
  const format = Object.hasOwn(EXPORTS, ending) ? EXPORTS[ending] : undefined;
  if (!format) throw usage(`--export writes FILE.json (EAP-IG and MIB), FILE.dot (Graphviz), FILE.mmd (Mermaid) or FILE.csv, not "${file}".`);
  return format;
}
