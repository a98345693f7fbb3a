import { formatScore } from '../model/format';
import { el } from '../view/dom';

export interface BarItem {
  label: string;
  value: number;
  /** A rule above it: a sum of what stands before. */
  total?: boolean;
}

/** Numbers with bars to the left and right of zero, all on one scale. */
export function signedBars(items: readonly BarItem[], label: string): HTMLElement {
  const largest = Math.max(...items.filter(({ total }) => !total).map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  return el(
    'ul',
    { class: 'signed-bars', attributes: { 'aria-label': label } },
    items.map(({ label: name, value, total }) => {
      const bar = el('span', { class: value < 0 ? 'bar negative' : 'bar positive' });
      const width = Math.min(50, (Math.abs(value) / largest) * 50);
      bar.style.width = `${width}%`;
      bar.style.marginLeft = `${value < 0 ? 50 - width : 50}%`;
      return el('li', { class: total ? 'total' : undefined }, [
        el('span', { class: 'bar-label', text: name }),
        el('span', { class: 'bar-value', text: formatScore(value) }),
        el('span', { class: 'bar-track', attributes: { 'aria-hidden': 'true' } }, total ? [] : [bar]),
      ]);
    }),
  );
}
