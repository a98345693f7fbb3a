import * as tf from '@tensorflow/tfjs-core';
import { hasOtherRun, type Direction, type Intervention, type Other, type TokenPair } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import { disposeRun, forward, type Batch, type ForwardRun } from '../model/forward';
import { takeRows } from '../model/rows';
import type { Change } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { interventionEdit, sourceOf, stopAt, type EditedBatch, type StandIn } from './edits';
import { siteValues } from './exactCopy';
import type { GroupMeans } from './groupMeans';
import type { Means } from './means';
import { prepareMetric } from './metric';
import { rowFromEnd } from './metricPositions';
import type { Chunk, Plan } from './plan';
import type { PreparedMetric } from './preparedMetric';
import { withPromptRuns, type Role } from './promptRuns';
import type { SequencePlace } from './sharing';
import { bySequence, capturedAt, likeSite, positionsOf, trailing } from './siteTensors';

/** The forward passes of one chunk. Sequence i of the base run belongs to pair i of the chunk. */
export interface ChunkRuns {
  pairs: readonly TokenPair[];
  direction: Direction;
  /** The only layer that is looked at; absent: all. */
  layer?: number;
  /** The base run, interventions done to it. */
  base: ForwardRun;
  /** What it ran, to be run again. */
  batch: Batch;
  metric: PreparedMetric;
  /** The experiment's interventions, as they were done to the base run. */
  edit?: Change;
  /** Where no gradient flows back because interventions replaced what was computed; what flows on from there has one. */
  replaced?: Change;
  /** Where no gradient flows because `stopGradient` says so. */
  stopped?: Change;
  /** The other side's values (zeros or means under an ablation) at the positions that `like`, of the base run's site, has. Inside `tf.tidy`. */
  otherLike(site: SiteName, layer: number, like: tf.Tensor): tf.Tensor;
  /** Trailing positions, after the prefix, that both sides have. */
  common: number;
  /** Tokens that the branch appended to every prompt. */
  appended: number;
  /** Each pair's metric in the runs without interventions. */
  values: { clean: number[]; corrupted?: number[] };
  /**
   * The residual stream after the last block, [pair, dModel], `back` positions before the end of each pair's clean or corrupted
   * prompt as it is without interventions. Inside `tf.tidy`.
   */
  lastOf(side: 'clean' | 'corrupted', back: number): tf.Tensor2D;
  /** Each pair's metric in the base run with the interventions. */
  patched: number[];
}

export interface ChunkOptions {
  /** Captured in the base run and on the other side. */
  sites: readonly SiteName[];
  /** The only layer that is looked at; absent: all. */
  layer?: number;
  /** Keep what the backward pass of the base run needs. */
  record: boolean;
  /** The branch experiment's, or its opposite. */
  direction: Direction;
}

/**
 * Runs what a chunk needs, each distinct prompt and prefix once: the base prompts (corrupted when denoising, clean when
 * noising) with the experiment's interventions, the other side's prompts if there are any, and, where interventions ask for
 * them, the base prompts as they are and other pairs' clean prompts. Everything is freed after `use`. Throws `cancelled`.
 */
export async function runChunk<T>(model: Gpt2, plan: Plan, chunk: Chunk, options: ChunkOptions, means: GroupMeans, work: Work, use: (runs: ChunkRuns) => Promise<T>): Promise<T> {
  const { experiment, appended } = plan.branches[chunk.branch]!;
  const { interventions = [], stopGradient = [] } = plan.experiment.variant ?? {};
  const { direction, sites, layer: only } = options;
  const pairs = chunk.pairs.map((index) => experiment.pairs[index]!);
  const metric = prepareMetric(model, experiment, pairs, work);
  const runs: (ForwardRun | undefined)[] = [];
  try {
    return await withPromptRuns(model, plan, chunk, direction, work, async ({ count, run, batch, placesOf }) => {
      const reads = metric.reads.map(({ site }) => site);
      const captured = [...new Set([...(hasOtherRun(experiment.other) ? sites : []), ...interventions.map(({ unit }) => unit.site), ...reads])];
      const capturesIn = (site: SiteName, layer: number): boolean =>
        (sites.includes(site) && (only ?? layer) === layer) ||
        interventions.some(({ unit }) => unit.site === site && unit.layer === layer) ||
        metric.reads.some((read) => read.site === site && read.layer === layer);
      for (let index = 1; index < count; index++) runs[index] = await run(index, { sites: captured, capturesIn, record: false });

      const ownMeans = await means.get(chunk.branch, chunk.group, work);
      const baseLength = direction === 'denoise' ? chunk.corruptedLength : chunk.cleanLength;
      const edited: EditedBatch = { group: plan.groups[chunk.group]!, baseLength, appended, pairs, dHead: model.config.dHead };
      const standIns = new StandIns(runs, placesOf, ownMeans, chunk);
      const edit = interventions.length > 0 ? interventionEdit(interventions, edited, (own) => standIns.of(own, experiment.other)) : undefined;
      const own = { sites: [...new Set([...sites, ...reads])], capturesIn, record: options.record };
      const base = (runs[0] = await (edit ? forward(model, batch, { ...own, tail: chunk.tail, edit }, work) : run(0, own)));

      const rows = pairs.map((_, row) => row);
      const [unchanged, other] = [placesOf('unchanged') ?? rows.map((sequence) => ({ run: 0, sequence })), placesOf('other')];
      const [clean, corrupted] = direction === 'denoise' ? [other!, unchanged] : [unchanged, other];
      if (metric.needsClean) perRun(clean, (run, of, sequences) => metric.setClean(runs[run]!, of, sequences));
      const valuesAt = (places: readonly SequencePlace[]): number[] => {
        const values = new Array<number>(pairs.length);
        perRun(places, (run, of, sequences) => metric.values(runs[run]!, of, sequences).forEach((value, i) => (values[of[i]!] = value)));
        return values;
      };
      const values = { clean: valuesAt(clean), ...(corrupted && { corrupted: valuesAt(corrupted) }) };
      return use({
        pairs,
        direction,
        ...(only !== undefined && { layer: only }),
        base,
        batch,
        metric,
        edit,
        ...(edit && { replaced: stopAt(interventions.map(({ unit }) => unit), edited) }),
        ...(stopGradient.length > 0 && { stopped: stopAt(stopGradient, edited) }),
        otherLike: (site, layer, like) => {
          if (experiment.other === 'zero') return tf.zerosLike(like);
          if (experiment.other === 'mean') return tiled(site, ownMeans!.at(site, layer), like, pairs.length);
          return gathered(runs, other!, site, layer, like);
        },
        common: Math.min(chunk.cleanLength, chunk.corruptedLength) - chunk.prefix,
        appended,
        values,
        lastOf: (side, back) => tf.concat((side === 'clean' ? clean : corrupted!).map(({ run, sequence }) => takeRows(runs[run]!.last, [rowFromEnd(chunk.tail, sequence, back)])), 0),
        patched: edit ? metric.values(base, rows) : direction === 'denoise' ? values.corrupted! : values.clean,
      });
    });
  } finally {
    metric.dispose();
    for (const run of runs) if (run) disposeRun(run);
  }
}

