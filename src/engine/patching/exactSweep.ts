import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../model/layers';
import { takeRows } from '../model/rows';
import { rowwise } from '../model/rowwise';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { attendBase } from './exactAttention';
import type { Patch, PatchBatch } from './exactBatches';
import { Entrance, entryOf, startOf, type Entry, type Rows } from './exactEntry';
import type { PatchJob } from './exactJobs';
import type { Sources } from './exactSources';
import type { PreparedMetric } from './preparedMetric';

/** Whether a job's patches can be swept: what is done to every sequence, or read within it, needs whole forward passes. */
export function isSwept({ interventions, experiment: { metric } }: PatchJob): boolean {
  return interventions.length === 0 && typeof metric === 'string';
}

/**
 * The metric of each patch's patched run, in the order of the batch. All go through the layers together: each joins where it
 * leaves the base run, with the positions from its own start on, so that every product with a weight has the rows of all. What
 * a patch leaves as it was within its own layer is taken from the base run.
 */
export async function sweep(model: Gpt2, job: PatchJob, sources: Sources, { patches }: PatchBatch, metric: PreparedMetric, work: Work): Promise<number[]> {
  const { layers, dModel } = model.config;
  const own: Sweep = { model, job, sources, entrance: new Entrance(job, sources, model.config), work };
  const joining = byPlace(patches);
  let running: Rows[] = [];
  for (let layer = Math.min(...patches.map(({ part }) => part.layer)); layer < layers; layer++) {
    await work.pause();
    const at = (entry: Entry): readonly Patch[] => joining.get(`${entry}.${layer}`) ?? [];
    // Those of one start together, as attention takes them.
    const all = [...running, ...at('stream').map((patch) => own.entrance.stream(patch))].sort((a, b) => a.first - b.first);
    // Not as the result of `tidy`, which would look for tensors in it, number by number.
    tf.tidy(() => void (running = sweepLayer(own, layer, all, at)));
    work.advance(patches.reduce((sum, { part }) => sum + (part.layer <= layer ? job.baseLength - startOf(part, job) : 0), 0));
  }
  const found = new Map(running.map(({ patch, data }) => [patch, data]));
  const last = tf.tensor2d(concatenated(patches.map((patch) => found.get(patch)!)), [patches.length * job.chunk.tail, dModel]);
  try {
    return metric.values({ batch: patches.length, layers: [], last }, patches.map(({ row }) => row));
  } finally {
    last.dispose();
  }
}

interface Sweep {
  model: Gpt2;
  job: PatchJob;
  sources: Sources;
  entrance: Entrance;
  work: Work;
}

function byPlace(patches: readonly Patch[]): Map<string, Patch[]> {
  const places = new Map<string, Patch[]>();
  for (const patch of patches) {
    const key = `${entryOf(patch.part.site)}.${patch.part.layer}`;
    const own = places.get(key);
    if (own) own.push(patch);
    else places.set(key, [patch]);
  }
  return places;
}

/** What a sequence's rows in the products of a layer stand for: positions from `first` on. */
interface Stacked {
  patch: Patch;
  first: number;
  count: number;
  /** Only the changed positions, which join in the midst of the layer. */
  joins: boolean;
}

/** One layer of the sequences that run and of those that join in its midst. Inside `tf.tidy`. See `forward` for the formulas. */
function sweepLayer({ model, job, entrance, work, ...place }: Sweep, layer: number, running: readonly Rows[], at: (entry: Entry) => readonly Patch[]): Rows[] {
  const { config } = model;
  const { dModel, dMlp } = config;
  const weights = model.blocks[layer]!;
  const length = job.baseLength;
  const tail = layer === config.layers - 1 ? job.chunk.tail : undefined;

  let z: tf.Tensor2D | undefined;
  let pre: tf.Tensor2D | undefined;
  if (running.length > 0) {
    const x = below(undefined, running.map(({ data }) => data), dModel)!;
    const input = rowwise().affine(rowwise().normalise(x, config.layerNormEpsilon).unit, weights.norm1);
    const read = tail === undefined ? undefined : tailRows(running, length, tail);
    const query = linear(read ? takeRows(input, read) : input, weights.query, work).dataSync<'float32'>();
    const key = linear(input, weights.key, work).dataSync<'float32'>();
    const value = linear(input, weights.value, work).dataSync<'float32'>();
    z = tf.tensor2d(attendBase({ ...place, config, entrance, layer, length }, running, { query, key, value, tail }, work), [query.length / dModel, dModel]);
    pre = read ? takeRows(x, read) : x;
  }
  const stacked = running.map(({ patch, first }): Stacked => ({ patch, first: tail === undefined ? first : length - tail, count: tail ?? length - first, joins: false }));
  const stack = (all: readonly Rows[], width = dModel): void => {
    for (const { patch, first, data } of all) stacked.push({ patch, first, count: data.length / width, joins: true });
  };

  const zs = at('z').map((patch) => entrance.z(patch));
  stack(zs.map(({ rows }) => rows));
  z = below(z, zs.map(({ rows }) => rows.data), dModel);
  pre = below(pre, zs.map((own) => own.pre), dModel);
  let mid = z && tf.add<tf.Tensor2D>(pre!, linear(z, weights.output, work));

  const mids = at('mid').map((patch) => entrance.mid(patch));
  stack(mids);
  mid = below(mid, mids.map(({ data }) => data), dModel);
  let hidden = mid && rowwise().activate(linear(rowwise().affine(rowwise().normalise(mid, config.layerNormEpsilon).unit, weights.norm2), weights.mlpIn, work), config.activation);

  const hiddens = at('hidden').map((patch) => entrance.hidden(patch));
  stack(hiddens.map(({ rows }) => rows), dMlp);
  hidden = below(hidden, hiddens.map(({ rows }) => rows.data), dMlp);
  mid = below(mid, hiddens.map((own) => own.mid), dModel);
  const out = hidden ? tf.add(mid!, linear(hidden, weights.mlpOut, work)).dataSync<'float32'>() : new Float32Array(0);

  let from = 0;
  const computed = stacked.map(({ patch, first, count, joins }): Rows => {
    const rows = { patch, first, data: out.subarray(from, (from += count * dModel)) };
    return joins ? entrance.goesOn(rows) : rows;
  });
  return [...computed, ...at('out').map((patch) => entrance.goesOn(entrance.out(patch)))];
}

/** Rows [any, width] put below those of x. */
function below(x: tf.Tensor2D | undefined, rows: readonly Float32Array[], width: number): tf.Tensor2D | undefined {
  const data = concatenated(rows);
  if (data.length === 0) return x;
  const own = tf.tensor2d(data, [data.length / width, width]);
  return x ? tf.concat([x, own], 0) : own;
}

function concatenated(all: readonly Float32Array[]): Float32Array {
  const data = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const own of all) {
    data.set(own, at);
    at += own.length;
  }
  return data;
}

/** Where the last `tail` positions of each sequence stand among the rows of all. */
function tailRows(running: readonly Rows[], length: number, tail: number): number[] {
  let end = 0;
  return running.flatMap(({ first }) => {
    end += length - first;
    return Array.from({ length: tail }, (_, i) => end - tail + i);
  });
}
