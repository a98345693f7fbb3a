/**
 * A named place of a pair: a substring of the clean prompt ("John"; "#2 John" is its second occurrence)
 * or a token index (0 is the first token, -1 the last).
 */
export type NamedPosition = string | number;

/** UTF-16 range of a named substring in the clean prompt; undefined when it does not occur (so often). */
export function findSubstring(clean: string, position: string): [start: number, end: number] | undefined {
  const [, count, text] = /^#([1-9]\d*) ([^]+)$/.exec(position) ?? [undefined, '1', position];
  let start = -1;
  for (let occurrence = 0; occurrence < Number(count); occurrence++) {
    start = clean.indexOf(text!, start + 1);
    if (start === -1) return undefined;
  }
  return [start, start + text!.length];
}
