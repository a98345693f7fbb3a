import type { Unit } from '../shared/experiment';
import { hasHeads, hasSources, SITE_NAMES, SITES, type SiteName } from '../shared/sites';

/** Parts of a site in one word, as the command line takes them: `z:9.6`, `mlp_out:5`, `z:9.6@-1`, `pattern:5.1@14<8`, `mlp_post:3#412`, `embed@4`. */

const FORM = /^([a-z_]+)(?::(\d+)(?:\.(\d+))?(?:#(\d+))?)?(?:@(last|-?\d+))?(?:<(-?\d+))?$/;

/** Throws RangeError with what is wrong. */
export function parseUnit(text: string): Unit {
  const [, site, layer, head, neuron, position, source] = FORM.exec(text) ?? [];
  if (site === undefined) throw new RangeError(`"${text}" is no part of a site; write SITE:LAYER, SITE:LAYER.HEAD or mlp_post:LAYER#NEURON, with @POSITION and <SOURCE behind it if need be, such as z:9.6@-1.`);
  if (!(SITE_NAMES as readonly string[]).includes(site)) throw new RangeError(`There is no site "${site}"; there are ${SITE_NAMES.join(', ')}.`);
  const unit: Unit = {
    site: site as SiteName,
    ...(layer !== undefined && { layer: Number(layer) }),
    ...(head !== undefined && { head: Number(head) }),
    ...(neuron !== undefined && { neuron: Number(neuron) }),
    ...(position !== undefined && { position: position === 'last' ? ('last' as const) : Number(position) }),
    ...(source !== undefined && { source: Number(source) }),
  };
  const fault = unitFault(unit);
  if (fault !== undefined) throw new RangeError(`${text}: ${fault}`);
  return unit;
}

/** What is wrong with a part of a site, whatever the model; undefined when nothing is. */
export function unitFault({ site, layer, head, neuron, source }: Unit): string | undefined {
  const { axes } = SITES[site];
  if (axes.includes('layer') !== (layer !== undefined)) return layer === undefined ? `${site} has layers; say which "layer".` : `${site} has no layers.`;
  if (head !== undefined && !hasHeads(site)) return `${site} has no heads.`;
  if (neuron !== undefined && !axes.includes('neuron')) return `${site} has no neurons; mlp_post has.`;
  if (source !== undefined && !hasSources(site)) return `${site} has no source positions; pattern and scores have.`;
  return undefined;
}
