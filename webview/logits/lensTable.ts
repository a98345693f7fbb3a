import { depthName } from '../../src/shared/readout';
import { formatScore } from '../model/format';
import { button, el } from '../view/dom';
import { tableText } from '../view/sortedTable';
import type { LensLine } from './lensChart';
import { writtenAt } from './readout';

/** The chart's twin: every depth with its logits and what was written there. */
export function lensTable(lines: readonly LensLine[], copy: (text: string) => void): HTMLElement {
  const [first] = lines;
  const depths = first!.values.map((_, depth) => depth);
  const headings = ['Depth', ...lines.flatMap(({ name }) => [name, 'written here'])];
  const numbers = (depth: number): number[] => lines.flatMap(({ values }) => [values[depth]!, writtenAt(values, depth)]);
  return el('details', { class: 'twin' }, [
    el('summary', { text: 'As a table' }),
    el('div', { class: 'table-scroller' }, [
      el('table', { class: 'ranked sorted' }, [
        el('caption', { class: 'hidden', text: 'Logit lens by depth' }),
        el('thead', {}, [el('tr', {}, headings.map((text, column) => el('th', { text, class: column > 0 ? 'number' : undefined, attributes: { scope: 'col' } })))]),
        el('tbody', {}, depths.map((depth) => el('tr', { class: 'still' }, [el('th', { text: depthName(depth), attributes: { scope: 'row' } }), ...numbers(depth).map((value) => el('td', { class: 'number', text: formatScore(value) }))]))),
      ]),
    ]),
    el('div', { class: 'actions' }, [button('Copy table', () => copy(tableText(headings, depths.map((depth) => [depthName(depth), ...numbers(depth)]))))]),
  ]);
}
