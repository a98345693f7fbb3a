import type { Place } from '../shared/errors';

/** Finds lines and columns in one text. Line ends are those of VS Code: CRLF, LF, CR. */
export class Places {
  private readonly lineStarts: number[];

  constructor(private readonly text: string) {
    // A byte order mark is part of the text but takes no column.
    this.lineStarts = [text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0];
    for (const match of text.matchAll(/\r\n|\n|\r/g)) this.lineStarts.push(match.index + match[0].length);
  }

  at(offset: number, length: number): Place {
    const line = this.lineOf(offset);
    return { offset, length, line: line + 1, column: Math.max(0, offset - this.lineStarts[line]!) + 1 };
  }

  /** All lines that the range touches, without the last one's line end. */
  lines({ offset, length }: Pick<Place, 'offset' | 'length'>): Place {
    const start = this.lineStarts[this.lineOf(offset)]!;
    let end = this.lineStarts[this.lineOf(offset + length) + 1] ?? this.text.length;
    while (end > start && '\r\n'.includes(this.text[end - 1]!)) end--;
    return this.at(start, end - start);
  }

  /** Index of the last line that starts at or before the offset. */
  private lineOf(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const BYTE_ORDER_MARK = 0xfeff;

/**
 * Offset in the file of one UTF-16 unit of a JSON string's value: escapes take more room in the file than in the value.
 * `string` is the place of the literal with its quotes; an index at or past the value's end gives the closing quote.
 */
export function offsetInString(text: string, string: Place, index: number): number {
  const end = string.offset + string.length - 1;
  let offset = string.offset + 1;
  for (let unit = 0; unit < index && offset < end; unit++) {
    offset += text[offset] !== '\\' ? 1 : text[offset + 1] === 'u' ? 6 : 2;
  }
  return Math.min(offset, end);
}
