import * as tf from '@tensorflow/tfjs-core';
import type { Variant } from '../../shared/experiment';
import type { EdgeLayerNorm } from '../../shared/paths';
import { backward } from '../model/backward';
import { disposeKeyValues, disposeRun, forward, ROWS_AT_ONCE, type ForwardRun, type KeyValues } from '../model/forward';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { disposeGradient } from './attributeRuns';
import type { ChunkRuns } from './chunkRuns';
import { Scratch, type EdgeRows } from './edgesBlocks';
import { contractLayer } from './edgesContraction';
import { layerGradientsFloats, RECEIVER_GRADIENTS, ReceiverGradients } from './edgesReceivers';
import type { SenderDifferences } from './edgesSenders';
import type { TakeEdges } from './edgesSums';

type Integrated = NonNullable<Variant['integrated']>;

/** Floats of gradients that are kept until the last run has given its own; with more, each run is multiplied with the senders for itself. */
const GRADIENTS_KEPT = 1 << 25;

/** Steps between base and other embedding that are run together, their shares of the way. The base run is recorded and is the step at 0. */
interface Steps {
  base: boolean;
  together: number[][];
}

export function stepsOf(integrated: Integrated | undefined, { pairs, length }: Pick<EdgeRows, 'pairs' | 'length'>): Steps {
  if (!integrated) return { base: true, together: [] };
  const { steps, rule } = integrated;
  const shares = Array.from({ length: steps }, (_, step) => (step + { left: 0, midpoint: 0.5, right: 1 }[rule]) / steps);
  const own = shares.filter((share) => share > 0);
  const atOnce = stepsAtOnce(pairs * length);
  return { base: own.length < steps, together: Array.from({ length: Math.ceil(own.length / atOnce) }, (_, i) => own.slice(i * atOnce, (i + 1) * atOnce)) };
}

/** How many steps of so many rows are run together. */
export function stepsAtOnce(rows: number): number {
  return Math.max(1, Math.floor(ROWS_AT_ONCE / rows));
}

/** Floats of gradients that are kept at a time. */
export function gradientsFloats(config: Gpt2['config'], integrated: Integrated | undefined, rows: EdgeRows): number {
  const { base, together } = stepsOf(integrated, rows);
  const runs = contractions(config, integrated, rows) === 1 ? Number(base) + together.flat().length : Math.max(1, ...together.map(({ length }) => length));
  return (Number(base) + together.length > 1 && runs > 1 ? config.layers : 1) * layerGradientsFloats(config, rows.pairs * rows.positions, runs);
}

/** How often the gradients are multiplied with the senders: once if those of all runs can be kept, or for each run. */
export function contractions(config: Gpt2['config'], integrated: Integrated | undefined, rows: EdgeRows): number {
  const { base, together } = stepsOf(integrated, rows);
  const all = config.layers * layerGradientsFloats(config, rows.pairs * rows.positions, Number(base) + together.flat().length);
  return all <= GRADIENTS_KEPT ? 1 : Number(base) + together.length;
}

/**
 * The scores of a chunk's pairs: the backward passes of the base run or, integrated, of runs between it and the other side, and in
 * each layer the products of the summed gradients with all senders. `take` gets the sum over the runs. Records are used up.
 */
export async function scoreEdges(model: Gpt2, integrated: Integrated | undefined, runs: ChunkRuns, senders: SenderDifferences, layerNorm: EdgeLayerNorm, take: TakeEdges, work: Work): Promise<void> {
  const { config } = model;
  const { rows } = senders;
  const { base, together } = stepsOf(integrated, rows);
  const all: (number[] | undefined)[] = [...(base ? [undefined] : []), ...together];
  const isKept = contractions(config, integrated, rows) === 1;
  const gradients = new ReceiverGradients(model, rows, layerNorm !== 'full', work);
  const scratch = new Scratch();
  let final: Float32Array | undefined;
  for (const [index, shares] of all.entries()) {
    const run = shares ? await between(model, shares, runs, work) : runs.base;
    const contracts = !isKept || index === all.length - 1;
    try {
      await passBack(model, runs, run, layerNorm, work, (own) => gradients.sum((final ??= new Float32Array(rows.pairs * rows.positions * config.dModel)), own, run.batch), (layer, found, mlpInput) => {
        gradients.add(run, layer, found, mlpInput);
        if (!contracts) return;
        contractLayer(model, layer, gradients.take(layer), layer === config.layers - 1 ? final : undefined, senders, take, scratch, work);
        work.advance(rows.pairs * rows.length);
      });
      if (contracts) final = undefined;
    } finally {
      if (shares) disposeRun(run);
    }
  }
}

/** One backward pass: shows the gradient of what the logits read, if there is one, then each layer's. */
async function passBack(
  model: Gpt2,
  { metric, pairs }: ChunkRuns,
  run: ForwardRun,
  layerNorm: EdgeLayerNorm,
  work: Work,
  showFinal: (gradient: Float32Array) => void,
  visit: (layer: number, ...found: [Parameters<Parameters<typeof backward>[3]>[1], tf.Tensor2D]) => void,
): Promise<void> {
  const pairOf = Array.from({ length: run.batch }, (_, sequence) => sequence % pairs.length);
  const start = metric.gradient(run, pairOf, { freezeLayerNorm: layerNorm === 'all' });
  try {
    if (start.final) {
      const own = layerNorm === 'receiver' ? metric.gradient(run, pairOf, { freezeLayerNorm: true }) : start;
      try {
        showFinal(own.final!.dataSync<'float32'>());
      } finally {
        if (own !== start) disposeGradient(own);
      }
    }
    await backward(model, run, { ...start, wanted: RECEIVER_GRADIENTS, freezeLayerNorm: layerNorm === 'all', mlpInput: true }, (layer, found, mlpInput) => visit(layer, found, mlpInput!), work);
  } finally {
    disposeGradient(start);
  }
}

/** A recorded run of the base prompts at each of these shares of the way to the other side's embedding, one after the other in one batch. */
async function between(model: Gpt2, shares: readonly number[], { base, batch, metric, otherLike, appended }: ChunkRuns, work: Work): Promise<ForwardRun> {
  const { dModel } = model.config;
  const own = base.embed!.dataSync<'float32'>();
  const other = tf.tidy(() => tf.clone(otherLike('embed', 0, base.embed!)));
  const theirs = other.dataSync<'float32'>();
  other.dispose();
  const x = new Float32Array(shares.length * own.length);
  shares.forEach((share, i) => {
    for (let row = 0; row < base.batch * base.length; row++) {
      // A continuation's tokens are the same on both sides, and stay.
      const part = row % base.length < base.length - appended ? share : 0;
      for (let j = row * dModel; j < (row + 1) * dModel; j++) x[i * own.length + j] = own[j]! + part * (theirs[j]! - own[j]!);
    }
  });
  const repeated = <T>(values: readonly T[]): T[] => shares.flatMap(() => values);
  const past = batch.past?.map(({ key, value }): KeyValues => ({ key: tf.concat(repeated([key]), 0), value: tf.concat(repeated([value]), 0) }));
  const input = tf.tensor2d(x, [x.length / dModel, dModel]);
  try {
    return await forward(
      model,
      { tokens: repeated(batch.tokens), start: batch.start, past },
      { sites: metric.reads.map(({ site }) => site), capturesIn: (site, layer) => metric.reads.some((read) => read.site === site && read.layer === layer), record: true, tail: base.tail, from: { layer: 0, x: input } },
      work,
    );
  } finally {
    input.dispose();
    if (past) disposeKeyValues(past);
  }
}
