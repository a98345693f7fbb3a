import * as tf from '@tensorflow/tfjs-core';
import { PORTS, receiverIndex, senderCount, senderIndex, sendersInto } from '../../shared/graph/nodes';
import type { EdgeLayerNorm } from '../../shared/paths';
import { backward } from '../model/backward';
import type { ForwardRun } from '../model/forward';
import { normBackward } from '../model/layers';
import type { SiteTensors } from '../model/sites';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { disposeGradient } from './attributeRuns';
import type { ChunkRuns } from './chunkRuns';
import { taken } from './edgesBlocks';
import { PortInputs, ReceiverRows } from './edgesReceivers';
import type { SenderDifferences } from './edgesSenders';
import type { TakeEdges } from './edgesSums';

/** Which senders' scores a row of gradients gives, and what becomes of them. */
interface Reading {
  /** The first sender and the one after the last. */
  from: number;
  to: number;
  /** `values` of senders from `sender` on. */
  take(pair: number, sender: number, values: Float32Array): void;
}

/**
 * One backward pass of a recorded run, and in each layer the products of its receivers with all senders that reach them: per pair,
 * block of positions and segment of senders one [receivers, positions · dModel] × [positions · dModel, senders]. The gradients of
 * the residual stream after the layer's senders stand among the receivers and give the senders' own scores. The run's record is used up.
 */
export async function contractEdges(model: Gpt2, { metric, pairs }: ChunkRuns, run: ForwardRun, senders: SenderDifferences, layerNorm: EdgeLayerNorm, take: TakeEdges, work: Work): Promise<void> {
  const { config } = model;
  const { heads, dModel } = config;
  const rows = pairs.map((_, row) => row);
  const frozen = layerNorm !== 'full';
  const start = metric.gradient(run, rows, { freezeLayerNorm: layerNorm === 'all' });
  try {
    if (start.final) {
      const own = layerNorm === 'receiver' ? metric.gradient(run, rows, { freezeLayerNorm: true }) : start;
      try {
        const final = own.final!.dataSync<'float32'>();
        contract([into(receiverIndex(config, { kind: 'logits' }))], senderCount(config), (block) => block.put(0, final));
      } finally {
        if (own !== start) disposeGradient(own);
      }
    }
    await backward(model, run, { ...start, wanted: ['q', 'k', 'v', 'resid_mid', 'resid_post', 'embed'], freezeLayerNorm: layerNorm === 'all', mlpInput: true }, visit, work);
  } finally {
    disposeGradient(start);
  }

  function visit(layer: number, { q, k, v, resid_mid: mid, resid_post: post, embed }: SiteTensors, mlpInput?: tf.Tensor2D): void {
    const mlp = receiverIndex(config, { kind: 'mlp', layer });
    const head = senderIndex(config, { kind: 'head', layer, head: 0 });
    const first = receiverIndex(config, { kind: 'head', layer, head: 0, port: 'q' });
    const input = tf.tidy(() => normBackward(mlpInput!, run.layers[layer]!.record!.norm2, model.blocks[layer]!.norm2.gain, frozen));
    const others = [taken(input), ...[mid!, post!, ...(embed ? [embed] : [])].map((x) => x.dataSync<'float32'>())];
    const readings = [
      ...Array.from({ length: PORTS.length * heads }, (_, port) => into(first + port)),
      into(mlp),
      nodes(head, heads),
      nodes(head + heads, 1),
      ...(embed ? [nodes(senderIndex(config, { kind: 'input' }), 1)] : []),
    ];
    tf.tidy(() => {
      const ports = new PortInputs(model, run, layer, { q, k, v }, work);
      contract(readings, head + heads + 1, (block) => {
        ports.into(block, frozen);
        others.forEach((gradient, i) => block.put(PORTS.length * heads + i, gradient));
      });
    });
    work.advance(run.batch * run.length);
  }

  /** Scores of senders of the gradient in their place of the residual stream. */
  function nodes(from: number, count: number): Reading {
    return { from, to: from + count, take: (pair, sender, values) => take.senders(pair, sender, values) };
  }

  function into(receiver: number): Reading & { receiver: number } {
    return { receiver, from: 0, to: sendersInto(config, receiver), take: (pair, sender, values) => take.edges(pair, sender, receiver, values) };
  }

  /** `write` writes a row for each reading. `reach`: senders that any of them is about, the first ones. */
  function contract(readings: readonly (Reading & { receiver?: number })[], reach: number, write: (rows: ReceiverRows) => void): void {
    const apart = readings.flatMap(({ receiver, from, to }, row) => (receiver !== undefined && take.byPosition.includes(receiver) ? [{ receiver, from, to, row }] : []));
    senders.blocks.forEach((block, b) => {
      const spread = apart.flatMap(({ receiver, from, to }) =>
        Array.from({ length: block.positions }, (_, i): Reading => ({ from, to, take: (pair, sender, values) => take.position(pair, sender, receiver, block.first + i, values) })),
      );
      const all = [...readings, ...spread];
      const gradients = new ReceiverRows(run, block, dModel, all.length);
      write(gradients);
      apart.forEach(({ row }, i) => gradients.spread(readings.length + i * block.positions, row));
      for (const pair of rows) {
        tf.tidy(() => {
          const left = gradients.of(pair);
          senders.segments.forEach(({ first, count }, segment) => {
            if (first >= reach) return;
            work.poll();
            const products = taken(tf.tidy(() => tf.matMul(left, senders.matrix(b, pair, segment))));
            all.forEach(({ from, to, take: use }, row) => {
              const [start, end] = [Math.max(from, first), Math.min(to, first + count)];
              if (start < end) use(pair, start, products.subarray(row * count + start - first, row * count + end - first));
            });
          });
        });
      }
    });
  }
}
