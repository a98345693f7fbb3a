import * as tf from '@tensorflow/tfjs-core';
import { CircuitError } from '../../shared/errors';
import { hasOtherRun, type Other, type TokenExperiment } from '../../shared/experiment';
import { fullMask, type EdgeMask } from '../../shared/graph/mask';
import type { GraphShape } from '../../shared/graph/nodes';
import type { CircuitMetrics } from '../../shared/paths';
import type { BackendName } from '../../shared/results';
import type { CircuitsParams } from '../client/engine';
import type { Gpt2 } from '../model/weights';
import { Work, type WorkOptions } from '../model/work';
import type { AblatedSide } from './circuitAblated';
import { CircuitBases } from './circuitBases';
import { batchLimit, checkCircuitMemory, circuitBatches } from './circuitBatches';
import { runCircuitPlan } from './circuitRun';
import { planChunks, type Plan } from './plan';
import type { PreparedMetric } from './preparedMetric';

/**
 * The metric of every pair with all edges outside each circuit ablated, see CircuitMetrics: the clean prompts are run, the input of
 * receiver r being
 *   ablated run's input + Σ_{senders s with an edge s→r in the circuit} (current output of s − ablated output of s),
 * LayerNorm recomputed (EAP-IG's `evaluate_graph`). The ablated run's input is the sum of all ablated outputs and of the biases b_O,
 * which belong to no sender. Circuits are run together and what they have in common once; positions before the first difference, and
 * components that receive nothing or reach nothing, are not run; nor are the prompts again when the last call was on the same ones. Of the experiment `direction`, `other` and `variant` do not count.
 * Under `continuation` edges are ablated at the continuation's tokens too.
 * `limits`: the backend, and the bytes that may be filled beside the loaded weights. Throws `experiment` for a circuit of another
 * model, a metric that is an activation, prompts of unequal token counts, and as `planChunks` does; `too-big`; `cancelled`;
 * `model-invalid` when a result is not finite.
 */
export async function runCircuits(model: Gpt2, { experiment, circuits, ablation }: CircuitsParams, limits: [BackendName, number], call?: WorkOptions): Promise<Omit<CircuitMetrics, 'backend' | 'seconds'>> {
  const { config } = model;
  checkCircuits(circuits, config);
  const plan = planChunks(ablated(experiment, ablation), config);
  checkLengths(plan);
  checkCircuitMemory(config, plan, circuits, limits);
  const most = batchLimit(config, plan, limits);
  const rows = plan.chunks.reduce((sum, { pairs, prefix, cleanLength }) => sum + pairs.length * (cleanLength - prefix), 0);
  const bases = new CircuitBases(model, plan, ablation);
  const work = new Work(call, bases.work + circuits.length * rows * config.layers);
  work.begin('Running circuits');
  try {
    const count = experiment.pairs.length;
    const values = circuits.map(() => new Array<number>(count).fill(0));
    const [clean, empty] = [new Array<number>(count).fill(0), new Array<number>(count).fill(0)];
    for (const [index, chunk] of plan.chunks.entries()) {
      const add = (into: number[], own: readonly number[]): void =>
        own.forEach((value, row) => {
          const pair = chunk.pairs[row]!;
          into[pair] = finite(into[pair]! + plan.branches[chunk.branch]!.weights[pair]! * value);
        });
      const base = await bases.of(index, work);
      const metric = bases.metricOf(index, base, work);
      try {
        add(clean, base.clean);
        add(empty, valuesOf(model, metric, base.side, base.side.last)[0]!);
        for await (const { first, plan: own } of circuitBatches(config, chunk, circuits, hasOtherRun(ablation), most, work)) {
          const found = valuesOf(model, metric, base.side, await runCircuitPlan(model, own, base.side, work));
          own.outputOf.forEach((output, i) => add(values[first + i]!, found[output]!));
        }
      } finally {
        metric.dispose();
      }
    }
    return { values, clean, empty };
  } finally {
    bases.dispose();
  }
}

/** The metric [output][pair] of residual streams that the logits read, [output, pair, trailing position, dModel]. */
function valuesOf(model: Gpt2, metric: PreparedMetric, { pairs, tail }: AblatedSide, streams: Float32Array): number[][] {
  const { dModel } = model.config;
  const count = streams.length / (pairs * tail * dModel);
  const last = tf.tensor2d(streams, [count * pairs * tail, dModel]);
  try {
    const values = metric.values({ batch: count * pairs, layers: [], last }, Array.from({ length: count * pairs }, (_, i) => i % pairs));
    return Array.from({ length: count }, (_, output) => values.slice(output * pairs, (output + 1) * pairs));
  } finally {
    last.dispose();
  }
}

/** What is run in the experiment's place. */
function ablated({ variant: _, ...experiment }: TokenExperiment, other: Other): TokenExperiment {
  if (typeof experiment.metric === 'object') {
    throw new CircuitError('experiment', `A circuit ends at the logits, so it is measured by them and not by an activation (${experiment.metric.activation}). Choose a metric of the logits.`);
  }
  if (experiment.metric === 'continuation' && other === 'mean') {
    throw new CircuitError('experiment', 'A circuit\'s edges are ablated at the tokens of a continuation too, and continuations of several pairs have no common mean. Choose corrupted, zero or resample, or another metric.');
  }
  return { ...experiment, other, direction: 'noise' };
}

function checkLengths({ branches }: Plan): void {
  const { experiment, appended } = branches[0]!;
  experiment.pairs.forEach(({ clean, corrupted }, index) => {
    if (!corrupted || corrupted.length === clean.length) return;
    throw new CircuitError('experiment', `Pair ${index + 1}: the clean prompt has ${clean.length - appended} tokens, the corrupted ${corrupted.length - appended}, so their positions do not correspond. Circuits need prompts of equal token counts; or ablate by zero, mean or resample.`);
  });
}

/** Throws `experiment` for what is no set of this model's edges. */
function checkCircuits(circuits: readonly EdgeMask[], shape: GraphShape): void {
  const full = fullMask(shape);
  circuits.forEach((mask, index) => {
    if (mask.length !== full.length) {
      throw new CircuitError('experiment', `Circuit ${index + 1} is of another model: its graph has ${mask.length} pairs of components, this model's ${full.length}.`);
    }
    if (hasMore(mask, full)) throw new CircuitError('experiment', `Circuit ${index + 1} has an edge that is none in this model: nothing runs there.`);
  });
}

function hasMore(mask: EdgeMask, full: EdgeMask): boolean {
  for (let i = 0; i < full.length; i++) if (mask[i]! > full[i]!) return true;
  return false;
}

/** What a metric can be; throws `model-invalid` otherwise. */
function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
}
