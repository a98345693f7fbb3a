import { color, interpolateLab, lab, piecewise, rgb } from 'd3';

/**
 * Diverging scale centred at zero, red (negative) to blue (positive) as the literature's RdBu with zmid = 0.
 * Red and blue keep apart for all common kinds of colour blindness; the sign is also in every number.
 * On a light background the centre is RdBu's near-white. On a dark one it is the editor's own background:
 * a white centre would make the empty cells the loudest ones; the legend says so.
 */
const LIGHT_ENDS = { negative: ['#b2182b', '#e4755c', '#fbd5c2'], positive: ['#d1e5f0', '#5fa3cd', '#2166ac'] };
const DARK_ENDS = { negative: ['#ff8f73', '#d2492f', '#6e2a21'], positive: ['#1d4568', '#2b7fc8', '#7cc4ff'] };

export interface Palette {
  dark: boolean;
  /** Colour of a share of the largest magnitude, −1 … 1. */
  colourAt(share: number): string;
  /** Black or white, whichever reads better on that colour. */
  textOn(fill: string): string;
}

export function paletteFor(background: string): Palette {
  const parsed = color(background)?.rgb() ?? rgb('#ffffff');
  const dark = lab(parsed).l < 50;
  const { negative, positive } = dark ? DARK_ENDS : LIGHT_ENDS;
  const centre = dark ? parsed.formatHex() : '#f7f7f7';
  const ramp = piecewise(interpolateLab, [...negative, centre, ...positive]);
  return {
    dark,
    colourAt: (share) => ramp((Math.max(-1, Math.min(1, share)) + 1) / 2),
    textOn: (fill) => (contrast(fill, '#ffffff') >= contrast(fill, '#000000') ? '#ffffff' : '#000000'),
  };
}

/** Contrast ratio of WCAG 2. */
export function contrast(a: string, b: string): number {
  const [lighter, darker] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(text: string): number {
  const { r, g, b } = rgb(text);
  const linear = [r, g, b].map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
