import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { loadTokenizer, type LoadedTokenizer } from '../../../src/models/tokenizer';
import { vocabularyNote } from '../../../src/models/vocabularyNote';
import { checkExperiment } from '../../../src/prompts/check';
import { parsePromptFile } from '../../../src/prompts/parse';
import type { Tokenize } from '../../../src/shared/tokenizer';

describe('models: the bundled tokenizer', () => {
  let tokenizer: LoadedTokenizer;
  let tokenize: Tokenize;
  before(async () => {
    tokenizer = await loadTokenizer(path.join('media', 'model'));
    tokenize = async (texts) => texts.map((text) => tokenizer.encode(text));
  });

  it('cuts as GPT-2 does: one token per name, with its space', () => {
    const cut = (text: string): string[] => tokenizer.encode(text).tokens.map(({ text: token }) => token);
    assert.deepEqual(cut('When John and Mary went to the shops, John gave the bag to'), ['When', ' John', ' and', ' Mary', ' went', ' to', ' the', ' shops', ',', ' John', ' gave', ' the', ' bag', ' to']);
    assert.deepEqual(cut('The year 1732'), ['The', ' year', ' 17', '32']);
    for (const name of ['John', 'Mary', 'Tom', 'James', 'Dan', 'Sid', 'Martin', 'Amy']) assert.equal(cut(` ${name}`).length, 1, name);
  });

  it('has GPT-2\'s BOS', () => assert.equal(tokenizer.info.bos?.text, '<|endoftext|>'));

  for (const sample of ['ioi', 'ioi-held-out', 'greater-than', 'agreement']) {
    it(`finds nothing wrong with the sample ${sample}, nor an unknown word`, async () => {
      const file = parsePromptFile(await readFile(`media/samples/${sample}.prompts.json`, 'utf8'));
      assert.deepEqual(await checkExperiment(file, tokenize, { context: tokenizer.info.context, bosPrepended: true }), []);
      const texts = file.pairs.flatMap((pair) => [pair!.clean, pair!.corrupted!]);
      assert.equal(vocabularyNote(texts, await tokenize(texts)), undefined);
    });
  }

  it('names words from outside its world', async () => {
    const texts = ['When Bartholomew met John at the café'];
    assert.match(vocabularyNote(texts, await tokenize(texts))!, /^2 of 7 words .*"Bartholomew", "café"/);
  });
});
