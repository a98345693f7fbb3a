import * as tf from '@tensorflow/tfjs-core';
import { filled } from './heapValues';

/** Rows of forward passes in plain memory, piece by piece of prompts. */

/** What is kept of a row, [row, width], by `rowsKey`. `pre` of layer `layers` is the residual stream after the last block. */
export type RowItem = 'pre' | 'query' | 'key' | 'value' | 'z' | 'attnOut' | 'mid' | 'mlpPre' | 'mlpOut';

export function rowsKey(item: RowItem, layer: number): string {
  return `${item}.${layer}`;
}

/** Consecutive positions of a prompt, and of all prompts that begin alike. */
export interface Segment {
  /** Position of its first row, and number of rows. */
  start: number;
  length: number;
  /** From this row on everything is kept, before it keys and values only; from `lastFrom` on the last layer's too. */
  fullFrom: number;
  lastFrom: number;
  /** By `rowsKey`: rows from `from` on, each [width]. */
  values: Map<string, { data: Float32Array; from: number }>;
}

/** Rows `from` to `from + count` of a segment. */
export interface Span {
  segment: Segment;
  from: number;
  count: number;
}

/** Where the rows of a prompt are, first position first. */
export type RowPath = readonly Span[];

/** The rows of several prompts, one after the other, from `skip` rows after the first on: [prompt · position, width]. */
export function gatherRows(paths: readonly RowPath[], key: string, width: number, skip = 0): tf.Tensor2D {
  const rows = paths.reduce((sum, spans) => sum + rowCount(spans) - skip, 0);
  return filled([rows, width], (gathered) => {
    let target = 0;
    for (const spans of paths) {
      let skipped = skip;
      for (const { segment, from, count } of spans) {
        const own = Math.min(skipped, count);
        skipped -= own;
        if (own === count) continue;
        const { data, from: first } = segment.values.get(key)!;
        tf.util.assert(from + own >= first && (from + count - first) * width <= data.length, () => `rows ${from + own} to ${from + count} of ${key} were asked for, but it has ${data.length / width} from ${first} on`);
        gathered.set(data.subarray((from + own - first) * width, (from + count - first) * width), target);
        target += (count - own) * width;
      }
    }
  });
}

export function rowCount(spans: RowPath): number {
  return spans.reduce((sum, { count }) => sum + count, 0);
}
