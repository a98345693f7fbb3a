import type { Direction, TokenPair } from '../../shared/experiment';

/** The distinct sequences of a chunk, so that each is run once. All have the same prefix length. */
export interface SharedRuns {
  /** Distinct prefixes. */
  prefixes: number[][];
  /** Base prompt of each pair, without prefix, in the order of the pairs: gradients are taken there. */
  base: number[][];
  basePrefix: number[];
  /** Other prompts that are no pair's base prompt, each once, without prefix. */
  extra: number[][];
  extraPrefix: number[];
  /** Where each pair's other prompt is found in base followed by extra. */
  other: number[];
}

/** Base is the corrupted prompt when denoising, the clean one when noising; other is its counterpart. */
export function shareRuns(pairs: readonly TokenPair[], prefix: number, direction: Direction): SharedRuns {
  const shared: SharedRuns = { prefixes: [], base: [], basePrefix: [], extra: [], extraPrefix: [], other: [] };
  const prefixes = new Map<string, number>();
  const places = new Map<string, number>();
  const prefixIndex = (tokens: readonly number[]): number => {
    const own = tokens.slice(0, prefix);
    const key = own.join();
    let index = prefixes.get(key);
    if (index === undefined) {
      index = shared.prefixes.push(own) - 1;
      prefixes.set(key, index);
    }
    return index;
  };
  for (const pair of pairs) {
    const tokens = direction === 'denoise' ? pair.corrupted : pair.clean;
    const place = shared.base.push(tokens.slice(prefix)) - 1;
    shared.basePrefix.push(prefixIndex(tokens));
    if (!places.has(tokens.join())) places.set(tokens.join(), place);
  }
  for (const pair of pairs) {
    const tokens = direction === 'denoise' ? pair.clean : pair.corrupted;
    let place = places.get(tokens.join());
    if (place === undefined) {
      place = pairs.length + shared.extra.push(tokens.slice(prefix)) - 1;
      shared.extraPrefix.push(prefixIndex(tokens));
      places.set(tokens.join(), place);
    }
    shared.other.push(place);
  }
  return shared;
}
