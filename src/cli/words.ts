import { unitText } from '../prompts/unit';
import type { Other, Variant } from '../shared/experiment';
import { metricUnit } from '../shared/metrics';
import type { RunManifest } from '../shared/run';
import type { ViewOptions } from '../shared/views';

/** What things are called in tables for people. */

/** What a score is measured in. */
export function unitTitle({ experiment: { metric, other } }: Pick<RunManifest, 'experiment'>, unit: ViewOptions['unit']): string {
  if (unit === 'raw') return metricUnit(metric);
  return other === 'zero' || other === 'mean' ? 'share of the clean metric' : 'share of the clean-corrupted difference';
}

export function otherTitle(other: Other | undefined): string {
  return other === undefined || other === 'corrupted' ? '' : { zero: 'zero ablation', mean: 'mean ablation', resample: 'resampling' }[other];
}

/** What of the variant is on, as the flags call it. */
export function variantWords({ freezeLayerNorm, freezePattern, integrated, bothGradients, qkFix, gradDrop, stopGradient = [], interventions = [] }: Variant = {}): string[] {
  return [
    ...(freezeLayerNorm ? ['freeze-layernorm'] : []),
    ...(freezePattern ? ['freeze-pattern'] : []),
    ...(integrated ? [`ig=${integrated.steps}:${integrated.rule}`] : []),
    ...(bothGradients ? ['both-gradients'] : []),
    ...(qkFix ? ['qk-fix'] : []),
    ...(gradDrop ? ['grad-drop'] : []),
    ...stopGradient.map((unit) => `stop ${unitText(unit)}`),
    ...interventions.map(({ unit, with: other }) => `${unitText(unit)}=${other === 'corrupted' ? 'other' : other}`),
  ];
}
