import type { RunPair, TokenText } from '../../src/shared/run';
import type { PairGroup } from '../../src/shared/results';
import type { ViewOptions } from '../../src/shared/views';

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

/** One place of a pair's prompts: its position, or counted from the end where the prompts have unequal lengths. */
export interface ChipColumn {
  place: string;
  clean?: TokenText;
  corrupted?: TokenText;
  differs: boolean;
}

/** The tokens of one pair over each other. Prompts of unequal length meet at their ends, where they are compared. */
export function chipColumns({ clean, corrupted }: Pick<RunPair, 'clean' | 'corrupted'>): ChipColumn[] {
  const count = Math.max(clean.length, corrupted.length);
  const places = clean.length === corrupted.length ? 0 : -count;
  return Array.from({ length: count }, (_, column) => {
    const [above, below] = [clean, corrupted].map((tokens) => tokens[column - count + tokens.length]);
    return { place: String(places + column), clean: above, corrupted: below, differs: above?.id !== below?.id };
  });
}

function countTexts(tokens: readonly (TokenText | undefined)[]): TextCount[] {
  const counts = new Map<string, number>();
  for (const token of tokens) {
    if (token) counts.set(token.text, (counts.get(token.text) ?? 0) + 1);
  }
  return Array.from(counts, ([text, count]) => ({ text, count })).sort((a, b) => b.count - a.count);
}

/** Line breaks and tabs drawn as signs; a leading space stays a space. */
export function visibleText(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll('\r', '␍').replaceAll('\t', '⇥');
}

/** Short form of what stands at a position: the common token, or the two most frequent and an ellipsis. */
export function shortTexts(texts: readonly TextCount[]): string {
  const shown = texts.slice(0, 2).map(({ text }) => visibleText(text).trim() || '␣');
  return shown.join(' | ') + (texts.length > 2 ? ' …' : '');
}

/** Full list for a tooltip: “ John” ×2, “ Tom”. */
export function listTexts(texts: readonly TextCount[], most = 12): string {
  const listed = texts.slice(0, most).map(({ text, count }) => quoted(text) + (texts.length > 1 && count > 1 ? ` ×${count}` : ''));
  return listed.join(', ') + (texts.length > most ? ` and ${texts.length - most} more` : '');
}

export function quoted(text: string): string {
  return `“${visibleText(text)}”`;
}

/** One line that names the token(s) of a column: “ John”, or “ John” | “ Tom” …, clean first where they differ. */
export function columnToken(column: TokenColumn): string {
  const clean = shortQuoted(column.clean);
  if (!column.differs) return clean;
  const corrupted = shortQuoted(column.corrupted);
  return clean === corrupted ? clean : `${clean} → ${corrupted}`;
}

/** Names a column in little room: its clean token(s). */
export function cleanToken(column: TokenColumn): string {
  return shortQuoted(column.clean);
}

function shortQuoted(texts: readonly TextCount[]): string {
  if (texts.length === 1) return quoted(texts[0]!.text);
  return `“${shortTexts(texts)}”`;
}
