import { DEFAULT_EDGE_METHOD, type EdgeLayerNorm, type EdgeMethod, type PathMode } from '../../src/shared/paths';

/** How edges are attributed and patched, in words. */

export type Gradient = 'eap' | 'integrated' | 'both';

export const GRADIENTS: readonly { value: Gradient; label: string; title: string }[] = [
  { value: 'eap', label: 'EAP', title: 'The gradient at the base run (Syed et al. 2023): two forward passes and one backward pass' },
  { value: 'integrated', label: 'EAP-IG', title: 'The mean gradient along the way between the two inputs (Hanna et al. 2024): better where the metric bends' },
  { value: 'both', label: 'Clean-corrupted', title: 'The mean of the gradients at the clean and at the corrupted run' },
];

export const LAYER_NORMS: Record<EdgeLayerNorm, { label: string; explained: string }> = {
  full: { label: 'Full', explained: 'The gradient goes through every LayerNorm, as in EAP and EAP-IG. Estimates the exact mode “direct”.' },
  receiver: { label: 'Receiver frozen', explained: 'The receiver’s own LayerNorm keeps its scale, as TransformerLens’s direct path patching kept it before version 4.3. Estimates “direct, LayerNorm frozen”.' },
  all: { label: 'All frozen', explained: 'Every LayerNorm of the backward pass keeps its scale, as in Nanda’s post. Nearest to “direct, LayerNorm frozen”; no exact mode freezes them all.' },
};

export const MODES: Record<PathMode, { label: string; explained: string }> = {
  direct: { label: 'Direct', explained: 'The receiver’s input takes the other side’s output of the sender; its LayerNorm is computed anew (TransformerLens from 4.3 on)' },
  directFrozen: { label: 'Direct, LayerNorm frozen', explained: 'The same with the receiver’s LayerNorm scale of the base run (TransformerLens before 4.3)' },
  throughMlps: { label: 'Through MLPs', explained: 'The IOI paper’s three passes: other heads frozen, MLPs computed anew' },
};

export function gradientOf({ integrated, bothGradients }: EdgeMethod): Gradient {
  return integrated ? 'integrated' : bothGradients ? 'both' : 'eap';
}

/** The method with another gradient; LayerNorm stays. */
export function withGradient({ layerNorm, integrated }: EdgeMethod, gradient: Gradient): EdgeMethod {
  return {
    ...(layerNorm && { layerNorm }),
    ...(gradient === 'integrated' && { integrated: integrated ?? DEFAULT_EDGE_METHOD.integrated }),
    ...(gradient === 'both' && { bothGradients: true }),
  };
}
