import assert from 'node:assert/strict';

/** A map on the screen equals a matrix of the command line's JSON: same cells, same values to float32 rounding. */
export function assertMapEquals(shown: ReadonlyMap<string, number>, expected: readonly (readonly number[])[], columnLetter: 'H' | 'P'): void {
  const largest = Math.max(...expected.flat().map(Math.abs));
  assert.ok(largest > 0, 'nothing but zeros to compare with');
  assert.equal(shown.size, expected.flat().length);
  for (const [layer, row] of expected.entries()) {
    for (const [column, value] of row.entries()) {
      const name = `L${layer}${columnLetter}${column}`;
      assert.ok(Math.abs(shown.get(name)! - value) <= 1e-6 * largest, `${name}: ${shown.get(name)} on the screen, ${value} from the command line`);
    }
  }
}

/** A number as written for people, with three significant digits, is this value. */
export function assertMatches(shown: number, value: number): void {
  assert.equal(shown, Number(value.toPrecision(3)));
}

/** The same of a number that two runs, on more threads and fewer, may round apart: close to nothing, or at the third digit. */
export function assertShown(shown: number, value: number, what = 'it'): void {
  assert.ok(Math.abs(shown - value) <= 0.006 * Math.abs(value) + 1e-5, `${what}: ${shown} on the screen, ${value} from the command line`);
}
