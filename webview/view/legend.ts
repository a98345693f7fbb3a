import type { Palette } from '../model/colour';
import { formatScore } from '../model/format';
import { el } from './dom';

const STEPS = 12;

/** Colour bar with numbers and with the meaning of its ends. */
export function legend(palette: Palette, largest: number): HTMLElement {
  const bar = el('span', { class: 'legend-bar' });
  const stops = Array.from({ length: 2 * STEPS + 1 }, (_, step) => palette.colourAt(step / STEPS - 1));
  bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(', ')})`;
  const ends = largest > 0 ? [formatScore(-largest), '0', formatScore(largest)] : ['', '0', ''];
  return el('div', { class: 'legend' }, [
    el('span', { class: 'legend-word', text: 'opposes' }),
    el('span', { class: 'legend-scale' }, [bar, el('span', { class: 'legend-ticks' }, ends.map((text) => el('span', { text })))]),
    el('span', { class: 'legend-word', text: 'supports the correct answer' }),
    palette.dark && el('span', { class: 'legend-note', text: '(0 has the colour of the background)' }),
  ]);
}
