import type { Palette } from '../model/colour';
import { formatScore } from '../model/format';
import type { SignWords } from '../model/signs';
import { el } from './dom';

const STEPS = 12;

/** Colour bar with numbers and, under its ends, what they mean. */
export function legend(palette: Palette, largest: number, { negative, positive }: SignWords): HTMLElement {
  const bar = el('span', { class: 'legend-bar', attributes: { title: palette.dark && '0 has the colour of the background' } });
  const stops = Array.from({ length: 2 * STEPS + 1 }, (_, step) => palette.colourAt(step / STEPS - 1));
  bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(', ')})`;
  const ends = largest > 0 ? [formatScore(-largest), '0', formatScore(largest)] : ['', '0', ''];
  return el('div', { class: 'legend' }, [
    bar,
    el('span', { class: 'legend-ticks' }, ends.map((text) => el('span', { text }))),
    el('span', { class: 'legend-words' }, [el('span', { text: negative }), el('span', { text: positive })]),
  ]);
}
