import { CircuitError } from '../../shared/errors';
import type { TokenPair } from '../../shared/experiment';
import type { PairGroup, PatchCell } from '../../shared/results';
import { hasSources, type SiteName } from '../../shared/sites';
import type { Gpt2Config } from '../model/config';
import { fromEnd, metricPosition } from './metricPositions';
import { isIndex, unitFault } from './unitChecks';

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

/** Throws `experiment` for a cell that is not there, saying what is. */
export function checkCells(cells: readonly PatchCell[], groups: readonly PairGroup[], config: Gpt2Config): void {
  cells.forEach((cell, index) => {
    const refuse = (problem: string): never => {
      throw new CircuitError('experiment', `Cell ${index + 1} cannot be patched: ${problem}`);
    };
    const { site, group, position, source } = cell;
    const fault = unitFault(cell, config);
    if (fault !== undefined) refuse(fault);
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
