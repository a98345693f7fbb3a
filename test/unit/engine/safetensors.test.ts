import assert from 'node:assert/strict';
import { copyFile, open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe as describeCheckpoint, openCheckpoint, readWeights } from '../../../src/engine/model/checkpoint';
import { parseConfig } from '../../../src/engine/model/config';
import { firstNonFinite, widenBf16, widenF16 } from '../../../src/engine/model/floats';
import { LARGEST_HEADER, readHeader, type TensorEntry } from '../../../src/engine/model/safetensors';
import { Work } from '../../../src/engine/model/work';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import { checksum, hashCheckpoint } from '../../fixtures/hashCheckpoint';
import { expectedValues, loadParams, relativeError, remove, safetensorsStart, temporaryFolder, WASM_FOLDER, writeHashModel, type ExpectedArray } from './support';

const FIXTURES = path.join('test', 'fixtures', 'safetensors');

interface ExpectedFolders {
  folders: Record<string, { tokens: number[]; logits: ExpectedArray; float32Error: number; tensors: Record<string, { shape: number[]; checksum: number }> }>;
  specialValues: Record<string, { shape: number[]; float32Bits: number[] }>;
}

const failsWith = (code: ErrorCode, message?: RegExp) => (error: unknown): boolean => {
  assert.ok(CircuitError.is(error, code), `${code} expected, got ${error instanceof Error ? error.stack : String(error)}`);
  if (message) assert.match((error as Error).message, message);
  return true;
};

