import { formatScore } from '../model/format';
import { el } from '../view/dom';
import type { PatternKind, PatternMatrix } from './patterns';
import type { Scale } from './scales';

const STEPS = 24;

/** One colour bar per scale in use: patterns share theirs. */
export function scaleLegends(matrices: readonly PatternMatrix[], scales: Record<PatternKind, Scale>): HTMLElement[] {
  const has = (kind: PatternKind): boolean => matrices.some((matrix) => matrix.kind === kind);
  const attributed = matrices.find(({ kind }) => kind === 'difference')?.title ?? '';
  return [
    bar('Attention', scales.clean, false),
    ...(has('difference') ? [bar(attributed, scales.difference, true)] : []),
    ...(has('attribution') ? [bar('Attribution', scales.attribution, true)] : []),
  ];
}

function bar(name: string, { largest, colourOf }: Scale, signed: boolean): HTMLElement {
  const stripe = el('span', { class: 'legend-bar' });
  const from = signed ? -largest : 0;
  const stops = Array.from({ length: STEPS + 1 }, (_, step) => colourOf(from + ((largest - from) * step) / STEPS));
  stripe.style.backgroundImage = `linear-gradient(to right, ${stops.join(', ')})`;
  const ticks = signed ? (largest > 0 ? [formatScore(-largest), '0', formatScore(largest)] : ['', '0', '']) : ['0', '1'];
  return el('div', { class: 'scale-legend' }, [el('span', { text: name }), stripe, el('span', { class: 'legend-ticks' }, ticks.map((text) => el('span', { text })))]);
}

