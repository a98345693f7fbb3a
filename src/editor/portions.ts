/** Fewer cells than these are not worth a call of their own: each runs the prompts once more before it patches. */
const FEWEST = 24;
/** Of all cells, those that come first. */
const FIRST_SHARE = 0.1;

/**
 * Cells, strongest first, in portions that are patched one after the other: inside of one the engine goes by layers. The first
 * is about a tenth, each further one twice the one before, so that a sweep of any size is a handful of calls, and one that is
 * cancelled holds what matters most. None has more than `most`: what is asked for meanwhile waits for one portion.
 */
export function portionsOf<T>(cells: readonly T[], most = Infinity): T[][] {
  const portions: T[][] = [];
  const largest = Math.max(FEWEST, most);
  let size = Math.min(largest, Math.max(FEWEST, Math.ceil(cells.length * FIRST_SHARE)));
  for (let start = 0; start < cells.length; ) {
    // A rest too small to be worth a call goes along.
    const end = cells.length - start - size < FEWEST ? cells.length : start + size;
    portions.push(cells.slice(start, end));
    start = end;
    size = Math.min(largest, 2 * size);
  }
  return portions;
}
