import type { Palette } from '../model/colour';

/** How an edge's score is drawn: width by |score|, colour by sign. In steps, so that edges that look alike are one stroke. */

export const STEPS = 16;
const THINNEST = 1.2;
const WIDEST = 8;
/** Even the weakest edge has its sign's colour, not the background's. */
const FAINTEST = 0.55;

/** 1 … STEPS, 0 for no score at all. */
export function stepOf(score: number, largest: number): number {
  if (!(largest > 0) || score === 0) return 0;
  return Math.max(1, Math.ceil(Math.min(1, Math.abs(score) / largest) * STEPS));
}

export function widthOf(step: number): number {
  return THINNEST + (WIDEST - THINNEST) * Math.max(0, (step - 1) / (STEPS - 1));
}

export function colourOf(step: number, sign: number, palette: Palette): string {
  const share = FAINTEST + (1 - FAINTEST) * (step / STEPS);
  return palette.colourAt(sign < 0 ? -share : share);
}

const CROWD = 1500;

/** Opaque where it matters: the larger the crowd of weak edges, the fainter it is, so that the strong ones stand out. */
export function opacityOf(step: number, edges: number): number {
  const least = 0.6 - 0.32 * Math.min(1, edges / CROWD);
  return least + (0.98 - least) * (step / STEPS);
}
