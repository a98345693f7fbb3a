import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArguments, type AttributeCommand } from '../../../src/cli/arguments';
import { attribute } from '../../../src/cli/attribute';
import { exitCodeOf } from '../../../src/cli/exitCode';
import { ProgressBar } from '../../../src/cli/progressBar';
import type { AttributionJob, ExperimentRunner } from '../../../src/runner/runner';
import { readRunFile } from '../../../src/runs/file';
import { CircuitError } from '../../../src/shared/errors';
import type { CallOptions } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import type { TokenizedText } from '../../../src/shared/tokenizer';
import { exampleRun } from '../runs/exampleRun';

/** A token per word, its space in front. */
function words(text: string): TokenizedText {
  const found = [...text.matchAll(/ ?[^ ]+| $/g)];
  return {
    tokens: found.map(([word]) => ({ id: [...word].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 99991, text: word })),
    offsets: found.map((match) => [match.index, match.index + match[0].length]),
  };
}

const FILE = `{
  "direction": "noise",
  "pairs": [
    { "clean": "John saw Mary", "corrupted": "John saw Amy", "correct": " x", "incorrect": " y" },
    { "name": "second", "clean": "He saw Mary", "corrupted": "She saw Mary", "correct": " x", "incorrect": " y" }
  ]
}`;

