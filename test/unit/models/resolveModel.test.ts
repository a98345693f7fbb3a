import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hubCacheFolder } from '../../../src/models/hubCache';
import { isFolderReference, listModels, resolveModel, type ModelPlaces } from '../../../src/models/resolveModel';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import { temporaryFolder } from './tinyTokenizer';

const COMPLETE = ['config.json', 'model.safetensors', 'tokenizer.json'];
const REVISION = '607a30d783dfa663caf39e06633721c8d4cfcd7e';

describe('models: resolveModel', () => {
  let root: string;
  let remove: () => Promise<void>;
  let places: ModelPlaces;
  beforeEach(async () => {
    const files = await temporaryFolder();
    root = files.folder;
    remove = files.remove;
    places = { bundledFolder: path.join(root, 'bundled'), cacheFolders: [path.join(root, 'hub')], home: path.join(root, 'home') };
  });
  afterEach(() => remove());

  const model = async (folder: string, names: readonly string[] = COMPLETE, type = 'gpt2'): Promise<string> => {
    const whole = path.join(root, folder);
    await mkdir(whole, { recursive: true });
    for (const name of names) await writeFile(path.join(whole, name), name === 'config.json' ? JSON.stringify({ model_type: type }) : '');
    return whole;
  };
  const cached = async (id: string, options: { revision?: string; ref?: string; names?: string[]; type?: string } = {}): Promise<string> => {
    const { revision = REVISION, names = COMPLETE, type } = options;
    const ref = options.ref ?? revision;
    const repository = path.join('hub', `models--${id.replace('/', '--')}`);
    const folder = await model(path.join(repository, 'snapshots', revision), names, type);
    await mkdir(path.join(root, repository, 'refs'), { recursive: true });
    if (ref !== '') await writeFile(path.join(root, repository, 'refs', 'main'), ref);
    return folder;
  };
  const refuses = (reference: string, code: ErrorCode, message: RegExp): Promise<void> =>
    assert.rejects(resolveModel(reference, places), (error) => {
      assert.ok(CircuitError.is(error, code), String(error));
      assert.match(error.message, message);
      return true;
    });

  it('finds the bundled model', async () => {
    const folder = await model('bundled');
    assert.deepEqual(await resolveModel('bundled', places), { id: 'bundled', folder });
  });

  it('finds a folder by its whole path and from home', async () => {
    const folder = await model('home/models/tiny');
    const expected = { id: 'tiny', folder };
    assert.deepEqual(await resolveModel(folder, places), expected);
    assert.deepEqual(await resolveModel(`${folder}${path.sep}`, places), expected);
    assert.deepEqual(await resolveModel('~/models/tiny', places), expected);
    await refuses('./tiny', 'model-missing', /not a whole path/);
  });

  it('finds a hub id in the cache, under the name it had or has', async () => {
    const folder = await cached('openai-community/gpt2');
    for (const reference of ['openai-community/gpt2', 'gpt2', ' gpt2 ']) {
      assert.deepEqual(await resolveModel(reference, places), { id: 'openai-community/gpt2', revision: REVISION, folder });
    }
  });

  it('passes by a name under which only a part of the model was fetched, such as its pickled weights', async () => {
    await cached('gpt2', { names: ['config.json', 'tokenizer.json', 'pytorch_model.bin'] });
    await refuses('gpt2', 'model-unsupported', /pytorch_model\.bin/);
    const folder = await cached('openai-community/gpt2');
    assert.equal((await resolveModel('gpt2', places)).folder, folder);
  });

  it('takes the revision that refs/main names, and the only one when there is no refs/main', async () => {
    await cached('me/two', { revision: 'aaaa', ref: '' });
    const folder = await cached('me/two', { revision: 'bbbb', ref: 'bbbb\n' });
    assert.equal((await resolveModel('me/two', places)).folder, folder);
    const only = await cached('me/one', { revision: 'cccc', ref: '' });
    assert.equal((await resolveModel('me/one', places)).folder, only);
  });

  it('does not follow a refs/main that leads out of the cache', async () => {
    await model('elsewhere');
    await cached('me/evil', { ref: '../../../../elsewhere' });
    await refuses('me/evil', 'model-missing', /not on this machine/);
  });

  it('counts a link into nowhere as missing', async () => {
    const folder = await cached('me/partial', { names: ['config.json', 'tokenizer.json'] });
    await symlink('../../blobs/unfinished', path.join(folder, 'model.safetensors'));
    await refuses('me/partial', 'model-missing', /no model\.safetensors/);
  });

  describe('says what is missing and what to do', () => {
    const cases: [name: string, files: string[], code: ErrorCode, message: RegExp][] = [
      ['config.json', ['model.safetensors', 'tokenizer.json'], 'model-missing', /no config\.json in/],
      ['model.safetensors', ['config.json', 'tokenizer.json'], 'model-missing', /no model\.safetensors in/],
      ['tokenizer.json', ['config.json', 'model.safetensors'], 'model-missing', /no tokenizer\.json in .*save_pretrained/],
      ['everything', [], 'model-missing', /no config\.json, no model\.safetensors, no tokenizer\.json.*Hugging Face form/],
      ['safetensors beside a pickle', ['config.json', 'tokenizer.json', 'pytorch_model.bin'], 'model-unsupported', /pytorch_model\.bin.*safe_serialization=True/],
      ['one file instead of shards', ['config.json', 'tokenizer.json', 'model.safetensors.index.json'], 'model-unsupported', /several files/],
    ];
    for (const [name, files, code, message] of cases) {
      it(name, async () => refuses(await model('there', files), code, message));
    }
  });

  describe('refuses', () => {
    const cases: [reference: string, message: RegExp][] = [
      ['', /No model is named/],
      ['gpt2', /not on this machine.*hf download gpt2/],
      ['me/unheard-of', /not on this machine/],
      ['/no/such/folder', /There is no folder/],
      [`/${'long'.repeat(2000)}`, /cannot be read/],
      ['/nul\0', /cannot be read/],
      ['C:\\models\\gpt2', process.platform === 'win32' ? /There is no folder/ : /not a whole path on this machine/],
      ['models--x', /names no model/],
      ['a/b/c', /names no model/],
      ['me/..', /names no model/],
      ['https://example.org/gpt2', /names no model/],
    ];
    for (const [reference, message] of cases) {
      it(JSON.stringify(reference.slice(0, 40)), () => refuses(reference, 'model-missing', message));
    }
  });

  it('tells folders from names', () => {
    for (const folder of ['/m', 'C:\\m', 'C:/m', '\\\\server\\m', '~', '~/m', './m', '..', 'a\\b']) assert.ok(isFolderReference(folder), folder);
    for (const name of ['bundled', 'gpt2', 'openai-community/gpt2', 'me/my.model_2']) assert.ok(!isFolderReference(name), name);
  });

  it('lists the bundled model and every whole GPT-2 of the cache', async () => {
    const gpt2 = await cached('openai-community/gpt2');
    const tiny = await cached('me/tiny');
    await cached('me/partial', { names: ['config.json', 'tokenizer.json'] });
    await cached('me/llama', { type: 'llama' });
    await mkdir(path.join(root, 'hub', 'models--empty'), { recursive: true });
    await mkdir(path.join(root, 'hub', 'datasets--me--data'), { recursive: true });
    assert.deepEqual(await listModels(places), [
      { id: 'bundled', folder: places.bundledFolder },
      { id: 'me/tiny', revision: REVISION, folder: tiny },
      { id: 'openai-community/gpt2', revision: REVISION, folder: gpt2 },
    ]);
    assert.deepEqual(await listModels({ ...places, cacheFolders: [path.join(root, 'no-cache')] }), [{ id: 'bundled', folder: places.bundledFolder }]);
  });

  it('knows where the cache is by the rules of huggingface_hub', () => {
    const home = path.join(path.sep, 'home', 'me');
    const cases: [env: Record<string, string>, folder: string][] = [
      [{}, path.join(home, '.cache', 'huggingface', 'hub')],
      [{ XDG_CACHE_HOME: '/xdg' }, path.join('/xdg', 'huggingface', 'hub')],
      [{ HF_HOME: '/hf', XDG_CACHE_HOME: '/xdg' }, path.join('/hf', 'hub')],
      [{ HF_HOME: '~/hf' }, path.join(home, 'hf', 'hub')],
      [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HOME: '/hf' }, '/old'],
      [{ HF_HUB_CACHE: '/cache', HUGGINGFACE_HUB_CACHE: '/old' }, '/cache'],
      [{ HF_HUB_CACHE: '' }, path.join(home, '.cache', 'huggingface', 'hub')],
    ];
    for (const [env, folder] of cases) assert.equal(hubCacheFolder(env, home), folder, JSON.stringify(env));
  });
});
