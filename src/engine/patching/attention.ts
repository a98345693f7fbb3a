import * as tf from '@tensorflow/tfjs-core';
import { packArrays } from '../../shared/arrays';
import { CircuitError } from '../../shared/errors';
import type { AttentionResult } from '../../shared/results';
import type { Gpt2Config } from '../model/config';
import { disposeRun, forward } from '../model/forward';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { attributeRuns, type Take } from './attributeRuns';
import { directionsOf } from './attribution';
import { runChunk, type ChunkRuns } from './chunkRuns';
import { GroupMeans } from './groupMeans';
import { checkAttributable } from './metricChecks';
import { planWork, type Chunk, type Plan } from './plan';
import type { SiteSides } from './siteScores';
import { capturedAt } from './siteTensors';
import { checkSites, checkVariant } from './variantChecks';

export interface AttentionPlace {
  /** Index into the experiment's pairs. */
  pair: number;
  layer: number;
  heads: readonly number[];
}

/**
 * Attention of one pair's heads in one layer, cell by cell, see AttentionResult for the arrays: softmax(q·kᵀ/√dHead) of the
 * clean run, of the other side and, where there are interventions, of the base run with them; and what each cell
 * contributes to first order, ∂M/∂pattern[dest, src] at the base run · (clean − other), with the gradient as the
 * experiment's variant says. A row's cells add up to `attribute`'s pattern at that position, except under GradDrop, which is
 * of magnitudes. Under zero, `other` being
 * nothing, that is ∂M/∂pattern · pattern: attention attribution. Cells are those of the prompt, all destinations by all sources;
 * prompts are run whole. Throws `experiment` for a pair, layer or head that is not there, a pair of unequal token counts,
 * and where attribution is refused; `cancelled`; `model-invalid` when a result is not finite. Work: `attentionWork`.
 */
export async function attention(model: Gpt2, plan: Plan, place: AttentionPlace, work: Work): Promise<AttentionResult> {
  const { experiment, groups } = plan;
  checkPlace(place, plan, model.config);
  const group = groups.findIndex(({ pairs }) => pairs.includes(place.pair));
  checkSites(['pattern'], [groups[group]!]);
  checkVariant(experiment, groups, model.config);
  checkAttributable(experiment);
  const own = planOfPair(plan, place.pair);
  const { length } = groups[group]!;
  const { layer, heads } = place;
  const crop = (cells: Float32Array, sources: number): Float32Array => promptCells(cells, sources, heads, model.config.heads, length);

  work.begin('Computing attention');
  const found = new Map<PatternName | 'attribution', Float32Array>();
  const attribution = new Float32Array(heads.length * length * length);
  const { variant = {} } = experiment;
  const sites = variant.integrated ? (['pattern', 'embed'] as const) : (['pattern'] as const);
  const means = new GroupMeans(model, own, [{ site: 'pattern', layer }, ...(variant.integrated ? [{ site: 'embed' as const, layer: 0 }] : [])]);
  try {
    for (const chunk of own.chunks) {
      const weight = own.branches[chunk.branch]!.weights[place.pair]!;
      for (const { direction, share } of directionsOf(own)) {
        await runChunk(model, own, chunk, { sites, layer, record: !variant.integrated, direction }, means, work, async (runs) => {
          if (found.size === 0) for (const [name, cells] of await patternsOf(model, own, chunk, runs, layer, work)) found.set(name, crop(cells, chunk.cleanLength));
          const take: Take = (_site, _layer, { values }, factor = 1) => {
            crop(values, chunk.cleanLength).forEach((value, i) => (attribution[i]! += weight * share * factor * value));
          };
          await attributeRuns(model, variant, runs, ['pattern'], take, work, eachCell);
        });
      }
    }
  } finally {
    means.dispose();
  }
  found.set('attribution', attribution);
  if (![...found.values()].every((data) => data.every(Number.isFinite))) {
    throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
  }
  const shape = [heads.length, length, length];
  return { heads: [...heads], arrays: packArrays([...found].map(([name, data]) => ({ name, axes: ['head', 'dest', 'src'], shape, data }))) };
}

