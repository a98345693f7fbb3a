import { CircuitError } from '../../shared/errors';
import { hasOtherRun } from '../../shared/experiment';
import type { BackendName } from '../../shared/results';
import { hasSources, type SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { ROWS_AT_ONCE } from '../model/forward';
import { FLOAT, fillableBytes, gigabytes, longest, passBytes, siteFloats, type Pass } from '../model/memory';
import { inAllLayers, meansTaken, type SitePlace } from './groupMeans';
import { isDistributionMetric, LOGITS_AT_ONCE } from './metricDistribution';
import type { Chunk, Plan } from './plan';

/** What the chunks of a plan take, in bytes: `model/memory` for experiments. */

/** What a plan's chunks keep. */
export type ChunkUse = Pick<Pass, 'sites' | 'layers' | 'record'>;

/** The passes of one chunk: base and other side, and what interventions ask for. */
function chunkPass({ experiment: { other, variant = {} } }: Plan, { pairs, prefix, cleanLength, corruptedLength }: Chunk, { sites, layers, record }: ChunkUse): Pass {
  const { interventions = [], qkFix, integrated } = variant;
  // At an interpolated input nothing but the record is kept.
  const runs = (hasOtherRun(other) ? 2 : 1) + (interventions.length > 0 ? 1 : 0) + (interventions.some((own) => own.with === 'resample') ? 1 : 0);
  const fixed: readonly SiteName[] = qkFix ? ['pattern'] : [];
  const edited = interventions.map(({ unit }) => unit.site);
  const all = [...new Set([...sites, ...fixed, ...edited, ...(integrated ? (['embed'] as const) : [])])];
  return { sequences: pairs.length, length: Math.max(cleanLength, corruptedLength), prefix, sites: all, layers, runs, record };
}

/** Most bytes that one chunk of a plan holds at a time beside the weights. */
export function chunkBytes(config: Gpt2Config, plan: Plan, chunk: Chunk, use: ChunkUse): number {
  const means = meansBytes(config, plan, chunk, inAllLayers(use.sites, use.layers ?? config.layers));
  const own = passBytes(config, chunkPass(plan, chunk, use)) + (use.record ? distributionBytes(config, plan, chunk) : 0);
  return means.kept + Math.max(means.taking, own);
}

/** The means that are kept over one sequence of every length group, and the passes they are taken from. `chunk` stands for its group. */
function meansBytes(config: Gpt2Config, { experiment, chunks }: Plan, chunk: Chunk, places: readonly SitePlace[]): { kept: number; taking: number } {
  const taken = meansTaken(experiment, places);
  if (taken.length === 0) return { kept: 0, taking: 0 };
  const isOwn = ({ branch, group }: Chunk): boolean => branch === chunk.branch && group === chunk.group;
  const lengths = new Map([...chunks, chunk].map((one) => [`${one.branch}.${one.group}`, (isOwn(one) ? chunk : one).cleanLength]));
  const bytesOf = (length: number): number => FLOAT * taken.reduce((sum, { site }) => sum + siteFloats(config, site, length, length), 0);
  const { cleanLength: length } = chunk;
  const sequences = Math.min(Math.max(1, Math.floor(ROWS_AT_ONCE / length)), experiment.pairs.length);
  const shown = taken.map(({ site }) => site).filter(hasSources);
  const pass = passBytes(config, { sequences, length, prefix: 0, sites: shown, layers: 0, runs: 1, record: false });
  return { kept: [...lengths.values()].reduce((sum, own) => sum + bytesOf(own), 0), taking: pass + (sequences + 1) * bytesOf(length) };
}

/** What the gradient of a metric of the whole distribution takes: logits of some rows and, where our own kernels do not run, XNNPACK's packed copy of the unembedding. */
function distributionBytes({ vocabulary, dModel }: Gpt2Config, { branches }: Plan, { branch, pairs, tail }: Chunk): number {
  if (!isDistributionMetric(branches[branch]!.experiment.metric)) return 0;
  return FLOAT * (vocabulary * dModel + 6 * Math.min(pairs.length * tail * vocabulary, LOGITS_AT_ONCE));
}

/** Throws `too-big` when a chunk of the plan would not fit beside the loaded model. */
export function checkRun(config: Gpt2Config, plan: Plan, use: ChunkUse, backend: BackendName, free: number): void {
  const limit = fillableBytes(config, backend, free);
  for (const chunk of plan.chunks) {
    if (chunkBytes(config, plan, chunk, use) <= limit) continue;
    const fewer = use.sites.length > 1 && use.sites.some((site) => chunkBytes(config, plan, chunk, { ...use, sites: [site] }) <= limit);
    refusePair(plan, chunk, limit, (own) => chunkBytes(config, plan, own, use), fewer ? 'or fewer sites at a time' : undefined);
  }
}

/**
 * Throws `too-big` when the base and other runs of patching these parts, or the means that take their place, would not fit.
 * Their cells always do: they come in batches and layer by layer.
 */
export function checkPatch(config: Gpt2Config, plan: Plan, cells: readonly { site: SiteName; layer?: number }[], backend: BackendName, free: number): void {
  const places = cells.map(({ site, layer = 0 }): SitePlace => ({ site, layer }));
  const sites = [...new Set(places.map(({ site }) => site))];
  // What the patches of a layer take from both sides.
  const taken = ({ pairs, prefix, cleanLength, corruptedLength }: Chunk): number => {
    const length = Math.max(cleanLength, corruptedLength);
    return FLOAT * pairs.length * [...sites, 'resid_pre' as const].reduce((sum, site) => sum + siteFloats(config, site, length - prefix, length), 0);
  };
  checkKept(config, plan, places, taken, backend, free);
}

/**
 * Throws `too-big` when the base and other runs of a chunk would not fit beside what of them is kept in plain memory (`keptBytes`,
 * of a chunk like the plan's at `index`), or the means of `places` would not.
 */
export function checkKept(config: Gpt2Config, plan: Plan, places: readonly SitePlace[], keptBytes: (chunk: Chunk, index: number) => number, backend: BackendName, free: number): void {
  const limit = fillableBytes(config, backend, free);
  plan.chunks.forEach((whole, index) => {
    const needs = (chunk: Chunk): number => {
      const means = meansBytes(config, plan, chunk, places);
      return means.kept + Math.max(means.taking, passBytes(config, chunkPass(plan, chunk, { sites: [], record: false })) + keptBytes(chunk, index));
    };
    if (needs(whole) > limit) refusePair(plan, whole, limit, needs);
  });
}

/** Throws `too-big` for a chunk, saying how many tokens would fit by `needs`, the bytes of one like it. */
export function refusePair({ experiment: { other, variant } }: Plan, chunk: Chunk, limit: number, needs: (chunk: Chunk) => number, alternative?: string): never {
  const suffix = Math.max(chunk.cleanLength, chunk.corruptedLength) - chunk.prefix;
  // Nothing is shared under an ablation, or when something is done to the base run early on.
  const isWhole = chunk.prefix === 0 && (!hasOtherRun(other) || (variant?.interventions ?? []).length > 0);
  const fits = longest(suffix, (length) => needs(shortened(chunk, suffix - length)) <= limit);
  const advice = [...(fits > 0 ? [`about ${fits} tokens${isWhole ? '' : ' from the first difference on'} would fit`] : []), ...(alternative ? [alternative] : [])].join(', ');
  const runs = isWhole ? `is run over all its ${suffix} tokens` : `differs over ${suffix} tokens`;
  throw new CircuitError('too-big', `Pair ${chunk.pairs[0]! + 1} ${runs} and needs about ${gigabytes(needs(chunk))}, but ${gigabytes(limit)} are free${advice ? `: ${advice}` : ''}. Use shorter prompts or a smaller model.`);
}

function shortened(chunk: Chunk, by: number): Chunk {
  return { ...chunk, cleanLength: Math.max(chunk.prefix, chunk.cleanLength - by), corruptedLength: Math.max(chunk.prefix, chunk.corruptedLength - by) };
}

