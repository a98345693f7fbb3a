/** A priority queue: `pop` gives the item that comes first in the order, undefined when there is none. */
export interface Heap<T> {
  push(item: T): void;
  pop(): T | undefined;
}

/** A binary heap. `compare` as for `Array.sort`. */
export function heapOf<T>(compare: (a: T, b: T) => number): Heap<T> {
  const items: T[] = [];
  const swap = (a: number, b: number): void => {
    [items[a], items[b]] = [items[b]!, items[a]!];
  };
  return {
    push(item) {
      let at = items.push(item) - 1;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (compare(items[parent]!, items[at]!) <= 0) break;
        swap(parent, at);
        at = parent;
      }
    },
    pop() {
      const first = items[0];
      const last = items.pop();
      if (items.length === 0 || last === undefined) return first;
      items[0] = last;
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2];
        let least = at;
        if (left < items.length && compare(items[left]!, items[least]!) < 0) least = left;
        if (right < items.length && compare(items[right]!, items[least]!) < 0) least = right;
        if (least === at) return first;
        swap(least, at);
        at = least;
      }
    },
  };
}
