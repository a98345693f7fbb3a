import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { packedFiles } from './packedFiles';
import { session } from './session';

/** Inputs of a bundle, as esbuild's metafile names them. */
async function inputsOf(bundle: string): Promise<string[]> {
  const meta = JSON.parse(await readFile(`dist/meta/${bundle}.json`, 'utf8')) as { inputs: Record<string, unknown> };
  return Object.keys(meta.inputs);
}

describe('the VSIX', () => {
  let files: Map<string, number>;
  let names: string[];
  before(async () => {
    files = await packedFiles(session().vsix);
    names = [...files.keys()].filter((name) => name.startsWith('extension/')).map((name) => name.slice('extension/'.length));
  });

  it('is at most 15 MB', async () => {
    const { size } = await stat(session().vsix);
    assert.ok(size <= 15 * 2 ** 20, `${size} bytes`);
    assert.ok(size > 2 ** 20, `only ${size} bytes: the model or the wasm files are missing`);
  });

  it('holds a bundle for every thread, the wasm files, the model and the samples', () => {
    for (const name of [
      'package.json',
      'package.nls.json',
      'readme.md',
      'changelog.md',
      'LICENSE.txt',
      'dist/extension.js',
      'dist/engineWorker.js',
      'dist/engineProcess.js',
      'dist/tokenizerWorker.js',
      'dist/cli.js',
      'dist/webview/panel.js',
      'dist/webview/panel.css',
      'dist/wasm/tfjs-backend-wasm.wasm',
      'dist/wasm/tfjs-backend-wasm-simd.wasm',
      'dist/wasm/tfjs-backend-wasm-threaded-simd.wasm',
      'dist/wasm/kernels-relaxed-shared.wasm',
      'dist/wasm/kernels-relaxed.wasm',
      'dist/wasm/kernels-simd-shared.wasm',
      'dist/wasm/kernels-simd.wasm',
      'dist/wasm/kernels-wide-shared.wasm',
      'dist/wasm/kernels-wide.wasm',
      'media/model/config.json',
      'media/model/model.safetensors',
      'media/model/tokenizer.json',
      'media/samples/ioi.prompts.json',
    ]) {
      assert.ok((files.get(`extension/${name}`) ?? 0) > 0, `${name} is missing or empty`);
    }
  });

  it('holds what the manifest points at', async () => {
    const manifest = await readFile('package.json', 'utf8');
    const named = [...manifest.matchAll(/"(?:\.\/)?((?:media|dist)\/[^"]+)"/g)].map((match) => match[1]!);
    assert.ok(named.length >= 5);
    for (const name of named) assert.ok(names.includes(name), `${name} is named in package.json and not packed`);
  });

  it('holds nothing else', () => {
    const allowed = [
      /^(package(\.nls)?\.json|readme\.md|changelog\.md|LICENSE\.txt)$/,
      /^dist\/(extension|engineWorker|engineProcess|tokenizerWorker|cli)\.js$/,
      /^dist\/webview\/panel\.(js|css)$/,
      /^dist\/wasm\/(tfjs-backend-wasm|kernels)[a-z-]*\.wasm$/,
      /^media\/[a-z.-]+\.json$/i,
      /^media\/icons\/[\w-]+\.(png|svg)$/,
      /^media\/walkthrough\/\w+\.svg$/,
      /^media\/samples\/[\w.-]+\.prompts\.json$/,
      /^media\/model\/[\w.-]+$/,
    ];
    assert.deepEqual(names.filter((name) => !allowed.some((pattern) => pattern.test(name))), []);
  });

  it('has no duplicates of its heavy parts', () => {
    assert.equal(names.filter((name) => name.endsWith('.safetensors')).length, 1);
    // Three of tfjs, six of ours.
    assert.equal(names.filter((name) => name.endsWith('.wasm')).length, 9);
  });
});

describe('the bundles', () => {
  it('keep tfjs and the tokenizer out of the extension host', async () => {
    const inputs = await inputsOf('extension');
    assert.ok(inputs.includes('src/extension.ts'));
    const heavy = inputs.filter((input) => /@tensorflow|@huggingface|src\/engine\/(backend|model|patching)/.test(input));
    assert.deepEqual(heavy, []);
  });

  it('keep them out of the command line too, which uses the workers', async () => {
    const inputs = await inputsOf('cli');
    assert.deepEqual(inputs.filter((input) => /@tensorflow|@huggingface/.test(input)), []);
  });

  it('keep them out of the native backends\' process, whose thread is the engine worker', async () => {
    const inputs = await inputsOf('engineProcess');
    assert.deepEqual(inputs.filter((input) => /@tensorflow|@huggingface|src\/engine\/(backend|model|patching)/.test(input)), []);
  });

  it('have tfjs in the engine worker and the tokenizer in its own', async () => {
    const [engine, tokenizer] = await Promise.all([inputsOf('engineWorker'), inputsOf('tokenizerWorker')]);
    assert.ok(engine.some((input) => input.includes('@tensorflow/tfjs-core')));
    assert.ok(!engine.some((input) => input.includes('@huggingface/tokenizers')));
    assert.ok(tokenizer.some((input) => input.includes('@huggingface/tokenizers')));
    assert.ok(!tokenizer.some((input) => input.includes('@tensorflow')));
  });

  it('have neither Node modules nor vscode in the webview', async () => {
    const inputs = await inputsOf('webview');
    assert.deepEqual(inputs.filter((input) => /^src\/(?!shared\/)/.test(input)), []);
  });
});
