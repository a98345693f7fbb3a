import { groupArrayName, type PairGroup } from '../shared/results';
import { rankCells } from '../shared/ranking';
import { CircuitError } from '../shared/errors';
import type { Run } from '../shared/run';
import { hasHeads, SITE_NAMES, type SiteName } from '../shared/sites';
import { headScores, neuronScores, positionScores, type ViewOptions } from '../shared/views';
import { nested, runJson, shortest, viewOf, type PairValues, type RunJson } from './json';

/**
 * What `attribute --json` prints: named axes, nested arrays, no NaN. A promise to scripts: fields are added, never changed.
 * Scores are in `unit` and over all pairs, see `shared/views`.
 */
export interface AttributionJson extends RunJson {
  unit: ViewOptions['unit'];
  /** The metric's values once more where it is the logit difference. */
  logitDiff?: PairValues;
  /** z; `lastPosition` is the metric's. */
  heads: { axes: [string, string]; allPositions: number[][]; lastPosition: number[][] };
  /** z summed over heads, one map per token length. */
  positions: PositionsJson[];
  /** The other sites that were computed, maps as in `positions`; embed has one row. */
  sites: Partial<Record<SiteName, PositionsJson[]>>;
  /** The other sites with heads, as in `heads`. */
  siteHeads: Partial<Record<SiteName, AttributionJson['heads']>>;
  /** Of z, by falling |score| summed over all positions. */
  topHeads: { layer: number; head: number; score: number }[];
  /** By falling |score| summed over all positions, where mlp_post was computed. */
  topNeurons?: { layer: number; neuron: number; score: number }[];
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
  const view = viewOf(manifest, options.raw);
  const common = runJson(run);
  const allPositions = headScores(manifest, arrays, 'z', 'all', view);
  const others = SITE_NAMES.filter((site) => site !== 'z' && groupArrayName(0, site) in arrays.entries);
  const headsOf = (site: SiteName): AttributionJson['heads'] => ({
    axes: ['layer', 'head'],
    allPositions: nested(headScores(manifest, arrays, site, 'all', view)),
    lastPosition: nested(headScores(manifest, arrays, site, 'last', view)),
  });
  return {
    ...common,
    unit: view.unit,
    ...(manifest.experiment.metric === 'logitDiff' && { logitDiff: common.metricValues }),
    heads: headsOf('z'),
    positions: positionMaps(run, 'z', view),
    sites: Object.fromEntries(others.map((site) => [site, positionMaps(run, site, view)])),
    siteHeads: Object.fromEntries(others.filter(hasHeads).map((site) => [site, headsOf(site)])),
    topHeads: rankCells(allPositions)
      .slice(0, options.top)
      .map(({ row, column, value }) => ({ layer: row, head: column, score: shortest(value) })),
    ...(others.includes('mlp_post') && {
      topNeurons: rankCells(neuronScores(manifest, arrays, view))
        .slice(0, options.top)
        .map(({ row, column, value }) => ({ layer: row, neuron: column, score: shortest(value) })),
    }),
  };
}

function positionMaps(run: Run, site: SiteName, view: ViewOptions): PositionsJson[] {
  return run.manifest.groups.map(({ length, pairs, positions }, group) => {
    const matrix = positionScores(run.manifest, run.arrays, group, site, view);
    if (!matrix) throw new CircuitError('internal', `Group ${group} of the run has no pairs.`);
    return { length, pairs, positions, axes: ['layer', 'position'], values: nested(matrix) };
  });
}
