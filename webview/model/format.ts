import { format } from 'd3';

/** Numbers as a person reads them: signed, three significant digits, U+2212 for minus. Never "NaN". */

const scoreDigits = format('+.3r');
const tinyDigits = format('+.2e');
const shareDigits = format('.1%');

export const NO_NUMBER = '–';

export function formatScore(value: number): string {
  if (!Number.isFinite(value)) return NO_NUMBER;
  if (value === 0) return '0';
  return Math.abs(value) < 1e-4 ? tinyDigits(value).replace('e-', 'e−') : scoreDigits(value);
}

export interface CellText {
  text: string;
  /** Nothing is left of the number at this precision. */
  faint: boolean;
}

/** The text inside a map's cells: one number of decimals for all of them, fitting the largest. Exact zeros are a bare 0. */
export function cellFormat(largest: number): (value: number) => CellText {
  const decimals = largest > 0 ? Math.min(5, Math.max(largest >= 10 ? 1 : 2, 1 - Math.floor(Math.log10(largest)))) : 2;
  const digits = format(`+.${decimals}f`);
  const nothing = (0).toFixed(decimals);
  return (value) => {
    if (!Number.isFinite(value)) return { text: NO_NUMBER, faint: true };
    if (value === 0) return { text: '0', faint: true };
    const text = digits(value);
    return text.slice(1) === nothing ? { text: nothing, faint: true } : { text, faint: false };
  };
}

export function formatShare(share: number): string {
  return Number.isFinite(share) ? shareDigits(share) : NO_NUMBER;
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return NO_NUMBER;
  if (seconds < 0.001) return '0 s';
  if (seconds < 0.9995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.95) return `${format('.3r')(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
