import assert from 'node:assert/strict';
import { vocabularyNote } from '../../../src/models/vocabularyNote';
import { tinyTokenize } from './tinyTokenizer';

describe('models: vocabulary note', () => {
  const noteFor = async (...texts: string[]): Promise<string | undefined> => {
    const tokenize = await tinyTokenize(['When', '·John', '·gave', 'John', '·17']);
    return vocabularyNote(texts, await tokenize(texts));
  };

  it('says nothing when every word is one token', async () => {
    assert.equal(await noteFor('When John gave', 'John gave, 1732 "John".'), undefined);
  });

  it('counts each unknown word once and names it', async () => {
    const note = await noteFor('When Bartholomew gave', 'When Bartholomew gave John café 😀');
    assert.match(note!, /^3 of 6 words are outside .*\("Bartholomew", "café", "😀"\)/);
  });

  it('names a word that is unknown in one of its places, wherever that is', async () => {
    for (const texts of [['gave John', 'John gave'], ['John gave', 'gave John']]) assert.match((await noteFor(...texts))!, /^1 of 2 words is outside .*\("gave"\)/);
  });

  it('names only the first few', async () => {
    assert.match((await noteFor('aa bb cc dd ee ff gg'))!, /^7 of 7 words .*"ee", …\)/);
  });
});
