import assert from 'node:assert/strict';
import type { RunPair } from '../../../src/shared/run';
import { tokenColumns } from '../../../src/shared/tokenColumns';
import { chipColumns, columnToken, listTexts, shortTexts, visibleText } from '../../../webview/model/tokens';

const ids = new Map<string, number>();
const tokens = (text: string): RunPair['clean'] =>
  text.split('|').map((piece) => {
    if (!ids.has(piece)) ids.set(piece, ids.size);
    return { id: ids.get(piece)!, text: piece };
  });
const pair = (clean: string, corrupted: string, differsAt: number): RunPair => ({
  ...{ name: 'pair', clean: tokens(clean), corrupted: tokens(corrupted), differsAt, metric: { clean: 1, corrupted: -1 } },
  ...{ correct: tokens(' Mary'), incorrect: tokens(' John') },
});
const pairs = [pair('When| John| gave| to', 'When| Mary| gave| to', 1), pair('When| Tom| threw| to', 'When| Tom| gave| to', 2), pair('When| Tom| gave| to', 'When| Sid| gave| to', 1)];
const all = { pairs: [0, 1, 2], length: 4, positions: 'all' as const };

describe('tokens on the position axis', () => {
  it('are those of the one pair shown, the differing ones marked', () => {
    const columns = tokenColumns(pairs, all, 0);
    assert.deepEqual(columns.map(({ differs }) => differs), [false, true, false, false]);
    assert.deepEqual(columns.map(({ shared }) => shared), [true, false, false, false]);
    assert.equal(columnToken(columns[1]!), '“ John” → “ Mary”');
    assert.equal(columns[3]!.last, true);
  });

  it('are the common token of all pairs, or each text with how often it stands there', () => {
    const columns = tokenColumns(pairs, all, 'all');
    assert.equal(columnToken(columns[0]!), '“When”');
    assert.deepEqual(columns[1]!.clean, [{ text: ' Tom', count: 2 }, { text: ' John', count: 1 }]);
    assert.equal(columns[2]!.differs, true);
    assert.equal(listTexts(columns[1]!.clean), '“ Tom” ×2, “ John”');
  });

  it('are shortened to two and an ellipsis', () => {
    assert.equal(shortTexts([' A', ' B', ' C'].map((text) => ({ text, count: 1 }))), 'A | B …');
    assert.equal(shortTexts([{ text: ' ', count: 1 }]), '␣');
  });

  it('only count a position as shared prefix when no pair shown has differed before', () => {
    assert.deepEqual(tokenColumns(pairs, all, 1).map(({ shared }) => shared), [true, true, false, false]);
    assert.deepEqual(tokenColumns(pairs, all, 'all').map(({ shared }) => shared), [true, false, false, false]);
  });

  it('are the last ones of either prompt where only the metric’s position was computed', () => {
    const uneven = [pair('When| John| to', 'When| he| said| for', 1)];
    const columns = tokenColumns(uneven, { pairs: [0], length: 3, positions: 'last' }, 'all');
    assert.equal(columns.length, 1);
    assert.equal(columnToken(columns[0]!), '“ to” → “ for”');
  });

  it('stand over each other for one pair, at the ends of prompts of unequal length', () => {
    const shown = (of: RunPair): [string, string | undefined, string | undefined, boolean][] => chipColumns(of).map(({ place, clean, corrupted, differs }) => [place, clean?.text, corrupted?.text, differs]);
    assert.deepEqual(shown(pairs[0]!).slice(0, 2), [['0', 'When', 'When', false], ['1', ' John', ' Mary', true]]);
    assert.deepEqual(shown(pair('When| John| to', 'When| the| man| to', 1)), [
      ['-4', undefined, 'When', true],
      ['-3', 'When', ' the', true],
      ['-2', ' John', ' man', true],
      ['-1', ' to', ' to', false],
    ]);
  });

  it('show line breaks and tabs as signs', () => {
    assert.equal(visibleText('\n\t x'), '⏎⇥ x');
  });
});
