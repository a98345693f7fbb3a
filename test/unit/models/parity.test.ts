import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadTokenizer } from '../../../src/models/tokenizer';
import { temporaryFolder, tinyTokenizerJson } from './tinyTokenizer';

const DEFINITION = tinyTokenizerJson(['John', '·John', '·Mary', '·café', '·17', '32', 'ohn', 'ry']);

interface Row {
  text: string;
  ids: number[];
  offsets: [number, number][];
}

describe("models: parity with Hugging Face's tokenizers", () => {
  before(async () => {
    // What makeParity.py reads.
    await mkdir('out/test', { recursive: true });
    await writeFile('out/test/tinyTokenizer.json', JSON.stringify(DEFINITION));
  });

  it('in ids and UTF-16 offsets, on 200 awkward texts', async () => {
    const rows = JSON.parse(await readFile('test/unit/models/parity.json', 'utf8')) as Row[];
    assert.equal(rows.length, 200);
    const { folder, write, remove } = await temporaryFolder();
    try {
      await write('tokenizer.json', DEFINITION);
      const tokenizer = await loadTokenizer(folder);
      for (const { text, ids, offsets } of rows) {
        const cut = tokenizer.encode(text);
        assert.deepEqual(cut.tokens.map(({ id }) => id), ids, JSON.stringify(text));
        assert.deepEqual(cut.offsets, offsets, JSON.stringify(text));
      }
    } finally {
      await remove();
    }
  });
});
