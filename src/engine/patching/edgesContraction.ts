import * as tf from '@tensorflow/tfjs-core';
import { receiverIndex, senderIndex, sendersInto } from '../../shared/graph/nodes';
import type { EdgeLayerNorm } from '../../shared/paths';
import { backward } from '../model/backward';
import type { ForwardRun } from '../model/forward';
import { normBackward } from '../model/layers';
import { matrices } from '../model/rows';
import type { SiteTensors } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { disposeGradient } from './attributeRuns';
import type { ChunkRuns } from './chunkRuns';
import { columnAt, columnOf, PortInputs, type Columns } from './edgesReceivers';
import type { SenderBlock } from './edgesSenders';
import type { TakeEdges } from './edgesSums';

/**
 * One backward pass of a recorded run, and in each layer the products of all senders that reach it with its receivers: per pair
 * and block of positions one [senders, positions · dModel] × [positions · dModel, receivers]. The run's record is used up.
 */
export async function contractEdges(model: Gpt2, { metric, pairs }: ChunkRuns, run: ForwardRun, senders: readonly SenderBlock[], layerNorm: EdgeLayerNorm, take: TakeEdges, work: Work): Promise<void> {
  const { dModel } = model.config;
  const rows = pairs.map((_, row) => row);
  const frozen = layerNorm !== 'full';
  const start = metric.gradient(run, rows, { freezeLayerNorm: layerNorm === 'all' });
  try {
    if (start.final) {
      const own = layerNorm === 'receiver' ? metric.gradient(run, rows, { freezeLayerNorm: true }) : start;
      try {
        intoLogits(own.final!);
      } finally {
        if (own !== start) disposeGradient(own);
      }
    }
    await backward(model, run, { ...start, wanted: ['q', 'k', 'v', 'resid_mid', 'resid_post', 'embed'], freezeLayerNorm: layerNorm === 'all', mlpInput: true }, visit, work);
  } finally {
    disposeGradient(start);
  }

  function intoLogits(final: tf.Tensor2D): void {
    const receiver = receiverIndex(model.config, { kind: 'logits' });
    for (const block of reaching(run.tail)) tf.tidy(() => edgesInto(receiver, block, columnOf(final, run, block)));
  }

  function visit(layer: number, { q, k, v, resid_mid: mid, resid_post: post, embed }: SiteTensors, mlpInput?: tf.Tensor2D): void {
    const { config } = model;
    const { norm2 } = run.layers[layer]!.record!;
    const mlp = receiverIndex(config, { kind: 'mlp', layer });
    tf.tidy(() => {
      const input = tf.tidy(() => normBackward(mlpInput!, norm2, model.blocks[layer]!.norm2.gain, frozen));
      for (const block of reaching(mid!.shape[0]! / run.batch)) {
        tf.tidy(() => {
          edgesInto(mlp, block, columnOf(input, run, block));
          nodes(senderIndex(config, { kind: 'head', layer, head: 0 }), config.heads, block, columnOf(mid as tf.Tensor2D, run, block));
          nodes(senderIndex(config, { kind: 'mlp', layer }), 1, block, columnOf(post as tf.Tensor2D, run, block));
        });
      }
      const ports = new PortInputs(model, run, layer, { q, k, v }, work);
      const first = receiverIndex(config, { kind: 'head', layer, head: 0, port: 'q' });
      for (const block of senders) tf.tidy(() => edgesInto(first, block, ports.columns(block, frozen)));
      if (embed) for (const block of senders) tf.tidy(() => nodes(0, 1, block, columnOf(embed as tf.Tensor2D, run, block)));
    });
    work.advance(run.batch * run.length);
  }

  /** Blocks that have any of the trailing positions. */
  function reaching(tail: number): readonly SenderBlock[] {
    return senders.filter(({ first, positions }) => first + positions > run.length - tail);
  }

  /** Edges from all senders that reach the receivers from `receiver` on, one for each column. */
  function edgesInto(receiver: number, block: SenderBlock, columns: Columns): void {
    const count = sendersInto(model.config, receiver);
    products(0, count, block, columns, (pair, values) => take.edges(pair, receiver, columns.shape[1], values));
    for (const own of new Set(take.byPosition)) {
      if (own >= receiver && own < receiver + columns.shape[1]) byPosition(own, count, block, columnAt(columns, own - receiver));
    }
  }

  /** The scores of senders of the same gradient, which is the only column. */
  function nodes(sender: number, count: number, block: SenderBlock, column: Columns): void {
    products(sender, count, block, column, (pair, values) => take.senders(pair, sender, values));
  }

  function products(sender: number, count: number, { values, positions }: SenderBlock, columns: Columns, use: (pair: number, values: Float32Array) => void): void {
    const size = positions * dModel;
    const byPair = matrices(columns, size);
    values.forEach((outputs, pair) => {
      work.poll();
      const product = tf.tidy(() => tf.matMul(tf.tensor2d(outputs.subarray(sender * size, (sender + count) * size), [count, size]), byPair.at(pair)));
      use(pair, product.dataSync<'float32'>());
      product.dispose();
    });
  }

  function byPosition(receiver: number, count: number, { values, first, positions }: SenderBlock, column: tf.Tensor2D): void {
    const size = positions * dModel;
    const byPair = matrices(column, size);
    values.forEach((outputs, pair) => {
      work.poll();
      const sums = tf.tidy(() => {
        const cells = tf.mul(tf.tensor2d(outputs.subarray(0, count * size), [count, size]), tf.reshape(byPair.at(pair), [1, size]));
        return tf.sum(tf.reshape(cells, [count * positions, dModel]), -1);
      });
      take.positions(pair, receiver, first, positions, sums.dataSync<'float32'>());
      sums.dispose();
    });
  }
}
