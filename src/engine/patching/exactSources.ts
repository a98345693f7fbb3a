import * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import { disposeKeyValues, disposeRun, forward, keysAndValues, type Batch, type ForwardOptions, type ForwardRun, type KeyValues } from '../model/forward';
import { takeRows } from '../model/rows';
import type { Change } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { siteValues, type SiteValues } from './exactCopy';
import type { PatchJob } from './exactJobs';
import type { PreparedMetric } from './preparedMetric';

/** What the patches of one job take from its base run and from its other side. */
export interface Needs {
  /** Layers from which patched runs start: the base run's resid_pre. */
  layers: ReadonlySet<number>;
  /** Whether patched runs start later than the job's own runs, so that they need the base run's keys and values before. */
  keysAndValues: boolean;
  /** Layers of each site that the other side gives. */
  other: ReadonlyMap<SiteName, ReadonlySet<number>>;
}

export function siteKey(site: SiteName, layer: number): string {
  return `${site}.${layer}`;
}

/** Held in plain memory, not in the backend's: rows are taken out of them for every batch, and wasm's heap never shrinks. */
export interface Sources {
  /** Metric of every pair of the job in its base run. */
  base: number[];
  /** In its other run, where there is one. */
  other?: number[];
  /** resid_pre by layer. */
  stream: ReadonlyMap<number, SiteValues>;
  /** Keys and values by layer of the prefix, [distinct prefix, head, position, feature], and which prefix each pair has. */
  prefix?: { layers: SidesOf<SiteValues>[]; of: readonly number[] };
  /** Of the base run's own positions. */
  own: SidesOf<SiteValues>[];
  /** The other side's values by `siteKey`, and which of their sequences belongs to each pair. Absent: zeros. */
  replacement?: { values: ReadonlyMap<string, SiteValues>; of: readonly number[] };
}

type SidesOf<T> = { key: T; value: T };

/** Runs the job's base and other prompts, the clean ones first, and keeps what is needed of them. */
export async function runSources(model: Gpt2, job: PatchJob, metric: PreparedMetric, needs: Needs, work: Work): Promise<Sources> {
  const prompts = distinct(job);
  const known = job.chunk.prefix > 0 ? await keysAndValues(model, prompts.prefixes, work) : undefined;
  try {
    const run = async (tokens: readonly number[][], prefixOf: readonly number[], harvest: Change, use: (run: ForwardRun) => void): Promise<void> => {
      const past = known?.map(({ key, value }) => ({ key: takeRows(key, prefixOf), value: takeRows(value, prefixOf) }));
      try {
        const batch = { tokens: tokens.map((prompt) => prompt.slice(job.chunk.prefix)), start: job.chunk.prefix, past };
        const found = await forwardReading(model, batch, { tail: job.chunk.tail, edit: harvest }, metric, work);
        try {
          use(found);
        } finally {
          disposeRun(found);
        }
      } finally {
        if (past) disposeKeyValues(past);
      }
    };
    const rows = job.pairs.map((_, row) => row);
    const stream = new Map<number, SiteValues>();
    const own: SidesOf<SiteValues>[] = [];
    let base: number[] = [];
    const runBase = (): Promise<void> => {
      const keep = (site: SiteName, put: (values: SiteValues) => void) => keeping(site, rows.length, job.baseLength, put);
      const harvest: Change = (site, layer) => {
        if (site === 'resid_pre' && needs.layers.has(layer)) return keep(site, (values) => stream.set(layer, values));
        if (needs.keysAndValues && site === 'k') return keep(site, (key) => (own[layer] = { ...own[layer]!, key }));
        if (needs.keysAndValues && site === 'v') return keep(site, (value) => (own[layer] = { ...own[layer]!, value }));
        return undefined;
      };
      return run(job.base, prompts.basePrefix, harvest, (found) => {
        if (job.cleanIsBase) metric.setClean(found, rows);
        base = metric.values(found, rows);
      });
    };
    const values = new Map<string, SiteValues>();
    let other: number[] | undefined;
    const runOther = async (): Promise<void> => {
      if (!job.other) return;
      const harvest: Change = (site, layer) =>
        needs.other.get(site)?.has(layer) ? keeping(site, prompts.others.length, job.otherLength, (found) => values.set(siteKey(site, layer), found)) : undefined;
      await run(prompts.others, prompts.otherPrefix, harvest, (found) => {
        if (!job.cleanIsBase) metric.setClean(found, rows, prompts.otherOf);
        other = metric.values(found, rows, prompts.otherOf);
      });
    };
    for (const next of job.cleanIsBase ? [runBase, runOther] : [runOther, runBase]) await next();
    return { base, other, stream, own, prefix: known && { layers: known.map(inMemory), of: prompts.basePrefix }, replacement: job.other && { values, of: prompts.otherOf } };
  } finally {
    if (known) disposeKeyValues(known);
  }
}

/** Reads a site's values off as they pass. */
function keeping(site: SiteName, batch: number, length: number, put: (values: SiteValues) => void): (value: tf.Tensor) => tf.Tensor {
  return (value) => {
    put(siteValues(site, value.dataSync<'float32'>(), value.shape, batch, length));
    return value;
  };
}

/** A forward pass that captures what the metric reads, and only in the layers where it does. */
export async function forwardReading(model: Gpt2, batch: Batch, { edit, ...options }: Pick<ForwardOptions, 'tail' | 'from'> & { edit: Change }, { reads }: PreparedMetric, work: Work): Promise<ForwardRun> {
  const kept: { site: SiteName; layer: number; value: tf.Tensor }[] = [];
  const change: Change = (site, layer) => {
    const own = edit(site, layer);
    if (!reads.some((read) => read.site === site && read.layer === layer)) return own;
    return (value) => {
      const result = own ? own(value) : value;
      kept.push({ site, layer, value: tf.keep(tf.clone(result)) });
      return result;
    };
  };
  try {
    const run = await forward(model, batch, { ...options, sites: [], record: false, edit: change }, work);
    for (const { site, layer, value } of kept) run.layers[layer]!.sites[site] = value;
    return run;
  } catch (error) {
    for (const { value } of kept) value.dispose();
    throw error;
  }
}

function inMemory({ key, value }: KeyValues): SidesOf<SiteValues> {
  const of = (x: tf.Tensor4D): SiteValues => ({ data: x.dataSync<'float32'>(), heads: x.shape[1], byHead: true, positions: x.shape[2], width: x.shape[3], first: 0 });
  return { key: of(key), value: of(value) };
}

/** The distinct prefixes and other prompts of a job, so that each is run once. */
function distinct({ base, other = [], chunk: { prefix: start } }: PatchJob): { prefixes: number[][]; basePrefix: number[]; others: number[][]; otherPrefix: number[]; otherOf: number[] } {
  const prefixes = new Distinct();
  const others = new Distinct();
  const basePrefix = base.map((tokens) => prefixes.place(tokens.slice(0, start)));
  const otherOf = other.map((tokens) => others.place(tokens));
  const otherPrefix = others.all.map((tokens) => prefixes.place(tokens.slice(0, start)));
  return { prefixes: prefixes.all, basePrefix, others: others.all, otherPrefix, otherOf };
}

class Distinct {
  readonly all: number[][] = [];
  private readonly places = new Map<string, number>();

  place(tokens: number[]): number {
    const key = tokens.join();
    let place = this.places.get(key);
    if (place === undefined) this.places.set(key, (place = this.all.push(tokens) - 1));
    return place;
  }
}
