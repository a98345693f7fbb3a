import type { BehindItem, CellDescription } from '../model/describe';
import { formatScore } from '../model/format';
import { el } from '../view/dom';

/** What the tooltip and the details show of a cell: value, rank, and what stands behind it as signed bars. */
export function cellCard({ title, value, unit, rank, cells, exact, tokens, behind }: CellDescription): HTMLElement[] {
  const parts: HTMLElement[] = [
    el('div', { class: 'card-title', text: title }),
    el('div', { class: 'card-value' }, [
      el('strong', { text: formatScore(value) }),
      ` ${unit} · rank ${rank} of ${cells}`,
    ]),
    exact === undefined
      ? el('div', { class: 'card-note', text: 'Estimate; not measured exactly.' })
      : el('div', { class: 'card-exact' }, [el('strong', { text: formatScore(exact) }), ` exact · the estimate is off by ${formatScore(value - exact)}`]),
  ];
  if (tokens !== undefined) parts.push(el('div', { class: 'card-tokens', text: tokens }));
  if (behind.state === 'none') return [...parts, el('div', { class: 'card-note', text: behind.message })];
  parts.push(el('div', { class: 'card-heading', text: behind.heading }));
  if (behind.state === 'loading') return [...parts, el('div', { class: 'card-note', text: 'Loading …' })];
  if (behind.state === 'failed') return [...parts, el('div', { class: 'card-note', text: behind.message })];
  const largest = Math.max(...behind.items.map((item) => Math.abs(item.value)));
  const measured = behind.items.some(({ exact }) => exact !== undefined);
  const list = el('ol', { class: measured ? 'behind measured' : 'behind' });
  for (const item of behind.items) list.append(behindRow(item, largest, measured));
  parts.push(list);
  if (behind.more > 0) parts.push(el('div', { class: 'card-note', text: `and ${behind.more} more` }));
  return parts;
}

function behindRow({ label, value, exact }: BehindItem, largest: number, measured: boolean): HTMLElement {
  const bar = el('span', { class: value < 0 ? 'bar negative' : 'bar positive' });
  bar.style.width = `${Math.max(1, (Math.abs(value) / largest) * 100)}%`;
  return el('li', {}, [
    el('span', { class: 'behind-label', text: label }),
    el('span', { class: 'behind-value', text: formatScore(value) }),
    measured && el('span', { class: 'behind-exact', text: exact === undefined ? '' : `exact ${formatScore(exact)}` }),
    el('span', { class: 'track', attributes: { 'aria-hidden': 'true' } }, [bar]),
  ]);
}
