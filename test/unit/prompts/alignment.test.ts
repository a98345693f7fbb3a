import assert from 'node:assert/strict';
import { alignTokens } from '../../../src/prompts/alignment';
import type { TokenText } from '../../../src/shared/run';

/** One token per letter. */
const tokens = (letters: string): TokenText[] => Array.from(letters, (text) => ({ id: text.charCodeAt(0), text }));
const shape = (...columns: ReturnType<typeof alignTokens>): [number, string, string, boolean][] =>
  columns.map(({ position, clean, corrupted, differs }) => [position, clean?.text ?? '', corrupted?.text ?? '', differs]);

describe('prompts: alignment', () => {
  it('puts tokens of equal counts over each other', () => {
    assert.deepEqual(shape(...alignTokens(tokens('abc'), tokens('axc'))), [[0, 'a', 'a', false], [1, 'b', 'x', true], [2, 'c', 'c', false]]);
  });
  it('leaves gaps at the end', () => {
    assert.deepEqual(shape(...alignTokens(tokens('ab'), tokens('a'))), [[0, 'a', 'a', false], [1, 'b', '', true]]);
  });
  it('lets the last tokens meet when aligned at the end', () => {
    assert.deepEqual(shape(...alignTokens(tokens('bc'), tokens('axc'), 'end')), [[-3, '', 'a', true], [-2, 'b', 'x', true], [-1, 'c', 'c', false]]);
  });
  it('is empty for nothing', () => assert.deepEqual(alignTokens([], []), []));
});
