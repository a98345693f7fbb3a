import type { TokenPair } from '../../src/shared/experiment';

/** Which pairs are run. `variant` changes every token and nothing else: no cache of earlier runs can serve it. */
export interface PromptSet {
  pairs: number;
  length: number;
  /** Position at which a pair's prompts differ, one name in the other's place. */
  differsAt: number;
  /** Leading positions that four prompts after each other share, as the sentences of one template do; 0: none. */
  template: number;
}

/** The shape of the nnsight tutorial with BOS: eight pairs of 15 tokens that differ at position 10 alone. */
export const TUTORIAL: PromptSet = { pairs: 8, length: 15, differsAt: 10, template: 0 };
export const ONE_PAIR: PromptSet = { ...TUTORIAL, pairs: 1 };
export const MANY: PromptSet = { pairs: 64, length: 40, differsAt: 26, template: 12 };
export const FIRST_TOKEN: PromptSet = { ...TUTORIAL, differsAt: 0 };

/** Prompts of one variant stay clear of those of all others. */
const PROMPTS_APART = 1009;

/**
 * Each prompt is clean in one pair and corrupted in its neighbour, as in the tutorial: a set has half as many prefixes as pairs,
 * and as many sequences as pairs.
 */
export function promptPairs({ pairs, length, differsAt, template }: PromptSet, variant = 0): TokenPair[] {
  const token = (prompt: number, position: number): number => (1000 + 7919 * prompt + 104729 * position) % 50000;
  return Array.from({ length: pairs }, (_, index) => {
    const prompt = (index >> 1) + variant * PROMPTS_APART;
    const first = ((index >> 3) + variant * PROMPTS_APART) * 4;
    const names = [token(prompt, 2), token(prompt, 4)];
    const [own, other] = index % 2 === 0 ? names : names.reverse();
    const at = (name: number): number[] =>
      Array.from({ length }, (__, position) => (position === differsAt ? name : token(position < template ? first : prompt, position)));
    return { clean: at(own!), corrupted: at(other!), correct: [other!], incorrect: [own!] };
  });
}

/** Token positions that have to be computed when every prefix is run once: a trie's size. */
export function distinctPositions(pairs: readonly TokenPair[]): number {
  const prefixes = new Set<string>();
  for (const { clean, corrupted = [] } of pairs) {
    for (const tokens of [clean, corrupted]) tokens.forEach((_, end) => prefixes.add(tokens.slice(0, end + 1).join()));
  }
  return prefixes.size;
}
