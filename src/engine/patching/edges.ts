import { packArrays } from '../../shared/arrays';
import { CircuitError } from '../../shared/errors';
import { hasOtherRun } from '../../shared/experiment';
import { edgePositionsName, EDGE_SCORES, SENDER_SCORES, type EdgeResult } from '../../shared/paths';
import { receiverCount, senderCount } from '../../shared/graph/nodes';
import type { BackendName } from '../../shared/results';
import type { EdgesParams } from '../client/engine';
import type { Gpt2 } from '../model/weights';
import { Work, type WorkOptions } from '../model/work';
import { directionsOf } from './attribution';
import { runChunk } from './chunkRuns';
import { edgesWork, planEdges } from './edgesChecks';
import { checkEdges } from './edgesMemory';
import { scoreEdges } from './edgesRuns';
import { senderDifferences, SENDER_SITES } from './edgesSenders';
import { passesOf } from './edgesSteps';
import { EdgeSums } from './edgesSums';
import { GroupMeans, inAllLayers } from './groupMeans';

/**
 * Edge attribution (EAP, Syed et al. 2023; with `integrated` EAP-IG's inputs, Hanna et al. 2024; with `bothGradients` its
 * clean-corrupted). For every pair, sender s and receiver r of the graph (`shared/graph/nodes`), raw units of the metric,
 *   score(s → r) = Σ_position (clean − other)_s · u_r,   u_r = ∂M/∂input_r at the base run,
 * the input taken before the receiver's LayerNorm, of every head's q, k and v apart. Base and sign as in `attribute`: positive
 * supports the correct answer. Published scores have EAP's sign and its extra 1/batch: theirs is our noise, minus and divided by.
 * `method.layerNorm`: full differentiates every LayerNorm; receiver holds the scale of the receiver's own constant in u_r, and
 * nothing else; all holds every scale constant, also in the backward pass that leads to u_r.
 * Σ_r score(s → r) is the sender's score in `paths.senders` (full, all). Σ_s score(s → r) is (clean − other) of the receiver's input ·
 * u_r where output biases of attention, which no sender carries, are the same on both sides: not under `zero`.
 * Positions that a continuation appends are left out. Arrays as in EdgeResult, `receivers` in the order asked for.
 * `limits`: the backend, and the bytes that may be filled beside the loaded weights. Throws `experiment` (`planEdges`), `too-big`,
 * `cancelled`, and `model-invalid` when a result is not finite.
 */
export async function attributeEdges(model: Gpt2, { experiment, method, receivers = [] }: EdgesParams, limits: [BackendName, number], call?: WorkOptions): Promise<Omit<EdgeResult, 'backend' | 'seconds'>> {
  const { config } = model;
  const plan = planEdges(experiment, method, receivers, config);
  checkEdges(config, plan, receivers.length, ...limits);
  const { groups, chunks, branches } = plan;
  const { integrated, layerNorm = 'full' } = method;
  const work = new Work(call, edgesWork(plan, config));
  const count = experiment.pairs.length;
  const clean = new Array<number>(count).fill(0);
  const corrupted = hasOtherRun(experiment.other) ? new Array<number>(count).fill(0) : undefined;
  const sums = new EdgeSums(config, groups, receivers);
  const means = new GroupMeans(model, plan, inAllLayers(SENDER_SITES, config.layers));
  try {
    for (const [index, chunk] of chunks.entries()) {
      work.begin(chunks.length === 1 ? 'Attributing edges' : `Attributing edges, part ${index + 1} of ${chunks.length}`);
      const { weights, experiment: own } = branches[chunk.branch]!;
      for (const { direction, share } of directionsOf(plan)) {
        const passes = passesOf(config, plan, chunk, direction);
        const others = chunk.pairs.map((pair) => (direction === 'denoise' ? own.pairs[pair]!.clean : own.pairs[pair]!.corrupted ?? []));
        const record = passes.batches.some(({ batch: { at } }) => at === 'base');
        const values = await runChunk(model, plan, chunk, { sites: SENDER_SITES, record, direction }, means, work, async (runs) => {
          const senders = await senderDifferences(model, runs, work);
          try {
            const factor = share / (integrated?.steps ?? 1);
            await scoreEdges(model, passes, { others, tail: chunk.tail }, runs, senders, layerNorm, sums.of(chunk, chunk.pairs.map((pair) => factor * weights[pair]!)), work);
            return runs.values;
          } finally {
            senders.dispose();
          }
        });
        if (direction !== plan.experiment.direction) continue;
        chunk.pairs.forEach((pair, row) => {
          clean[pair]! += weights[pair]! * values.clean[row]!;
          if (corrupted) corrupted[pair]! += weights[pair]! * values.corrupted![row]!;
        });
      }
    }
  } finally {
    means.dispose();
  }
  const [senders, all] = [senderCount(config), receiverCount(config)];
  const arrays = [
    { name: EDGE_SCORES, axes: ['pair', 'sender', 'receiver'], shape: [count, senders, all], data: sums.edges },
    { name: SENDER_SCORES, axes: ['pair', 'sender'], shape: [count, senders], data: sums.senders },
    ...sums.positions.map((data, group) => ({ name: edgePositionsName(group), axes: ['pair', 'sender', 'receiver', 'position'], shape: [groups[group]!.pairs.length, senders, receivers.length, groups[group]!.length], data })),
  ];
  if (![...clean, ...(corrupted ?? [])].every(Number.isFinite) || !arrays.every(({ data }) => data.every(Number.isFinite))) {
    throw new CircuitError('model-invalid', 'The computation overflowed: a result is infinite or not a number. The checkpoint\'s weights are too large for float32.');
  }
  return { groups, arrays: packArrays(arrays), metric: { clean, ...(corrupted && { corrupted }) } };
}
