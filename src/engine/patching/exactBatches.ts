import type { Gpt2Config } from '../model/config';
import type { Part } from './exactCells';

/** One part of one pair's base run to be replaced: a sequence of a batch. */
export interface Patch {
  /** Index into the cells asked for. */
  cell: number;
  /** Index into the chunk's pairs. */
  row: number;
  part: Part;
}

/** Patches that are run together, one sequence each. */
export interface PatchBatch {
  /** The first layer that is run: of all patches, or in a sweep of the first to join. */
  layer: number;
  /** The first position that is run: of all patches, or in a sweep of the longest. */
  start: number;
  patches: Patch[];
}

export interface BatchLimits {
  /** Tokens of each base prompt. */
  length: number;
  /** Positions before this one are known by their keys and values and never run. */
  prefix: number;
  /** Trailing positions that the metric reads. */
  tail: number;
  /** A patch is run from this layer on at the latest, because the metric reads an activation of it. */
  latestLayer: number;
  /** Most sequences of a batch that runs from this layer and position on. */
  sequences: (layer: number, start: number) => number;
}

/** Batches of fewer rows cost nearly as much as one of these. */
export const ROWS_WORTH_A_BATCH = 48;

/**
 * Which patches are run together. What stands before the first replaced position, and below the patched layer, is that of
 * the base run and is not run again. Batches come by layer, then by start; every patch is in exactly one.
 */
export function planBatches(patches: readonly Patch[], { length, prefix, tail, latestLayer, sequences }: BatchLimits): PatchBatch[] {
  const layerOf = ({ part }: Patch): number => Math.min(part.layer, latestLayer);
  const startOf = ({ part }: Patch): number => Math.max(prefix, Math.min(part.first, length - tail));
  const ordered = [...patches].sort((a, b) => layerOf(a) - layerOf(b) || startOf(a) - startOf(b) || a.cell - b.cell || a.row - b.row);
  const batches: PatchBatch[] = [];
  let open: PatchBatch | undefined;
  for (const patch of ordered) {
    const [layer, start] = [layerOf(patch), startOf(patch)];
    if (open) {
      const own = length - open.start;
      const isFull = open.patches.length >= sequences(open.layer, open.start);
      const isWorthIt = open.patches.length * own >= ROWS_WORTH_A_BATCH;
      if (open.layer !== layer || isFull || (open.start !== start && isWorthIt)) open = undefined;
    }
    if (!open) batches.push((open = { layer, start, patches: [] }));
    open.patches.push(patch);
  }
  return batches;
}

/**
 * Which patches are swept together (`sweep`), whatever their layers and starts: as few batches as can be, of equal time each.
 * `shareOf`: the part of what may be run at once that a patch takes.
 */
export function planSweeps(patches: readonly Patch[], startOf: (patch: Patch) => number, shareOf: (patch: Patch) => number): PatchBatch[] {
  const ordered = [...patches].sort((a, b) => a.part.layer - b.part.layer || a.cell - b.cell || a.row - b.row);
  const shares = ordered.map(shareOf);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const count = Math.ceil(total - ROUNDING);
  const batches: PatchBatch[] = [];
  let taken = 0;
  ordered.forEach((patch, i) => {
    const index = Math.min(count - 1, Math.floor((count * taken) / total));
    taken += shares[i]!;
    const start = startOf(patch);
    const open = batches[index];
    if (open) {
      open.patches.push(patch);
      open.start = Math.min(open.start, start);
    } else {
      batches[index] = { layer: patch.part.layer, start, patches: [patch] };
    }
  });
  return batches.filter((batch) => batch !== undefined);
}

/** Of a sum of shares. */
const ROUNDING = 1e-9;

/** Rows · layers that a batch runs: the unit in which the forward pass counts its work. */
export function batchWork({ layer, start, patches }: PatchBatch, length: number, layers: number): number {
  return patches.length * (length - start) * (layers - layer);
}

/**
 * Floating-point operations of one batch: under a second at the rate of the kernels on two threads. At GPT-2 small's size these are 120 rows that run
 * through all layers; with 40 a product takes a tenth more time for each row, with 240 a little less. Results stream in at that pace.
 */
const FLOPS_AT_ONCE = 2.4e10;
const MOST_ROWS = 512;
/** Attention takes that many times as long as its floating-point operations would as a product with a weight. */
const ATTENTION_SLOWNESS = 10;

/** Sequences of one batch, at least one: bounded in time, in rows, and by `bytes` for its tensors. */
export function sequencesAtOnce({ layers, heads, dModel, dMlp }: Gpt2Config, length: number, bytes: number): BatchLimits['sequences'] {
  return (layer, start) => {
    const rows = length - start;
    const flops = rows * (layers - layer) * (2 * (4 * dModel * dModel + 2 * dModel * dMlp) + ATTENTION_SLOWNESS * 4 * length * dModel);
    // While a layer runs, and the keys and values of what stands before.
    const held = 4 * (rows * (5 * dMlp + 12 * dModel + 6 * heads * length) + 2 * layers * dModel * start);
    return Math.max(1, Math.floor(Math.min(MOST_ROWS / rows, FLOPS_AT_ONCE / flops, bytes / held)));
  };
}
