import type { Place, TextPair } from '../shared/experiment';
import type { TokenizedText } from '../shared/tokenizer';
import { findSubstring } from './namedPosition';

/**
 * The token index, BOS counted, of a place in the clean prompt: a token index (negative from the end), or the name of one of the
 * pair's positions. A name for several tokens means the last of them. Undefined where there is no such place.
 */
export function resolvePlace(place: Place, { clean, positions = {} }: Pick<TextPair, 'clean' | 'positions'>, tokenized: TokenizedText, bosPrepended: boolean): number | undefined {
  if (typeof place === 'number') return resolveIndex(place, tokenized.tokens.length + (bosPrepended ? 1 : 0));
  return Object.hasOwn(positions, place) ? resolvePosition(positions[place]!, clean, tokenized, bosPrepended) : undefined;
}

/** The same for the value of one of a pair's positions: a part of the clean prompt, or a token index. */
export function resolvePosition(position: string | number, clean: string, { tokens, offsets }: TokenizedText, bosPrepended: boolean): number | undefined {
  const first = bosPrepended ? 1 : 0;
  if (typeof position === 'number') return resolveIndex(position, tokens.length + first);
  const [start, end] = findSubstring(clean, position) ?? [0, 0];
  const last = offsets.findLastIndex(([from, to]) => from < end && to > start);
  return last === -1 ? undefined : first + last;
}

function resolveIndex(index: number, length: number): number | undefined {
  const position = index < 0 ? length + index : index;
  return position >= 0 && position < length ? position : undefined;
}
