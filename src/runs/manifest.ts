import { CircuitError } from '../shared/errors';
import { DIRECTIONS, INTEGRATION_RULES, LOGIT_METRICS, OTHERS, type ActivationMetric, type Intervention, type Metric, type TextExperiment, type TextPair, type Unit, type Variant } from '../shared/experiment';
import { edgeNamed, nodeNamed } from '../shared/graph/nodes';
import { shapeOf } from '../shared/graph/stored';
import { EDGE_LAYER_NORMS, type CircuitFaithfulness, type EdgeMethod, type GraphNotes, type StoredCircuit } from '../shared/paths';
import type { BackendInfo, MetricValues, ModelInfo, PairGroup } from '../shared/results';
import { RUN_FORMAT_VERSION, type RunManifest, type RunNote, type RunPair, type TokenText } from '../shared/run';
import { SITE_NAMES } from '../shared/sites';

/** Returns its value when it is a T; throws `run-file` naming the field that is not. */
type Check<T> = (value: unknown, field: string) => T;

function refuse(field: string, expected: string): never {
  throw new CircuitError('run-file', `The run's manifest is damaged: ${field} should be ${expected}.`);
}

const text: Check<string> = (value, field) => (typeof value === 'string' ? value : refuse(field, 'a text'));
const flag: Check<boolean> = (value, field) => (typeof value === 'boolean' ? value : refuse(field, 'true or false'));
const number: Check<number> = (value, field) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse(field, 'a number');

/** A whole number of at least `least`. */
const whole =
  (least: number): Check<number> =>
  (value, field) =>
    Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : refuse(field, `a whole number, ${least} or more`);

const oneOf =
  <T>(...choices: readonly T[]): Check<T> =>
  (value, field) =>
    choices.includes(value as T) ? (value as T) : refuse(field, `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`);

/** A name that is only shown: one that a later version has added does not make the run unreadable. */
const shownName =
  <T extends string>(): Check<T> =>
  (value, field) =>
    text(value, field) as T;

const optional =
  <T>(check: Check<T>): Check<T | undefined> =>
  (value, field) =>
    value === undefined ? undefined : check(value, field);

const list =
  <T>(check: Check<T>): Check<T[]> =>
  (value, field) => {
    if (!Array.isArray(value)) return refuse(field, 'a list');
    value.forEach((item: unknown, index) => check(item, `${field}[${index}]`));
    return value as T[];
  };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every field of T must be given a check, so a field added to the type cannot be forgotten here. Further fields are kept. */
const object =
  <T>(fields: { [K in keyof Required<T>]: Check<T[K]> }): Check<T> =>
  (value, field) => {
    if (!isRecord(value)) return refuse(field, 'an object');
    for (const name of Object.keys(fields) as (keyof T & string)[]) fields[name](value[name], `${field}.${name}`);
    return value as T;
  };

const place: Check<string | number> = (value, field) =>
  typeof value === 'string' || Number.isSafeInteger(value) ? (value as string | number) : refuse(field, 'a text or a whole number');

const record =
  <T>(check: Check<T>): Check<Record<string, T>> =>
  (value, field) => {
    if (!isRecord(value)) return refuse(field, 'an object');
    for (const [name, item] of Object.entries(value)) check(item, `${field}.${name}`);
    return value as Record<string, T>;
  };

const two =
  <T>(check: Check<T>): Check<[T, T]> =>
  (value, field) => {
    const items = list(check)(value, field);
    return items.length === 2 ? (items as [T, T]) : refuse(field, 'a list of two');
  };

const tokens = list(object<TokenText>({ id: whole(0), text }));

const textPair = object<TextPair>({
  name: optional(text),
  clean: text,
  corrupted: optional(text),
  correct: list(text),
  incorrect: list(text),
  firstToken: optional(flag),
  positions: optional(record(place)),
});

type Of<K extends ActivationMetric['activation']> = Extract<ActivationMetric, { activation: K }>;
const ACTIVATIONS = {
  attention: object<Of<'attention'>>({ activation: oneOf('attention' as const), layer: whole(0), head: whole(0) }),
  neuron: object<Of<'neuron'>>({ activation: oneOf('neuron' as const), layer: whole(0), neuron: whole(0) }),
  directLogit: object<Of<'directLogit'>>({ activation: oneOf('directLogit' as const), layer: whole(0), head: optional(whole(0)) }),
};

const metric: Check<Metric> = (value, field) => {
  if (!isRecord(value)) return oneOf(...LOGIT_METRICS)(value, field);
  const kinds = Object.keys(ACTIVATIONS) as ActivationMetric['activation'][];
  return ACTIVATIONS[oneOf(...kinds)(value['activation'], `${field}.activation`)](value, field);
};

const site = oneOf(...SITE_NAMES);
const unitPosition: Check<number | 'last'> = (value, field) =>
  value === 'last' || Number.isSafeInteger(value) ? (value as number | 'last') : refuse(field, 'a whole number or "last"');
const index: Check<number> = (value, field) => (Number.isSafeInteger(value) ? (value as number) : refuse(field, 'a whole number'));

const unit = object<Unit>({
  site,
  layer: optional(whole(0)),
  head: optional(whole(0)),
  neuron: optional(whole(0)),
  position: optional(unitPosition),
  source: optional(index),
});

const integrated = optional(object<NonNullable<Variant['integrated']>>({ steps: whole(1), rule: oneOf(...INTEGRATION_RULES) }));

const variant = object<Variant>({
  freezeLayerNorm: optional(flag),
  freezePattern: optional(flag),
  integrated,
  bothGradients: optional(flag),
  qkFix: optional(flag),
  gradDrop: optional(flag),
  stopGradient: optional(list(unit)),
  interventions: optional(list(object<Intervention>({ unit, with: oneOf(...OTHERS) }))),
});

