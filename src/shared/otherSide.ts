import type { Direction, Other } from './experiment';
import { isAlone } from './views';

/** The other side of a difference, and what is patched into what, in words. */

interface OtherWords {
  name: string;
  /** What stands there, in a word or two. */
  side: string;
  explained: string;
}

export const OTHER_WORDS: Readonly<Record<Other, OtherWords>> = {
  corrupted: { name: 'corrupted prompt', side: 'corrupted', explained: 'the corrupted prompt’s activations' },
  zero: { name: 'zero ablation', side: 'zeros', explained: 'zeros' },
  mean: { name: 'mean ablation', side: 'means', explained: 'the mean over the clean prompts of equal length' },
  resample: { name: 'resample ablation', side: 'other pair', explained: 'the next pair’s clean prompt' },
};

/** What stands on the other side: "corrupted", "other pair". */
export function otherSide({ other = 'corrupted' }: { other?: Other }): string {
  return OTHER_WORDS[other].side;
}

/** What an intervention puts in the place of a part. 'corrupted' is the side that is not the base run's: the clean run where it is the corrupted one that is patched. */
export function standInWords(value: Other, direction: Direction): string {
  if (value !== 'corrupted') return OTHER_WORDS[value].side;
  return direction === 'denoise' ? 'the clean run’s activation' : 'the corrupted run’s activation';
}

/** "clean patched into corrupted", "zeros patched into clean". */
export function directionWords({ direction, other }: { direction: Direction; other?: Other }): string {
  return direction === 'denoise' ? `clean patched into ${otherSide({ other })}` : `${otherSide({ other })} patched into clean`;
}

/** The normalised unit: "normalised: 0 corrupted … 1 clean". */
export function normalisedWords(run: { other?: Other; pairs: Parameters<typeof isAlone>[0]['pairs'] }): string {
  return isAlone(run) ? 'normalised: share of the clean metric' : `normalised: 0 ${otherSide(run)} … 1 clean`;
}