/** Values for interventions, taken out of the backend once for each run, site and layer. */
class StandIns {
  private readonly known = new Map<string, ReturnType<typeof siteValues>>();

  constructor(
    private readonly runs: readonly (ForwardRun | undefined)[],
    private readonly placesOf: (role: Role) => SequencePlace[] | undefined,
    private readonly means: Means | undefined,
    private readonly chunk: Chunk,
  ) {}

  of(intervention: Intervention, other: Other | undefined): StandIn | undefined {
    const { site, layer = 0 } = intervention.unit;
    const kind = sourceOf(intervention, other);
    if (kind === 'zero') return undefined;
    if (kind === 'mean') {
      const values = this.valuesOf(`mean.${site}.${layer}`, site, this.means!.at(site, layer), 1, this.chunk.cleanLength);
      return { of: () => ({ values, sequence: 0 }), length: this.chunk.cleanLength };
    }
    const places = this.placesOf(kind)!;
    const length = this.chunk.prefix + this.runs[places[0]!.run]!.length;
    return {
      of: (row) => {
        const { run, sequence } = places[row]!;
        const own = this.runs[run]!;
        return { values: this.valuesOf(`${run}.${site}.${layer}`, site, capturedAt(own, site, layer), own.batch, length), sequence };
      },
      length,
    };
  }

  private valuesOf(key: string, site: SiteName, x: tf.Tensor, batch: number, length: number): ReturnType<typeof siteValues> {
    let values = this.known.get(key);
    if (!values) this.known.set(key, (values = siteValues(site, x.dataSync<'float32'>(), x.shape, batch, length)));
    return values;
  }
}

function perRun(places: readonly SequencePlace[], use: (run: number, pairs: number[], sequences: number[]) => void): void {
  for (const run of new Set(places.map((place) => place.run))) {
    const pairs = places.flatMap((place, pair) => (place.run === run ? [pair] : []));
    use(run, pairs, pairs.map((pair) => places[pair]!.sequence));
  }
}

function tiled(site: SiteName, mean: tf.Tensor, like: tf.Tensor, batch: number): tf.Tensor {
  const positions = positionsOf(site, like, batch);
  const row = bySequence(trailing(site, mean, 1, positions), 1);
  return likeSite(site, tf.concat(new Array<tf.Tensor2D>(batch).fill(row), 0), like, positions);
}

/** The sequences at `places`, at as many trailing positions as `like` has. */
function gathered(runs: readonly (ForwardRun | undefined)[], places: readonly SequencePlace[], site: SiteName, layer: number, like: tf.Tensor): tf.Tensor {
  const positions = positionsOf(site, like, places.length);
  const used = [...new Set(places.map(({ run }) => run))];
  const of = (index: number): tf.Tensor => trailing(site, capturedAt(runs[index]!, site, layer), runs[index]!.batch, positions);
  if (used.length === 1 && runs[used[0]!]!.batch === places.length && places.every(({ sequence }, row) => sequence === row)) return of(used[0]!);
  const starts = new Map<number, number>();
  let rows = 0;
  const pool = used.map((index) => {
    starts.set(index, rows);
    rows += runs[index]!.batch;
    return bySequence(of(index), runs[index]!.batch);
  });
  const order = places.map(({ run, sequence }) => starts.get(run)! + sequence);
  return likeSite(site, takeRows(pool.length === 1 ? pool[0]! : tf.concat(pool, 0), order), like, positions);
}
