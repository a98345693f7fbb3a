import type { Direction, Unit, Variant } from './experiment';
import { standInWords } from './otherSide';
import { listed, plural } from './text';

/** Variants of attribution, and the parts of sites that they name, in words. */

/** More parts than these are only counted: the words stand under every view. */
const MOST_PARTS = 3;

/** Every departure from the plain gradient, by name. */
export function variantWords({ direction, variant = {} }: { direction: Direction; variant?: Variant }): string[] {
  const { freezeLayerNorm, freezePattern, integrated, bothGradients, qkFix, gradDrop, stopGradient = [], interventions = [] } = variant;
  const replaced = interventions.map(({ unit, with: other }) => `${unitWords(unit)} ← ${standInWords(other, direction)}`);
  return [
    freezeLayerNorm && 'LayerNorm frozen',
    freezePattern && 'patterns frozen',
    integrated && `integrated gradients, ${plural(integrated.steps, 'step')} (${integrated.rule})`,
    bothGradients && 'clean and corrupted gradients averaged',
    qkFix && 'AtP* QK fix',
    gradDrop && 'AtP* GradDrop (magnitudes)',
    stopGradient.length > 0 && `gradient stopped at ${listed(stopGradient.map(unitWords), MOST_PARTS)}`,
    replaced.length > 0 && `${replaced.length === 1 ? 'intervention' : 'interventions'}: ${listed(replaced, MOST_PARTS)}`,
  ].filter((words) => words !== undefined && words !== false);
}

/** "head 9.6 (z)", "layer 3 at position 5 (resid_pre)". */
export function unitWords({ site, layer, head, neuron, position, source }: Unit): string {
  const part = layer === undefined ? 'embedding' : head !== undefined ? `head ${layer}.${head}` : neuron !== undefined ? `neuron ${layer}#${neuron}` : `layer ${layer}`;
  const place = position === undefined ? '' : position === 'last' ? ' at the metric’s position' : ` at position ${indexText(position)}`;
  const from = source === undefined ? '' : ` from position ${indexText(source)}`;
  return `${part}${place}${from}${layer === undefined ? '' : ` (${site})`}`;
}

/** Counted from the end with a real minus. */
function indexText(position: number): string {
  return String(position).replace('-', '−');
}
