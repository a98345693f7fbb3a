import assert from 'node:assert/strict';
import { arrayNamed, packArrays } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { exactOf, withExact } from '../../../src/shared/exact';
import { summaryOf } from '../../../src/shared/panelProtocol';
import { RUN_FORMAT_VERSION, type Run } from '../../../src/shared/run';
import { headScores, mapScores } from '../../../src/shared/views';
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
      header.__metadata__['format_version'] = '3';
      header.__metadata__['manifest'] = '{"extensionVersion":"3.1.0","quite":"different"}';
    });
    refuses(newer, /written by Circuit Explorer 3\.1\.0 in run format 3; this version reads formats up to 2\. Update/);
    refuses(changed((header) => Object.assign(header.__metadata__, { format_version: '7', manifest: '\u0000' })), /a newer Circuit Explorer in run format 7/);
    refuses(changed((header) => (header.__metadata__['format_version'] = 'x')), /no version/);
  });

  it('refuses NaN and infinity', () => {
    for (const value of [NaN, Infinity]) {
      const run = exampleRun();
      run.arrays.data[7] = value;
      refuses(encodeRun(run), /array group0\.z holds values that are no numbers/);
    }
  });

  describe('version 1', () => {
    /** As Circuit Explorer 0.1.0 wrote it: header and data by hand, with no help of today's writer. */
    const manifest = {
      formatVersion: 1,
      id: '20260131T120000123Z-aaaaaaaa',
      extensionVersion: '0.1.0',
      createdAt: '2026-01-31T12:00:00.123Z',
      title: 'old.prompts.json',
      source: { uri: 'file:///old.prompts.json' },
      experiment: { metric: 'logitDiff', direction: 'noise', pairs: [{ clean: 'a b', corrupted: 'c b', correct: [' x'], incorrect: [' y'], positions: { S: 'a' } }] },
      prependBos: false,
      model: { id: 'bundled', checkpointHash: 'ab', layers: 1, heads: 2, dModel: 4, dHead: 2, dMlp: 16, vocabulary: 9, context: 8, parameters: 99, dtype: 'F32' },
      backend: { name: 'wasm-simd', threads: 1 },
      pairs: [
        {
          name: 'pair 1',
          clean: [{ id: 1, text: 'a' }, { id: 2, text: ' b' }],
          corrupted: [{ id: 3, text: 'c' }, { id: 2, text: ' b' }],
          correct: [{ id: 4, text: ' x' }],
          incorrect: [{ id: 5, text: ' y' }],
          differsAt: 0,
          logitDiff: { clean: 2.5, corrupted: -1.25 },
        },
      ],
      groups: [{ pairs: [0], length: 2, positions: 'all' }],
      timings: { load: 0.1, run: 0.2 },
      notes: [],
    };
    const arrays = { 'group0.z': { axes: ['pair', 'layer', 'position', 'head'], shape: [1, 1, 2, 2] }, 'group0.resid_pre': { axes: ['pair', 'layer', 'position'], shape: [1, 1, 2] } };
    const numbers = Float32Array.of(1, 2, 3, 4, 5, 6);
    const file = (of: object): Uint8Array =>
      join(
        {
          __metadata__: { format_version: '1', manifest: JSON.stringify(of), axes: JSON.stringify(Object.fromEntries(Object.entries(arrays).map(([name, { axes }]) => [name, axes]))) },
          'group0.z': { dtype: 'F32', shape: arrays['group0.z'].shape, data_offsets: [0, 16] },
          'group0.resid_pre': { dtype: 'F32', shape: arrays['group0.resid_pre'].shape, data_offsets: [16, 24] },
        },
        new Uint8Array(numbers.buffer),
      );

    it('is read: its logit differences are its metric', () => {
      const { manifest: read, arrays: found } = decodeRun(file(manifest));
      const { logitDiff, ...pair } = manifest.pairs[0]!;
      assert.deepEqual(read, { ...manifest, formatVersion: RUN_FORMAT_VERSION, pairs: [{ ...pair, metric: logitDiff }] });
      assert.deepEqual(found.data, numbers);
      const view = headScores(read, found, 'z', 'all', { pair: 'all', unit: 'normalised' });
      assert.deepEqual(Array.from(view.values), [4 / 3.75, 6 / 3.75].map(Math.fround));
    });

    it('comes back as version 2 once it is written', () => {
      const again = encodeRun(decodeRun(file(manifest)));
      assert.equal(split(again).header.__metadata__['format_version'], '2');
      assert.deepEqual(decodeRun(again).manifest, decodeRun(file(manifest)).manifest);
    });

    it('is refused where it is damaged, naming the field', () => {
      refuses(file({ ...manifest, pairs: 3 }), /manifest\.pairs should be a list/);
      refuses(file({ ...manifest, pairs: ['x'] }), /manifest\.pairs\[0\] should be an object/);
      refuses(file({ ...manifest, pairs: [{ ...manifest.pairs[0], logitDiff: undefined }] }), /manifest\.pairs\[0\]\.metric should be an object/);
      refuses(file({ ...manifest, formatVersion: 2 }), /manifest\.formatVersion should be one of 2/);
    });
  });

  describe('exact effects', () => {
    const measured = (): Run =>
      withExact(exampleRun(), {
        cells: [{ site: 'z', layer: 1, head: 2 }, { site: 'attn_out', layer: 0, group: 1, position: 3 }, { site: 'q', layer: 0, head: 0, position: 'last' }],
        effects: Float32Array.of(1, 2, 3, NaN, 5, NaN, 7, 8, 9),
      });

    it('come back, NaN where a pair has none', () => {
      const run = measured();
      const read = decodeRun(encodeRun(run));
      assert.deepEqual(exactOf(read), exactOf(run));
      assert.deepEqual(read.manifest.exactSites, ['z', 'attn_out', 'q']);
    });

    it('may be none', () => {
      const run = withExact(exampleRun(), { cells: [], effects: new Float32Array(0) });
      assert.deepEqual(exactOf(decodeRun(encodeRun(run))).cells, []);
      assert.deepEqual(decodeRun(encodeRun({ ...exampleRun(), arrays: packArrays([]) })).arrays.entries, {}, 'nor need there be any array');
    });

    it('are the only place for NaN, and none for infinity', () => {
      const run = measured();
      arrayNamed(run.arrays, 'exact.effects').data[0] = Infinity;
      refuses(encodeRun(run), /exact\.effects holds values/);
    });

    it('are refused without their sites, cells or shapes', () => {
      const of = (change: (header: Header, manifest: Record<string, unknown>) => void): Uint8Array => {
        const { header, data } = split(encodeRun(measured()));
        const manifest = JSON.parse(header.__metadata__['manifest']!) as Record<string, unknown>;
        change(header, manifest);
        header.__metadata__['manifest'] = JSON.stringify(manifest);
        return join(header, data);
      };
      refuses(of((_, manifest) => delete manifest['exactSites']), /the cells, the effects or the sites are missing/);
      refuses(of((_, manifest) => (manifest['exactSites'] = ['z'])), /the site of exact cell 1 is 1/);
      refuses(of((_, manifest) => (manifest['exactSites'] = ['y'])), /exactSites\[0\] should be one of/);
      refuses(of((header) => Object.assign(header['exact.effects'] as object, { shape: [9, 1] })), /exact\.effects is 9×1/);
      refuses(of((header) => (header.__metadata__['axes'] = header.__metadata__['axes']!.replace('"field"', '"what"'))), /exact\.cells is 3×7 \(cell, what\)/);
    });

    it('are refused for cells that the model does not have', () => {
      for (const [field, value] of [[1, 2], [2, 2], [3, 3], [4, -3], [4, 16], [5, -2], [6, 24], [2, 0.5]] as const) {
        const run = measured();
        arrayNamed(run.arrays, 'exact.cells').data[7 + field] = value;
        refuses(encodeRun(run), /of exact cell 1 is/);
      }
    });
  });

  it('opens a run without z, and one of neurons', () => {
    const run = exampleRun();
    const neurons = packArrays(run.manifest.groups.map(({ pairs, length }, group) => ({ name: `group${group}.mlp_post`, axes: ['pair', 'layer', 'position', 'neuron'], shape: [pairs.length, 2, length, 24], data: new Float32Array(pairs.length * 2 * length * 24).fill(0.5) })));
    const read = decodeRun(encodeRun({ ...run, arrays: neurons }));
    assert.deepEqual(summaryOf(read).sites, ['mlp_post']);
    assert.equal(mapScores(read.manifest, read.arrays, { site: 'mlp_post', over: 'positions', group: 1 }, { pair: 'all', unit: 'raw' })!.values[0], 4);
    refuses(changed((header) => (header.__metadata__['manifest'] = header.__metadata__['manifest']!.replace('"heads":3', '"heads":4'))), /group0\.z is/);
  });

  it('keeps every setting of an experiment', () => {
    const run = exampleRun();
    const { manifest } = run;
    manifest.experiment = {
      ...manifest.experiment,
      metric: { activation: 'directLogit', layer: 1 },
      at: 'S1',
      source: -1,
      range: ['S1', 2],
      other: 'mean',
      variant: { integrated: { steps: 4, rule: 'right' }, qkFix: true, stopGradient: [{ site: 'embed', position: 'last' }], interventions: [{ unit: { site: 'pattern', layer: 0, head: 1, position: 2, source: 0 }, with: 'zero' }] },
      pairs: manifest.experiment.pairs.map(({ name, clean, positions }) => ({ name, clean, correct: [], incorrect: [], positions })),
    };
    manifest.pairs = manifest.pairs.map(({ name, clean, corrupted }) => ({ name, clean, corrupted, correct: [], incorrect: [], at: 1, source: 0, range: [0, 2], positions: { S1: 0, END: 2 }, metric: { clean: 1 } }));
    assert.deepEqual(decodeRun(encodeRun(run)).manifest, manifest);
    for (const metric of [{ activation: 'attention', layer: 0 }, { activation: 'q', layer: 0 }, 'accuracy', 3]) {
      refuses(changedManifest((of) => Object.assign(of['experiment'] as object, { metric })), /manifest\.experiment\.metric/);
    }
    for (const places of [{ at: 3 }, { source: 4 }, { range: [0, 3] }, { positions: { S1: 3 } }, { at: -1 }]) {
      refuses(changedManifest((of) => Object.assign((of['pairs'] as object[])[0]!, places)), /manifest\.pairs\[0\]/);
    }
  });
});
