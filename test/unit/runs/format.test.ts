import assert from 'node:assert/strict';
import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { decodeRun, encodeRun } from '../../../src/runs/format';
import { exampleRun } from './exampleRun';

interface Header {
  __metadata__: Record<string, string>;
  [name: string]: unknown;
}

function split(bytes: Uint8Array): { header: Header; data: Uint8Array } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Header, data: bytes.slice(8 + length) };
}

function join(header: unknown, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** The example's file with its header changed. */
function changed(change: (header: Header) => void): Uint8Array {
  const { header, data } = split(encodeRun(exampleRun()));
  change(header);
  return join(header, data);
}

function changedManifest(change: (manifest: Record<string, unknown>) => void): Uint8Array {
  return changed((header) => {
    const manifest = JSON.parse(header.__metadata__['manifest']!) as Record<string, unknown>;
    change(manifest);
    header.__metadata__['manifest'] = JSON.stringify(manifest);
  });
}

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decodeRun(bytes),
    (error: unknown) => {
      assert.ok(CircuitError.is(error, 'run-file'), String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

describe('run format', () => {
  it('gives back what was written, bit for bit', () => {
    const run = exampleRun();
    const read = decodeRun(encodeRun(run));
    assert.deepEqual(read.manifest, run.manifest);
    assert.deepEqual(Object.keys(read.arrays.entries), Object.keys(run.arrays.entries));
    for (const name of Object.keys(run.arrays.entries)) assert.deepEqual(arrayNamed(read.arrays, name), arrayNamed(run.arrays, name));
  });

  it('is a safetensors file: texts as metadata, numbers aligned, no gaps', () => {
    const bytes = encodeRun(exampleRun());
    const { header, data } = split(bytes);
    assert.equal((bytes.length - data.length) % 8, 0);
    assert.deepEqual(Object.keys(header.__metadata__).sort(), ['axes', 'format_version', 'manifest']);
    for (const value of Object.values(header.__metadata__)) assert.equal(typeof value, 'string');
    const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__') as [string, { data_offsets: number[] }][];
    const ends = tensors.map(([, { data_offsets: offsets }]) => offsets);
    assert.deepEqual(ends.map(([start]) => start).slice(1), ends.map(([, end]) => end).slice(0, -1));
    assert.equal(ends.at(-1)![1], data.length);
  });

  it('writes arrays that lie scattered in a larger buffer', () => {
    const run = exampleRun();
    const names = Object.keys(run.arrays.entries);
    const scattered = packArrays([
      { name: 'unused', axes: ['nothing'], shape: [5], data: new Float32Array(5).fill(9) },
      ...names.reverse().map((name) => ({ name, ...arrayNamed(run.arrays, name) })),
    ]);
    delete scattered.entries['unused'];
    const read = decodeRun(encodeRun({ ...run, arrays: scattered }));
    for (const name of names) assert.deepEqual(arrayNamed(read.arrays, name).data, arrayNamed(run.arrays, name).data);
  });

  it('reads a file whose bytes are not aligned in memory', () => {
    const bytes = encodeRun(exampleRun());
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    assert.deepEqual(decodeRun(shifted.subarray(3)).arrays.data, exampleRun().arrays.data);
    assert.deepEqual(decodeRun(Buffer.from(shifted.buffer, 3)).arrays.data, exampleRun().arrays.data);
  });

  it('refuses what is cut off, empty or no safetensors file', () => {
    const bytes = encodeRun(exampleRun());
    refuses(new Uint8Array(0), /shorter than the smallest/);
    refuses(bytes.subarray(0, 7), /shorter than the smallest/);
    refuses(bytes.subarray(0, 200), /header claims/);
    refuses(bytes.subarray(0, bytes.length - 4), /need \d+ bytes of data/);
    refuses(new TextEncoder().encode('{"pairs": []} and so on'), /header claims/);
    const huge = bytes.slice();
    new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true);
    refuses(huge, /header claims 9223372036854775808 bytes/);
  });

  it('refuses a header that is no JSON object of the right form', () => {
    refuses(join('{"a":', new Uint8Array(0)), /header is not JSON/);
    refuses(join('[]', new Uint8Array(0)), /not a JSON object/);
    refuses(join('{}', new Uint8Array(0)), /not a run of Circuit Explorer/);
    const invalid = join('{"a":"xx"}', new Uint8Array(0));
    invalid[14] = 0xff;
    refuses(invalid, /not UTF-8/);
    refuses(changed((header) => delete header.__metadata__['manifest']), /manifest is missing/);
    refuses(changed((header) => (header.__metadata__['manifest'] = '{')), /manifest is not JSON/);
  });

  it('refuses hostile tensors', () => {
    const tensor = (fields: object) => changed((header) => Object.assign(header['group0.z'] as object, fields));
    refuses(tensor({ dtype: 'F16' }), /type "F16"/);
    refuses(tensor({ shape: [2, 2, 3, -3] }), /no proper shape/);
    refuses(tensor({ shape: [2, 2, 3.5, 3] }), /no proper shape/);
    refuses(tensor({ shape: [2 ** 40, 2 ** 40, 3, 3] }), /does not fit/);
    refuses(tensor({ shape: 'large' }), /no proper shape/);
    refuses(tensor({ data_offsets: [0] }), /no proper shape or offsets/);
    refuses(tensor({ data_offsets: [4, 148] }), /overlap or leave a gap/);
    refuses(changed((header) => (header['group0.z'] = null)), /not described/);
    refuses(changed((header) => (header['group0.attn_out'] = { ...(header['group0.mlp_out'] as object) })), /overlap or leave a gap/);
    refuses(join(JSON.stringify(split(encodeRun(exampleRun())).header).replace('"group0.z"', '"__proto__"'), split(encodeRun(exampleRun())).data), /has the name/);
  });

  it('refuses axes and shapes that contradict the manifest', () => {
    refuses(changed((header) => (header.__metadata__['axes'] = '{}')), /axes of array group0\.z/);
    refuses(changed((header) => (header.__metadata__['axes'] = header.__metadata__['axes']!.replace('"head"', '"feature"'))), /group0\.z is 2×2×3×3/);
    refuses(changedManifest((manifest) => Object.assign(manifest['model'] as object, { layers: 3 })), /expected 2×3×3×3/);
    refuses(changedManifest((manifest) => (manifest['groups'] = [])), /division of the pairs/);
    refuses(changedManifest((manifest) => Object.assign((manifest['groups'] as object[])[1]!, { pairs: [0] })), /division of the pairs/);
  });

  it('names the field of the manifest that is wrong', () => {
    refuses(changedManifest((manifest) => delete manifest['title']), /manifest\.title should be a text/);
    refuses(changedManifest((manifest) => (manifest['timings'] = { load: 1, run: null })), /manifest\.timings\.run should be a number/);
    refuses(changedManifest((manifest) => ((manifest['pairs'] as { clean: unknown[] }[])[1]!.clean[2] = 'x')), /manifest\.pairs\[1\]\.clean\[2\] should be an object/);
    refuses(changedManifest((manifest) => Object.assign(manifest['experiment'] as object, { direction: 'up' })), /direction should be one of "denoise", "noise"/);
  });

  it('keeps reading when a later version of the same format adds fields', () => {
    const read = decodeRun(changedManifest((manifest) => (manifest['tags'] = ['x'])));
    assert.deepEqual((read.manifest as unknown as { tags: string[] }).tags, ['x']);
  });

  it('refuses a newer format and says who wrote it', () => {
    const newer = changed((header) => {
      header.__metadata__['format_version'] = '2';
      header.__metadata__['manifest'] = '{"extensionVersion":"3.1.0","quite":"different"}';
    });
    refuses(newer, /written by Circuit Explorer 3\.1\.0 in run format 2; this version reads formats up to 1\. Update/);
    refuses(changed((header) => Object.assign(header.__metadata__, { format_version: '7', manifest: '\u0000' })), /a newer Circuit Explorer in run format 7/);
    refuses(changed((header) => (header.__metadata__['format_version'] = 'x')), /no version/);
  });

  it('refuses NaN and infinity', () => {
    for (const value of [NaN, Infinity]) {
      const run = exampleRun();
      run.arrays.data[7] = value;
      refuses(encodeRun(run), /no numbers/);
    }
  });
});
