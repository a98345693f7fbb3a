import type * as tf from '@tensorflow/tfjs-core';
import type { SiteName } from '../../shared/sites';
import type { Injected } from '../model/backward';
import type { ForwardRun } from '../model/forward';

/** What a metric reads of a forward pass. */
export interface MetricRun extends Pick<ForwardRun, 'batch' | 'layers' | 'last'> {
  /** Another run's 1/σ of the final LayerNorm, rows as `last`, that takes the place of its own where the metric reads logits. */
  finalScale?: tf.Tensor2D;
}

/** Where the backward pass of a metric starts. The caller disposes all tensors. */
export interface MetricGradient {
  /** ∂M/∂(residual stream after the last block): rows as `run.last`, [batch · tail, dModel]. Absent: zero. */
  final?: tf.Tensor2D;
  inject?: Injected[];
}

/**
 * A metric made ready for some pairs of an experiment, which are named by their index in the list it was prepared with.
 * A run may hold any sequences of these pairs: clean, corrupted or patched. Positions count from the end of a sequence,
 * so that clean and corrupted may differ in length and a run may lack a prefix.
 */
export interface PreparedMetric {
  /** Trailing positions of the final residual stream that it reads; a run must hold at least these. */
  readonly tail: number;
  /** Activations that a run must have captured. */
  readonly reads: readonly { site: SiteName; layer: number }[];
  /** `setClean` must have been called for a pair before its values and gradients. */
  readonly needsClean: boolean;
  /** Remembers what the metric compares with; nothing of the run is kept. Arguments as for `values`. */
  setClean(cleanRun: MetricRun, pairOf: readonly number[], sequenceOf?: readonly number[]): void;
  /**
   * The metric of sequence i for pair pairOf[i]; with `sequenceOf`, of sequence sequenceOf[i] for pair pairOf[i], which
   * lets one sequence stand for several pairs.
   */
  values(run: MetricRun, pairOf: readonly number[], sequenceOf?: readonly number[]): number[];
  /** Gradient of each sequence's own metric. pairOf[sequence] names its pair. */
  gradient(run: MetricRun, pairOf: readonly number[], options?: { freezeLayerNorm?: boolean }): MetricGradient;
  dispose(): void;
}
