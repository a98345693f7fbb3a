import * as tf from '@tensorflow/tfjs-core';
import type { Other } from '../../shared/experiment';
import type { Gpt2 } from '../model/weights';
import type { Work } from '../model/work';
import { ablatedSide, CIRCUIT_SITES, type AblatedSide } from './circuitAblated';
import { runChunk } from './chunkRuns';
import { GroupMeans, inAllLayers } from './groupMeans';
import { prepareMetric } from './metric';
import { planWork, type Plan } from './plan';
import type { PreparedMetric } from './preparedMetric';

/** What circuits need of a chunk's own runs, in plain memory. */
export interface ChunkBase {
  side: AblatedSide;
  /** Each pair's metric in the clean run. */
  clean: number[];
  /** The residual stream after the last layer of the clean run: [pair, trailing position, dModel]. */
  cleanLast: Float32Array;
}

/** Kept beyond a call at most. */
const MOST_KEPT = 256 << 20;

/** Of the last experiment that circuits of a model were run on: refining a circuit is one call after the other, each of which would run the prompts again. */
const kept = new WeakMap<Gpt2, { key: string; chunks: Map<number, ChunkBase> }>();

/** The clean and ablated runs of a plan's chunks, by the chunks' indices. The caller disposes it. */
export class CircuitBases {
  private readonly means: GroupMeans;
  private readonly known: Map<number, ChunkBase>;

  constructor(
    private readonly model: Gpt2,
    private readonly plan: Plan,
    private readonly ablation: Other,
  ) {
    this.means = new GroupMeans(model, plan, inAllLayers(CIRCUIT_SITES, model.config.layers));
    const key = JSON.stringify([ablation, plan.experiment]);
    const own = kept.get(model);
    if (own?.key === key) this.known = own.chunks;
    else kept.set(model, { key, chunks: (this.known = new Map()) });
  }

  /** Work of the chunks that are not known yet. */
  get work(): number {
    const missing = this.plan.chunks.filter((_, index) => !this.known.has(index));
    return planWork({ ...this.plan, chunks: missing }, this.model.config, true);
  }

  /** Runs the chunk's prompts unless they have been. Throws `cancelled`. */
  async of(index: number, work: Work): Promise<ChunkBase> {
    const own = this.known.get(index);
    if (own) return own;
    const chunk = this.plan.chunks[index]!;
    const base = await runChunk(this.model, this.plan, chunk, { sites: CIRCUIT_SITES, record: false, direction: 'noise' }, this.means, work, (runs) =>
      Promise.resolve({ side: ablatedSide(this.model, runs, this.ablation), clean: runs.values.clean, cleanLast: runs.base.last.dataSync<'float32'>() }),
    );
    const bytes = [...this.known.values(), base].reduce((sum, { side }) => sum + sideBytes(side), 0);
    if (bytes <= MOST_KEPT) this.known.set(index, base);
    return base;
  }

  /** The metric of the chunk's pairs. The caller disposes it. */
  metricOf(index: number, { side, cleanLast }: ChunkBase, work: Work): PreparedMetric {
    const { branch, pairs } = this.plan.chunks[index]!;
    const { experiment } = this.plan.branches[branch]!;
    const metric = prepareMetric(this.model, experiment, pairs.map((pair) => experiment.pairs[pair]!), work);
    if (metric.needsClean) {
      const last = tf.tensor2d(cleanLast, [side.pairs * side.tail, this.model.config.dModel]);
      try {
        metric.setClean({ batch: side.pairs, layers: [], last }, pairs.map((_, row) => row));
      } catch (error) {
        metric.dispose();
        throw error;
      } finally {
        last.dispose();
      }
    }
    return metric;
  }

  dispose(): void {
    this.means.dispose();
  }
}

function sideBytes({ pre, mid, z, mlpOut, input, last, past = [] }: AblatedSide): number {
  const arrays = [...pre, ...mid, ...z, ...mlpOut, input, last, ...past.flatMap(({ key, value }) => [key, value])];
  return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
