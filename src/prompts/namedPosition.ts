/** UTF-16 range of a named place in the clean prompt ("John"; "#2 John" is its second occurrence); undefined when it does not occur (so often). */
export function findSubstring(clean: string, position: string): [start: number, end: number] | undefined {
  const [, count, text] = /^#([1-9]\d*) ([^]+)$/.exec(position) ?? [undefined, '1', position];
  let start = -1;
  for (let occurrence = 0; occurrence < Number(count); occurrence++) {
    start = clean.indexOf(text!, start + 1);
    if (start === -1) return undefined;
  }
  return [start, start + text!.length];
}
