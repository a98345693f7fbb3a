import { format } from 'd3';

/** Numbers as a person reads them: signed, three significant digits, U+2212 for minus. Never "NaN". */

const scoreDigits = format('+.3r');
const tinyDigits = format('+.2e');
const shareDigits = format('.1%');

export const NO_NUMBER = '–';

export function formatScore(value: number): string {
  if (!Number.isFinite(value)) return NO_NUMBER;
  if (value === 0) return '0';
  return Math.abs(value) < 1e-4 ? tinyDigits(value) : scoreDigits(value);
}

/** Formatter for the text inside a map's cells: one number of decimals for all of them, fitting the largest. */
export function cellFormat(largest: number): (value: number) => string {
  const decimals = largest > 0 ? Math.min(5, Math.max(0, 1 - Math.floor(Math.log10(largest)))) : 2;
  const digits = format(`+.${Math.min(decimals, largest >= 0.1 ? 2 : 5)}f`);
  return (value) => {
    if (!Number.isFinite(value)) return NO_NUMBER;
    if (value === 0) return '0';
    return digits(value);
  };
}

export function formatShare(share: number): string {
  return Number.isFinite(share) ? shareDigits(share) : NO_NUMBER;
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return NO_NUMBER;
  if (seconds < 0.001) return '0 s';
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${format('.3r')(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
