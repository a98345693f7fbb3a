import assert from 'node:assert/strict';
import { loadTokenizer } from '../../../src/models/tokenizer';
import { CircuitError } from '../../../src/shared/errors';
import { temporaryFolder, tinyTokenizerJson } from './tinyTokenizer';

const WORDS = ['When', 'John', '·John', '·Mary', '·and', '·café', '·17', '32'];

describe('models: tokenizer', () => {
  let files: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => (files = await temporaryFolder()));
  afterEach(() => files.remove());

  const load = async (definition: unknown = tinyTokenizerJson(WORDS)): ReturnType<typeof loadTokenizer> => {
    await files.write('tokenizer.json', definition);
    return loadTokenizer(files.folder);
  };
  const cut = async (text: string): Promise<[text: string, start: number, end: number][]> => {
    const { tokens, offsets } = (await load()).encode(text);
    return tokens.map((token, i) => [token.text, ...offsets[i]!]);
  };

  describe('cuts text with UTF-16 offsets', () => {
    const cases: [name: string, text: string, expected: [string, number, number][]][] = [
      ['words with leading spaces', 'When John and Mary', [['When', 0, 4], [' John', 4, 9], [' and', 9, 13], [' Mary', 13, 18]]],
      ['a year', ' 1732', [[' 17', 0, 3], ['32', 3, 5]]],
      ['a whole token beyond ASCII', ' café', [[' café', 0, 5]]],
      ['bytes of one character', 'é', [['⟨C3⟩', 0, 1], ['⟨A9⟩', 0, 1]]],
      ['an emoji of two UTF-16 units', 'a😀b', [['a', 0, 1], ['⟨F0⟩', 1, 3], ['⟨9F⟩', 1, 3], ['⟨98⟩', 1, 3], ['⟨80⟩', 1, 3], ['b', 3, 4]]],
      ['a combining character', 'e\u0301', [['e', 0, 1], ['⟨CC⟩', 1, 2], ['⟨81⟩', 1, 2]]],
      ['a line end', 'a\r\nb', [['a', 0, 1], ['\r', 1, 2], ['\n', 2, 3], ['b', 3, 4]]],
      ['spaces before a word', 'a  John', [['a', 0, 1], [' ', 1, 2], [' John', 2, 7]]],
      ['a special token in the text', 'a<|endoftext|>', [['a', 0, 1], ['<|endoftext|>', 1, 14]]],
      ['half a surrogate pair', '\ud83d', [['⟨EF⟩', 0, 1], ['⟨BF⟩', 0, 1], ['⟨BD⟩', 0, 1]]],
      ['Unicode white space that JavaScript does not count', '\u0085\u0085John', [['⟨C2⟩', 0, 1], ['⟨85⟩', 0, 1], ['⟨C2⟩', 1, 2], ['⟨85⟩', 1, 2], ['John', 2, 6]]],
      ['nothing', '', []],
    ];
    for (const [name, text, expected] of cases) {
      it(name, async () => assert.deepEqual(await cut(text), expected));
    }

    it('keeps a token that ends within a character readable', async () => {
      const alphabet = tinyTokenizerJson(['·a']);
      const model = alphabet['model'] as { vocab: Record<string, number>; merges: [string, string][] };
      model.vocab['ĠÃ'] = 5000; // a space and the first byte of é
      model.merges.push(['Ġ', 'Ã']);
      const { tokens, offsets } = (await load(alphabet)).encode(' é');
      assert.deepEqual(tokens.map(({ text }) => text), [' ⟨C3⟩', '⟨A9⟩']);
      assert.deepEqual(offsets, [[0, 2], [1, 2]]);
    });

    it('follows a normaliser to the characters it changed', async () => {
      const { tokens, offsets } = (await load({ ...tinyTokenizerJson(WORDS), normalizer: { type: 'NFC' } })).encode(' cafe\u0301');
      assert.deepEqual(tokens.map(({ text }) => text), [' café']);
      assert.deepEqual(offsets, [[0, 6]]);
    });

    it('gives a space put first to no character', async () => {
      const definition = { ...tinyTokenizerJson(WORDS), pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, use_regex: true } };
      const { tokens, offsets } = (await load(definition)).encode('Mary');
      assert.deepEqual(tokens.map(({ text }) => text), [' Mary']);
      assert.deepEqual(offsets, [[0, 4]]);
    });
  });

  it('counts the vocabulary with its added tokens', async () => {
    const { info } = await load();
    assert.equal(info.vocabulary, (await load()).encode('<|endoftext|>').tokens[0]!.id + 1);
  });

  it('reads single tokens by their ids', async () => {
    const tokenizer = await load();
    for (const text of [' café', 'é', '😀', '<|endoftext|>']) {
      for (const token of tokenizer.encode(text).tokens) assert.deepEqual(tokenizer.decode(token.id), token);
    }
    const { vocabulary } = tokenizer.info;
    assert.deepEqual(tokenizer.decode(vocabulary), { id: vocabulary, text: `⟨${vocabulary}⟩` }, 'a padded vocabulary has ids beyond the tokenizer');
  });

  it("knows the model's context where config.json says it", async () => {
    assert.equal((await load()).info.context, undefined);
    await files.write('config.json', { n_positions: 1024 });
    assert.equal((await load()).info.context, 1024);
    for (const broken of [{ n_positions: 'many' }, '{']) {
      await files.write('config.json', broken);
      assert.equal((await load()).info.context, undefined);
    }
  });

  describe('finds the BOS token', () => {
    it('of GPT-2 when nothing names one', async () => assert.equal((await load()).info.bos?.text, '<|endoftext|>'));
    it('by tokenizer_config.json', async () => {
      await files.write('tokenizer_config.json', { bos_token: 'When' });
      assert.equal((await load()).info.bos?.text, 'When');
    });
    it('by special_tokens_map.json, as an object', async () => {
      await files.write('special_tokens_map.json', { bos_token: { content: '32', lstrip: false } });
      assert.equal((await load()).info.bos?.text, '32');
    });
    it('nowhere', async () => {
      const definition = { ...tinyTokenizerJson(WORDS), added_tokens: [] };
      assert.equal((await load(definition)).info.bos, undefined);
    });
  });

  describe('refuses', () => {
    const refuses = async (definition: unknown, message: RegExp): Promise<void> => {
      await assert.rejects(load(definition), (error) => {
        assert.ok(CircuitError.is(error, 'tokenizer'), String(error));
        assert.match(error.message, message);
        return true;
      });
    };
    const sound = tinyTokenizerJson(WORDS);
    const model = sound['model'] as Record<string, unknown>;
    const cases: [name: string, definition: unknown, message: RegExp][] = [
      ['malformed JSON', '{"model": {', /not valid JSON/],
      ['a list', [], /should hold a JSON object/],
      ['null', 'null', /should hold a JSON object/],
      ['an empty object', {}, /vocabulary and merges/],
      ['another kind of model', { ...sound, model: { type: 'WordPiece', vocab: {} } }, /type WordPiece/],
      ['an empty vocabulary', { ...sound, model: { ...model, vocab: {} } }, /empty/],
      ['ids that are no numbers', { ...sound, model: { ...model, vocab: { a: 'b' } } }, /whole numbers/],
      ['merges that are no pairs', { ...sound, model: { ...model, merges: [['a']] } }, /not pairs/],
      ['added tokens without id', { ...sound, added_tokens: [{ content: 'x' }] }, /added tokens/],
      ['a tokenizer that is not byte-level', { ...sound, pre_tokenizer: { type: 'Metaspace', replacement: '▁' } }, /byte-level/],
      ['an unknown part', { ...sound, normalizer: { type: 'Nonsense' } }, /cannot be used/],
    ];
    for (const [name, definition, message] of cases) {
      it(name, () => refuses(definition, message));
    }

    it('a missing file, and says how to write one', async () => {
      await assert.rejects(loadTokenizer(files.folder), (error) => CircuitError.is(error, 'tokenizer') && /no tokenizer\.json in .*save_pretrained/.test(error.message));
    });

    it('a text it has no tokens for', async () => {
      const definition = structuredClone(sound) as { model: { vocab: Record<string, number> } };
      delete definition.model.vocab['z'];
      const tokenizer = await load(definition);
      assert.throws(() => tokenizer.encode('az'), (error) => CircuitError.is(error, 'tokenizer') && error.message.includes('"az"'));
      assert.equal(tokenizer.encode('a').tokens.length, 1);
    });
  });
});
