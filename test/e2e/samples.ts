/** The prompts that tests type and open. */

export const SAMPLE = 'media/samples/ioi.prompts.json';

export const JOHN = 'When John and Mary went to the shops, John gave the bag to';
export const MARY = 'When John and Mary went to the shops, Mary gave the bag to';

export interface Pair {
  name?: string;
  clean: string;
  corrupted: string;
  correct: string | string[];
  incorrect: string | string[];
}

export function promptFile(...pairs: Pair[]): string {
  return `${JSON.stringify({ pairs }, null, 2)}\n`;
}

export const SHOPS: Pair = { name: 'shops', clean: JOHN, corrupted: MARY, correct: ' Mary', incorrect: ' John' };

export const PARK: Pair = {
  name: 'park',
  clean: 'When Tom and James went to the park, James gave the ball to',
  corrupted: 'When Tom and James went to the park, Tom gave the ball to',
  correct: ' Tom',
  incorrect: ' James',
};
