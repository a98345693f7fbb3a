import type { RunPair } from '../../src/shared/run';
import { quoted, visibleText } from '../model/tokens';

/** One line of an attention matrix: a token of one of the two prompts. */
export interface AxisToken {
  position: number;
  text: string;
  /** What stands there in the other prompt, where it is another token. */
  otherText?: string;
  differs: boolean;
  /** The prompt file's names of this position: S1, IO, END; "metric" where the metric is read, unless it has a name or is the last. */
  names: string[];
}

export type Side = 'clean' | 'corrupted';

/** The tokens of one prompt of a pair, whose prompts have as many tokens. */
export function axisTokens(pair: Pick<RunPair, Side | 'positions' | 'at'>, side: Side): AxisToken[] {
  const other = pair[side === 'clean' ? 'corrupted' : 'clean'];
  return pair[side].map(({ id, text }, position) => {
    const opposite = other[position];
    const differs = opposite?.id !== id;
    const names = Object.entries(pair.positions ?? {}).flatMap(([name, place]) => (place === position ? [name] : []));
    if (names.length === 0 && pair.at === position) names.push('metric');
    return { position, text, otherText: differs ? opposite?.text : undefined, differs, names };
  });
}

/** Beside a matrix: “S1 John”, spaces and line breaks as signs. */
export function axisLabel({ text, names }: AxisToken): { name: string; token: string } {
  return { name: names.join('/'), token: visibleText(text).trim() || '␣' };
}

/** In a sentence: S1 “ John” (3); `both`: with what stands there in the other prompt, S2 “ John” → “ Mary” (9). */
export function tokenWords({ text, otherText, names, position }: AxisToken, both = false): string {
  const words = both && otherText !== undefined ? `${quoted(text)} → ${quoted(otherText)}` : quoted(text);
  return [...(names.length > 0 ? [names.join('/')] : []), words, `(${position})`].join(' ');
}
