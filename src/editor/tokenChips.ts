import { alignTokens } from '../prompts/alignment';
import type { TextExperiment } from '../shared/experiment';
import type { TokenText } from '../shared/run';

/** With the labels this fits the 500 pixels of a hover; beyond, lines would wrap where they should not. */
const WIDTH = 50;

/**
 * Tokens of clean over those of corrupted, in monospaced text, the differing ones underlined:
 *
 *     clean      When│·John│·and
 *     corrupted  When│·Mary│·and
 *                     ‾‾‾‾‾
 * Without a corrupted prompt the clean tokens alone.
 */
export function tokenChips(clean: readonly TokenText[], corrupted: readonly TokenText[] | undefined, align?: TextExperiment['align']): string {
  const columns = alignTokens(clean, corrupted ?? clean, align).map((column) => {
    const [above, below] = [visible(column.clean), visible(column.corrupted)];
    const width = Math.max(lengthOf(above), lengthOf(below));
    return { above: padded(above, width), below: padded(below, width), mark: (column.differs ? '‾' : ' ').repeat(width), width };
  });
  const blocks: (typeof columns)[] = [[]];
  let used = 0;
  for (const column of columns) {
    if (used > 0 && used + column.width + 1 > WIDTH) {
      blocks.push([]);
      used = 0;
    }
    blocks.at(-1)!.push(column);
    used += column.width + 1;
  }
  return blocks
    .map((block) => {
      const line = (label: string, part: 'above' | 'below' | 'mark', between: string): string => `${label.padEnd(11)}${block.map((column) => column[part]).join(between)}`.trimEnd();
      const marks = line('', 'mark', ' ');
      return [line('clean', 'above', '│'), ...(corrupted ? [line('corrupted', 'below', '│')] : []), ...(marks === '' ? [] : [marks])].join('\n');
    })
    .join('\n\n');
}

/** White space made visible: · for a space, ⏎ for a line end, ⇥ for a tab; ∅ where there is no token. */
function visible(token: TokenText | undefined): string {
  if (!token) return '∅';
  return token.text.replace(/ /g, '·').replace(/\r\n|\n|\r/g, '⏎').replace(/\t/g, '⇥');
}

/** Characters, not UTF-16 units. */
function lengthOf(text: string): number {
  return [...text].length;
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(width - lengthOf(text));
}
