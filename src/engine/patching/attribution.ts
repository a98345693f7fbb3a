import * as tf from '@tensorflow/tfjs-core';
import { packArrays, sizeOf } from '../../shared/arrays';
import { CircuitError } from '../../shared/errors';
import type { Direction, TokenExperiment } from '../../shared/experiment';
import { groupArrayName, type AttributionResult } from '../../shared/results';
import { SITES, type SiteName } from '../../shared/sites';
import { backward } from '../model/backward';
import { disposeKeyValues, disposeRun, forward, keysAndValues, lastRows, type ForwardRun, type KeyValues } from '../model/forward';
import { takeRows } from '../model/rows';
import { SITE_TENSORS } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { logitDiffDirections, logitDiffs } from './metric';
import type { Chunk, Plan } from './plan';
import { shareRuns, type SharedRuns } from './sharing';

/** One result array under construction: [pair, layer, position(, head)]. */
interface SiteArray {
  name: string;
  axes: readonly string[];
  shape: number[];
  data: Float32Array;
}

/**
 * Node attribution. For every pair, layer and position, and per head where the site has heads,
 *   grad_base · (clean − corrupted), summed over features, in raw logits,
 * with grad_base the gradient of the pair's own logit difference at the base run: corrupted when denoising, clean when
 * noising (Nanda's attribution patching, with noising's sign turned so that positive always supports the correct answer).
 * What clean and corrupted share is run once: the prefix up to the first difference for its keys and values only, and
 * prompts that are another pair's. Exact zeros stand before the first difference, and in the last layer before the last
 * position for every site but resid_pre: nothing there reaches the metric.
 * Throws `cancelled`, and `model-invalid` when a result is not finite.
 */
export async function attribute(model: Gpt2, experiment: TokenExperiment, plan: Plan, sites: readonly SiteName[], work: Work): Promise<Omit<AttributionResult, 'backend' | 'seconds'>> {
  const arrays = plan.groups.map((group, index) => sites.map((site) => emptyArray(model, site, index, group.pairs.length, group.positions === 'all' ? group.length : 1)));
  const logitDiff = { clean: new Array<number>(experiment.pairs.length), corrupted: new Array<number>(experiment.pairs.length) };
  for (const [index, chunk] of plan.chunks.entries()) {
    work.begin(plan.chunks.length === 1 ? 'Attributing' : `Attributing, part ${index + 1} of ${plan.chunks.length}`);
    const { positions, pairs } = plan.groups[chunk.group]!;
    const rows = chunk.pairs.map((pair) => pairs.indexOf(pair));
    const put: Put = (siteIndex, layer, firstPosition, scores) => fill(arrays[chunk.group]![siteIndex]!, rows, layer, firstPosition, scores);
    const found = await attributeChunk(model, experiment, chunk, positions, sites, put, work);
    chunk.pairs.forEach((pair, row) => {
      logitDiff.clean[pair] = found.clean[row]!;
      logitDiff.corrupted[pair] = found.corrupted[row]!;
    });
  }
  const all = arrays.flat();
  if (![...logitDiff.clean, ...logitDiff.corrupted].every(Number.isFinite) || !all.every(({ data }) => data.every(Number.isFinite))) {
    throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
  }
  return { groups: plan.groups, arrays: packArrays(all), logitDiff };
}

/** Scores of one site in one layer: [pair of the chunk, positions from `firstPosition` on(, head)]. */
type Put = (siteIndex: number, layer: number, firstPosition: number, scores: Float32Array) => void;

function emptyArray({ config }: Gpt2, site: SiteName, group: number, pairs: number, positions: number): SiteArray {
  const extents = { pair: pairs, layer: config.layers, position: positions, head: config.heads };
  const { axes } = SITES[site];
  const shape = axes.map((axis) => extents[axis]);
  return { name: groupArrayName(group, site), axes, shape, data: new Float32Array(sizeOf(shape)) };
}

function fill({ data, shape }: SiteArray, rows: readonly number[], layer: number, firstPosition: number, scores: Float32Array): void {
  const [, layers, positions, heads = 1] = shape as [number, number, number, number?];
  const width = scores.length / rows.length;
  rows.forEach((row, i) => {
    const start = ((row * layers + layer) * positions + firstPosition) * heads;
    data.set(scores.subarray(i * width, (i + 1) * width), start);
  });
}

