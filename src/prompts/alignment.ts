import type { TextExperiment } from '../shared/experiment';
import type { TokenText } from '../shared/run';

/** One column of token chips: clean over corrupted. */
export interface AlignedTokens {
  /** Counted from 0; from the end (-1 is the last) when aligned at the end. */
  position: number;
  /** Absent where the clean prompt has no token. */
  clean?: TokenText;
  corrupted?: TokenText;
  differs: boolean;
}

/** Puts the tokens of a pair over each other, position by position. With `align: "end"` the last tokens meet. */
export function alignTokens(clean: readonly TokenText[], corrupted: readonly TokenText[], align?: TextExperiment['align']): AlignedTokens[] {
  const columns = Math.max(clean.length, corrupted.length);
  return Array.from({ length: columns }, (_, column) => {
    const position = align === 'end' ? column - columns : column;
    const [a, b] = [clean, corrupted].map((tokens) => tokens[align === 'end' ? column - columns + tokens.length : column]);
    return { position, ...(a && { clean: a }), ...(b && { corrupted: b }), differs: a?.id !== b?.id };
  });
}
