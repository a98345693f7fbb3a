import { CircuitError } from '../../shared/errors';
import type { TokenPair } from '../../shared/experiment';
import type { PairGroup, PatchCell } from '../../shared/results';
import { hasHeads, SITE_NAMES, SITES, type SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { fromEnd, metricPosition } from './metricPositions';

/**
 * What a cell replaces in one pair's base run: a range of positions of one site, over some heads and features. Positions are
 * those of the base prompt; the other prompt's are `shift` later. Indices are in range.
 */
export interface Part {
  site: SiteName;
  /** 0 for embed. */
  layer: number;
  first: number;
  end: number;
  shift: number;
  /** Absent: all. */
  head?: number;
  neuron?: number;
  /** One source position of pattern or scores; absent: all. */
  source?: number;
}

/** Sites with a matrix of destinations by sources per head; a part's positions are the destinations. */
export function hasSources(site: SiteName): boolean {
  return site === 'pattern' || site === 'scores';
}

/** Throws `experiment` for a cell that is not there, saying what is. */
export function checkCells(cells: readonly PatchCell[], groups: readonly PairGroup[], config: Gpt2Config): void {
  cells.forEach((cell, index) => {
    const refuse = (problem: string): never => {
      throw new CircuitError('experiment', `Cell ${index + 1} cannot be patched: ${problem}`);
    };
    const { site, group, layer, head, neuron, position, source } = cell;
    if (!SITE_NAMES.includes(site)) refuse(`there is no site "${String(site)}"; there are ${SITE_NAMES.join(', ')}.`);
    const count = (value: number | undefined, extent: number, one: string, many: string): void => {
      if (value !== undefined && !isIndex(value, extent)) refuse(`there is no ${one} ${String(value)}; this model has ${many} 0 to ${extent - 1}.`);
    };
    if (!SITES[site].axes.includes('layer')) {
      if (layer !== undefined) refuse(`${site} belongs to no layer; leave the layer out.`);
    } else if (layer === undefined) refuse(`it names no layer; ${site} has one in each of 0 to ${config.layers - 1}.`);
    count(layer, config.layers, 'layer', 'layers');
    if (head !== undefined && !hasHeads(site)) refuse(`${site} has no heads; ${SITE_NAMES.filter(hasHeads).join(', ')} have.`);
    count(head, config.heads, 'head', 'heads');
    if (neuron !== undefined && site !== 'mlp_post') refuse(`${site} has no neurons; mlp_post has.`);
    count(neuron, config.dMlp, 'neuron', 'neurons');
    if (source !== undefined && !hasSources(site)) refuse(`${site} has no source positions; pattern and scores have.`);
    if (group !== undefined && !isIndex(group, groups.length)) refuse(`there is no group ${String(group)}; the pairs form ${groups.length === 1 ? 'group 0' : `groups 0 to ${groups.length - 1}`}.`);

    const numbered = (typeof position === 'number' ? position : undefined) ?? source;
    if (numbered !== undefined && group === undefined) refuse('a position belongs to the pairs of one length; name their group.');
    for (const own of group === undefined ? groups : [groups[group]!]) {
      if (own.positions === 'last' && hasSources(site)) {
        refuse(`${site} cannot be exchanged between prompts of unequal length (${own.length} tokens and the other's).`);
      }
    }
    if (group === undefined) return;
    const { positions, length } = groups[group]!;
    const extent = positions === 'last' ? 1 : length;
    for (const place of [position, source]) {
      if (place === undefined || place === 'last' || (Number.isInteger(place) && place >= -extent && place < extent)) continue;
      refuse(`there is no position ${String(place)} in group ${group}; ${extent === 1 ? 'it has only the metric\'s position' : `its prompts have positions 0 to ${extent - 1}`}.`);
    }
  });
}

function isIndex(value: number, extent: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < extent;
}

/** How a pair's prompts stand in the runs. */
export interface PairPlace {
  group: PairGroup;
  /** Tokens of the base and other prompt, `appended` at their ends included. */
  baseLength: number;
  otherLength: number;
  appended: number;
}

/**
 * The part of a pair's base run that a cell replaces; `pair` as it is run. Appended tokens are no part of any cell. In a group
 * of prompts of unequal lengths, where only the metric's position is defined, every position stands for that one.
 */
export function partOf({ site, layer = 0, head, neuron, position, source }: PatchCell, { group, baseLength, otherLength, appended }: PairPlace, pair: TokenPair): Part {
  const features = { site, layer, head, neuron };
  const at = metricPosition(pair);
  if (group.positions === 'last') {
    const first = baseLength - 1 - fromEnd(pair, at);
    return { ...features, first, end: first + 1, shift: otherLength - baseLength };
  }
  const length = baseLength - appended;
  const whole = { ...features, shift: 0, source: source === undefined ? undefined : fromStart(source, length) };
  if (position === undefined) return { ...whole, first: 0, end: length };
  const first = position === 'last' ? at : fromStart(position, length);
  return { ...whole, first, end: first + 1 };
}

function fromStart(position: number, length: number): number {
  return position < 0 ? length + position : position;
}
