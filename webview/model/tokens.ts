import type { RunPair, TokenText } from '../../src/shared/run';
import type { TextCount, TokenColumn } from '../../src/shared/tokenColumns';

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
