import * as tf from '@tensorflow/tfjs-core';
import type { Sender } from '../../shared/graph/nodes';
import { tailRows } from '../model/forward';
import { linear } from '../model/layers';
import { rowwise } from '../model/rowwise';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { rowsOf, type SiteValues } from './exactCopy';
import type { PatchJob } from './exactJobs';
import { siteKey, type Sources } from './exactSources';
import { differsAt, outputOf, placeKey, type StreamPlace } from './pathParts';
import { firstMlp } from './pathPlan';

/** One sender, and one pair of the job. */
export interface Sent {
  from: Sender;
  row: number;
}

/** The base run's residual stream at a place, or whatever else was kept of it. */
export function baseAt({ stream, kept }: Sources, { site, layer }: StreamPlace): SiteValues {
  const own = kept.get(siteKey(site, layer)) ?? (site === 'resid_pre' ? stream.get(layer) : undefined);
  if (!own) throw new Error(`${site} of layer ${layer} of the base run was not kept`);
  return own;
}

/** The residual stream that reaches a receiver directly: the base run's + (other − base) of the sender's output. [sent · positions from `start` on, dModel] */
export async function directStream(model: Gpt2, job: PatchJob, sources: Sources, place: StreamPlace, sent: readonly Sent[], start: number, work: Work): Promise<Float32Array> {
  const stream = rowsOf(baseAt(sources, place), sent.map(({ row }) => row), start);
  const changes = await senderChanges(model, job, sources, sent, start, work);
  for (let i = 0; i < stream.length; i++) stream[i]! += changes[i]!;
  return stream;
}

/** other − base of each sender's output in residual space (head: Δz·W_O, no bias), 0 where nothing differs. [sent · positions from `start` on, dModel] */
export async function senderChanges(model: Gpt2, job: PatchJob, sources: Sources, sent: readonly Sent[], start: number, work: Work): Promise<Float32Array> {
  const { dModel, dHead } = model.config;
  const positions = job.baseLength - start;
  const changes = new Float32Array(sent.length * positions * dModel);
  const heads = new Map<number, number[]>();
  sent.forEach(({ from, row }, i) => {
    const [first, end] = from.kind === 'head' ? [from.head * dHead, (from.head + 1) * dHead] : [0, dModel];
    subtract(job, sources, { from, row }, start, [first, end], changes.subarray(i * positions * dModel, (i + 1) * positions * dModel));
    if (from.kind === 'head') heads.set(from.layer, [...(heads.get(from.layer) ?? []), i]);
  });
  // A head's change of z stands in its own columns, all others being 0: one product with W_O for all heads of a layer.
  const size = positions * dModel;
  for (const [layer, own] of heads) {
    await work.pause();
    const z = new Float32Array(own.length * size);
    own.forEach((i, at) => z.set(changes.subarray(i * size, (i + 1) * size), at * size));
    const { output } = model.blocks[layer]!;
    // The bias added and taken away: a product without it, or with another one, would make wasm pack W_O once more.
    const out = tf.tidy(() => tf.sub(linear(tf.tensor2d(z, [own.length * positions, dModel]), output, work), output.bias));
    const values = out.dataSync<'float32'>();
    out.dispose();
    own.forEach((i, at) => changes.set(values.subarray(at * size, (at + 1) * size), i * size));
  }
  return changes;
}

function subtract(job: PatchJob, sources: Sources, { from, row }: Sent, start: number, [firstColumn, endColumn]: [number, number], into: Float32Array): void {
  const place = outputOf(from);
  const base = baseAt(sources, place);
  const { replacement } = sources;
  const other = replacement?.values.get(placeKey(place));
  const { width } = base;
  const rowOf = (values: SiteValues, sequence: number, position: number): number => (sequence * values.positions + position - values.first) * width;
  for (let position = start; position < job.baseLength; position++) {
    if (!differsAt(job, row, from, position)) continue;
    const own = rowOf(base, row, position);
    const theirs = other && rowOf(other, replacement!.of[row]!, position);
    const target = (position - start) * width;
    for (let column = firstColumn; column < endColumn; column++) into[target + column] = (other ? other.data[theirs! + column]! : 0) - base.data[own + column]!;
  }
}