/** Work of `attention`, in the unit in which the forward pass counts. */
export function attentionWork({ config }: Gpt2, plan: Plan, pair: number): number {
  const { interventions } = plan.experiment.variant ?? {};
  const own = planOfPair(plan, pair);
  // With interventions the pattern without them takes a run more.
  return planWork(own, config) + (interventions?.length ? own.chunks[0]?.cleanLength ?? 0 : 0) * config.layers;
}

/** The plan of one pair, whole prompts, all destinations in the last layer too. */
export function planOfPair(plan: Plan, pair: number): Plan {
  const chunks = plan.chunks.filter(({ pairs }) => pairs.includes(pair));
  return { ...plan, chunks: chunks.map((chunk) => ({ ...chunk, pairs: [pair], prefix: 0, tail: chunk.cleanLength })) };
}

type PatternName = 'clean' | 'other' | 'base';

/** Patterns of the runs, all heads: [head, dest, src]. */
async function patternsOf(model: Gpt2, plan: Plan, { branch, pairs: [pair] }: Chunk, runs: ChunkRuns, layer: number, work: Work): Promise<Map<PatternName, Float32Array>> {
  const { clean, corrupted } = plan.branches[branch]!.experiment.pairs[pair!]!;
  const denoise = runs.direction === 'denoise';
  const base = capturedAt(runs.base, 'pattern', layer);
  const ofBase = base.dataSync<'float32'>();
  const other = plan.experiment.other === 'zero' ? undefined : tf.tidy(() => tf.clone(runs.otherLike('pattern', layer, base)));
  const counterpart = other?.dataSync<'float32'>();
  other?.dispose();
  const unchanged = runs.edit ? await patternOf(model, denoise ? corrupted! : clean, layer, work) : ofBase;
  const found = new Map<PatternName, Float32Array>([['clean', denoise ? counterpart! : unchanged]]);
  if (counterpart) found.set('other', denoise ? unchanged : counterpart);
  if (runs.edit) found.set('base', ofBase);
  return found;
}

/** [head, dest, src] of one prompt's run, all heads. */
async function patternOf(model: Gpt2, tokens: readonly number[], layer: number, work: Work): Promise<Float32Array> {
  let pattern: Float32Array | undefined;
  const keep = (value: tf.Tensor): tf.Tensor => {
    pattern = value.dataSync<'float32'>().slice();
    return value;
  };
  const edit = (site: string, where: number) => (site === 'pattern' && where === layer ? keep : undefined);
  disposeRun(await forward(model, { tokens: [tokens], start: 0 }, { sites: [], record: false, tail: tokens.length, edit }, work));
  return pattern!;
}

/** In place of sums over sources: every cell, [1, head, dest, src]. */
function eachCell(_site: unknown, _config: unknown, { own, other, gradient }: SiteSides): tf.Tensor {
  return tf.mul(tf.sub(other, own), gradient);
}

/** Of [head, dest, src] the chosen heads and the first `length` destinations and sources: what a continuation appends is no part of the prompt. */
function promptCells(cells: Float32Array, sources: number, heads: readonly number[], allHeads: number, length: number): Float32Array {
  const destinations = cells.length / (allHeads * sources);
  const chosen = new Float32Array(heads.length * length * length);
  heads.forEach((head, i) => {
    for (let row = 0; row < length; row++) {
      const from = (head * destinations + row) * sources;
      chosen.set(cells.subarray(from, from + length), (i * length + row) * length);
    }
  });
  return chosen;
}

function checkPlace({ pair, layer, heads }: AttentionPlace, { experiment }: Plan, config: Gpt2Config): void {
  const check = (what: string, value: number, count: number, owner: string): void => {
    if (Number.isInteger(value) && value >= 0 && value < count) return;
    throw new CircuitError('experiment', `There is no ${what} ${value}; ${owner} has ${what}s 0 to ${count - 1}.`);
  };
  check('pair', pair, experiment.pairs.length, 'the experiment');
  check('layer', layer, config.layers, 'this model');
  if (heads.length === 0) throw new CircuitError('experiment', 'No head was asked for. Name at least one.');
  for (const head of heads) check('head', head, config.heads, 'this model');
}
