import * as tf from '@tensorflow/tfjs-core';
import { CircuitError } from '../../shared/errors';
import { hasOtherRun } from '../../shared/experiment';
import type { InterventionResult, Prediction } from '../../shared/results';
import { logitsOf } from '../model/logits';
import { topPredictions } from '../model/predictions';
import { takeRows } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { runChunk } from './chunkRuns';
import { GroupMeans } from './groupMeans';
import { rowFromEnd } from './metricPositions';
import type { Plan } from './plan';

/**
 * Does the experiment's interventions (`variant.interventions`) to the base run, corrupted when denoising, clean when noising,
 * all of them at once: each names a part of a site that becomes the other side's, zero, a mean or another pair's. Returns
 * each pair's metric without them and with them, and the `top` next tokens after the prompts, which for every metric are
 * read at the end of the prompt. Throws `cancelled`, and `model-invalid` when a result is not finite.
 * Work: `interveneWork`.
 */
export async function intervene(model: Gpt2, plan: Plan, top: number, work: Work): Promise<Omit<InterventionResult, 'seconds'>> {
  const count = plan.experiment.pairs.length;
  const sides = hasOtherRun(plan.experiment.other) ? (['clean', 'corrupted'] as const) : (['clean'] as const);
  const sums = { clean: zeros(count), corrupted: zeros(count), patched: zeros(count) };
  const predictions = { clean: new Array<Prediction[]>(count), corrupted: new Array<Prediction[]>(count), patched: new Array<Prediction[]>(count) };
  work.begin('Intervening');
  const means = new GroupMeans(model, plan, []);
  try {
    for (const chunk of plan.chunks) {
      const { experiment, weights, appended } = plan.branches[chunk.branch]!;
      await runChunk(model, plan, chunk, { sites: [], record: false, direction: experiment.direction }, means, work, async (runs) => {
        for (const name of [...sides, 'patched'] as const) {
          const values = name === 'patched' ? runs.patched : runs.values[name]!;
          chunk.pairs.forEach((pair, row) => (sums[name][pair]! += weights[pair]! * values[row]!));
        }
        if (chunk.branch > 0) return; // The prompts are the same in every branch.
        const rows = chunk.pairs.map((_, row) => rowFromEnd(runs.base.tail, row, appended));
        for (const name of [...sides, 'patched'] as const) {
          work.poll();
          const last = tf.tidy(() => (name === 'patched' ? takeRows(runs.base.last, rows) : runs.lastOf(name, appended)));
          const logits = logitsOf(model, last);
          last.dispose();
          const { vocabulary } = model.config;
          chunk.pairs.forEach((pair, row) => (predictions[name][pair] = topPredictions(logits.subarray(row * vocabulary, (row + 1) * vocabulary), top)));
        }
      });
    }
  } finally {
    means.dispose();
  }
  if (![...sums.clean, ...sums.corrupted, ...sums.patched].every(Number.isFinite)) {
    throw new CircuitError('model-invalid', 'The computation overflowed: a metric is infinite or not a number. The checkpoint\'s weights are too large for float32.');
  }
  return {
    metric: { clean: sums.clean, ...(sides.length > 1 && { corrupted: sums.corrupted }) },
    patched: sums.patched,
    predictions: { clean: predictions.clean, ...(sides.length > 1 && { corrupted: predictions.corrupted }), patched: predictions.patched },
  };
}

/** Work of `intervene` in the unit in which the forward pass counts, were nothing shared between pairs. */
export function interveneWork({ config }: Gpt2, plan: Plan): number {
  const { interventions = [] } = plan.experiment.variant ?? {};
  const runs = (hasOtherRun(plan.experiment.other) ? 2 : 1) + (interventions.length > 0 ? 1 : 0) + (interventions.some((own) => own.with === 'resample') ? 1 : 0);
  return plan.chunks.reduce((sum, { pairs, prefix, cleanLength }) => sum + pairs.length * (prefix + runs * (cleanLength - prefix)) * config.layers, 0);
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}
