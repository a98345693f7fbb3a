import type { PairGroup } from './results';
import type { RunPair, TokenText } from './run';
import type { ViewOptions } from './views';

/** Token strings on the position axis of one length group. */
export interface TokenColumn {
  position: number;
  /** What stands there in the clean prompts shown, each text once, most frequent first. */
  clean: TextCount[];
  corrupted: TextCount[];
  /** Clean and corrupted differ here in at least one of the pairs shown. */
  differs: boolean;
  /** No pair shown has differed so far: every score up to here is exactly 0. */
  shared: boolean;
  /** The metric's position. */
  last: boolean;
}

export interface TextCount {
  text: string;
  count: number;
}

/** The columns of a group, for all of its pairs or for one. A group that only has the metric's position gets one column. */
export function tokenColumns(pairs: readonly RunPair[], group: PairGroup, shown: ViewOptions['pair']): TokenColumn[] {
  const members = group.pairs.filter((index) => shown === 'all' || shown === index).map((index) => pairs[index]!);
  if (group.positions === 'last') {
    const clean = countTexts(members.map((pair) => pair.clean.at(-1)));
    const corrupted = countTexts(members.map((pair) => pair.corrupted.at(-1)));
    return [{ position: 0, clean, corrupted, differs: members.some((pair) => pair.clean.at(-1)?.id !== pair.corrupted.at(-1)?.id), shared: false, last: true }];
  }
  const firstDifference = Math.min(...members.map((pair) => pair.differsAt ?? 0));
  return Array.from({ length: group.length }, (_, position) => ({
    position,
    clean: countTexts(members.map((pair) => pair.clean[position])),
    corrupted: countTexts(members.map((pair) => pair.corrupted[position])),
    differs: members.some((pair) => pair.clean[position]?.id !== pair.corrupted[position]?.id),
    shared: position < firstDifference,
    last: members.every((pair) => (pair.at ?? group.length - 1) === position),
  }));
}

function countTexts(tokens: readonly (TokenText | undefined)[]): TextCount[] {
  const counts = new Map<string, number>();
  for (const token of tokens) {
    if (token) counts.set(token.text, (counts.get(token.text) ?? 0) + 1);
  }
  return Array.from(counts, ([text, count]) => ({ text, count })).sort((a, b) => b.count - a.count);
}