/** Residual streams of several senders' patched runs, by place; sequence i is that of the i-th. */
export type Streams = ReadonlyMap<string, SiteValues>;

/**
 * The second pass of the IOI paper's path patching (Wang et al. 2022, appendix B): the base run with a sender's output replaced
 * by the other side's, all other heads' outputs frozen to the base run's and every MLP computed anew. Attention being frozen,
 * only MLPs are run: resid_mid' = resid_mid_base + Δ in the first layer whose MLP reads the sender, resid_post' = resid_mid' +
 * MLP(LN2(resid_mid')), and in the next layer resid_mid' = resid_post' + attn_out_base. All senders have one such first layer.
 * Returns the streams at `wanted`, where the senders' runs differ from the base run.
 */
export async function secondPass(model: Gpt2, job: PatchJob, sources: Sources, sent: readonly Sent[], wanted: readonly StreamPlace[], work: Work): Promise<Streams> {
  const { layers, dModel } = model.config;
  const { baseLength: length, chunk: { prefix, tail } } = job;
  const rows = sent.map(({ row }) => row);
  const isWanted = (site: StreamPlace['site'], layer: number): boolean => wanted.some((own) => own.site === site && own.layer === layer);
  const streams = new Map<string, SiteValues>();
  const keep = (site: StreamPlace['site'], layer: number, data: Float32Array): void => {
    const positions = data.length / (sent.length * dModel);
    streams.set(siteKey(site, layer), { data, heads: 1, byHead: false, positions, width: dModel, first: length - positions });
  };
  /** The last block computes the trailing positions alone. */
  const startOf = (layer: number): number => (layer === layers - 1 ? length - tail : prefix);

  const first = firstMlp(sent[0]!.from);
  if (isWanted('resid_pre', first)) keep('resid_pre', first, await directStream(model, job, sources, { site: 'resid_pre', layer: first }, sent, prefix, work));
  if (first === layers) {
    if (isWanted('resid_post', layers - 1)) keep('resid_post', layers - 1, await directStream(model, job, sources, { site: 'resid_post', layer: layers - 1 }, sent, length - tail, work));
    return streams;
  }
  const last = Math.max(...wanted.map(({ site, layer }) => (site === 'resid_pre' ? layer - 1 : layer)));
  if (last < first) return streams;
  const start = startOf(first);
  let mid = tf.tensor2d(await directStream(model, job, sources, { site: 'resid_mid', layer: first }, sent, start, work), [sent.length * (length - start), dModel]);
  try {
    for (let layer = first; layer <= last; layer++) {
      if (isWanted('resid_mid', layer)) keep('resid_mid', layer, mid.dataSync<'float32'>().slice());
      const goesOn = layer < last;
      if (!goesOn && !isWanted('resid_post', layer) && !isWanted('resid_pre', layer + 1)) break;
      await work.pause();
      const before = mid;
      const { post, next } = tf.tidy(() => {
        const post = tf.add<tf.Tensor2D>(before, mlp(model, layer, before, work));
        if (!goesOn) return { post, next: undefined };
        const from = startOf(layer + 1);
        const attnOut = rowsOf(baseAt(sources, { site: 'attn_out', layer: layer + 1 }), rows, from);
        return { post, next: tf.add<tf.Tensor2D>(tailRows(post, sent.length, length - from), tf.tensor2d(attnOut, [sent.length * (length - from), dModel])) };
      });
      work.advance(before.shape[0]);
      for (const [site, at] of [['resid_post', layer], ['resid_pre', layer + 1]] as const) if (isWanted(site, at)) keep(site, at, post.dataSync<'float32'>().slice());
      post.dispose();
      if (!next) break;
      mid = next;
      before.dispose();
    }
    return streams;
  } finally {
    mid.dispose();
  }
}

/** MLP(LN2(x)), b_out included; `held`: 1/σ of another run. Inside `tf.tidy`. */
export function mlp({ config, blocks }: Gpt2, layer: number, x: tf.Tensor2D, work: Work, held?: tf.Tensor2D): tf.Tensor2D {
  const { norm2, mlpIn, mlpOut } = blocks[layer]!;
  const pre = linear(rowwise().affine(rowwise().normalise(x, config.layerNormEpsilon, held).unit, norm2), mlpIn, work);
  return linear(rowwise().activate(pre, config.activation), mlpOut, work);
}
