import * as tf from '@tensorflow/tfjs-core';
import { CircuitError } from '../../shared/errors';
import type { PathPatchResult } from '../../shared/paths';
import type { BackendName } from '../../shared/results';
import type { PathsParams } from '../client/engine';
import { splitHeads } from '../model/attention';
import { attentionScale } from '../model/forward';
import { linear } from '../model/layers';
import { rowwise } from '../model/rowwise';
import type { Gpt2 } from '../model/weights';
import { Work, type WorkOptions } from '../model/work';
import type { PatchBatch } from './exactBatches';
import { rowsOf, siteValues, type SiteValues } from './exactCopy';
import { runBatch } from './exactRun';
import { measure, type JobRun } from './measurement';
import { inputOf, placeKey, type PathEdge, type StreamPlace } from './pathParts';
import { firstMlp, pathBatches, pathNeeds, planPaths, senderPlaces, type PathPlan } from './pathPlan';
import { baseAt, directStream, mlp, secondPass, type Sent, type Streams } from './pathStreams';
import { planChunks } from './plan';

/**
 * Exact path patching: for every edge s → r and pair, the base run (corrupted when denoising, clean when noising) in which what
 * receiver r reads is changed by Δ_s = (other side's output of s) − (base's), and nothing else is:
 *   effect = M_patched − M_base when denoising, M_base − M_patched when noising, in the metric's raw units.
 * That is activation patching with derived values. With x the residual stream of the base run that r reads, x' = x + Δ_s,
 *   q, k, v of a head   replaced by W_X·LN1(x') + b_X
 *   MLP                 resid_post replaced by resid_mid + MLP(LN2(x'))
 *   logits              the metric is read of x' = resid_post of the last block + Δ_s
 * `directFrozen`: the receiver's LayerNorm takes 1/σ of x, as TransformerLens's did in earlier versions (4.3 computes `direct`).
 * `throughMlps`: x' is what reaches r when s is replaced, all other heads are frozen and MLPs are computed anew (Wang et al.
 * 2022): direct edge and all ways through MLPs. Output biases belong to no head; an MLP's belongs to it, so that zeros take it away.
 * Nothing of the experiment's variant concerns paths; interventions are refused. An edge that certainly changes nothing the metric
 * sees has an effect of exactly 0. Finished edges are handed over as they come (`paths`), also those of a call that is
 * cancelled or fails later. `limits`: the backend, and the bytes that may be filled beside the loaded weights.
 * Throws `experiment`, `too-big`, `cancelled`, and `model-invalid` where a result is not finite.
 */
export async function patchPaths(model: Gpt2, { experiment, mode, edges }: PathsParams, limits: [BackendName, number], call?: WorkOptions): Promise<Omit<PathPatchResult, 'backend' | 'seconds'>> {
  if (experiment.variant?.interventions?.length) {
    throw new CircuitError('experiment', 'Paths are not patched in a base run with interventions. Leave the interventions out.');
  }
  const plan = await planPaths(planChunks({ ...experiment, variant: undefined }, model.config), edges, mode, model.config, limits, new Work(call));
  const shape = { ...plan, config: model.config };
  const work = new Work(call, plan.work);
  work.begin('Patching paths');
  const measured = await measure(
    model,
    {
      ...plan,
      things: plan.edges,
      groupOf: () => undefined,
      places: senderPlaces(plan.edges),
      batchesOf: (job, block) => pathBatches(shape, job, block),
      needsOf: (job, block) => pathNeeds(shape, job, block),
      prepare: async (run, block) => {
        const streamOf = mode === 'throughMlps' ? await throughMlps(run, plan, pathBatches(shape, run.job, block)) : direct(run);
        return (batch) => runPaths(run, plan, batch, streamOf);
      },
      handOver: (found, effects) => work.deliver({ paths: { mode, edges: found.map(({ sender, receiver }) => ({ sender, receiver })), effects } }),
    },
    work,
  );
  return { mode, edges: edges.map(({ sender, receiver }) => ({ sender, receiver })), groups: [...plan.plan.groups], ...measured };
}

/** The patched residual stream at a place, of senders and pairs: [sent · positions from `start` on, dModel]. */
type StreamOf = (place: StreamPlace, sent: readonly Sent[], start: number) => Promise<Float32Array>;

function direct({ model, job, sources, work }: JobRun): StreamOf {
  return (place, sent, start) => directStream(model, job, sources, place, sent, start, work);
}

/** Senders and pairs whose second passes are run together, and what is wanted of them. */
interface Pass {
  sent: Sent[];
  indexOf: Map<string, number>;
  wanted: Map<string, StreamPlace>;
  streams: Streams;
}

