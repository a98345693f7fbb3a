import type * as tf from '@tensorflow/tfjs-core';
import type { EdgeLayerNorm } from '../../shared/paths';
import { backward } from '../model/backward';
import type { ForwardRun } from '../model/forward';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { disposeGradient } from './attributeRuns';
import type { ChunkRuns } from './chunkRuns';
import { contractLayer } from './edgesContraction';
import { withInputs, type PromptPlace } from './edgesInputs';
import { RECEIVER_GRADIENTS, ReceiverGradients } from './edgesReceivers';
import type { SenderDifferences } from './edgesSenders';
import type { StepPass, StepPasses } from './edgesSteps';
import type { TakeEdges } from './edgesSums';

/**
 * The scores of a chunk's pairs: the backward passes of the base run or, integrated, of runs between it and the other side, and in
 * each layer the products of the summed gradients with all senders. `take` gets the sum over the runs. Records are used up.
 */
export async function scoreEdges(model: Gpt2, { batches }: StepPasses, place: PromptPlace, runs: ChunkRuns, senders: SenderDifferences, layerNorm: EdgeLayerNorm, take: TakeEdges, work: Work): Promise<void> {
  const { config } = model;
  const { rows } = senders;
  const gradients = new ReceiverGradients(model, rows, layerNorm !== 'full', work);
  let final: Float32Array | undefined;
  for (const { batch, passes } of batches) {
    await withInputs(model, batch, passes, runs, place, work, async (run, pass) => {
      const { targets, contracts } = pass;
      await passBack(model, runs, run, pass, layerNorm, work, (own) => gradients.sum((final ??= new Float32Array(rows.pairs * rows.positions * config.dModel)), own, targets), (layer, found, mlpInput) => {
        gradients.add(run, targets, layer, found, mlpInput);
        if (!contracts) return;
        contractLayer(model, layer, gradients.take(layer), layer === config.layers - 1 ? final : undefined, senders, take, work);
        work.advance(rows.pairs * rows.length);
      });
      if (contracts) final = undefined;
    });
  }
}

/** One backward pass: shows the gradient of what the logits read, if there is one, then each layer's. */
async function passBack(
  model: Gpt2,
  { metric }: ChunkRuns,
  run: ForwardRun,
  { pairs, isLast }: StepPass,
  layerNorm: EdgeLayerNorm,
  work: Work,
  showFinal: (gradient: tf.Tensor) => void,
  visit: (layer: number, ...found: [Parameters<Parameters<typeof backward>[3]>[1], tf.Tensor2D]) => void,
): Promise<void> {
  const start = metric.gradient(run, pairs, { freezeLayerNorm: layerNorm === 'all' });
  try {
    if (start.final) {
      const own = layerNorm === 'receiver' ? metric.gradient(run, pairs, { freezeLayerNorm: true }) : start;
      try {
        showFinal(own.final!);
      } finally {
        if (own !== start) disposeGradient(own);
      }
    }
    await backward(model, run, { ...start, wanted: RECEIVER_GRADIENTS, freezeLayerNorm: layerNorm === 'all', mlpInput: true, keepRecord: !isLast }, (layer, found, mlpInput) => visit(layer, found, mlpInput!), work);
  } finally {
    disposeGradient(start);
  }
}