describe('attribute, the verb', () => {
  let folder: string;
  let jobs: AttributionJob[];
  let out: string;
  let err: string;
  let answer: (job: AttributionJob, call?: CallOptions) => Promise<Run>;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'cli-'));
    jobs = [];
    out = err = '';
    answer = async () => exampleRun();
    await writeFile(path.join(folder, 'a.prompts.json'), FILE);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const runner: ExperimentRunner = {
    attribute: (job, call) => {
      jobs.push(job);
      return answer(job, call);
    },
    tokenize: async ({ texts }) => texts.map(words),
    tokenizerInfo: async () => ({ vocabulary: 99991, context: 8 }),
    suggestAnswers: () => assert.fail('nobody asked for suggestions'),
    dispose: async () => undefined,
  };

  async function run(...args: string[]): Promise<number> {
    try {
      await attribute(parseArguments(['attribute', ...args]) as AttributeCommand, {
        runner,
        progress: new ProgressBar({ write: (text) => (err += text) }),
        signal: new AbortController().signal,
        folder,
        print: (text) => (out += text),
        warn: (text) => (err += text),
      });
      return 0;
    } catch (error) {
      err += error instanceof Error ? error.message : String(error);
      return exitCodeOf(error);
    }
  }

  it('runs what the file says', async () => {
    assert.equal(await run('a.prompts.json'), 0);
    assert.equal(jobs.length, 1);
    const [{ experiment, settings, title, source }] = jobs as [AttributionJob];
    assert.deepEqual([experiment.direction, experiment.model, experiment.prependBos, experiment.pairs.length], ['noise', undefined, undefined, 2]);
    assert.deepEqual(settings, { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'noise' });
    assert.equal(title, 'a.prompts.json');
    assert.deepEqual(source, { uri: pathToFileURL(path.join(folder, 'a.prompts.json')).href, pairIndices: undefined });
    assert.match(out, /^three pairs\n[^]*Top heads/);
  });

  it('lets flags win over the file', async () => {
    assert.equal(await run('a.prompts.json', '--direction', 'denoise', '--bos', '--model', 'gpt2', '--backend', 'cpu', '--threads', '2'), 0);
    assert.deepEqual([jobs[0]!.experiment.direction, jobs[0]!.experiment.prependBos, jobs[0]!.experiment.model], ['denoise', true, 'gpt2']);
    assert.deepEqual(jobs[0]!.settings, { model: 'gpt2', backend: 'cpu', threads: 2, prependBos: 'model', direction: 'denoise' });
  });

  it('runs the pairs chosen by number or name, in the file\'s order', async () => {
    assert.equal(await run('a.prompts.json', '--pair', 'second', '--pair', '1', '--pair', '2'), 0);
    assert.deepEqual(jobs[0]!.source?.pairIndices, [0, 1]);
    assert.equal(await run('a.prompts.json', '--pair', '2'), 0);
    assert.deepEqual(jobs[1]!.experiment.pairs.map(({ clean }) => clean), ['He saw Mary']);
    assert.equal(jobs[1]!.title, 'a.prompts.json: second');
    assert.equal(await run('a.prompts.json', '--pair', '3'), 2);
    assert.match(err, /a\.prompts\.json has no pair "3"; it has pairs 1 to 2: "pair 1", "second"/);
  });

  it('finds relative models where they were written', async () => {
    await mkdir(path.join(folder, 'sub', 'mine'), { recursive: true });
    await writeFile(path.join(folder, 'sub', 'b.prompts.json'), FILE.replace('{', '{ "model": "./mine",'));
    assert.equal(await run('sub/b.prompts.json'), 0);
    assert.equal(jobs[0]!.settings.model, path.join(folder, 'sub', 'mine'));
    for (const flag of ['./sub/mine', 'sub/mine']) {
      assert.equal(await run('a.prompts.json', '--model', flag), 0);
      assert.equal(jobs.at(-1)!.settings.model, path.join(folder, 'sub', 'mine'));
    }
    await run('a.prompts.json', '--model', 'org/name');
    assert.equal(jobs.at(-1)!.settings.model, 'org/name');
  });

  it('prints one document, or a list for several files', async () => {
    await writeFile(path.join(folder, 'b.prompts.json'), FILE);
    assert.equal(await run('a.prompts.json', '--json'), 0);
    assert.equal((JSON.parse(out) as { run: { title: string } }).run.title, 'three pairs');
    out = '';
    assert.equal(await run('a.prompts.json', 'b.prompts.json', '--json'), 0);
    assert.equal((JSON.parse(out) as unknown[]).length, 2);
    assert.equal(err, '');
  });

  it('says where a file is wrong: file:line:column', async () => {
    await writeFile(path.join(folder, 'a.prompts.json'), FILE.replace('" y" },', '3 },'));
    assert.equal(await run('a.prompts.json'), 2);
    assert.match(err, /^a\.prompts\.json:4:\d+: /);
    assert.equal(jobs.length, 0);
    assert.equal(await run('a.prompts.json', '--pair', '2'), 0, 'the other pair can be run');
  });

  it('says where prompts do not align, all at once, and prints warnings', async () => {
    await writeFile(path.join(folder, 'a.prompts.json'), FILE.replace('John saw Amy', 'John saw Amy twice').replace('"correct": " x", "incorrect": " y" }\n', '"correct": "x", "incorrect": " y z" }\n'));
    assert.equal(await run('a.prompts.json'), 2);
    assert.match(err, /^a\.prompts\.json:5:\d+: warning: /m);
    assert.match(err, /^a\.prompts\.json:4:\d+: (?!warning)/m);
    assert.match(err, /^a\.prompts\.json:5:\d+: (?!warning)/m);
    assert.equal(jobs.length, 0);
  });

  it('says where a prompt is longer than the context', async () => {
    await writeFile(path.join(folder, 'a.prompts.json'), FILE.replaceAll('She saw Mary', 'She saw Mary and a b c d e').replaceAll('He saw Mary', 'He saw Mary and a b c d e'));
    assert.equal(await run('a.prompts.json'), 2);
    assert.match(err, /^a\.prompts\.json:5:\d+: .*9.*8/m);
  });

  it('reads all files before it runs the first', async () => {
    assert.equal(await run('a.prompts.json', 'missing.prompts.json'), 2);
    assert.match(err, /missing\.prompts\.json: there is no such file/);
    assert.equal(jobs.length, 0);
  });

  it('refuses a file that is no prompt file by its size alone', async () => {
    await writeFile(path.join(folder, 'model.safetensors'), '');
    await truncate(path.join(folder, 'model.safetensors'), 2 ** 33);
    assert.equal(await run('model.safetensors'), 2);
    assert.match(err, /^model\.safetensors:1:1: this file is too large for a prompt file \(8590 MB\)/);
    assert.equal(await run('.'), 2);
    assert.match(err, /\. is a folder; name a prompt file/);
    assert.equal(await run('-'), 2);
    assert.match(err, /Standard input is not read; name a prompt file/);
  });

  it('writes the run', async () => {
    assert.equal(await run('a.prompts.json', '--out', 'runs/x.safetensors', '--json'), 0);
    assert.deepEqual(await readRunFile(path.join(folder, 'runs', 'x.safetensors')), exampleRun());
    assert.equal(await run('a.prompts.json', '--out', 'a.prompts.json/x.safetensors'), 1);
    assert.match(err, /could not be written/);
  });

  it('has written the run before it prints, which may fail', async () => {
    const pairs = exampleRun().manifest.pairs.map((pair) => ({ ...pair, logitDiff: { clean: 1, corrupted: 1 } }));
    answer = async () => ({ ...exampleRun(), manifest: { ...exampleRun().manifest, pairs } });
    for (const name of ['table', 'json']) {
      assert.equal(await run('a.prompts.json', '--out', name, ...(name === 'json' ? ['--json'] : [])), 2);
      assert.deepEqual((await readRunFile(path.join(folder, name))).manifest.pairs, pairs);
    }
  });

  it('passes on failures with their exit codes, and the file they concern', async () => {
    for (const [code, exit] of [['cancelled', 3], ['experiment', 2], ['model-missing', 2], ['model-invalid', 1], ['backend', 1], ['internal', 1]] as const) {
      answer = () => Promise.reject(new CircuitError(code, `failed by ${code}`));
      assert.equal(await run('a.prompts.json'), exit, code);
    }
    assert.match(err, /a\.prompts\.json: failed by experiment/);
    answer = () => Promise.reject(new Error('what'));
    assert.equal(await run('a.prompts.json'), 1);
  });

  it('shows progress of the file', async () => {
    const lines: string[] = [];
    answer = async (_job, call) => {
      call?.onProgress?.({ stage: 'half', fraction: 0.5 });
      return exampleRun();
    };
    await attribute(parseArguments(['attribute', 'a.prompts.json', 'a.prompts.json']) as AttributeCommand, {
      runner,
      progress: new ProgressBar({ isTTY: true, write: (text) => lines.push(text) }),
      signal: new AbortController().signal,
      folder,
      print: (text) => (out += text),
      warn: () => undefined,
    });
    assert.deepEqual(lines.map((line) => line.replace(/[\r█░]|\u001b\[K/g, '').trim()), ['50 % a.prompts.json (1 of 2): half', '', '50 % a.prompts.json (2 of 2): half', '']);
  });
});
