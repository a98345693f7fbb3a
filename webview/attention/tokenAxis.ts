import type { RunPair } from '../../src/shared/run';
import { quoted, visibleText } from '../model/tokens';

/** One line of an attention matrix: a token of one of the two prompts. */
export interface AxisToken {
  position: number;
  text: string;
  /** What stands there in the other prompt, where it is another token. */
  otherText?: string;
  differs: boolean;
  /** The prompt file's names of this position: S1, IO, END. */
  names: string[];
  /** Here the metric is read. */
  metric: boolean;
}

export type Side = 'clean' | 'corrupted';

/** The tokens of one prompt of a pair. Prompts of unequal length meet at their ends, where they are compared. */
export function axisTokens(pair: Pick<RunPair, Side | 'positions' | 'at'>, side: Side): AxisToken[] {
  const own = pair[side];
  const other = pair[side === 'clean' ? 'corrupted' : 'clean'];
  const shift = own.length - pair.clean.length;
  const names = new Map<number, string[]>();
  for (const [name, place] of Object.entries(pair.positions ?? {})) names.set(place + shift, [...(names.get(place + shift) ?? []), name]);
  const metric = (pair.at ?? pair.clean.length - 1) + shift;
  return own.map(({ id, text }, position) => {
    const opposite = other[position - own.length + other.length];
    const differs = opposite?.id !== id;
    return { position, text, otherText: differs ? opposite?.text : undefined, differs, names: names.get(position) ?? [], metric: position === metric };
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
