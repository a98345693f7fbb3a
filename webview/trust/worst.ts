import { worstEstimates } from '../../src/shared/agreement';
import { formatScore } from '../model/format';
import type { TrustPoint } from '../model/trust';
import { el } from '../view/dom';

const MOST = 5;

/** The estimates that are furthest from the exact effects, by name. */
export function worstLists(points: readonly TrustPoint[], select: (point: TrustPoint) => void): HTMLElement[] {
  const { over, under } = worstEstimates(points, MOST);
  const list = (heading: string, explained: string, worst: readonly TrustPoint[]): HTMLElement =>
    el('div', { class: 'worst' }, [
      el('h3', { text: heading, attributes: { title: explained } }),
      worst.length === 0
        ? el('p', { class: 'caption', text: 'None.' })
        : el(
            'ol',
            {},
            worst.map((point) =>
              el('li', {}, [
                el('button', { class: 'link', text: point.name, attributes: { type: 'button', title: point.title, 'data-key': `${heading} ${point.name}` }, on: { click: () => select(point) } }),
                el('span', { class: 'worst-numbers', text: `${formatScore(point.estimate)} for ${formatScore(point.exact)}` }),
              ]),
            ),
          ),
    ]);
  return [
    list('Worst overestimates', 'Too large in magnitude, or of the wrong sign: estimate for exact', over),
    list('Worst underestimates', 'Too small in magnitude: estimate for exact', under),
  ];
}
