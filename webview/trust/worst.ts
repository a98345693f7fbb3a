import { isWrongSign, worstEstimates } from '../../src/shared/agreement';
import { formatScore } from '../model/format';
import type { TrustPoint } from '../model/trust';
import { el } from '../view/dom';

const MOST = 5;

/** Of the largest exact effect; a miss below that changes nothing. */
const SMALLEST_MISS = 0.01;

/** Points whose miss matters beside what was measured. */
export function worthNaming<T extends Pick<TrustPoint, 'estimate' | 'exact'>>(points: readonly T[]): T[] {
  const least = SMALLEST_MISS * Math.max(0, ...points.map(({ exact }) => Math.abs(exact)));
  return points.filter(({ estimate, exact }) => Math.abs(estimate - exact) >= least);
}

/** "+0.310 for +0.180"; what is among the overestimates for its sign alone says so. */
export function missWords(point: Pick<TrustPoint, 'estimate' | 'exact'>): string {
  return `${formatScore(point.estimate)} for ${formatScore(point.exact)}${isWrongSign(point) ? ', wrong sign' : ''}`;
}

/** The estimates that are furthest from the exact effects, by name. */
export function worstLists(points: readonly TrustPoint[], select: (point: TrustPoint) => void): HTMLElement[] {
  const { over, under } = worstEstimates(worthNaming(points), MOST);
  const list = (heading: string, explained: string, worst: readonly TrustPoint[]): HTMLElement =>
    el('div', { class: 'worst' }, [
      el('h3', { text: heading, attributes: { title: explained } }),
      worst.length === 0
        ? el('p', { class: 'caption', text: 'None by more than 1 % of the largest exact effect.' })
        : el(
            'ol',
            {},
            worst.map((point) =>
              el('li', {}, [
                el('button', { class: 'link', text: point.name, attributes: { type: 'button', title: point.title, 'data-key': `${heading} ${point.name}` }, on: { click: () => select(point) } }),
                el('span', { class: 'worst-numbers', text: missWords(point) }),
              ]),
            ),
          ),
    ]);
  return [
    list('Worst overestimates', 'Too large in magnitude, or of the wrong sign: estimate for exact', over),
    list('Worst underestimates', 'Too small in magnitude: estimate for exact', under),
  ];
}
