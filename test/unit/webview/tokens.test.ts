import assert from 'node:assert/strict';
import type { RunPair } from '../../../src/shared/run';
import { tokenColumns } from '../../../src/shared/tokenColumns';
import { columnPlace, positionWords } from '../../../webview/model/describe';
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
const all = { pairs: [0, 1, 2], length: 4, positions: 'all' as const };
const pairs = [pair('When| John| gave| to', 'When| Mary| gave| to', 1), pair('When| Tom| threw| to', 'When| Tom| gave| to', 2), pair('When| Tom| gave| to', 'When| Sid| gave| to', 1)];
const run = { pairs, other: 'corrupted' as const, variant: {} };

describe('tokens on the position axis', () => {
  it('are those of the one pair shown, the differing ones marked', () => {
    const columns = tokenColumns(run, all, 0);
    assert.deepEqual(columns.map(({ differs }) => differs), [false, true, false, false]);
    assert.deepEqual(columns.map(({ shared }) => shared), [true, false, false, false]);
    assert.equal(columnToken(columns[1]!), '“ John” → “ Mary”');
    assert.equal(columns[3]!.last, true);
  });

  it('are the common token of all pairs, or each text with how often it stands there', () => {
    const columns = tokenColumns(run, all, 'all');
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
    assert.deepEqual(tokenColumns(run, all, 1).map(({ shared }) => shared), [true, true, false, false]);
    assert.deepEqual(tokenColumns(run, all, 'all').map(({ shared }) => shared), [true, false, false, false]);
  });

  it('are the last ones of either prompt where only the metric’s position was computed', () => {
    const uneven = [pair('When| John| to', 'When| he| said| for', 1)];
    const columns = tokenColumns({ ...run, pairs: uneven }, { pairs: [0], length: 3, positions: 'last' }, 'all');
    assert.equal(columns.length, 1);
    assert.equal(columnToken(columns[0]!), '“ to” → “ for”');
    assert.deepEqual([columnPlace(columns[0]!), positionWords(columns[0]!)], ['END', 'last position “ to” → “ for”']);
    const [earlier] = tokenColumns({ ...run, pairs: [{ ...uneven[0]!, at: 1 }] }, { pairs: [0], length: 3, positions: 'last' }, 'all');
    assert.deepEqual([columnPlace(earlier!), positionWords(earlier!)], ['metric', 'the metric’s position “ John” → “ said”']);
  });

  it('number the first position also where the metric is read there', () => {
    const [first] = tokenColumns({ ...run, pairs: pairs.map((own) => ({ ...own, at: 0 })) }, all, 'all');
    assert.equal(first!.last, true);
    assert.deepEqual([columnPlace(first!), positionWords(first!)], ['0', 'position 0 “When”']);
  });

  it('know no shared prefix where something else than the corrupted prompt has changed the run before', () => {
    const intervened = { ...run, variant: { interventions: [{ unit: { site: 'z' as const, layer: 0, head: 0 }, with: 'zero' as const }] } };
    for (const changed of [intervened, { ...run, other: 'zero' as const }, { ...run, other: 'mean' as const }]) {
      assert.ok(tokenColumns(changed, all, 1).every(({ shared }) => !shared));
    }
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
