import { interpolateLab, piecewise } from 'd3';
import type { Palette } from '../model/colour';
import { sharedLargest, type PatternKind, type PatternMatrix } from './patterns';

/**
 * Attention probabilities have no sign, so they get a hue that the signed scale does not use: from nothing to violet.
 * 0 has the same colour as the 0 of the signed scale.
 */
const LIGHT = ['#d8d0ea', '#8a78c4', '#46258a'];
const DARK = ['#43346b', '#8467d6', '#ddd2ff'];

export interface Scale {
  /** Value at the scale's end. */
  largest: number;
  colourOf(value: number): string;
}

/** 0 … 1, the same for every pattern, so that patterns can be compared by eye. */
export function patternScale(palette: Palette): Scale {
  const ramp = piecewise(interpolateLab, [palette.colourAt(0), ...(palette.dark ? DARK : LIGHT)]);
  return { largest: 1, colourOf: (value) => ramp(Math.max(0, Math.min(1, value))) };
}

/** Diverging, centred at zero. */
export function signedScale(palette: Palette, largest: number): Scale {
  return { largest, colourOf: (value) => palette.colourAt(largest > 0 ? value / largest : 0) };
}

export function isSigned(kind: PatternKind): boolean {
  return kind === 'difference' || kind === 'attribution';
}

/** One scale per kind of matrix, over all heads shown. */
export function scalesFor(matrices: readonly PatternMatrix[], palette: Palette): Record<PatternKind, Scale> {
  const pattern = patternScale(palette);
  return {
    ...{ clean: pattern, other: pattern, base: pattern },
    difference: signedScale(palette, sharedLargest(matrices, 'difference')),
    attribution: signedScale(palette, sharedLargest(matrices, 'attribution')),
  };
}
