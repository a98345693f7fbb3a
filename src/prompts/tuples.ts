/** A text in which every Python tuple is a JSON list; as long as before, so that places hold for both. */
export interface Untupled {
  text: string;
  /** From the first parenthesis to the last. */
  range: [start: number, end: number];
}

const STRING_COMMENT_OR_PARENTHESIS = /"(?:\\.|[^"\\\r\n])*"?|\/\/.*|\/\*[^]*?(?:\*\/|$)|[()]/g;

/** Puts [ ] for every ( ) outside texts and comments; undefined where there is none. */
export function untuple(text: string): Untupled | undefined {
  const found: number[] = [];
  const lists = text.replace(STRING_COMMENT_OR_PARENTHESIS, (part, offset: number) => {
    if (part !== '(' && part !== ')') return part;
    found.push(offset);
    return part === '(' ? '[' : ']';
  });
  return found.length === 0 ? undefined : { text: lists, range: [found[0]!, found.at(-1)! + 1] };
}
