import type { Unit } from '../../shared/experiment';
import { hasHeads, hasSources, SITE_NAMES, SITES } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';

/** What of a part of a site is not there in this model, its places left aside; undefined when nothing is. As the end of a sentence. */
export function unitFault({ site, layer, head, neuron, source }: Unit, { layers, heads, dMlp }: Gpt2Config): string | undefined {
  if (!SITE_NAMES.includes(site)) return `there is no site "${String(site)}"; there are ${SITE_NAMES.join(', ')}.`;
  const outside = (value: number | undefined, extent: number, one: string): string | undefined =>
    value === undefined || isIndex(value, extent) ? undefined : `there is no ${one} ${String(value)}; this model has ${one}s 0 to ${extent - 1}.`;
  const hasLayers = SITES[site].axes.includes('layer');
  if (!hasLayers && layer !== undefined) return `${site} belongs to no layer; leave the layer out.`;
  if (hasLayers && layer === undefined) return `it names no layer; ${site} has one in each of 0 to ${layers - 1}.`;
  if (head !== undefined && !hasHeads(site)) return `${site} has no heads; ${SITE_NAMES.filter(hasHeads).join(', ')} have.`;
  if (neuron !== undefined && site !== 'mlp_post') return `${site} has no neurons; mlp_post has.`;
  if (source !== undefined && !hasSources(site)) return `${site} has no source positions; pattern and scores have.`;
  return outside(layer, layers, 'layer') ?? outside(head, heads, 'head') ?? outside(neuron, dMlp, 'neuron');
}

export function isIndex(value: number, extent: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < extent;
}
