import type { EdgeLayerNorm, EdgeMethod } from '../paths';
import { plural } from '../text';

const LAYER_NORM_WORDS: Readonly<Record<EdgeLayerNorm, string>> = {
  full: 'LayerNorm in full',
  receiver: 'receiver’s LayerNorm frozen',
  all: 'every LayerNorm frozen',
};

/** "EAP, LayerNorm in full", "EAP-IG (5 steps, left), receiver’s LayerNorm frozen". */
export function edgeMethodWords({ integrated, bothGradients, layerNorm = 'full' }: EdgeMethod): string {
  const name = integrated ? `EAP-IG (${plural(integrated.steps, 'step')}, ${integrated.rule})` : bothGradients ? 'EAP, clean and corrupted gradients averaged' : 'EAP';
  return `${name}, ${LAYER_NORM_WORDS[layerNorm]}`;
}
