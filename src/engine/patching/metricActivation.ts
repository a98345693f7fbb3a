import * as tf from '@tensorflow/tfjs-core';
import type { ActivationMetric, TokenPair } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import { finalNormBackward } from '../model/logits';
import { takeRows } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import { logitDiffDirections, placeRows } from './metricLinear';
import { fromEnd, metricPosition, metricTail, rowFromEnd } from './metricPositions';
import type { MetricRun, PreparedMetric } from './preparedMetric';

/**
 * Metrics that are linear in one site of one layer: M = Σ weight · activation, with constant weights.
 *   attention    pattern[layer, head] from destination `at` to `source`: the gradient is 1 at that cell
 *   neuron       mlp_post[layer, neuron] at `at`: the gradient is 1 at that neuron
 *   directLogit  u · c, with c = z[head]·W_O[head] (no output bias), or the MLP's output (its bias included), at `at` and
 *                u = (g − mean g)/σ, g = gain_f ∘ (mean W_U[correct] − mean W_U[incorrect]): the final LayerNorm's linear part
 *                with the scale 1/σ of that same run at `at`. The scale is a constant of the gradient, so the gradient is
 *                W_O[head]·u at that head's z, or u at mlp_out, and what else moves σ is not counted; the value of a patched
 *                run does have the patched run's scale.
 */
export function prepareActivation(model: Gpt2, metric: ActivationMetric, pairs: readonly TokenPair[]): PreparedMetric {
  const site = siteOf(metric);
  const { layer } = metric;
  const reader = readerOf(model, metric, pairs);
  return {
    tail: Math.max(...pairs.map((pair) => metricTail(metric, pair))),
    reads: [{ site, layer }],
    needsClean: false,
    setClean: () => undefined,
    values: (run, pairOf, sequenceOf) => tf.tidy(() => reader.values(run, captured(run, site, layer), pairOf.map((pair, i) => ({ pair, sequence: sequenceOf?.[i] ?? i })))),
    gradient: (run, pairOf) => {
      const gradient = tf.tidy(() => reader.gradient(run, captured(run, site, layer), pairOf.map((pair, sequence) => ({ pair, sequence }))));
      return { inject: [{ site, layer, gradient }] };
    },
    dispose: () => reader.dispose?.(),
  };
}

function siteOf(metric: ActivationMetric): SiteName {
  switch (metric.activation) {
    case 'attention':
      return 'pattern';
    case 'neuron':
      return 'mlp_post';
    case 'directLogit':
      return metric.head === undefined ? 'mlp_out' : 'z';
  }
}

function captured({ layers }: MetricRun, site: SiteName, layer: number): tf.Tensor {
  const own = layers[layer]?.sites[site];
  if (!own) throw new Error(`the run lacks ${site} of layer ${layer}, which the metric reads`);
  return own;
}

interface Entry {
  pair: number;
  sequence: number;
}

/** Both inside `tf.tidy`; `x` is the site's tensor. */
interface Reader {
  values(run: MetricRun, x: tf.Tensor, entries: readonly Entry[]): number[];
  gradient(run: MetricRun, x: tf.Tensor, entries: readonly Entry[]): tf.Tensor;
  dispose?(): void;
}

function readerOf(model: Gpt2, metric: ActivationMetric, pairs: readonly TokenPair[]): Reader {
  const backs = pairs.map((pair) => fromEnd(pair, metricPosition(pair)));
  switch (metric.activation) {
    case 'attention':
      return cells((x, { pair, sequence }) => {
        const [, heads, destinations, sources] = x.shape as [number, number, number, number];
        const row = rowFromEnd(destinations, sequence * heads + metric.head, backs[pair]!);
        return rowFromEnd(sources, row, fromEnd(pairs[pair]!, pairs[pair]!.source!));
      });
    case 'neuron':
      return cells((x, { pair, sequence }, { batch }) => {
        const [rows, width] = x.shape as [number, number];
        return rowFromEnd(rows / batch, sequence, backs[pair]!) * width + metric.neuron;
      });
    case 'directLogit':
      return directLogit(model, metric, logitDiffDirections(model, pairs), backs);
  }
}

/** One value of the tensor, which `indexOf` finds. */
function cells(indexOf: (x: tf.Tensor, entry: Entry, run: MetricRun) => number): Reader {
  return {
    values: (run, x, entries) => {
      const all = x.dataSync<'float32'>();
      return entries.map((entry) => all[indexOf(x, entry, run)]!);
    },
    gradient: (run, x, entries) => {
      const gradient = new Float32Array(x.size);
      for (const entry of entries) gradient[indexOf(x, entry, run)] = 1;
      return tf.tensor(gradient, x.shape);
    },
  };
}

function directLogit(model: Gpt2, { layer, head }: { layer: number; head?: number }, directions: tf.Tensor2D, backs: readonly number[]): Reader {
  /** Rows of the residual stream at the metric's position, and of a site that has as many sequences. */
  const rowsOf = (x: tf.Tensor, { batch }: MetricRun, entries: readonly Entry[]): number[] => entries.map(({ pair, sequence }) => rowFromEnd(x.shape[0]! / batch, sequence, backs[pair]!));
  /** ∂M/∂(row of the site): u, or W_O·u with zeros at the other heads. */
  const weights = (run: MetricRun, entries: readonly Entry[]): tf.Tensor2D => {
    const last = takeRows(run.last, rowsOf(run.last, run, entries));
    const u = finalNormBackward(model, takeRows(directions, entries.map(({ pair }) => pair)), last, true);
    return head === undefined ? u : tf.mul(model.blocks[layer]!.output.weight.transposedTimes(u), headMask(model, head));
  };
  return {
    values: (run, x, entries) => {
      const own = takeRows(x as tf.Tensor2D, rowsOf(x, run, entries));
      return Array.from(tf.sum(tf.mul(own, weights(run, entries)), -1).dataSync<'float32'>());
    },
    gradient: (run, x, entries) => placeRows(weights(run, entries), rowsOf(x, run, entries), x.shape[0]!),
    dispose: () => directions.dispose(),
  };
}

/** 1 at the features of one head, 0 at those of others: [dModel]. */
function headMask({ config: { dHead, dModel } }: Gpt2, head: number): tf.Tensor1D {
  return tf.tensor1d(new Float32Array(dModel).fill(1, head * dHead, (head + 1) * dHead));
}
