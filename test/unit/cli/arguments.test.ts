import assert from 'node:assert/strict';
import { parseArguments } from '../../../src/cli/arguments';
import { CircuitError } from '../../../src/shared/errors';

function refuses(words: string[], message: RegExp): void {
  assert.throws(
    () => parseArguments(words),
    (error: unknown) => CircuitError.is(error, 'usage') && message.test(error.message),
    words.join(' '),
  );
}

describe('command line arguments', () => {
  it('have defaults', () => {
    assert.deepEqual(parseArguments(['attribute', 'a.prompts.json']), {
      verb: 'attribute',
      files: ['a.prompts.json'],
      pairs: [],
      model: undefined,
      direction: undefined,
      metric: undefined,
      prependBos: undefined,
      backend: 'auto',
      threads: 0,
      raw: false,
      top: 10,
      site: 'z',
      out: undefined,
      json: false,
    });
  });

  it('are all understood', () => {
    const words = 'attribute a.json --pair 2 --pair swapped --model gpt2 --backend wasm-simd --threads 3 --direction noise --metric logitDiff --no-bos --top 5 --site mlp_out --out r.safetensors --raw --json';
    assert.deepEqual(parseArguments(words.split(' ')), {
      verb: 'attribute',
      files: ['a.json'],
      pairs: ['2', 'swapped'],
      model: 'gpt2',
      direction: 'noise',
      metric: 'logitDiff',
      prependBos: false,
      backend: 'wasm-simd',
      threads: 3,
      raw: true,
      top: 5,
      site: 'mlp_out',
      out: 'r.safetensors',
      json: true,
    });
    assert.deepEqual((parseArguments(['attribute', 'a', 'b', '--bos', '--', '--odd']) as { files: string[] }).files, ['a', 'b', '--odd']);
  });

  it('know the other verbs, help and version', () => {
    assert.deepEqual(parseArguments(['models', '--json']), { verb: 'models', json: true });
    for (const words of [['--help'], ['-h'], ['attribute', '--help'], ['models', '-h']]) assert.deepEqual(parseArguments(words), { verb: 'help' });
    for (const words of [['--version'], ['attribute', '--version']]) assert.deepEqual(parseArguments(words), { verb: 'version' });
  });

  it('are refused with what would be right', () => {
    refuses([], /Say what to do/);
    refuses(['--json'], /Say what to do/);
    refuses(['atribute', 'a'], /no verb "atribute"/);
    refuses(['attribute'], /at least one prompt file/);
    refuses(['attribute', 'a', '--frobnicate'], /--frobnicate/);
    refuses(['attribute', 'a', '--direction', 'sideways'], /--direction is one of denoise, noise, not "sideways"/);
    refuses(['attribute', 'a', '--metric', 'accuracy'], /--metric is one of logitDiff, not "accuracy"/);
    refuses(['attribute', 'a', '--backend', 'cuda'], /--backend is one of auto/);
    refuses(['attribute', 'a', '--site', 'q'], /--site is one of z, attn_out/);
    refuses(['attribute', 'a', '--threads', '1.5'], /--threads is a whole number/);
    refuses(['attribute', 'a', '--threads', 'Infinity'], /--threads is a whole number/);
    refuses(['attribute', 'a', '--top', '0'], /--top is a whole number, 1 or more/);
    refuses(['attribute', 'a', '--top'], /argument missing/);
    refuses(['attribute', 'a', '--bos', '--no-bos'], /contradict/);
    refuses(['attribute', 'a', 'b', '--out', 'r'], /--out takes one run/);
    refuses(['models', 'gpt2'], /gpt2/);
  });
});
