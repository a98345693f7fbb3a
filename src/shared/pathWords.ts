import type { EdgeLayerNorm, EdgeMethod } from './paths';
import { plural } from './text';

/** What people call the ways of attributing edges. */

const LAYER_NORM: Readonly<Record<EdgeLayerNorm, string>> = {
  full: '',
  receiver: "receiver's LayerNorm frozen",
  all: 'every LayerNorm frozen',
};

/** "EAP", "EAP-IG (5 steps, left)", "clean-corrupted (receiver's LayerNorm frozen)". */
export function methodWords({ integrated, bothGradients, layerNorm = 'full' }: EdgeMethod): string {
  const name = integrated ? 'EAP-IG' : bothGradients ? 'clean-corrupted' : 'EAP';
  const steps = integrated ? [plural(integrated.steps, 'step'), integrated.rule] : [];
  const details = [...steps, LAYER_NORM[layerNorm]].filter((part) => part);
  return details.length > 0 ? `${name} (${details.join(', ')})` : name;
}
