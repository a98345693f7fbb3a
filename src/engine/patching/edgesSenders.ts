import * as tf from '@tensorflow/tfjs-core';
import { senderCount, senderIndex } from '../../shared/graph/nodes';
import type { SiteName } from '../../shared/sites';
import { matrices } from '../model/rows';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { ChunkRuns } from './chunkRuns';
import { positionBlocks, type PositionBlock } from './edgesBlocks';
import { capturedAt } from './siteTensors';

/** What must be captured on both sides. */
export const SENDER_SITES: readonly SiteName[] = ['embed', 'z', 'mlp_out'];

/** What the senders' outputs differ by in some positions: per pair of the chunk, in plain memory, [sender, position, dModel]. */
export interface SenderBlock extends PositionBlock {
  values: Float32Array[];
}

/**
 * clean − other of every sender's output in the residual stream, at the prompt's positions (those that a continuation appends are
 * left out): of the embedding, of each head z·W_O[head] (the output bias belongs to no sender), of each MLP its bias included.
 * Throws `cancelled`.
 */
export async function senderDifferences({ blocks: weights, config }: Gpt2, runs: ChunkRuns, work: Work): Promise<SenderBlock[]> {
  const { layers, heads, dModel, dHead } = config;
  const { base, direction, otherLike, appended } = runs;
  const senders = senderCount(config);
  const blocks = positionBlocks(base.batch, base.length - appended).map((block): SenderBlock => ({
    ...block,
    values: runs.pairs.map(() => new Float32Array(senders * block.positions * dModel)),
  }));
  const difference = (site: SiteName, layer: number): tf.Tensor2D => {
    const own = capturedAt(base, site, layer);
    const other = otherLike(site, layer, own);
    return (direction === 'denoise' ? tf.sub(other, own) : tf.sub(own, other)) as tf.Tensor2D;
  };
  const put = (sender: number, x: tf.Tensor2D): void => {
    const values = x.dataSync<'float32'>();
    const known = values.length / dModel / base.batch; // trailing positions; before them nothing reaches the metric
    for (const { first, positions, values: pairs } of blocks) {
      const from = Math.max(first, base.length - known);
      if (from >= first + positions) continue;
      pairs.forEach((own, pair) => {
        const row = pair * known + from - (base.length - known);
        own.set(values.subarray(row * dModel, (row + first + positions - from) * dModel), (sender * positions + from - first) * dModel);
      });
    }
  };
  tf.tidy(() => put(senderIndex(config, { kind: 'input' }), difference('embed', 0)));
  for (let layer = 0; layer < layers; layer++) {
    await work.pause();
    tf.tidy(() => {
      const z = difference('z', layer);
      const rows = z.shape[0];
      const byHead = matrices(tf.reshape(tf.transpose(tf.reshape(z, [rows, heads, dHead]), [1, 0, 2]), [heads * rows, dHead]), rows);
      const output = matrices(weights[layer]!.output.weight, dHead);
      for (let head = 0; head < heads; head++) {
        work.poll();
        tf.tidy(() => put(senderIndex(config, { kind: 'head', layer, head }), tf.matMul(byHead.at(head), output.at(head))));
      }
      put(senderIndex(config, { kind: 'mlp', layer }), difference('mlp_out', layer));
    });
    work.advance(base.batch * base.length);
  }
  return blocks;
}
