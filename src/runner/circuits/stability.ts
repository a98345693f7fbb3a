import { arrayNamed } from '../../shared/arrays';
import { cancelled, CircuitError } from '../../shared/errors';
import { seededRandom } from '../../shared/graph/random';
import type { CircuitSelection } from '../../shared/graph/select';
import { bootstrapSteps, type BootstrapOverlap } from '../../shared/graph/stability';
import { hasEdges, shapeOf } from '../../shared/graph/stored';
import { EDGE_SCORES } from '../../shared/paths';
import type { CallOptions } from '../../shared/results';
import type { Run } from '../../shared/run';

export const STABILITY_SAMPLES = 100;

/**
 * How far a selection changes when the run's pairs are drawn anew: mean Jaccard overlap with the circuit of all pairs, over
 * bootstrap samples. Scores are means over pairs in raw units, which a threshold has to be meant in. Others have their turn between
 * two samples. Throws `experiment`, `cancelled`.
 */
export async function stabilityOf(run: Run, selection: CircuitSelection, prune: boolean, { samples = STABILITY_SAMPLES, seed }: { samples?: number; seed: number }, call: CallOptions = {}): Promise<BootstrapOverlap> {
  if (!hasEdges(run)) throw new CircuitError('experiment', 'The edges of this run are not attributed yet; attribute them first.');
  if (run.manifest.pairs.length < 2) throw new CircuitError('experiment', 'With one pair there is nothing to draw anew: stability takes several pairs.');
  const { data } = arrayNamed(run.arrays, EDGE_SCORES);
  const steps = bootstrapSteps(shapeOf(run), data, selection, prune, { samples, random: seededRandom(seed) });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (call.signal?.aborted) throw cancelled();
    call.onProgress?.({ stage: 'Drawing pairs anew', fraction: step.value / samples, done: step.value });
    await new Promise((resolve) => setImmediate(resolve));
  }
}
