import { CircuitError } from '../shared/errors';
import { DIRECTIONS, METRICS, type TextExperiment, type TextPair } from '../shared/experiment';
import type { BackendInfo, ModelInfo, PairGroup } from '../shared/results';
import { RUN_FORMAT_VERSION, type RunManifest, type RunNote, type RunPair, type TokenText } from '../shared/run';

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

const position: Check<string | number> = (value, field) =>
  typeof value === 'string' || Number.isSafeInteger(value) ? (value as string | number) : refuse(field, 'a text or a whole number');

const positions: Check<Record<string, string | number>> = (value, field) => {
  if (!isRecord(value)) return refuse(field, 'an object');
  for (const [name, place] of Object.entries(value)) position(place, `${field}.${name}`);
  return value as Record<string, string | number>;
};

const tokens = list(object<TokenText>({ id: whole(0), text }));

const textPair = object<TextPair>({
  name: optional(text),
  clean: text,
  corrupted: text,
  correct: list(text),
  incorrect: list(text),
  firstToken: optional(flag),
  positions: optional(positions),
});

const experiment = object<TextExperiment>({
  model: optional(text),
  prependBos: optional(flag),
  metric: oneOf(...METRICS),
  direction: oneOf(...DIRECTIONS),
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
  differsAt: whole(0),
  logitDiff: object<RunPair['logitDiff']>({ clean: number, corrupted: number }),
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
});

/** Checks what came out of a file's JSON. Throws `run-file` naming the first field that is wrong. */
export function checkManifest(value: unknown): RunManifest {
  const checked = manifest(value, 'manifest');
  const seen = new Set<number>();
  for (const index of checked.groups.flatMap(({ pairs }) => pairs)) {
    if (index >= checked.pairs.length || seen.has(index)) refuse('manifest.groups', 'a division of the pairs');
    seen.add(index);
  }
  if (seen.size !== checked.pairs.length || seen.size === 0) refuse('manifest.groups', 'a division of the pairs');
  return checked;
}
