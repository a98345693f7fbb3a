import * as tf from '@tensorflow/tfjs-core';
import { senderCount, senderIndex } from '../../shared/graph/nodes';
import type { SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { FLOAT } from '../model/memory';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { ChunkRuns } from './chunkRuns';
import { rowBlocks, ROWS_OF_BLOCK, runRow, taken, type EdgeRows, type RowBlock } from './edgesBlocks';
import { capturedAt } from './siteTensors';

/** What must be captured on both sides. */
export const SENDER_SITES: readonly SiteName[] = ['embed', 'z', 'mlp_out'];

/** Senders' differences stay in the backend up to this size; above it they are handed over at every use. */
const KEPT_BYTES = 256 << 20;

/** Senders of a segment, about: wide enough for quick products, narrow enough that a layer multiplies with few that it does not read. */
const SENDERS_OF_SEGMENT = 40;

/** Floating-point operations of one product. */
const FLOPS_AT_ONCE = 1e9;

/** Consecutive senders whose differences stand in one tensor. */
export interface Segment {
  first: number;
  count: number;
}

/**
 * clean − other of every sender's output in the residual stream, at the prompt's positions (those that a continuation appends are
 * left out): of the embedding, of each head z·W_O[head] (the output bias belongs to no sender), of each MLP its bias included; each
 * less its mean over features. What receivers read goes through a LayerNorm, whose backward pass takes away the mean of a gradient:
 * taking it from the differences instead comes to the same, and there are fewer of them.
 * As tensors [row, sender, dModel], one for each block of rows and segment. The caller disposes them.
 */
export class SenderDifferences {
  readonly blocks: readonly RowBlock[];
  readonly segments: readonly Segment[];
  /** [block][segment]; handed over to the backend where they are kept there. */
  private readonly values: (Float32Array | undefined)[][];
  private readonly kept = new Map<string, tf.Tensor3D>();
  private readonly isKept: boolean;

  constructor(
    private readonly config: Gpt2Config,
    readonly rows: EdgeRows,
  ) {
    const count = rows.pairs * rows.positions;
    this.blocks = rowBlocks(count);
    this.segments = segmentsOf(config);
    this.isKept = areKept(config, count);
    this.values = this.blocks.map((block) => this.segments.map((segment) => new Float32Array(block.count * segment.count * config.dModel)));
  }

  /** The differences of consecutive senders from `first` on, all of one segment: [sender, pair · position, dModel], of the `known` trailing positions that were computed. */
  put(first: number, outputs: Float32Array, known: number): void {
    const { dModel } = this.config;
    const { pairs, positions } = this.rows;
    const index = this.segments.findIndex((segment) => first < segment.first + segment.count);
    const segment = this.segments[index]!;
    const size = pairs * known * dModel;
    this.blocks.forEach((block, b) => {
      const own = this.values[b]![index]!;
      for (let i = 0; i < block.count; i++) {
        const row = block.first + i;
        const from = runRow(this.rows, known, Math.floor(row / positions), row % positions) * dModel;
        if (from < 0) continue;
        for (let j = 0; j * size < outputs.length; j++) {
          own.set(outputs.subarray(j * size + from, j * size + from + dModel), (i * segment.count + first - segment.first + j) * dModel);
        }
      }
    });
  }

  /** [row of the block, sender of the segment, dModel]. Inside `tf.tidy`. */
  tensor(block: number, segment: number): tf.Tensor3D {
    const key = `${block}.${segment}`;
    const known = this.kept.get(key);
    if (known) return known;
    const made = tf.tensor3d(this.values[block]![segment]!, [this.blocks[block]!.count, this.segments[segment]!.count, this.config.dModel]);
    if (this.isKept) {
      this.kept.set(key, tf.keep(made));
      this.values[block]![segment] = undefined;
    }
    return made;
  }

  dispose(): void {
    tf.dispose([...this.kept.values()]);
    this.kept.clear();
  }
}

/** Whole layers each. */
function segmentsOf({ layers, heads }: Gpt2Config): Segment[] {
  const step = Math.max(1, Math.floor(SENDERS_OF_SEGMENT / (heads + 1)));
  return Array.from({ length: Math.ceil(layers / step) }, (_, i) => {
    const first = i === 0 ? 0 : 1 + i * step * (heads + 1);
    return { first, count: 1 + Math.min(layers, (i + 1) * step) * (heads + 1) - first };
  });
}

function areKept(config: Gpt2Config, rows: number): boolean {
  return FLOAT * senderCount(config) * rows * config.dModel <= KEPT_BYTES;
}

/** Bytes of the differences of `pairs` of `positions` each, and of a layer's while they are computed. */
export function sendersBytes(config: Gpt2Config, pairs: number, positions: number): number {
  const rows = pairs * positions;
  const all = senderCount(config) * rows * config.dModel;
  const segment = Math.min(rows, ROWS_OF_BLOCK) * config.dModel * Math.max(...segmentsOf(config).map(({ count }) => count));
  return FLOAT * (all + segment + 3 * (config.heads + 1) * rows * config.dModel);
}

/** Throws `cancelled`. */
export async function senderDifferences({ blocks: weights, config }: Gpt2, runs: ChunkRuns, work: Work): Promise<SenderDifferences> {
  const { layers, heads, dHead, dModel } = config;
  const { base, direction, otherLike, appended } = runs;
  const all = new SenderDifferences(config, { pairs: base.batch, length: base.length, positions: base.length - appended });
  const difference = (site: SiteName, layer: number): tf.Tensor2D => {
    const own = capturedAt(base, site, layer);
    const other = otherLike(site, layer, own);
    return (direction === 'denoise' ? tf.sub(other, own) : tf.sub(own, other)) as tf.Tensor2D;
  };
  const output = new Float32Array(dModel * dModel);
  all.put(senderIndex(config, { kind: 'input' }), centred(() => difference('embed', 0)), base.length);
  for (let layer = 0; layer < layers; layer++) {
    await work.pause();
    const known = layer === layers - 1 ? base.tail : base.length;
    const rows = base.batch * known;
    const first = senderIndex(config, { kind: 'head', layer, head: 0 });
    const z = taken(tf.tidy(() => tf.transpose(tf.reshape(difference('z', layer), [rows, heads, dHead]), [1, 0, 2])));
    weights[layer]!.output.weight.copyColumns(dModel, output);
    const step = Math.max(1, Math.floor(FLOPS_AT_ONCE / (2 * rows * dHead * dModel)));
    for (let head = 0; head < heads; head += step) {
      work.poll();
      const count = Math.min(step, heads - head);
      const part = (values: Float32Array, height: number, width: number): tf.Tensor3D => tf.tensor3d(values.subarray(head * height * width, (head + count) * height * width), [count, height, width]);
      all.put(first + head, centred(() => tf.matMul(part(z, rows, dHead), part(output, dHead, dModel))), known);
    }
    all.put(first + heads, centred(() => difference('mlp_out', layer)), known);
    work.advance(base.batch * base.length);
  }
  return all;
}

/** Each row less its mean. */
function centred(compute: () => tf.Tensor): Float32Array {
  return taken(tf.tidy(() => {
    const x = compute();
    return tf.sub(x, tf.mean(x, -1, true));
  }));
}
