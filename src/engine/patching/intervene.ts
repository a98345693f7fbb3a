import { CircuitError } from '../../shared/errors';
import type { InterventionResult, Prediction } from '../../shared/results';
import { lastLogits, logitsOf } from '../model/logits';
import { topPredictions } from '../model/predictions';
import { takeRows } from '../model/rows';
import { sequencesWork } from '../model/trailing';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { runChunk } from './chunkRuns';
import { GroupMeans } from './groupMeans';
import { rowFromEnd } from './metricPositions';
import { planWork, type Plan } from './plan';

/**
 * Does the experiment's interventions (`variant.interventions`) to the base run, corrupted when denoising, clean when noising,
 * all of them at once: each names a part of a site that becomes the other side's, zero, a mean or another pair's. Returns
 * each pair's metric without them and with them, and the `top` next tokens after the prompts, which for every metric are
 * read at the end of the prompt. Throws `cancelled`, and `model-invalid` when a result is not finite.
 * Work: `interveneWork`.
 */
export async function intervene(model: Gpt2, plan: Plan, top: number, work: Work): Promise<Omit<InterventionResult, 'seconds'>> {
  const count = plan.experiment.pairs.length;
  const { clean, corrupted } = prompts(plan);
  const sums = { clean: zeros(count), corrupted: zeros(count), patched: zeros(count) };
  const patched = new Array<Prediction[]>(count);
  work.begin('Intervening');
  const means = new GroupMeans(model, plan, []);
  try {
    for (const chunk of plan.chunks) {
      const { experiment, weights, appended } = plan.branches[chunk.branch]!;
      await runChunk(model, plan, chunk, { sites: [], record: false, direction: experiment.direction }, means, work, async (runs) => {
        const add = (into: number[], values: readonly number[]): void => chunk.pairs.forEach((pair, row) => (into[pair]! += weights[pair]! * values[row]!));
        add(sums.clean, runs.values.clean);
        if (corrupted) add(sums.corrupted, runs.values.corrupted!);
        add(sums.patched, runs.patched);
        if (chunk.branch > 0) return; // The prompts are the same in every branch.
        const { base } = runs;
        const last = takeRows(base.last, chunk.pairs.map((_, row) => rowFromEnd(base.tail, row, appended)));
        const logits = logitsOf(model, last);
        last.dispose();
        const { vocabulary } = model.config;
        chunk.pairs.forEach((pair, row) => (patched[pair] = topPredictions(logits.subarray(row * vocabulary, (row + 1) * vocabulary), top)));
      });
    }
  } finally {
    means.dispose();
  }
  if (![...sums.clean, ...sums.corrupted, ...sums.patched].every(Number.isFinite)) {
    throw new CircuitError('model-invalid', 'The computation overflowed: a metric is infinite or not a number. The checkpoint\'s weights are too large for float32.');
  }
  const predict = async (tokens: readonly number[][]): Promise<Prediction[][]> => (await lastLogits(model, tokens, work)).map((logits) => topPredictions(logits, top));
  return {
    metric: { clean: sums.clean, ...(corrupted && { corrupted: sums.corrupted }) },
    patched: sums.patched,
    predictions: { clean: await predict(clean), ...(corrupted && { corrupted: await predict(corrupted) }), patched },
  };
}

/** Work of `intervene`, in the unit in which the forward pass counts. */
export function interveneWork(model: Gpt2, plan: Plan): number {
  const { clean, corrupted = [] } = prompts(plan);
  return planWork(plan, model.config) + sequencesWork(model, [...clean, ...corrupted]);
}

/** The prompts, `resample` resolved into corrupted ones, without what a continuation appends. */
function prompts({ branches: [branch] }: Plan): { clean: number[][]; corrupted?: number[][] } {
  const { experiment, appended } = branch!;
  const own = (tokens: number[]): number[] => tokens.slice(0, tokens.length - appended);
  const corrupted = experiment.other === 'zero' || experiment.other === 'mean' ? undefined : experiment.pairs.map((pair) => own(pair.corrupted!));
  return { clean: experiment.pairs.map(({ clean }) => own(clean)), ...(corrupted && { corrupted }) };
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}