describe('engine reads checkpoints', function () {
  let folder: string;
  before(async () => (folder = await temporaryFolder()));
  after(() => remove(folder));

  const headerOf = async (bytes: Buffer): Promise<TensorEntry[]> => {
    const file = path.join(folder, 'header.safetensors');
    await writeFile(file, bytes);
    const handle = await open(file, 'r');
    try {
      return await readHeader(handle);
    } finally {
      await handle.close();
    }
  };

  describe('hostile headers', () => {
    const tensor = (change: Record<string, unknown> = {}): unknown => ({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24], ...change });
    const file = (header: unknown, dataBytes = 24): Buffer => Buffer.concat([safetensorsStart(typeof header === 'string' ? header : JSON.stringify(header)), Buffer.alloc(dataBytes)]);

    for (const [what, bytes, message] of [
      ['an empty file', Buffer.alloc(0), /0 bytes/],
      ['a file of seven bytes', Buffer.alloc(7), /7 bytes/],
      ['a header longer than the file', safetensorsStart('{}', 1000n), /truncated/],
      ['a header beyond the limit', safetensorsStart('{}', BigInt(LARGEST_HEADER) + 1n), /more than the allowed/],
      ['a header length of 2^64 − 1', safetensorsStart('{}', 2n ** 64n - 1n), /more than the allowed/],
      ['a header that is no JSON', file('{"a": '), /not JSON/],
      ['a header that is a list', file('[]'), /not a JSON object/],
      ['a header that is not UTF-8', Buffer.concat([safetensorsStart('', 2n), Buffer.from([0xff, 0xfe])]), /not UTF-8/],
      ['a tensor that is no object', file({ a: 3 }), /not described/],
      ['an unknown dtype', file({ a: tensor({ dtype: 'F12' }) }), /unknown dtype "F12"/],
      ['a dtype that every object has', file({ a: tensor({ dtype: 'constructor' }) }), /unknown dtype/],
      ['a negative extent', file({ a: tensor({ shape: [-2, -3] }) }), /no valid shape/],
      ['a fractional extent', file({ a: tensor({ shape: [1.5, 4] }) }), /no valid shape/],
      ['a shape that is no list', file({ a: tensor({ shape: 6 }) }), /no valid shape/],
      ['a shape of overflowing size', file({ a: tensor({ shape: [2 ** 40, 2 ** 40] }) }), /needs/],
      ['offsets beyond the file', file({ a: tensor({ data_offsets: [8, 32] }) }), /truncated or damaged/],
      ['offsets in reverse', file({ a: tensor({ data_offsets: [24, 0] }) }), /truncated or damaged/],
      ['negative offsets', file({ a: tensor({ data_offsets: [-24, 0] }) }), /no valid data_offsets/],
      ['three offsets', file({ a: tensor({ data_offsets: [0, 12, 24] }) }), /no valid data_offsets/],
      ['a byte count that does not fit the shape', file({ a: tensor({ shape: [2, 2] }) }), /24 bytes; F32 of shape \[2,2\] needs 16/],
      ['overlapping tensors', file({ a: tensor(), b: tensor({ data_offsets: [20, 44] }) }, 44), /"a" and "b" overlap/],
      ['two tensors in the same bytes', file({ a: tensor(), b: tensor() }), /overlap/],
      ['a name that stands twice', file(`{"a": ${JSON.stringify(tensor())}, "\\u0061": ${JSON.stringify(tensor())}}`), /names "a" twice/],
    ] as const) {
      it(`refuses ${what}`, () => assert.rejects(headerOf(bytes), failsWith('model-invalid', message)));
    }

    it('reads a header of one huge text, full of escapes', async () => {
      const header = { __metadata__: { note: '"\n'.repeat(8_000_000) }, a: tensor() };
      assert.deepEqual((await headerOf(file(header))).map(({ name }) => name), ['a']);
    });

    it('accepts metadata, an empty tensor and a header padded with spaces', async () => {
      const entries = await headerOf(file(`{"__metadata__": {"format": "pt", "a": "b"}, "e": {"dtype":"F16","shape":[0,3],"data_offsets":[24,24]}, "a": ${JSON.stringify(tensor())}}   `));
      assert.deepEqual(entries.map(({ name, shape, dtype }) => [name, shape, dtype]), [['a', [2, 3], 'F32'], ['e', [0, 3], 'F16']]);
    });
  });

  it('widens every kind of half-precision value as PyTorch does, bit for bit', async () => {
    const { specialValues } = JSON.parse(await readFile(path.join(FIXTURES, 'expected.json'), 'utf8')) as ExpectedFolders;
    const bytes = await readFile(path.join(FIXTURES, 'special-values.safetensors'));
    const entries = await headerOf(bytes);
    for (const [name, { float32Bits }] of Object.entries(specialValues)) {
      const { start, end, dtype } = entries.find((entry) => entry.name === name)!;
      const own = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end);
      const values = new Float32Array(float32Bits.length);
      if (dtype === 'F32') values.set(new Float32Array(own));
      else (dtype === 'F16' ? widenF16 : widenBf16)(new Uint16Array(own), values);
      assert.deepEqual([...new Uint32Array(values.buffer)], float32Bits, name);
    }
  });

  describe('folders written by safetensors and transformers', () => {
    for (const name of ['f32-prefixed', 'f16-bare', 'bf16-untied', 'f16-old-buffers']) {
      it(name, async () => {
        const { folders } = JSON.parse(await readFile(path.join(FIXTURES, 'expected.json'), 'utf8')) as ExpectedFolders;
        const expected = folders[name]!;
        const checkpoint = await openCheckpoint(path.join(FIXTURES, name));
        assert.equal(checkpoint.dtype, name.split('-')[0]!.toUpperCase());
        const taken = new Map<string, Float32Array>();
        await readWeights(checkpoint, new Work(), (weight, values) => taken.set(weight, values));
        const plain = Object.entries(expected.tensors).map(([tensor, value]) => [tensor.replace(/^transformer\./, ''), value] as const);
        assert.deepEqual([...taken.keys()].sort(), plain.map(([tensor]) => tensor).sort());
        for (const [tensor, value] of plain) assert.equal(checksum(taken.get(tensor)!), value.checksum, tensor);

        const engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
        try {
          const { model } = await engine.load(loadParams(path.join(FIXTURES, name)));
          assert.match(model.checkpointHash, /^[0-9a-f]{64}$/);
          const vocabulary = expected.logits.shape[1]!;
          // Row i of the reference is the last position of the first i + 1 tokens.
          const logits = await engine.logits({ prompts: expected.tokens.map((_, i) => expected.tokens.slice(0, i + 1)) });
          const error = relativeError(logits.flatMap((row) => [...row]), expected.logits.data.slice(0, expected.tokens.length * vocabulary));
          assert.ok(error < 1e-5, `${error}, PyTorch float32 ${expected.float32Error}`);
        } finally {
          await engine.dispose();
        }
      });
    }

    it('gives the SHA-256 of a small file and of a large one, which a thread hashes', async () => {
      const { createHash } = await import('node:crypto');
      const checkpoint = await openCheckpoint(path.join(FIXTURES, 'f16-old-buffers'));
      const large = path.join(folder, 'large.safetensors');
      // Neither a whole number of pieces nor all of one value.
      await writeFile(large, Buffer.concat([await readFile(checkpoint.file), Buffer.from(new Uint32Array(9_000_001).map((_, i) => Math.imul(i, 2_654_435_761)).buffer)]));
      for (const file of [checkpoint.file, large]) {
        const bytes = await readFile(file);
        const expected = createHash('sha256').update(bytes).digest('hex');
        assert.equal(await readWeights({ ...checkpoint, file, fileSize: bytes.length }, new Work(), () => undefined), expected);
      }
    });

    it('gives weights of many pieces, in the places that they were given', async () => {
      const file = path.join(folder, 'pieces.safetensors');
      const count = 1_300_007;
      // No exponent of ones only in either half.
      const words = new Uint32Array(count).map((_, i) => Math.imul(i, 2_654_435_761) & 0xbbff_bbff);
      await writeFile(file, Buffer.concat([Buffer.from('odd'), Buffer.from(words.buffer)]));
      const known = await openCheckpoint(path.join(FIXTURES, 'f32-prefixed'));
      for (const dtype of ['F32', 'F16', 'BF16'] as const) {
        const bytes = words.buffer.slice(0, count * (dtype === 'F32' ? 4 : 2));
        const expected = new Float32Array(count);
        if (dtype === 'F32') expected.set(new Float32Array(bytes));
        else (dtype === 'F16' ? widenF16 : widenBf16)(new Uint16Array(bytes), expected);
        const entry = { name: 'a', weight: 'a', dtype, shape: [count], start: 3, end: 3 + bytes.byteLength };
        for (const place of [undefined, new Float32Array(new SharedArrayBuffer(4 * count + 8), 8)]) {
          const checkpoint = { ...known, file, fileSize: 3 + words.byteLength, tensors: [entry] };
          let taken: Float32Array | undefined;
          await readWeights(checkpoint, new Work(), (_, values) => (taken = values), () => place);
          assert.ok(Buffer.from(expected.buffer).equals(Buffer.from(taken!.buffer, taken!.byteOffset, taken!.byteLength)), dtype);
          if (place) assert.equal(taken, place);
        }
      }
    });
  });

  it('finds the first value that is no number wherever it stands, and no other', () => {
    const sound = [0, -0, 1, -1, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -1e-45];
    for (let length = 0; length <= 18; length++) {
      const values = Float32Array.from({ length }, (_, i) => sound[i % sound.length]!);
      assert.equal(firstNonFinite(values), -1);
      for (let at = 0; at < length; at++) {
        for (const bad of [NaN, -NaN, Infinity, -Infinity]) {
          const own = values.slice();
          own[at] = bad;
          if (at + 3 < length) own[at + 3] = NaN;
          assert.equal(firstNonFinite(own), at);
        }
      }
    }
  });

  describe('folders that cannot be run', () => {
    const model = async (change: Parameters<typeof writeHashModel>[1]): Promise<string> => writeHashModel((await expectedValues('tiny-odd')).checkpoint, change);
    const refuses = async (own: string, code: ErrorCode, message: RegExp): Promise<void> => {
      try {
        const load = async (): Promise<unknown> => readWeights(await openCheckpoint(own), new Work(), () => undefined);
        await assert.rejects(load(), failsWith(code, message));
      } finally {
        await remove(own);
      }
    };

    it('no folder, no config, no checkpoint', async () => {
      await assert.rejects(openCheckpoint(path.join(folder, 'none')), failsWith('model-missing', /no model folder/));
      const own = await temporaryFolder();
      await assert.rejects(openCheckpoint(own), failsWith('model-missing', /config\.json/));
      await copyFile(path.join(FIXTURES, 'f16-bare', 'config.json'), path.join(own, 'config.json'));
      await assert.rejects(openCheckpoint(own), failsWith('model-missing', /model\.safetensors/));
      await writeFile(path.join(own, 'pytorch_model.bin'), '');
      await assert.rejects(openCheckpoint(own), failsWith('model-unsupported', /convert it/));
      await writeFile(path.join(own, 'model.safetensors.index.json'), '{}');
      await refuses(own, 'model-unsupported', /several safetensors files/);
    });

    it('NaN and infinite weights, naming the tensor', async () => {
      await refuses(await model((_, tensors) => (tensors.get('h.1.mlp.c_fc.weight')!.data[77] = NaN)), 'model-invalid', /"h\.1\.mlp\.c_fc\.weight" holds NaN at index 77/);
      await refuses(await model((_, tensors) => (tensors.get('ln_f.bias')!.data[3] = -Infinity)), 'model-invalid', /"ln_f\.bias" holds -Infinity/);
    });

    it('a missing weight, a wrong shape, a weight under two names', async () => {
      await refuses(await model((_, tensors) => void tensors.delete('h.2.ln_2.bias')), 'model-invalid', /lacks the weight "h\.2\.ln_2\.bias"/);
      await refuses(await model((config) => (config.n_layer = 5)), 'model-invalid', /lacks the weight "h\.3\..* and \d+ more/);
      await refuses(await model((config) => (config.vocab_size = 100)), 'model-invalid', /"wte\.weight" has shape \[101,30\], expected \[100,30\]/);
      await refuses(await model((_, tensors) => tensors.set('transformer.ln_f.bias', tensors.get('ln_f.bias')!)), 'model-invalid', /twice/);
    });

    it('a truncated file', async () => {
      const own = await model(undefined);
      const file = path.join(own, 'model.safetensors');
      await writeFile(file, (await readFile(file)).subarray(0, -10));
      await refuses(own, 'model-invalid', /truncated or damaged/);
    });

    it('weights of another dtype', () => {
      const { config, tensors } = hashCheckpointEntries();
      assert.throws(() => describeCheckpoint(parseConfig(JSON.stringify(config)), 'file', 0, tensors), failsWith('model-unsupported', /stored as F64/));
    });
  });
});

function hashCheckpointEntries(): { config: unknown; tensors: TensorEntry[] } {
  const scales = Object.fromEntries(['wte.weight', 'wpe.weight', 'ln.weight', 'ln.bias', 'attn.c_attn.weight', 'attn.c_attn.bias', 'attn.c_proj.weight', 'attn.c_proj.bias', 'mlp.c_fc.weight', 'mlp.c_fc.bias', 'mlp.c_proj.weight', 'mlp.c_proj.bias'].map((kind) => [kind, { scale: 1, offset: 0 }]));
  const { config, tensors } = hashCheckpoint({ name: 'F64', seed: 1, layers: 1, heads: 1, dModel: 2, dMlp: 2, vocab: 3, context: 2, layerNormEpsilon: 1e-5, scales });
  return { config, tensors: [...tensors].map(([name, { shape }]) => ({ name, shape, dtype: 'F64', start: 0, end: 0 })) };
}
