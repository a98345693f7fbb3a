import * as tf from '@tensorflow/tfjs-core';
import { senderCount, senderIndex } from '../../shared/graph/nodes';
import type { SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { FLOAT } from '../model/memory';
import { matrices } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { ChunkRuns } from './chunkRuns';
import { eachSequence, positionBlocks, taken, type PositionBlock } from './edgesBlocks';
import { capturedAt } from './siteTensors';

/** What must be captured on both sides. */
export const SENDER_SITES: readonly SiteName[] = ['embed', 'z', 'mlp_out'];

/** Senders' differences stay in the backend, with XNNPACK's packed copies, up to this size; above it they are handed over at every use. */
const KEPT_BYTES = 256 << 20;

/** Consecutive senders whose differences stand in one matrix, so that a layer needs not multiply with those far above it. */
export interface Segment {
  first: number;
  count: number;
}

/**
 * clean − other of every sender's output in the residual stream, at the prompt's positions (those that a continuation appends are
 * left out): of the embedding, of each head z·W_O[head] (the output bias belongs to no sender), of each MLP its bias included.
 * As matrices [position · dModel, senders of a segment], one for each block, pair and segment: what a product of many receivers
 * with few changes of the right-hand side is quick with. The caller disposes it.
 */
export class SenderDifferences {
  readonly blocks: readonly PositionBlock[];
  readonly segments: readonly Segment[];
  /** [block][pair][segment]; handed over to the backend where they are kept there. */
  private readonly values: (Float32Array | undefined)[][][];
  private readonly kept = new Map<string, tf.Tensor2D>();
  private readonly isKept: boolean;

  constructor(
    private readonly config: Gpt2Config,
    pairs: number,
    positions: number,
    byPosition: boolean,
  ) {
    this.blocks = positionBlocks(pairs, positions, byPosition);
    this.segments = segmentsOf(config);
    this.isKept = areKept(config, pairs * positions);
    this.values = this.blocks.map((block) => Array.from({ length: pairs }, () => this.segments.map(({ count }) => new Float32Array(count * block.positions * config.dModel))));
  }

  /** The differences of consecutive senders from `first` on, all of one segment, each as `eachSequence` takes them. */
  put(first: number, outputs: readonly Float32Array[], run: { batch: number; length: number }): void {
    const index = this.segments.findIndex((segment) => first < segment.first + segment.count);
    const segment = this.segments[index]!;
    const { dModel } = this.config;
    this.blocks.forEach((block, b) =>
      eachSequence(outputs[0]!, { ...run, width: dModel }, block, (pair, start, position, count) => {
        const own = this.values[b]![pair]![index]!;
        const offset = position * dModel * segment.count + first - segment.first;
        for (let i = 0; i < count * dModel; i++) {
          for (let j = 0; j < outputs.length; j++) own[offset + i * segment.count + j] = outputs[j]![start + i]!;
        }
      }),
    );
  }

  /** [position · dModel, senders of the segment]. Inside `tf.tidy`. */
  matrix(block: number, pair: number, segment: number): tf.Tensor2D {
    const key = `${block}.${pair}.${segment}`;
    const known = this.kept.get(key);
    if (known) return known;
    const shape: [number, number] = [this.blocks[block]!.positions * this.config.dModel, this.segments[segment]!.count];
    const made = tf.tensor2d(this.values[block]![pair]![segment]!, shape);
    if (this.isKept) {
      this.kept.set(key, tf.keep(made));
      this.values[block]![pair]![segment] = undefined;
    }
    return made;
  }

  dispose(): void {
    tf.dispose([...this.kept.values()]);
    this.kept.clear();
  }
}

/** Some four segments of whole layers. */
function segmentsOf({ layers, heads }: Gpt2Config): Segment[] {
  const step = Math.ceil(layers / 4);
  return Array.from({ length: Math.ceil(layers / step) }, (_, i) => {
    const first = i === 0 ? 0 : 1 + i * step * (heads + 1);
    return { first, count: 1 + Math.min(layers, (i + 1) * step) * (heads + 1) - first };
  });
}

function areKept(config: Gpt2Config, rows: number): boolean {
  return 2 * FLOAT * senderCount(config) * rows * config.dModel <= KEPT_BYTES;
}

/** Bytes of the differences of `pairs` of `positions` each, XNNPACK's copies included. */
export function sendersBytes(config: Gpt2Config, pairs: number, positions: number): number {
  const all = FLOAT * senderCount(config) * pairs * positions * config.dModel;
  if (areKept(config, pairs * positions)) return 2 * all;
  const [block] = positionBlocks(pairs, positions, false);
  return all + 2 * FLOAT * block!.positions * config.dModel * Math.max(...segmentsOf(config).map(({ count }) => count));
}

/** Throws `cancelled`. */
export async function senderDifferences({ blocks: weights, config }: Gpt2, runs: ChunkRuns, byPosition: boolean, work: Work): Promise<SenderDifferences> {
  const { layers, heads, dHead } = config;
  const { base, direction, otherLike, appended } = runs;
  const all = new SenderDifferences(config, base.batch, base.length - appended, byPosition);
  const difference = (site: SiteName, layer: number): tf.Tensor2D => {
    const own = capturedAt(base, site, layer);
    const other = otherLike(site, layer, own);
    return (direction === 'denoise' ? tf.sub(other, own) : tf.sub(own, other)) as tf.Tensor2D;
  };
  all.put(senderIndex(config, { kind: 'input' }), [taken(tf.tidy(() => difference('embed', 0)))], base);
  for (let layer = 0; layer < layers; layer++) {
    await work.pause();
    tf.tidy(() => {
      const z = difference('z', layer);
      const rows = z.shape[0];
      const byHead = matrices(tf.reshape(tf.transpose(tf.reshape(z, [rows, heads, dHead]), [1, 0, 2]), [heads * rows, dHead]), rows);
      const output = matrices(weights[layer]!.output.weight, dHead);
      const outputs = Array.from({ length: heads }, (_, head) => {
        work.poll();
        return taken(tf.tidy(() => tf.matMul(byHead.at(head), output.at(head))));
      });
      outputs.push(difference('mlp_out', layer).dataSync<'float32'>());
      all.put(senderIndex(config, { kind: 'head', layer, head: 0 }), outputs, base);
    });
    work.advance(base.batch * base.length);
  }
  return all;
}
