import { CircuitError } from '../shared/errors';
import type { Direction, Metric, Other, Variant } from '../shared/experiment';
import { otherSide } from '../shared/otherSide';
import type { BackendName } from '../shared/results';
import type { Run, RunManifest, RunNote } from '../shared/run';
import { canNormalise, isAlone, meanDifference, type Matrix, type ViewOptions } from '../shared/views';

/** What the JSON of every verb that runs an experiment begins with. A promise to scripts: fields are added, never changed. */
export interface RunJson {
  run: { id: string; title: string; createdAt: string; extensionVersion: string; source?: RunManifest['source'] };
  model: { id: string; revision?: string; checkpointHash: string; layers: number; heads: number; dModel: number; dHead: number };
  backend: BackendName;
  threads: number;
  direction: Direction;
  metric: Metric;
  other: Other;
  variant: Variant;
  prependBos: boolean;
  /** Raw, whatever the unit of the scores; means over the pairs. `corrupted` is absent where nothing is corrupted. */
  metricValues: PairValues;
  /** Token strings of the clean prompts, per pair. */
  tokens: string[][];
  /** Absent where no corrupted prompts are run, as is differsAt. */
  corruptedTokens?: string[][];
  /** First differing position, per pair. */
  differsAt?: number[];
  /** Position at which the metric is read, per pair; absent for metrics of a stretch of positions. */
  at?: number[];
  /** The file's named positions as token indices, per pair. */
  namedPositions: Record<string, number>[];
  notes: RunNote[];
  /** Seconds. */
  timings: { load: number; run: number };
}

export interface PairValues {
  clean: number;
  corrupted?: number;
  perPair: { name: string; clean: number; corrupted?: number }[];
}

export function runJson({ manifest }: Run): RunJson {
  const { model, experiment, pairs } = manifest;
  const { metric, direction, other = 'corrupted', variant = {} } = experiment;
  const isCorrupted = pairs.every(({ differsAt }) => differsAt !== undefined);
  return {
    run: { id: manifest.id, title: manifest.title, createdAt: manifest.createdAt, extensionVersion: manifest.extensionVersion, source: manifest.source },
    model: {
      id: model.id,
      revision: model.revision,
      checkpointHash: model.checkpointHash,
      layers: model.layers,
      heads: model.heads,
      dModel: model.dModel,
      dHead: model.dHead,
    },
    backend: manifest.backend.name,
    threads: manifest.backend.threads,
    direction,
    metric,
    other,
    variant,
    prependBos: manifest.prependBos,
    metricValues: pairValues(manifest),
    tokens: pairs.map(({ clean }) => clean.map(({ text }) => text)),
    ...(isCorrupted && {
      corruptedTokens: pairs.map(({ corrupted }) => corrupted.map(({ text }) => text)),
      differsAt: pairs.map(({ differsAt }) => differsAt!),
    }),
    ...(metric !== 'promptLogProb' && { at: pairs.map(({ at, clean }) => at ?? clean.length - 1) }),
    namedPositions: pairs.map(({ positions = {} }) => positions),
    notes: manifest.notes,
    timings: { load: finite(manifest.timings.load), run: finite(manifest.timings.run) },
  };
}

function pairValues({ pairs }: RunManifest): PairValues {
  const mean = (side: 'clean' | 'corrupted'): number => finite(pairs.reduce((sum, { metric }) => sum + metric[side]!, 0) / pairs.length);
  const isCorrupted = pairs.every(({ metric }) => metric.corrupted !== undefined);
  return {
    clean: mean('clean'),
    ...(isCorrupted && { corrupted: mean('corrupted') }),
    perPair: pairs.map(({ name, metric: { clean, corrupted } }) => ({ name, clean: shortest(clean), ...(corrupted !== undefined && { corrupted: shortest(corrupted) }) })),
  };
}

/** All pairs, in the unit asked for. Throws `experiment` when that is the normalised one and the difference is too small. */
export function viewOf(manifest: RunManifest, raw: boolean): ViewOptions {
  if (!raw && !canNormalise(manifest)) throw new CircuitError('experiment', notNormalised(manifest));
  return { pair: 'all', unit: raw ? 'raw' : 'normalised' };
}

/** Why scores are not normalised by these pairs, and what to do. */
export function notNormalised(run: Pick<RunManifest, 'experiment' | 'pairs'>): string {
  const difference = meanDifference(run).toPrecision(2);
  const mean = run.pairs.length > 1 ? 'the mean of the metric' : 'the metric';
  if (isAlone(run)) return `After the clean prompts ${mean} is ${difference}: it is not positive, so that scores have no share of it. Use --raw for scores in the metric's own units.`;
  return `Clean and ${otherSide(run.experiment)} differ by only ${difference} in ${mean}, too little to normalise scores by. Use prompts that differ more, or --raw for scores in the metric's own units.`;
}

export function nested({ rows, columns, values }: Matrix): number[][] {
  return Array.from({ length: rows }, (_, row) => Array.from(values.subarray(row * columns, (row + 1) * columns), shortest));
}

/** JSON has no NaN: a run that holds one is a fault to be told, not printed as null. */
export function finite(value: number): number {
  if (!Number.isFinite(value)) throw new CircuitError('internal', `A result is ${value}, not a number. Please report this with the prompt file.`);
  return value;
}

/** The number with the fewest digits that is the same float32; other numbers as they are. */
export function shortest(value: number): number {
  if (Math.fround(finite(value)) !== value) return value;
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return Number(value.toPrecision(9));
}

/** Numbers of any shape as nested lists, outermost axis first; what is no number is null. */
export function nestedIn(shape: readonly number[], values: ArrayLike<number>): Nested {
  const build = (axis: number, start: number, size: number): Nested => {
    if (axis === shape.length) return Number.isNaN(values[start]!) ? null : shortest(values[start]!);
    const step = size / shape[axis]!;
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, start + i * step, step));
  };
  return build(0, 0, values.length);
}

export type Nested = number | null | Nested[];
