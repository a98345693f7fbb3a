import type { SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import type { Patch } from './exactBatches';
import type { Part } from './exactCells';
import { overwrite, rowsOf, type SiteValues } from './exactCopy';
import type { PatchJob } from './exactJobs';
import { siteKey, type Needs, type Sources } from './exactSources';

/**
 * Where a patched run leaves the base run within its layer: with the stream that the layer reads (`stream`), after attention
 * (`z`), before the MLP (`mid`), after its activation (`hidden`) or behind it (`out`). What comes before is the base run's.
 */
export type Entry = 'stream' | 'z' | 'mid' | 'hidden' | 'out';

export function entryOf(site: SiteName): Entry {
  switch (site) {
    case 'z':
      return 'z';
    case 'attn_out':
    case 'resid_mid':
      return 'mid';
    case 'mlp_post':
      return 'hidden';
    case 'mlp_out':
    case 'resid_post':
      return 'out';
    default:
      return 'stream';
  }
}

/** The first position that a patched run computes once other positions read what was replaced. */
export function startOf({ first }: Part, { baseLength, chunk: { prefix, tail } }: PatchJob): number {
  return Math.max(prefix, Math.min(first, baseLength - tail));
}

/** What these patches take from the base run and from the other side, when each enters in the midst of its layer. */
export function entryNeeds(job: PatchJob, patches: readonly Patch[], layers: number): Needs {
  const stream = new Set<number>();
  const [other, base] = [new Map<SiteName, Set<number>>(), new Map<SiteName, Set<number>>()];
  const add = (to: Map<SiteName, Set<number>>, site: SiteName, layer: number): void => void to.set(site, (to.get(site) ?? new Set<number>()).add(layer));
  for (const { part: { site, layer, head, neuron } } of patches) {
    add(other, site, layer);
    const entry = entryOf(site);
    if (entry === 'stream' || entry === 'z' || site === 'attn_out') stream.add(layer);
    if (site === 'z' && head !== undefined) add(base, 'z', layer);
    if (site === 'mlp_post' && neuron !== undefined) add(base, 'mlp_post', layer);
    if (site === 'mlp_post' || site === 'mlp_out') add(base, 'resid_mid', layer);
    if (entry === 'stream') continue;
    // The positions that were not replaced go on as the base run's.
    if (layer === layers - 1) add(base, 'resid_post', layer);
    else stream.add(layer + 1);
  }
  return { layers: stream, keysAndValues: patches.some(({ part }) => startOf(part, job) > job.chunk.prefix), other, base };
}

/** Rows of one patched sequence from position `first` of its prompt on. */
export interface Rows {
  patch: Patch;
  first: number;
  data: Float32Array;
}

/** Gives the rows with which patched runs enter: the base run's with the replaced part in them, computed as a forward pass would. */
export class Entrance {
  constructor(
    private readonly job: PatchJob,
    private readonly sources: Sources,
    private readonly config: Gpt2Config,
  ) {}

  /** Overwrites the patch's part in one sequence of `target`. */
  replace(target: SiteValues, sequence: number, { part, row }: Patch): void {
    const { replacement } = this.sources;
    const source = replacement && { values: replacement.values.get(siteKey(part.site, part.layer))!, sequence: replacement.of[row]! };
    overwrite(target, sequence, part, source, this.config.dHead);
  }

  /** The stream that the layer reads, from the first position that the patch reaches on. */
  stream(patch: Patch): Rows {
    const { site } = patch.part;
    const first = startOf(patch.part, this.job);
    const data = this.base('resid_pre', patch, patch.part.layer, first, this.job.baseLength);
    return { patch, first, data: site === 'resid_pre' || site === 'embed' ? this.replaced(data, first, patch) : data };
  }

  /** z at the changed positions, and what its output is added to. */
  z(patch: Patch): { rows: Rows; pre: Float32Array } {
    const { first, end } = this.changed(patch);
    const z = patch.part.head === undefined ? this.zeros(first, end) : this.base('z', patch, patch.part.layer, first, end);
    return { rows: { patch, first, data: this.replaced(z, first, patch) }, pre: this.base('resid_pre', patch, patch.part.layer, first, end) };
  }

  /** resid_mid at the changed positions. */
  mid(patch: Patch): Rows {
    const { first, end } = this.changed(patch);
    const data = this.replaced(this.zeros(first, end), first, patch);
    return { patch, first, data: patch.part.site === 'attn_out' ? sum(this.base('resid_pre', patch, patch.part.layer, first, end), data) : data };
  }

  /** mlp_post at the changed positions, and what its output is added to. */
  hidden(patch: Patch): { rows: Rows; mid: Float32Array } {
    const { layer, neuron } = patch.part;
    const { first, end } = this.changed(patch);
    const hidden = neuron === undefined ? this.zeros(first, end, this.config.dMlp) : this.base('mlp_post', patch, layer, first, end);
    return { rows: { patch, first, data: this.replaced(hidden, first, patch) }, mid: this.base('resid_mid', patch, layer, first, end) };
  }

  /** The layer's output at the changed positions. */
  out(patch: Patch): Rows {
    const { first, end } = this.changed(patch);
    const data = this.replaced(this.zeros(first, end), first, patch);
    return { patch, first, data: patch.part.site === 'mlp_out' ? sum(this.base('resid_mid', patch, patch.part.layer, first, end), data) : data };
  }

  /** The output of the layer that a patch entered in: these rows at the changed positions, the base run's at all others. */
  goesOn({ patch, first, data }: Rows): Rows {
    const { layer } = patch.part;
    const { baseLength, chunk: { tail } } = this.job;
    const isLast = layer === this.config.layers - 1;
    const start = isLast ? baseLength - tail : startOf(patch.part, this.job);
    const rows = isLast ? this.base('resid_post', patch, layer, start, baseLength) : this.base('resid_pre', patch, layer + 1, start, baseLength);
    rows.set(data, (first - start) * this.config.dModel);
    return { patch, first: start, data: rows };
  }

  /** The replaced positions that are run in the layer: in the last one only those that the metric reads. */
  private changed({ part }: Patch): { first: number; end: number } {
    const { baseLength, chunk: { tail } } = this.job;
    const first = Math.max(startOf(part, this.job), part.first, part.layer === this.config.layers - 1 ? baseLength - tail : 0);
    return { first, end: Math.max(first, part.end) };
  }

  private base(site: SiteName, { row }: Patch, layer: number, first: number, end: number): Float32Array {
    const values = (site === 'resid_pre' ? this.sources.stream.get(layer) : this.sources.kept.get(siteKey(site, layer)))!;
    return rowsOf(values, [row], first).subarray(0, (end - first) * values.width);
  }

  private zeros(first: number, end: number, width = this.config.dModel): Float32Array {
    return new Float32Array((end - first) * width);
  }

  /** `data`: rows from position `first` on. */
  private replaced(data: Float32Array, first: number, patch: Patch): Float32Array {
    const width = patch.part.site === 'mlp_post' ? this.config.dMlp : this.config.dModel;
    this.replace({ data, heads: 1, byHead: false, positions: data.length / width, width, first }, 0, patch);
    return data;
  }
}

/** As float32 adds. */
function sum(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value + b[i]!);
}
