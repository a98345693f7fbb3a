import { CircuitError } from '../../shared/errors';
import type { TokenExperiment } from '../../shared/experiment';
import { receiverCount } from '../../shared/graph/nodes';
import { EDGE_LAYER_NORMS, type EdgeMethod } from '../../shared/paths';
import type { Gpt2Config } from '../model/config';
import { directionsOf } from './attribution';
import { passesOf, stepsWork } from './edgesSteps';
import { checkAttributable } from './metricChecks';
import { planChunks, planWork, type Plan } from './plan';
import { checkVariant } from './variantChecks';

/**
 * The plan of edge attribution: the experiment with the method in the place of its variant. Throws as `planChunks` does, and
 * `experiment` for what edges are not derived for: interventions, stopped gradients, the QK fix, GradDrop, unequal token counts,
 * KL × noise, a method whose parts exclude each other, receivers that are not there.
 */
export function planEdges(experiment: TokenExperiment, { integrated, bothGradients, layerNorm = 'full' }: EdgeMethod, receivers: readonly number[], config: Gpt2Config): Plan {
  const { variant = {} } = experiment;
  const underived = [
    variant.interventions?.length && 'interventions',
    variant.stopGradient?.length && 'stopped gradients',
    variant.qkFix && 'the QK fix',
    variant.gradDrop && 'GradDrop',
  ].filter(Boolean);
  if (underived.length > 0) throw refuse(`Edge attribution is not derived for ${underived.join(' and ')}. Leave ${underived.length > 1 ? 'them' : 'it'} out.`);
  if (!EDGE_LAYER_NORMS.includes(layerNorm)) throw refuse(`There is no treatment of LayerNorm called "${String(layerNorm)}"; there are ${EDGE_LAYER_NORMS.join(', ')}.`);
  const own: TokenExperiment = { ...experiment, variant: { ...(integrated && { integrated }), ...(bothGradients && { bothGradients }) } };
  const plan = planChunks(own, config);
  const unequal = plan.groups.find(({ positions }) => positions === 'last');
  if (unequal) throw refuse(`The edges of pair ${unequal.pairs[0]! + 1} cannot be attributed: its prompts have unequal token counts, so their positions do not correspond. Choose prompts of equal token counts.`);
  checkVariant(own, plan.groups, config);
  checkAttributable(own);
  const count = receiverCount(config);
  const unknown = receivers.find((receiver) => !(Number.isInteger(receiver) && receiver >= 0 && receiver < count));
  if (unknown !== undefined) throw refuse(`There is no receiver ${String(unknown)}; this model has receivers 0 to ${count - 1}.`);
  return plan;
}

/** Work of a plan in the unit in which forward and backward count: theirs, one per row and layer for the senders, and one for each contraction. */
export function edgesWork(plan: Plan, config: Gpt2Config): number {
  const directions = directionsOf(plan);
  const own = plan.chunks.reduce((sum, chunk) => {
    const rows = config.layers * chunk.pairs.length * (chunk.cleanLength - chunk.prefix);
    return sum + directions.reduce((all, { direction }) => all + rows + stepsWork(config, passesOf(config, plan, chunk, direction), chunk), 0);
  }, 0);
  return planWork(plan, config, true) + own;
}

function refuse(message: string): CircuitError {
  return new CircuitError('experiment', message);
}
