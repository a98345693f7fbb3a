import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { disposeKeyValues, disposeRun, forward, type KeyValues } from '../model/forward';
import type { Change } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { interventionEdit, type StandIn } from './edits';
import type { Patch, PatchBatch } from './exactBatches';
import { overwrite, rowsOf, siteValues, type SiteValues } from './exactCopy';
import type { PatchJob, SourcedIntervention } from './exactJobs';
import { captures, editedBatch, oneAfterTheOther, siteKey, type Sources } from './exactSources';
import type { PreparedMetric } from './preparedMetric';

/** What takes the place of the part of a batch's patch; undefined: zeros. */
export type ValuesOf = (patch: Patch, sequence: number) => { values: SiteValues; sequence: number } | undefined;

/** The metric of each patch's patched run, in the order of the batch. `pasts` belongs to the job; `valuesOf`: by default the other side's. */
export async function runBatch(model: Gpt2, job: PatchJob, sources: Sources, { layer, start, patches }: PatchBatch, pasts: Pasts, metric: PreparedMetric, work: Work, valuesOf = otherSideOf(sources)): Promise<number[]> {
  const rows = patches.map(({ row }) => row);
  const tokens = rows.map((row) => job.base[row]!.slice(start));
  const past = pasts.of(sources, layer, start, rows);
  const stream = sources.stream.get(layer)!;
  const x = tf.tensor2d(rowsOf(stream, rows, start), [rows.length * (job.baseLength - start), stream.width]);
  try {
    const edit = replacing(model, job, sources, patches, valuesOf);
    const run = await forward(model, { tokens, start, past }, { ...captures(metric), tail: job.chunk.tail, from: { layer, x }, edit }, work);
    try {
      return metric.values(run, rows);
    } finally {
      disposeRun(run);
    }
  } finally {
    x.dispose();
  }
}

function otherSideOf({ replacement }: Sources): ValuesOf {
  return ({ part, row }) => replacement && { values: replacement.values.get(siteKey(part.site, part.layer))!, sequence: replacement.of[row]! };
}

/** Replaces each sequence's part as it passes, after the interventions: a patch has the last word. */
function replacing({ config }: Gpt2, job: PatchJob, { standInOf }: Sources, patches: readonly Patch[], valuesOf: ValuesOf): Change {
  const rows = patches.map(({ row }) => row);
  const byPlace = new Map<string, number[]>();
  patches.forEach(({ part }, sequence) => {
    const key = siteKey(part.site, part.layer);
    byPlace.set(key, [...(byPlace.get(key) ?? []), sequence]);
  });
  const patch = (site: SiteName, layer: number, as: SiteName): ((value: tf.Tensor) => tf.Tensor) | undefined => {
    const sequences = byPlace.get(siteKey(site, layer));
    if (!sequences) return undefined;
    return (value) => {
      // A copy: on the cpu backend this is the tensor's own memory.
      const target = siteValues(as, value.dataSync<'float32'>().slice(), value.shape, patches.length, job.baseLength);
      for (const sequence of sequences) {
        overwrite(target, sequence, patches[sequence]!.part, valuesOf(patches[sequence]!, sequence), config.dHead);
      }
      return tf.tensor(target.data, value.shape);
    };
  };
  const patched: Change = (site, layer) => patch(site, layer, site);
  if (job.interventions.length === 0) return oneAfterTheOther(embedded(patch), patched);
  const standIn = (intervention: SourcedIntervention): StandIn | undefined => {
    const own = standInOf(intervention);
    return own && { ...own, of: (sequence) => own.of(rows[sequence]!) };
  };
  const intervene = interventionEdit(job.interventions, editedBatch(job, config, rows), standIn);
  return oneAfterTheOther(oneAfterTheOther(embedded(patch), intervene), patched);
}

/** A run that starts at the stream of layer 0 has no embedding of its own: its patches are done there, before all others. */
function embedded(patch: (site: SiteName, layer: number, as: SiteName) => ((value: tf.Tensor) => tf.Tensor) | undefined): Change {
  return (site, layer) => (site === 'resid_pre' && layer === 0 ? patch('embed', 0, site) : undefined);
}

/** Keys and values of what stands before a batch, kept while batches ask for the same pairs in the same order. */
export class Pasts {
  private key = '';
  private held: (KeyValues | undefined)[] = [];

  /** By layer, from `layer` on. They stay this object's. */
  of({ prefix, own }: Sources, layer: number, start: number, rows: readonly number[]): KeyValues[] | undefined {
    if (start === 0) return undefined;
    const key = [start, ...rows].join();
    if (key !== this.key) this.dispose();
    this.key = key;
    const layers = prefix?.layers.length ?? own.length;
    for (let index = layer; index < layers; index++) {
      this.held[index] ??= tf.tidy(() => ({
        key: joined(prefix && { values: prefix.layers[index]!.key, of: prefix.of }, own[index]?.key, start, rows),
        value: joined(prefix && { values: prefix.layers[index]!.value, of: prefix.of }, own[index]?.value, start, rows),
      }));
    }
    return this.held as KeyValues[];
  }

  dispose(): void {
    disposeKeyValues(this.held.filter((held) => held !== undefined));
    this.held = [];
    this.key = '';
  }
}

/** Keys (or values) of positions 0 to `start` for each of `rows`: of the shared prefix, then of the base run: [row, head, position, feature]. */
function joined(prefix: { values: SiteValues; of: readonly number[] } | undefined, own: SiteValues | undefined, start: number, rows: readonly number[]): tf.Tensor4D {
  const { heads, width } = (prefix?.values ?? own)!;
  const data = new Float32Array(rows.length * heads * start * width);
  const shared = prefix?.values.positions ?? 0;
  rows.forEach((row, i) => {
    for (let head = 0; head < heads; head++) {
      const place = (i * heads + head) * start * width;
      const copy = ({ data: from, positions }: SiteValues, sequence: number, count: number, offset: number): void => {
        const first = (sequence * heads + head) * positions * width;
        data.set(from.subarray(first, first + count * width), place + offset * width);
      };
      if (prefix) copy(prefix.values, prefix.of[row]!, shared, 0);
      if (own && start > shared) copy(own, row, start - shared, shared);
    }
  });
  return tf.tensor4d(data, [rows.length, heads, start, width]);
}
