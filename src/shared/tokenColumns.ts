import type { TextExperiment } from './experiment';
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
  /** Nothing has differed so far in the pairs shown: every score up to here is exactly 0. */
  shared: boolean;
  /** The metric's position. */
  last: boolean;
  /** The group has no other position: the last one, or another that the metric is read at. */
  only?: 'end' | 'metric';
}

/** What the columns of a run depend on. */
export interface RunOfTokens extends Pick<TextExperiment, 'other' | 'variant'> {
  pairs: readonly RunPair[];
}

export interface TextCount {
  text: string;
  count: number;
}

/** The columns of a group, for all of its pairs or for one. A group that only has the metric's position gets one column. */
export function tokenColumns({ pairs, other = 'corrupted', variant = {} }: RunOfTokens, group: PairGroup, shown: ViewOptions['pair']): TokenColumn[] {
  const members = group.pairs.filter((index) => shown === 'all' || shown === index).map((index) => pairs[index]!);
  if (group.positions === 'last') {
    // Prompts of unequal lengths are compared from their ends.
    const tokens = members.map((pair) => (['clean', 'corrupted'] as const).map((side) => pair[side].at(readFromEnd(pair))));
    const only = members.every(readsAtEnd) ? 'end' : 'metric';
    const [clean, corrupted] = [0, 1].map((side) => countTexts(tokens.map((own) => own[side])));
    return [{ position: 0, clean: clean!, corrupted: corrupted!, differs: tokens.some(([above, below]) => above?.id !== below?.id), shared: false, last: true, only }];
  }
  // What is done to the base run, and what comes from no corrupted prompt, differs from the start.
  const alike = other === 'corrupted' && (variant.interventions ?? []).length === 0;
  const firstDifference = alike ? Math.min(...members.map((pair) => pair.differsAt ?? 0)) : 0;
  return Array.from({ length: group.length }, (_, position) => ({
    position,
    clean: countTexts(members.map((pair) => pair.clean[position])),
    corrupted: countTexts(members.map((pair) => pair.corrupted[position])),
    differs: members.some((pair) => pair.clean[position]?.id !== pair.corrupted[position]?.id),
    shared: position < firstDifference,
    last: members.every((pair) => (pair.at ?? group.length - 1) === position),
  }));
}

/** The metric's position, counted from the end: −1 is the last. */
function readFromEnd({ at, clean }: Pick<RunPair, 'at' | 'clean'>): number {
  return at === undefined ? -1 : at - clean.length;
}

/** Whether a pair's metric is read at its last position. */
export function readsAtEnd(pair: Pick<RunPair, 'at' | 'clean'>): boolean {
  return readFromEnd(pair) === -1;
}

function countTexts(tokens: readonly (TokenText | undefined)[]): TextCount[] {
  const counts = new Map<string, number>();
  for (const token of tokens) {
    if (token) counts.set(token.text, (counts.get(token.text) ?? 0) + 1);
  }
  return Array.from(counts, ([text, count]) => ({ text, count })).sort((a, b) => b.count - a.count);
}