/** Runs the second pass of every sender and pair once, for all the receivers that these batches ask for. */
async function throughMlps({ model, job, sources, work }: JobRun, { edges }: PathPlan, batches: readonly PatchBatch[]): Promise<StreamOf> {
  const passes = new Map<number, Pass>();
  const nameOf = ({ from, row }: Sent): string => JSON.stringify([from, row]);
  for (const { patches } of batches) {
    for (const { cell, row } of patches) {
      const { from, to } = edges[cell]!;
      const pass: Pass = passes.get(firstMlp(from)) ?? { sent: [], indexOf: new Map(), wanted: new Map(), streams: new Map() };
      passes.set(firstMlp(from), pass);
      const name = nameOf({ from, row });
      if (!pass.indexOf.has(name)) pass.indexOf.set(name, pass.sent.push({ from, row }) - 1);
      const place = inputOf(to, model.config.layers);
      pass.wanted.set(placeKey(place), place);
    }
  }
  for (const pass of passes.values()) pass.streams = await secondPass(model, job, sources, pass.sent, [...pass.wanted.values()], work);
  return async (place, sent, start) => {
    const size = (job.baseLength - start) * model.config.dModel;
    const rows = new Float32Array(sent.length * size);
    sent.forEach((one, i) => {
      const { indexOf, streams } = passes.get(firstMlp(one.from))!;
      rows.set(rowsOf(streams.get(placeKey(place))!, [indexOf.get(nameOf(one))!], start), i * size);
    });
    return rows;
  };
}

/** The metric of each patch's patched run, in the order of the batch. */
async function runPaths(run: JobRun, { edges, mode }: PathPlan, batch: PatchBatch, streamOf: StreamOf): Promise<number[]> {
  const { model, job, sources, pasts, metric, work } = run;
  const { layer, start, patches } = batch;
  const byInput = new Map<string, number[]>();
  patches.forEach(({ cell }, sequence) => {
    const { to } = edges[cell]!;
    const key = to.kind === 'head' ? to.port : to.kind;
    byInput.set(key, [...(byInput.get(key) ?? []), sequence]);
  });
  const found = new Array<{ values: SiteValues; sequence: number; scale?: Float32Array }>(patches.length);
  for (const sequences of byInput.values()) {
    await work.pause();
    const sent = sequences.map((sequence) => ({ from: edges[patches[sequence]!.cell]!.from, row: patches[sequence]!.row }));
    const { to } = edges[patches[sequences[0]!]!.cell]!;
    const place = inputOf(to, model.config.layers);
    const base = rowsOf(baseAt(sources, place), sent.map(({ row }) => row), start);
    const own = received(run, to, await streamOf(place, sent, start), base, sent.length, mode === 'directFrozen');
    sequences.forEach((sequence, i) => (found[sequence] = { ...own, sequence: i }));
  }
  if (layer < model.config.layers) return runBatch(model, job, sources, batch, pasts, metric, work, (_, sequence) => found[sequence]);
  // Nothing is left to run: the metric is read of the final residual stream.
  const positions = job.baseLength - start;
  const { dModel } = model.config;
  const last = new Float32Array(patches.length * positions * dModel);
  const scale = new Float32Array(patches.length * positions);
  found.forEach(({ values, sequence, scale: own }, i) => {
    last.set(values.data.subarray(sequence * positions * dModel, (sequence + 1) * positions * dModel), i * positions * dModel);
    if (own) scale.set(own.subarray(sequence * positions, (sequence + 1) * positions), i * positions);
  });
  return tf.tidy(() => metric.values(
    { batch: patches.length, layers: [], last: tf.tensor2d(last, [patches.length * positions, dModel]), ...(mode === 'directFrozen' && { finalScale: tf.tensor2d(scale, [patches.length * positions, 1]) }) },
    patches.map(({ row }) => row),
  ));
}

/**
 * What a receiver makes of the residual stream that reaches it: a head its queries, keys or values, an MLP the residual stream
 * after it, the logits that stream itself. `scale`: 1/σ of the final LayerNorm, where a receiver's scale is frozen.
 */
function received({ model, job, work }: JobRun, to: PathEdge['to'], stream: Float32Array, base: Float32Array, count: number, freezes: boolean): { values: SiteValues; scale?: Float32Array } {
  const { config, blocks } = model;
  const shape: [number, number] = [stream.length / config.dModel, config.dModel];
  const asValues = (data: Float32Array): SiteValues => siteValues('resid_pre', data, shape, count, job.baseLength);
  const inverse = (x: tf.Tensor2D): tf.Tensor2D => rowwise().normalise(x, config.layerNormEpsilon).inverse;
  const tensors = tf.tidy((): { values: tf.Tensor; scale?: tf.Tensor } => {
    const x = tf.tensor2d(stream, shape);
    const held = freezes ? inverse(tf.tensor2d(base, shape)) : undefined;
    if (to.kind === 'logits') return { values: x, ...(held && { scale: held }) };
    if (to.kind === 'mlp') {
      const out = tf.add<tf.Tensor2D>(tf.tensor2d(base, shape), mlp(model, to.layer, x, work, held));
      // The final LayerNorm is not this receiver's.
      return { values: out, ...(freezes && { scale: inverse(out) }) };
    }
    const weights = blocks[to.layer]!;
    const projection = { q: weights.query, k: weights.key, v: weights.value }[to.port];
    const own = splitHeads(linear(rowwise().affine(rowwise().normalise(x, config.layerNormEpsilon, held).unit, weights.norm1), projection, work), count, config.heads);
    return { values: to.port === 'q' ? tf.mul(own, attentionScale(config, to.layer)) : own };
  });
  try {
    const data = tensors.values.dataSync<'float32'>();
    const values = to.kind === 'head' ? siteValues(to.port, data, tensors.values.shape, count, job.baseLength) : asValues(data);
    return { values, ...(tensors.scale && { scale: tensors.scale.dataSync<'float32'>() }) };
  } finally {
    tf.dispose([tensors.values, ...(tensors.scale ? [tensors.scale] : [])]);
  }
}
