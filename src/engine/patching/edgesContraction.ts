import * as tf from '@tensorflow/tfjs-core';
import { PORTS, receiverIndex, senderIndex, sendersInto } from '../../shared/graph/nodes';
import { filled, valuesInPlace } from '../model/heapValues';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import type { RowBlock } from './edgesBlocks';
import { portReaders, type LayerGradients } from './edgesReceivers';
import type { SenderDifferences } from './edgesSenders';
import type { TakeEdges } from './edgesSums';

/** Which senders' scores a row of gradients gives, and what becomes of them. */
interface Reading {
  /** The first sender and the one after the last. */
  from: number;
  to: number;
  receiver?: number;
}

/**
 * The products of a layer's receivers with all senders that reach them: in each row one [receivers, dModel] × [dModel, senders], summed
 * over the rows of a pair. The gradients of the residual stream after the layer's senders stand among the receivers and give the
 * senders' own scores. `final`: the gradient of what the logits read, [row, dModel], with the last layer.
 */
export function contractLayer(model: Gpt2, layer: number, gradients: LayerGradients, final: Float32Array | undefined, senders: SenderDifferences, take: TakeEdges, work: Work): void {
  const { config } = model;
  const { heads, dModel, dHead } = config;
  const { units } = gradients;
  const mlp = receiverIndex(config, { kind: 'mlp', layer });
  const head = senderIndex(config, { kind: 'head', layer, head: 0 });
  const first = receiverIndex(config, { kind: 'head', layer, head: 0, port: 'q' });
  const into = (receiver: number): Reading => ({ from: 0, to: sendersInto(config, receiver), receiver });
  const ports = PORTS.length * heads;
  const others: [Reading, Float32Array][] = [
    [into(mlp), gradients.mlp],
    [{ from: head, to: head + heads }, gradients.mid],
    [{ from: head + heads, to: head + heads + 1 }, gradients.post],
  ];
  if (gradients.embed) others.push([{ from: 0, to: 1 }, gradients.embed]);
  if (final) others.push([into(receiverIndex(config, { kind: 'logits' })), final]);
  const readings = [...Array.from({ length: ports }, (_, port) => into(first + port)), ...others.map(([reading]) => reading)];
  const height = readings.length;
  const rows = gradients.mlp.length / dModel;

  tf.tidy(() => {
    const readers = portReaders(model, layer);
    const gain = model.blocks[layer]!.norm1.gain.dataSync<'float32'>();
    senders.blocks.forEach((block, b) => {
      work.poll();
      tf.tidy(() => {
        const own = ofRows(gradients.ports, ports, rows, block, dHead);
        const inputs = tf.matMul(tf.tensor3d(own, [ports, block.count, dHead]), readers, false, true);
        const all = filled<tf.Tensor3D>([block.count, height, dModel], (values) => {
          const found = valuesInPlace(inputs);
          for (let row = 0; row < block.count; row++) {
            for (let port = 0; port < ports; port++) copyScaled(found, (port * block.count + row) * dModel, gain, values, (row * height + port) * dModel);
            others.forEach(([, from], i) => values.set(from.subarray((block.first + row) * dModel, (block.first + row + 1) * dModel), (row * height + ports + i) * dModel));
          }
        });
        inputs.dispose();
        const receivers = units.length > 0 ? tf.sub<tf.Tensor3D>(all, alongUnits(gradients, block, ports, height, dModel)) : all;
        senders.segments.forEach((segment, index) => {
          if (segment.first > head + heads) return;
          work.poll();
          tf.tidy(() => give(valuesInPlace(tf.matMul(receivers, senders.tensor(b, index), false, true)), block, segment));
        });
      });
    });
  });

  /** Hands on products [row, receiver, sender], those of each pair summed up. */
  function give(products: Float32Array, { first: firstRow, count }: RowBlock, segment: { first: number; count: number }): void {
    const { positions } = senders.rows;
    const size = height * segment.count;
    for (let row = 0; row < count; ) {
      const pair = Math.floor((firstRow + row) / positions);
      const end = Math.min(count, (pair + 1) * positions - firstRow);
      const sums = new Float64Array(size);
      for (let next = row; next < end; next++) for (let i = 0; i < size; i++) sums[i]! += products[next * size + i]!;
      readings.forEach(({ from, to, receiver }, reading) => {
        const [start, stop] = [Math.max(from, segment.first), Math.min(to, segment.first + segment.count)];
        if (start >= stop) return;
        const [a, z] = [reading * segment.count + start - segment.first, reading * segment.count + stop - segment.first];
        if (receiver === undefined) take.senders(pair, start, sums.subarray(a, z));
        else take.edges(pair, start, receiver, sums.subarray(a, z));
        if (receiver === undefined || !take.byPosition.includes(receiver)) return;
        for (let next = row; next < end; next++) take.position(pair, start, receiver, firstRow + next - pair * positions, products.subarray(next * size + a, next * size + z));
      });
      row = end;
    }
  }
}

/** Some rows of [part, row, width]. */
function ofRows(values: Float32Array, parts: number, rows: number, { first, count }: RowBlock, width: number): Float32Array {
  if (count === rows) return values;
  const own = new Float32Array(parts * count * width);
  for (let part = 0; part < parts; part++) own.set(values.subarray((part * rows + first) * width, (part * rows + first + count) * width), part * count * width);
  return own;
}

/** One row, each feature times its gain. */
function copyScaled(values: Float32Array, from: number, gain: Float32Array, into: Float32Array, target: number): void {
  for (let i = 0; i < gain.length; i++) into[target + i] = gain[i]! * values[from + i]!;
}

/** Σ x̂ · c over the runs, for the rows of a block: [row, receiver, dModel], nothing where a receiver is no port. Inside `tf.tidy`. */
function alongUnits({ units, along }: LayerGradients, { first, count }: RowBlock, ports: number, height: number, dModel: number): tf.Tensor3D {
  const runs = units.length;
  const factors = filled<tf.Tensor3D>([count, height, runs], (values) => {
    values.fill(0);
    for (let row = 0; row < count; row++) {
      for (let port = 0; port < ports; port++) {
        for (let run = 0; run < runs; run++) values[(row * height + port) * runs + run] = along[run]![(first + row) * ports + port]!;
      }
    }
  });
  const unit = filled<tf.Tensor3D>([count, runs, dModel], (values) => {
    for (let row = 0; row < count; row++) {
      for (let run = 0; run < runs; run++) values.set(units[run]!.subarray((first + row) * dModel, (first + row + 1) * dModel), (row * runs + run) * dModel);
    }
  });
  return tf.matMul(factors, unit);
}
