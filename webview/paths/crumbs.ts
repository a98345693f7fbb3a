import type { GraphShape } from '../../src/shared/graph/nodes';
import { button, el } from '../view/dom';
import type { PathsChoice } from './ownState';
import { titleOf } from './pathText';

export interface CrumbEvents {
  /** Goes back so far that this many nodes of the way are left; 0: the whole graph. */
  backTo(length: number): void;
  focus(name: string): void;
}

/** The way of nodes that were focused, or the two whose paths are shown; `whole`: what all of it is called; `selected`: a head selected elsewhere in the panel, which can be focused from here. */
export function crumbs(shape: GraphShape, whole: string, focus: readonly string[], between: PathsChoice['between'], selected: string | undefined, events: CrumbEvents): HTMLElement[] {
  return [
    el('nav', { class: 'crumbs', attributes: { 'aria-label': 'Focus' } }, [
      el('ol', {}, [
        el('li', {}, [crumb(whole, focus.length === 0 && !between, () => events.backTo(0))]),
        ...(between ? [el('li', {}, [crumb(`Paths from ${titleOf(shape, between.from)} to ${titleOf(shape, between.to)}`, true, () => undefined)])] : []),
        ...focus.map((name, place) => el('li', {}, [crumb(titleOf(shape, name), place === focus.length - 1, () => events.backTo(place + 1))])),
      ]),
    ]),
    ...(focus.length === 0 ? [] : [button('Back', () => events.backTo(focus.length - 1), { title: 'To what was shown before (Escape)', key: 'focus back' })]),
    ...(selected !== undefined && selected !== focus.at(-1) ? [button(`Focus ${titleOf(shape, selected)}`, () => events.focus(selected), { title: 'The head that is selected in the heatmaps', key: 'focus selected' })] : []),
  ];
}

/** That only a circuit's edges are shown, and the way out of it. */
export function circuitCrumb(name: string | undefined, leave: () => void): HTMLElement[] {
  if (name === undefined) return [];
  return [el('span', { class: 'shown-circuit', text: `Only the circuit “${name}”` }), button('All edges', leave, { title: 'No circuit: all edges of the graph', key: 'all edges' })];
}

function crumb(text: string, current: boolean, press: () => void): HTMLElement {
  if (current) return el('span', { text, attributes: { 'aria-current': 'location' } });
  return el('button', { class: 'link', text, attributes: { type: 'button', 'data-key': `crumb ${text}` }, on: { click: press } });
}