const experiment = object<TextExperiment>({
  model: optional(text),
  prependBos: optional(flag),
  metric,
  at: optional(place),
  source: optional(place),
  range: optional(two(place)),
  direction: oneOf(...DIRECTIONS),
  other: optional(oneOf(...OTHERS)),
  variant: optional(variant),
  align: optional(oneOf('end' as const)),
  pairs: list(textPair),
});

const model = object<ModelInfo>({
  id: text,
  revision: optional(text),
  checkpointHash: text,
  layers: whole(1),
  heads: whole(1),
  dModel: whole(1),
  dHead: whole(1),
  dMlp: whole(1),
  vocabulary: whole(1),
  context: whole(1),
  parameters: whole(1),
  dtype: shownName<ModelInfo['dtype']>(),
});

const runPair = object<RunPair>({
  name: text,
  clean: tokens,
  corrupted: tokens,
  correct: tokens,
  incorrect: tokens,
  differsAt: optional(whole(0)),
  at: optional(whole(0)),
  source: optional(whole(0)),
  range: optional(two(whole(0))),
  positions: optional(record(whole(0))),
  metric: object<MetricValues<number>>({ clean: number, corrupted: optional(number) }),
});

const share: Check<number | null> = (value, field) => (value === null ? null : number(value, field));

const circuit = object<StoredCircuit>({
  name: text,
  edges: list(text),
  origin: text,
  createdAt: text,
  faithfulness: optional(object<CircuitFaithfulness>({ ablation: oneOf(...OTHERS), metric: number, full: number, empty: number, value: share, knockedOut: optional(share) })),
  notes: optional(text),
});

const manifest = object<RunManifest>({
  formatVersion: oneOf(RUN_FORMAT_VERSION),
  id: text,
  extensionVersion: text,
  createdAt: text,
  title: text,
  source: optional(object<NonNullable<RunManifest['source']>>({ uri: text, pairIndices: optional(list(whole(0))) })),
  experiment,
  prependBos: flag,
  model,
  backend: object<BackendInfo>({ name: shownName<BackendInfo['name']>(), threads: whole(1), note: optional(text) }),
  pairs: list(runPair),
  groups: list(object<PairGroup>({ pairs: list(whole(0)), length: whole(1), positions: oneOf('all', 'last') })),
  timings: object<RunManifest['timings']>({ load: number, run: number }),
  notes: list(object<RunNote>({ severity: oneOf('info', 'warning'), message: text })),
  exactSites: optional(list(site)),
  paths: optional(
    object<NonNullable<RunManifest['paths']>>({
      method: object<EdgeMethod>({ integrated, bothGradients: optional(flag), layerNorm: optional(oneOf(...EDGE_LAYER_NORMS)) }),
      seconds: number,
    }),
  ),
  circuits: optional(list(circuit)),
  graph: optional(object<GraphNotes>({ names: record(text), pinned: list(text), text })),
});

/** Checks what came out of a file's JSON, of this version or an older one. Throws `run-file` naming the first field that is wrong. */
export function checkManifest(value: unknown, version: number): RunManifest {
  const checked = manifest(version === 1 ? fromVersion1(value) : value, 'manifest');
  const seen = new Set<number>();
  for (const { pairs, length } of checked.groups) {
    for (const pair of pairs) {
      if (pair >= checked.pairs.length || seen.has(pair)) refuse('manifest.groups', 'a division of the pairs');
      seen.add(pair);
      checkPlaces(checked.pairs[pair]!, length, `manifest.pairs[${pair}]`);
    }
  }
  if (seen.size !== checked.pairs.length || seen.size === 0) refuse('manifest.groups', 'a division of the pairs');
  checkGraph(checked);
  return checked;
}

/** Edges and nodes are some of the model's, each once. */
function checkGraph({ model: ownModel, circuits = [], graph }: RunManifest): void {
  const shape = shapeOf({ model: ownModel });
  circuits.forEach(({ edges }, place) => {
    const field = `manifest.circuits[${place}].edges`;
    edges.forEach((name, edge) => edgeNamed(shape, name) ?? refuse(`${field}[${edge}]`, 'an edge of the model'));
    if (new Set(edges).size !== edges.length) refuse(field, 'edges, each of them once');
  });
  if (!graph) return;
  graph.pinned.forEach((name, place) => nodeNamed(shape, name) ?? refuse(`manifest.graph.pinned[${place}]`, 'a node of the model'));
  for (const name of Object.keys(graph.names)) if (!nodeNamed(shape, name)) refuse('manifest.graph.names', `names of the model's nodes, not of ${JSON.stringify(name.slice(0, 40))}`);
}

/** What a view looks up by its position is there. */
function checkPlaces({ at, source, range = [0, 0], positions = {} }: RunPair, length: number, field: string): void {
  for (const [name, position] of Object.entries({ at, source, 'range[0]': range[0], 'range[1]': range[1], ...positions })) {
    if (position !== undefined && position >= length) refuse(`${field}, ${name}`, `a position of its ${length} tokens`);
  }
}

/** Version 1 knew one metric and called its values by its name. What is wrong with it is found afterwards. */
function fromVersion1(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { formatVersion, pairs, ...rest } = value;
  const renamed = (pair: unknown): unknown => {
    if (!isRecord(pair)) return pair;
    const { logitDiff, ...others } = pair;
    return { ...others, metric: logitDiff };
  };
  return { ...rest, formatVersion: formatVersion === 1 ? RUN_FORMAT_VERSION : 'of another version', pairs: Array.isArray(pairs) ? pairs.map(renamed) : pairs };
}
