import { packArrays, sizeOf } from '../../shared/arrays';
import { CircuitError } from '../../shared/errors';
import { hasOtherRun, type Direction } from '../../shared/experiment';
import { groupArrayName, type AttributionResult } from '../../shared/results';
import { SITES, type SiteName } from '../../shared/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { attributeRuns } from './attributeRuns';
import { runChunk } from './chunkRuns';
import { GroupMeans, inAllLayers } from './groupMeans';
import { checkAttributable } from './metricChecks';
import { metricPosition } from './metricPositions';
import type { Chunk, Plan } from './plan';
import type { SiteScores } from './siteScores';
import { checkSites, checkVariant } from './variantChecks';

/** One result array under construction: [pair, layer, position(, head or neuron)]; embed [pair, position]. */
interface SiteArray {
  name: string;
  axes: readonly string[];
  shape: number[];
  data: Float32Array;
}

/**
 * Node attribution. For every pair, layer and position, and per head or neuron where the site has them,
 *   grad_base · (clean − other), summed over features (for scores and pattern over sources), in the metric's raw units,
 * with grad_base the gradient of the pair's own metric at the base run: corrupted when denoising, clean when noising
 * (Nanda's attribution patching, with noising's sign turned so that positive always supports the correct answer).
 * Under an ablation the base is the clean run and `other` zero, the mean over the group's clean prompts, or the next pair's
 * clean run; under interventions the base run is what they make of it, and no gradient flows through what they replaced.
 * The experiment's variant changes the gradient (`Variant`, `attributeRuns`); under gradDrop results are magnitudes.
 * What prompts share is run once: prefixes for their keys and values only, and prompts that are another pair's. Exact zeros
 * stand before the first difference (but scores and pattern have all sources), and in the last layer before the first
 * position that the metric reads for every site but resid_pre, k and v: nothing there reaches the metric.
 * Throws `cancelled`, `experiment` for what is not derived (`checkVariant`, `checkSites`, KL × noise), and `model-invalid`
 * when a result is not finite.
 */
export async function attribute(model: Gpt2, plan: Plan, sites: readonly SiteName[], work: Work): Promise<Omit<AttributionResult, 'backend' | 'seconds'>> {
  const { experiment, groups, chunks, branches } = plan;
  checkSites(sites, groups);
  checkVariant(experiment, groups, model.config);
  // Without sites only the metric is asked for.
  if (sites.length > 0) checkAttributable(experiment);
  const arrays = groups.map((group, index) => sites.map((site) => emptyArray(model, site, index, group.pairs.length, group.positions === 'all' ? group.length : 1)));
  const count = experiment.pairs.length;
  const clean = new Array<number>(count).fill(0);
  const corrupted = hasOtherRun(experiment.other) ? new Array<number>(count).fill(0) : undefined;
  const means = new GroupMeans(model, plan, inAllLayers(experiment.variant?.integrated ? [...sites, 'embed'] : sites, model.config.layers));
  try {
    for (const [index, chunk] of chunks.entries()) {
      work.begin(chunks.length === 1 ? 'Attributing' : `Attributing, part ${index + 1} of ${chunks.length}`);
      const { weights } = branches[chunk.branch]!;
      for (const { direction, share } of directionsOf(plan)) {
        const put: Put = (siteIndex, layer, scores, factor) => add(arrays[chunk.group]![siteIndex]!, plan, chunk, direction, layer, scores, share * factor);
        const own = { sites: experiment.variant?.integrated ? [...new Set([...sites, 'embed' as const])] : sites, record: sites.length > 0 && !experiment.variant?.integrated, direction };
        const values = await runChunk(model, plan, chunk, own, means, work, async (runs) => {
          await attributeRuns(model, experiment.variant ?? {}, runs, sites, (site, layer, scores, factor = 1) => put(sites.indexOf(site), layer, scores, factor), work);
          return runs.values;
        });
        if (direction !== experiment.direction) continue;
        chunk.pairs.forEach((pair, row) => {
          clean[pair]! += weights[pair]! * values.clean[row]!;
          if (corrupted) corrupted[pair]! += weights[pair]! * values.corrupted![row]!;
        });
      }
    }
  } finally {
    means.dispose();
  }
  const all = arrays.flat();
  if (![...clean, ...(corrupted ?? [])].every(Number.isFinite) || !all.every(({ data }) => data.every(Number.isFinite))) {
    throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
  }
  return { groups, arrays: packArrays(all), metric: { clean, ...(corrupted && { corrupted }) } };
}

/** The mean of two gradients times one difference is the mean of the two directions' effects. */
export function directionsOf({ experiment: { direction, variant } }: Plan): { direction: Direction; share: number }[] {
  if (!variant?.bothGradients) return [{ direction, share: 1 }];
  return [{ direction, share: 0.5 }, { direction: direction === 'denoise' ? 'noise' : 'denoise', share: 0.5 }];
}

/** `factor`: what the scores are multiplied by before they are added to what is there. */
type Put = (siteIndex: number, layer: number, scores: SiteScores, factor: number) => void;

function emptyArray({ config }: Gpt2, site: SiteName, group: number, pairs: number, positions: number): SiteArray {
  const extents = { pair: pairs, layer: config.layers, position: positions, head: config.heads, neuron: config.dMlp };
  const { axes } = SITES[site];
  const shape = axes.map((axis) => extents[axis]);
  return { name: groupArrayName(group, site), axes, shape, data: new Float32Array(sizeOf(shape)) };
}

/** Adds the scores of the chunk's pairs at the prompts' positions; in a group of unequal lengths that of the metric's position. */
function add({ data, axes, shape }: SiteArray, plan: Plan, chunk: Chunk, direction: Direction, layer: number, { positions, values }: SiteScores, factor: number): void {
  const { experiment, weights } = plan.branches[chunk.branch]!;
  const group = plan.groups[chunk.group]!;
  const extent = shape[axes.indexOf('position')]!;
  const [layers, depth] = [axes.includes('layer') ? shape[1]! : 1, axes.length > 2 && axes.at(-1) !== 'position' ? shape.at(-1)! : 1];
  const length = direction === 'denoise' ? chunk.corruptedLength : chunk.cleanLength;
  const rows = values.length / chunk.pairs.length;
  chunk.pairs.forEach((index, row) => {
    const weight = factor * weights[index]!;
    const start = (group.pairs.indexOf(index) * layers + layer) * extent;
    const pair = experiment.pairs[index]!;
    const first = length - positions;
    const at = length - pair.clean.length + metricPosition(pair);
    for (let position = 0; position < positions; position++) {
      const target = group.positions === 'all' ? first + position : first + position === at ? 0 : extent;
      if (target >= extent) continue;
      const from = row * rows + position * depth;
      for (let i = 0; i < depth; i++) data[(start + target) * depth + i]! += weight * values[from + i]!;
    }
  });
}
