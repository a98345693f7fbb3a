/** A run's id is the stem of its file's name: UTC time to the millisecond, then chance. Sorting ids sorts runs by time. */

const RANDOM_LETTERS = 8;

/** `20260131T120000123Z-k3x09a1b`. `random` gives numbers in [0, 1), as Math.random does. */
export function newRunId(now: Date, random: () => number = Math.random): string {
  const time = now.toISOString().replace(/[-:.]/g, '');
  const letters = Array.from({ length: RANDOM_LETTERS }, () => Math.floor(random() * 36).toString(36));
  return `${time}-${letters.join('')}`;
}

/** True for what can be a file's stem in every file system and cannot leave its folder. */
export function isRunId(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(id);
}
