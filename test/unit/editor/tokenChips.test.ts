import assert from 'node:assert/strict';
import { tokenChips } from '../../../src/editor/tokenChips';

const tokens = (...texts: string[]): { id: number; text: string }[] => texts.map((text) => ({ id: [...text].reduce((sum, letter) => sum * 31 + letter.codePointAt(0)!, 7), text }));

describe('token chips', () => {
  it('puts clean over corrupted and underlines what differs', () => {
    const chips = tokenChips(tokens('When', ' John', ' and'), tokens('When', ' Mary', ' and'));
    assert.equal(chips, ['clean      When│·John│·and', 'corrupted  When│·Mary│·and', '                ‾‾‾‾‾'].join('\n'));
  });

  it('keeps the columns where tokens have different lengths', () => {
    const [clean, corrupted, marks] = tokenChips(tokens(' a', ' Christopher', ' b'), tokens(' a', ' Al', ' b')).split('\n');
    assert.equal(clean!.indexOf('│·b'), corrupted!.indexOf('│·b'));
    assert.equal(marks!.trim(), '‾'.repeat(12));
  });

  it('shows white space, and where a prompt has no token', () => {
    const chips = tokenChips(tokens('a', '\n', '\tb'), tokens('a'));
    assert.deepEqual(chips.split('\n').slice(0, 2), ['clean      a│⏎│⇥b', 'corrupted  a│∅│∅']);
  });

  it('aligns at the end when the experiment does', () => {
    const [clean, corrupted] = tokenChips(tokens('So', ' Mary', ' gave'), tokens(' Tom', ' gave'), 'end').split('\n');
    assert.equal(clean, 'clean      So│·Mary│·gave');
    assert.equal(corrupted, 'corrupted  ∅ │·Tom │·gave');
  });

  it('shows a prompt without a counterpart alone', () => {
    assert.equal(tokenChips(tokens('So', ' Mary'), undefined), 'clean      So│·Mary');
  });

  it('wraps long prompts into blocks that a hover can show, with nothing lost', () => {
    const words = Array.from({ length: 60 }, (_, i) => ` word${i}`);
    const changed = words.map((word, i) => (i === 45 ? ' other' : word));
    const blocks = tokenChips(tokens(...words), tokens(...changed)).split('\n\n');
    assert.ok(blocks.length > 5);
    for (const line of blocks.flatMap((block) => block.split('\n'))) assert.ok([...line].length <= 62, line);
    const shown = blocks.flatMap((block) => block.split('\n')[0]!.slice(11).split('│'));
    assert.deepEqual(shown, words.map((word) => word.replace(' ', '·')));
    assert.equal(blocks.filter((block) => block.includes('‾')).length, 1);
  });
});