async function attributeChunk(
  model: Gpt2,
  experiment: TokenExperiment,
  chunk: Chunk,
  positions: 'all' | 'last',
  sites: readonly SiteName[],
  put: Put,
  work: Work,
): Promise<{ clean: number[]; corrupted: number[] }> {
  const pairs = chunk.pairs.map((index) => experiment.pairs[index]!);
  const shared = shareRuns(pairs, chunk.prefix, experiment.direction);
  const directions = logitDiffDirections(model, pairs);
  const runs: ForwardRun[] = [];
  try {
    await withPrefix(model, shared, async (past) => {
      const start = chunk.prefix;
      runs.push(await forward(model, { tokens: shared.base, start, past: past(shared.basePrefix) }, { sites, record: true }, work));
      if (shared.extra.length > 0) {
        runs.push(await forward(model, { tokens: shared.extra, start, past: past(shared.extraPrefix) }, { sites, record: false }, work));
      }
    }, work);
    const [base, extra] = runs as [ForwardRun, ForwardRun?];
    const otherLast = tf.tidy(() => patchRows(base.last, extra?.last, base.batch, shared.other));
    const diffs = { base: logitDiffs(model, base.last, directions), other: logitDiffs(model, otherLast, directions) };
    otherLast.dispose();

    await backward(model, base, directions, sites.includes('resid_pre'), (layer, gradients) => {
      sites.forEach((site, siteIndex) => {
        const gradient = gradients[SITE_TENSORS[site]]!;
        const scores = tf.tidy(() => {
          const [own, others] = [base.layers[layer]!.sites[site]!, extra?.layers[layer]!.sites[site]];
          return siteScores(model, site, positions, experiment.direction, own, others, gradient, shared, base.batch);
        });
        const rowPositions = scores.shape[1]!;
        const first = positions === 'last' ? 0 : chunk.cleanLength - rowPositions;
        put(siteIndex, layer, first, scores.dataSync<'float32'>());
        scores.dispose();
      });
    }, work);
    return experiment.direction === 'denoise' ? { clean: diffs.other, corrupted: diffs.base } : { clean: diffs.base, corrupted: diffs.other };
  } finally {
    directions.dispose();
    runs.forEach(disposeRun);
  }
}

/** [pair, position(, head)]: gradient · (clean − corrupted), summed over features. */
function siteScores(
  model: Gpt2,
  site: SiteName,
  positions: 'all' | 'last',
  direction: Direction,
  own: tf.Tensor2D,
  extra: tf.Tensor2D | undefined,
  gradient: tf.Tensor2D,
  shared: SharedRuns,
  batch: number,
): tf.Tensor {
  const [at, b, e, g] =
    positions === 'all'
      ? [gradient.shape[0] / batch, own, extra, gradient]
      : [1, lastRows(own, batch), extra && lastRows(extra, shared.extra.length), lastRows(gradient, batch)];
  const others = patchRows(b, e, batch, shared.other);
  const delta = direction === 'denoise' ? tf.sub(others, b) : tf.sub(b, others);
  const { heads, dHead, dModel } = model.config;
  const product = tf.mul(delta, g);
  return SITES[site].axes.includes('head')
    ? tf.sum(tf.reshape(product, [batch, at, heads, dHead]), -1)
    : tf.sum(tf.reshape(product, [batch, at, dModel]), -1);
}

/** The rows of each pair's other prompt, found among the base runs and the extra ones. `batch` base sequences of equal row count. */
function patchRows(base: tf.Tensor2D, extra: tf.Tensor2D | undefined, batch: number, other: readonly number[]): tf.Tensor2D {
  const inOrder = other.every((index, row) => index === batch + row);
  if (inOrder && extra && extra.shape[0] === base.shape[0]) return extra;
  const width = (base.shape[0] / batch) * base.shape[1];
  const sequences = (x: tf.Tensor2D): tf.Tensor2D => tf.reshape(x, [x.size / width, width]);
  const pool = extra ? tf.concat([sequences(base), sequences(extra)], 0) : sequences(base);
  return tf.reshape(takeRows(pool, other), base.shape);
}

/** Runs the shared prefixes, each once, and hands out their keys and values in the order asked for; frees them afterwards. */
async function withPrefix(model: Gpt2, { prefixes }: SharedRuns, use: (past: (order: readonly number[]) => KeyValues[] | undefined) => Promise<void>, work: Work): Promise<void> {
  if (prefixes[0]!.length === 0) return use(() => undefined);
  const known = await keysAndValues(model, prefixes, work);
  const made: KeyValues[] = [];
  try {
    await use((order) => {
      if (order.length === prefixes.length && order.every((index, row) => index === row)) return known;
      const all = known.map(({ key, value }) => ({ key: takeRows(key, order), value: takeRows(value, order) }));
      made.push(...all);
      return all;
    });
  } finally {
    disposeKeyValues(known);
    disposeKeyValues(made);
  }
}
