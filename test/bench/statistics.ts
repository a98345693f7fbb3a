/** Middle of the sorted values; the mean of the middle two when there is no middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** How many times longer `slow` takes than `fast`: of the medians, and between the extremes. */
export function ratio(slow: readonly number[], fast: readonly number[]): Spread {
  const [a, b] = [spread(slow), spread(fast)];
  return { median: a.median / b.median, min: a.min / b.max, max: a.max / b.min };
}

/** A markdown table. */
export function markdown(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, titles.map((_, column) => (column === 0 ? '---' : '--:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

export function number(value: number, digits = 2): string {
  return value.toFixed(digits);
}

export function between({ median: middle, min, max }: Spread, digits = 2): string {
  return `${number(middle, digits)} (${number(min, digits)} to ${number(max, digits)})`;
}

/** Largest difference divided by the largest value of the reference; Infinity where they are not of one length or not numbers. */
export function differsBy(values: readonly number[], reference: readonly number[]): number {
  if (values.length !== reference.length || [...values, ...reference].some((value) => !Number.isFinite(value))) return Infinity;
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return values.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0) / largest;
}
