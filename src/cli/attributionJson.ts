import { CircuitError } from '../shared/errors';
import type { Direction, Metric } from '../shared/experiment';
import { rankCells } from '../shared/ranking';
import type { BackendName, PairGroup } from '../shared/results';
import type { Run, RunManifest, RunNote } from '../shared/run';
import { SITE_NAMES, type SiteName } from '../shared/sites';
import { canNormalise, headScores, meanDifference, positionScores, type Matrix, type ViewOptions } from '../shared/views';

/**
 * What `attribute --json` prints: named axes, nested arrays, no NaN. A promise to scripts: fields are added, never changed.
 * Scores are in `unit` and over all pairs, see `shared/views`.
 */
export interface AttributionJson {
  run: { id: string; title: string; createdAt: string; extensionVersion: string; source?: RunManifest['source'] };
  model: { id: string; revision?: string; checkpointHash: string; layers: number; heads: number; dModel: number; dHead: number };
  backend: BackendName;
  threads: number;
  direction: Direction;
  metric: Metric;
  prependBos: boolean;
  unit: ViewOptions['unit'];
  /** In logits, whatever the unit; means over the pairs. */
  logitDiff: { clean: number; corrupted: number; perPair: { name: string; clean: number; corrupted: number }[] };
  /** Token strings of the clean prompts, per pair. */
  tokens: string[][];
  corruptedTokens: string[][];
  /** First differing position, per pair. */
  differsAt: number[];
  heads: { axes: [string, string]; allPositions: number[][]; lastPosition: number[][] };
  /** z summed over heads, one map per token length. */
  positions: PositionsJson[];
  /** The other sites, maps as in `positions`. */
  sites: Partial<Record<SiteName, PositionsJson[]>>;
  /** By falling |score| summed over all positions. */
  topHeads: { layer: number; head: number; score: number }[];
  notes: RunNote[];
  /** Seconds. */
  timings: { load: number; run: number };
}

export interface PositionsJson {
  /** Token count of the clean prompts. */
  length: number;
  /** Indices of the pairs of this length. */
  pairs: number[];
  /** "last": only the metric's position was computed, and is the map's one column. */
  positions: PairGroup['positions'];
  axes: [string, string];
  values: number[][];
}

/** Throws `experiment` when the scores are to be normalised and cannot be. */
export function attributionJson(run: Run, options: { raw: boolean; top: number }): AttributionJson {
  const { manifest, arrays } = run;
  const { model } = manifest;
  const view = viewOf(manifest, options.raw);
  const allPositions = headScores(manifest, arrays, 'all', view);
  const maps = Object.fromEntries(SITE_NAMES.map((site) => [site, positionMaps(run, site, view)])) as Record<SiteName, PositionsJson[]>;
  const { z: positions, ...sites } = maps;
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
    direction: manifest.experiment.direction,
    metric: manifest.experiment.metric,
    prependBos: manifest.prependBos,
    unit: view.unit,
    logitDiff: logitDifferences(manifest),
    tokens: manifest.pairs.map(({ clean }) => clean.map(({ text }) => text)),
    corruptedTokens: manifest.pairs.map(({ corrupted }) => corrupted.map(({ text }) => text)),
    differsAt: manifest.pairs.map(({ differsAt }) => differsAt),
    heads: { axes: ['layer', 'head'], allPositions: nested(allPositions), lastPosition: nested(headScores(manifest, arrays, 'last', view)) },
    positions,
    sites,
    topHeads: rankCells(allPositions)
      .slice(0, options.top)
      .map(({ row, column, value }) => ({ layer: row, head: column, score: shortest(value) })),
    notes: manifest.notes,
    timings: { load: finite(manifest.timings.load), run: finite(manifest.timings.run) },
  };
}

/** All pairs, in the unit asked for. Throws `experiment` when that is the normalised one and the difference is too small. */
export function viewOf(manifest: RunManifest, raw: boolean): ViewOptions {
  if (!raw && !canNormalise(manifest)) {
    const difference = meanDifference(manifest).toPrecision(2);
    throw new CircuitError(
      'experiment',
      `Clean and corrupted prompts differ by only ${difference} in mean logit difference, too little to normalise scores by. Use prompts that differ more, or --raw for scores in logits.`,
    );
  }
  return { pair: 'all', unit: raw ? 'raw' : 'normalised' };
}

function positionMaps(run: Run, site: SiteName, view: ViewOptions): PositionsJson[] {
  return run.manifest.groups.map(({ length, pairs, positions }, group) => {
    const matrix = positionScores(run.manifest, run.arrays, group, site, view);
    if (!matrix) throw new CircuitError('internal', `Group ${group} of the run has no pairs.`);
    return { length, pairs, positions, axes: ['layer', 'position'], values: nested(matrix) };
  });
}

function logitDifferences({ pairs }: RunManifest): AttributionJson['logitDiff'] {
  const mean = (side: 'clean' | 'corrupted'): number => pairs.reduce((sum, { logitDiff }) => sum + logitDiff[side], 0) / pairs.length;
  return {
    clean: finite(mean('clean')),
    corrupted: finite(mean('corrupted')),
    perPair: pairs.map(({ name, logitDiff }) => ({ name, clean: shortest(logitDiff.clean), corrupted: shortest(logitDiff.corrupted) })),
  };
}

function nested({ rows, columns, values }: Matrix): number[][] {
  return Array.from({ length: rows }, (_, row) => Array.from(values.subarray(row * columns, (row + 1) * columns), shortest));
}

/** JSON has no NaN: a run that holds one is a fault to be told, not printed as null. */
function finite(value: number): number {
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
