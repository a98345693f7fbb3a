import assert from 'node:assert/strict';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AttributionJob } from '../../../src/runner/runner';
import { readRunFile } from '../../../src/runs/file';
import { CircuitError } from '../../../src/shared/errors';
import { exampleRun } from '../runs/exampleRun';
import { commandLine, FILE } from './commandLine';

describe('attribute, the verb', () => {
  const cli = commandLine();
  const run = (...args: string[]): Promise<number> => cli.run('attribute', ...args);

  it('runs what the file says', async () => {
    assert.equal(await run('a.prompts.json'), 0);
    assert.equal(cli.jobs.length, 1);
    const [{ experiment, settings, title, source }] = cli.jobs as [AttributionJob];
    assert.deepEqual([experiment.direction, experiment.model, experiment.prependBos, experiment.pairs.length], ['noise', undefined, undefined, 2]);
    assert.deepEqual(settings, { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'noise' });
    assert.equal(title, 'a.prompts.json');
    assert.deepEqual(source, { uri: pathToFileURL(path.join(cli.folder, 'a.prompts.json')).href, pairIndices: undefined });
    assert.match(cli.out, /^three pairs\n[^]*Top heads/);
  });

  it('lets flags win over the file', async () => {
    assert.equal(await run('a.prompts.json', '--direction', 'denoise', '--bos', '--model', 'gpt2', '--backend', 'cpu', '--threads', '2'), 0);
    assert.deepEqual([cli.jobs[0]!.experiment.direction, cli.jobs[0]!.experiment.prependBos, cli.jobs[0]!.experiment.model], ['denoise', true, 'gpt2']);
    assert.deepEqual(cli.jobs[0]!.settings, { model: 'gpt2', backend: 'cpu', threads: 2, prependBos: 'model', direction: 'denoise' });
  });

  it('runs the pairs chosen by number or name, in the file\'s order', async () => {
    assert.equal(await run('a.prompts.json', '--pair', 'second', '--pair', '1', '--pair', '2'), 0);
    assert.deepEqual(cli.jobs[0]!.source?.pairIndices, [0, 1]);
    assert.equal(await run('a.prompts.json', '--pair', '2'), 0);
    assert.deepEqual(cli.jobs[1]!.experiment.pairs.map(({ clean }) => clean), ['He saw Mary']);
    assert.equal(cli.jobs[1]!.title, 'a.prompts.json: second');
    assert.equal(await run('a.prompts.json', '--pair', '3'), 2);
    assert.match(cli.err, /a\.prompts\.json has no pair "3"; it has pairs 1 to 2: "pair 1", "second"/);
  });

  it('runs a file in the shorthand, and one of its pairs', async () => {
    await writeFile(path.join(cli.folder, 'short.prompts.json'), '{ "prompts": ["John saw Mary", "John saw Amy"], "answers": [" x", " y"], "pairing": "adjacent" }');
    assert.equal(await run('short.prompts.json'), 0, cli.err);
    assert.deepEqual(cli.jobs[0]!.experiment.pairs.map(({ clean, corrupted }) => [clean, corrupted]), [['John saw Mary', 'John saw Amy'], ['John saw Amy', 'John saw Mary']]);
    assert.equal(await run('short.prompts.json', '--pair', '2'), 0, cli.err);
    assert.deepEqual(cli.jobs[1]!.experiment.pairs.map(({ clean, correct, incorrect }) => [clean, correct, incorrect]), [['John saw Amy', [' y'], [' x']]]);
    assert.equal(cli.jobs[1]!.title, 'short.prompts.json: pair 2');
    assert.deepEqual(cli.jobs[1]!.source?.pairIndices, [1]);
  });

  it('finds relative models where they were written', async () => {
    await mkdir(path.join(cli.folder, 'sub', 'mine'), { recursive: true });
    await writeFile(path.join(cli.folder, 'sub', 'b.prompts.json'), FILE.replace('{', '{ "model": "./mine",'));
    assert.equal(await run('sub/b.prompts.json'), 0);
    assert.equal(cli.jobs[0]!.settings.model, path.join(cli.folder, 'sub', 'mine'));
    for (const flag of ['./sub/mine', 'sub/mine']) {
      assert.equal(await run('a.prompts.json', '--model', flag), 0);
      assert.equal(cli.jobs.at(-1)!.settings.model, path.join(cli.folder, 'sub', 'mine'));
    }
    await run('a.prompts.json', '--model', 'org/name');
    assert.equal(cli.jobs.at(-1)!.settings.model, 'org/name');
  });

  it('prints one document, or a list for several files', async () => {
    await writeFile(path.join(cli.folder, 'b.prompts.json'), FILE);
    assert.equal(await run('a.prompts.json', '--json'), 0);
    assert.equal((JSON.parse(cli.out) as { run: { title: string } }).run.title, 'three pairs');
    cli.out = '';
    assert.equal(await run('a.prompts.json', 'b.prompts.json', '--json'), 0);
    assert.equal((JSON.parse(cli.out) as unknown[]).length, 2);
    assert.equal(cli.err, '');
  });

  it('says where a file is wrong: file:line:column', async () => {
    await writeFile(path.join(cli.folder, 'a.prompts.json'), FILE.replace('" y" },', '3 },'));
    assert.equal(await run('a.prompts.json'), 2);
    assert.match(cli.err, /^a\.prompts\.json:4:\d+: /);
    assert.equal(cli.jobs.length, 0);
    assert.equal(await run('a.prompts.json', '--pair', '2'), 0, 'the other pair can be run');
  });

  it('says where prompts do not align, all at once, and prints warnings', async () => {
    await writeFile(path.join(cli.folder, 'a.prompts.json'), FILE.replace('John saw Amy', 'John saw Amy twice').replace('"correct": " x", "incorrect": " y" }\n', '"correct": "x", "incorrect": " y z" }\n'));
    assert.equal(await run('a.prompts.json'), 2);
    assert.match(cli.err, /^a\.prompts\.json:5:\d+: warning: /m);
    assert.match(cli.err, /^a\.prompts\.json:4:\d+: (?!warning)/m);
    assert.match(cli.err, /^a\.prompts\.json:5:\d+: (?!warning)/m);
    assert.equal(cli.jobs.length, 0);
  });

  it('says where a prompt is longer than the context', async () => {
    await writeFile(path.join(cli.folder, 'a.prompts.json'), FILE.replaceAll('She saw Mary', 'She saw Mary and a b c d e').replaceAll('He saw Mary', 'He saw Mary and a b c d e'));
    assert.equal(await run('a.prompts.json'), 2);
    assert.match(cli.err, /^a\.prompts\.json:5:\d+: .*9.*8/m);
  });

  it('reads all files before it runs the first', async () => {
    assert.equal(await run('a.prompts.json', 'missing.prompts.json'), 2);
    assert.match(cli.err, /missing\.prompts\.json: there is no such file/);
    assert.equal(cli.jobs.length, 0);
  });

  it('refuses a file that is no prompt file by its size alone', async () => {
    await writeFile(path.join(cli.folder, 'pytorch_model.bin'), '');
    await truncate(path.join(cli.folder, 'pytorch_model.bin'), 2 ** 33);
    assert.equal(await run('pytorch_model.bin'), 2);
    assert.match(cli.err, /^pytorch_model\.bin:1:1: this file is too large for a prompt file \(8590 MB\)/);
    assert.equal(await run('.'), 2);
    assert.match(cli.err, /\. is a folder; name a prompt file/);
    assert.equal(await run('-'), 2);
    assert.match(cli.err, /Standard input is not read; name a prompt file/);
  });

  it('writes the run', async () => {
    assert.equal(await run('a.prompts.json', '--out', 'runs/x.safetensors', '--json'), 0);
    assert.deepEqual(await readRunFile(path.join(cli.folder, 'runs', 'x.safetensors')), exampleRun());
    assert.equal(await run('a.prompts.json', '--out', 'a.prompts.json/x.safetensors'), 1);
    assert.match(cli.err, /could not be written/);
  });

  it('has written the run before it prints, which may fail', async () => {
    const pairs = exampleRun().manifest.pairs.map((pair) => ({ ...pair, metric: { clean: 1, corrupted: 1 } }));
    cli.answer = async () => ({ ...exampleRun(), manifest: { ...exampleRun().manifest, pairs } });
    for (const name of ['table', 'json']) {
      assert.equal(await run('a.prompts.json', '--out', name, ...(name === 'json' ? ['--json'] : [])), 2);
      assert.deepEqual((await readRunFile(path.join(cli.folder, name))).manifest.pairs, pairs);
    }
  });

  it('passes on failures with their exit codes, and the file they concern', async () => {
    for (const [code, exit] of [['cancelled', 3], ['experiment', 2], ['model-missing', 2], ['model-invalid', 2], ['model-unsupported', 2], ['backend', 1], ['internal', 1]] as const) {
      cli.answer = () => Promise.reject(new CircuitError(code, `failed by ${code}`));
      assert.equal(await run('a.prompts.json'), exit, code);
    }
    assert.match(cli.err, /a\.prompts\.json: failed by experiment/);
    cli.answer = () => Promise.reject(new Error('what'));
    assert.equal(await run('a.prompts.json'), 1);
  });

  it('shows progress of the file', async () => {
    cli.isTerminal = true;
    cli.answer = async (_job, call) => {
      call?.onProgress?.({ stage: 'half', fraction: 0.5 });
      return exampleRun();
    };
    await run('a.prompts.json', 'a.prompts.json');
    const lines = cli.err.split('\r').slice(1);
    assert.deepEqual(lines.map((line) => line.replace(/[█░]|\u001b\[K/g, '').trim()), ['50 % a.prompts.json (1 of 2): half', '', '50 % a.prompts.json (2 of 2): half', '']);
  });

  it('lets the flags of an experiment win over the file', async () => {
    const words = '--metric kl --at S --other zero --variant freeze-layernorm,ig=4 --stop mlp_out:1 --intervene z:0.1=other';
    await writeFile(path.join(cli.folder, 'v.prompts.json'), '{ "metric": "prob", "variant": { "gradDrop": true, "stopGradient": [{ "site": "embed" }] }, "pairs": [{ "clean": "a b", "corrupted": "c b", "positions": { "S": "a" } }] }');
    assert.equal(await run('v.prompts.json', ...words.replace('=other', '=mean').split(' ')), 0, cli.err);
    const { metric, at, other, direction, variant, pairs } = cli.jobs[0]!.experiment;
    assert.deepEqual([metric, at, other, direction], ['kl', 'S', 'zero', 'noise']);
    assert.deepEqual(variant, {
      gradDrop: true,
      freezeLayerNorm: true,
      integrated: { steps: 4, rule: 'midpoint' },
      stopGradient: [{ site: 'mlp_out', layer: 1 }],
      interventions: [{ unit: { site: 'z', layer: 0, head: 1 }, with: 'mean' }],
    });
    assert.deepEqual(pairs[0]!.correct, [], 'a metric that needs no answers makes the file sound');
    assert.equal(await run('v.prompts.json', '--metric', 'kl', '--variant', 'none'), 0, cli.err);
    assert.deepEqual(cli.jobs[1]!.experiment.variant, {});
    assert.equal(await run('v.prompts.json', ...words.split(' ')), 2);
    assert.match(cli.err, /^v\.prompts\.json:1:\d+: With "other": "zero" the corrupted prompts are not run/m);
    assert.equal(await run('v.prompts.json', '--metric', 'kl', '--at', 'IO'), 2);
    assert.match(cli.err, /v\.prompts\.json with --at: No pair names the position "IO", which "at" is/m);
  });

  it('computes and lists the sites asked for, and z for the JSON', async () => {
    await run('a.prompts.json');
    await run('a.prompts.json', '--site', 'attn_out,mlp_out');
    await run('a.prompts.json', '--metric', 'kl', '--direction', 'noise');
    assert.deepEqual(cli.jobs.map(({ sites }) => sites), [undefined, ['z', 'attn_out', 'mlp_out'], ['z']], 'asked for what has no gradient, the engine says so');
    assert.match(cli.out, /Attention output, top layers and positions[^]*MLP output, top layers/);
  });
});
