import { arrayNamed } from '../../shared/arrays';
import { CircuitError } from '../../shared/errors';
import { seededRandom } from '../../shared/graph/random';
import type { CircuitSelection } from '../../shared/graph/select';
import { bootstrapOverlap } from '../../shared/graph/stability';
import { hasEdges, shapeOf } from '../../shared/graph/stored';
import { EDGE_SCORES } from '../../shared/paths';
import type { Run } from '../../shared/run';

export const STABILITY_SAMPLES = 100;

/**
 * How far a selection changes when the run's pairs are drawn anew: mean Jaccard overlap with the circuit of all pairs, over
 * bootstrap samples. Scores are means over pairs in raw units, which a threshold has to be meant in. Throws `experiment`.
 */
export function stabilityOf(run: Run, selection: CircuitSelection, prune: boolean, options: { samples?: number; seed: number }): { mean: number; low: number; high: number; samples: number } {
  if (!hasEdges(run)) throw new CircuitError('experiment', 'The edges of this run are not attributed yet; attribute them first.');
  if (run.manifest.pairs.length < 2) throw new CircuitError('experiment', 'With one pair there is nothing to draw anew: stability takes several pairs.');
  const { data } = arrayNamed(run.arrays, EDGE_SCORES);
  return bootstrapOverlap(shapeOf(run), data, selection, prune, { samples: options.samples ?? STABILITY_SAMPLES, random: seededRandom(options.seed) });
}
