import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { edgesCsv } from '../../../src/runs/edgesCsv';
import { decodeRun, encodeRun } from '../../../src/runs/format';
import { RunStore } from '../../../src/runs/store';
import { arrayNamed, packArrays, type ArrayView } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { edgeCount, edgeName, edgesOf, matrixIndex } from '../../../src/shared/graph/nodes';
import { edgeScores, measuredPaths, shapeOf } from '../../../src/shared/graph/stored';
import { PATH_MODES } from '../../../src/shared/paths';
import type { Run } from '../../../src/shared/run';
import type { ViewOptions } from '../../../src/shared/views';
import { maskNamed } from '../shared/graph/samples';
import { exampleRunWithEdges } from './exampleEdges';
import { exampleRun } from './exampleRun';

function refuses(run: Run, message: RegExp): void {
  assert.throws(
    () => decodeRun(encodeRun(run)),
    (error: unknown) => {
      assert.ok(CircuitError.is(error, 'run-file'), String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

/** The example with its manifest changed, whatever the type says. */
function withManifest(change: (manifest: Record<string, unknown>) => void): Run {
  const run = exampleRunWithEdges();
  const manifest = structuredClone(run.manifest);
  change(manifest as unknown as Record<string, unknown>);
  return { ...run, manifest };
}

/** The example with some of its arrays changed or (undefined) left out. */
function withArrays(changes: Record<string, Partial<ArrayView> | undefined>): Run {
  const run = exampleRunWithEdges();
  const kept = Object.keys(run.arrays.entries).filter((name) => !(name in changes && changes[name] === undefined));
  return { ...run, arrays: packArrays(kept.map((name) => ({ name, ...arrayNamed(run.arrays, name), ...changes[name] }))) };
}

const circuit = (change: object) => (manifest: Record<string, unknown>): void => void Object.assign((manifest['circuits'] as object[])[0]!, change);
const faithfulness = (change: object) => (manifest: Record<string, unknown>): void => void Object.assign((manifest['circuits'] as { faithfulness: object }[])[0]!.faithfulness, change);

describe('a run file with edges', () => {
  it('gives back edges, patched paths, circuits and notes', () => {
    const run = exampleRunWithEdges();
    const read = decodeRun(encodeRun(run));
    assert.deepEqual(read.manifest, run.manifest);
    for (const name of Object.keys(run.arrays.entries)) assert.deepEqual(arrayNamed(read.arrays, name), arrayNamed(run.arrays, name));
    for (const mode of PATH_MODES) assert.deepEqual(measuredPaths(read, mode), measuredPaths(run, mode));
  });

  it('survives the store', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'runs-'));
    try {
      const store = new RunStore(folder);
      const run = exampleRunWithEdges();
      await store.save(run);
      assert.deepEqual(await store.load(run.manifest.id), run);
      const [listed] = await store.list();
      assert.deepEqual(listed && 'manifest' in listed ? listed.manifest.circuits : undefined, run.manifest.circuits);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is of the same version as one without, which opens as before', () => {
    const run = exampleRun();
    assert.equal(exampleRunWithEdges().manifest.formatVersion, run.manifest.formatVersion);
    const read = decodeRun(encodeRun(run));
    for (const field of ['paths', 'circuits', 'graph']) assert.equal(field in read.manifest, false);
    assert.deepEqual(measuredPaths(read, 'direct').edges, []);
  });

  it('may have circuits and notes without edges of its own', () => {
    const run = exampleRun();
    run.manifest.circuits = exampleRunWithEdges().manifest.circuits;
    run.manifest.graph = { names: {}, pinned: [], text: '' };
    assert.deepEqual(decodeRun(encodeRun(run)).manifest, run.manifest);
  });

  it('keeps every way to attribute edges', () => {
    for (const method of [{}, { layerNorm: 'all' }, { bothGradients: true }, { integrated: { steps: 1, rule: 'midpoint' } }] as const) {
      const run = withManifest((manifest) => (manifest['paths'] = { method, seconds: 0 }));
      assert.deepEqual(decodeRun(encodeRun(run)).manifest.paths, { method, seconds: 0 });
    }
  });

  it('is refused for a manifest that is damaged, naming the field', () => {
    for (const [change, message] of [
      [(manifest) => (manifest['paths'] = true), /manifest\.paths should be an object/],
      [(manifest) => (manifest['paths'] = { seconds: 1 }), /manifest\.paths\.method should be an object/],
      [(manifest) => (manifest['paths'] = { method: {} }), /manifest\.paths\.seconds should be a number/],
      [(manifest) => (manifest['paths'] = { method: { layerNorm: 'some' }, seconds: 1 }), /method\.layerNorm should be one of "full", "receiver", "all"/],
      [(manifest) => (manifest['paths'] = { method: { integrated: { steps: 0, rule: 'left' } }, seconds: 1 }), /integrated\.steps should be a whole number/],
      [(manifest) => (manifest['paths'] = { method: { bothGradients: 1 }, seconds: 1 }), /bothGradients should be true or false/],
      [(manifest) => (manifest['circuits'] = {}), /manifest\.circuits should be a list/],
      [circuit({ name: 3 }), /circuits\[0\]\.name should be a text/],
      [circuit({ origin: undefined }), /circuits\[0\]\.origin should be a text/],
      [circuit({ createdAt: 0 }), /circuits\[0\]\.createdAt should be a text/],
      [circuit({ notes: null }), /circuits\[0\]\.notes should be a text/],
      [circuit({ edges: 'all' }), /circuits\[0\]\.edges should be a list/],
      [circuit({ edges: ['input->m0', 'm0->a0.h0<q>'] }), /circuits\[0\]\.edges\[1\] should be an edge of the model/],
      [circuit({ edges: ['input->m2'] }), /edges\[0\] should be an edge of the model/],
      [circuit({ edges: ['input->m0', 'input->m0'] }), /edges should be edges, each of them once/],
      [faithfulness({ ablation: 'none' }), /faithfulness\.ablation should be one of/],
      [faithfulness({ metric: null }), /faithfulness\.metric should be a number/],
      [faithfulness({ full: '2' }), /faithfulness\.full should be a number/],
      [faithfulness({ empty: undefined }), /faithfulness\.empty should be a number/],
      [faithfulness({ value: undefined }), /faithfulness\.value should be a number/],
      [faithfulness({ knockedOut: 'x' }), /faithfulness\.knockedOut should be a number/],
      [(manifest) => (manifest['graph'] = []), /manifest\.graph should be an object/],
      [(manifest) => (manifest['graph'] = { names: {}, pinned: [] }), /manifest\.graph\.text should be a text/],
      [(manifest) => (manifest['graph'] = { names: { m0: 1 }, pinned: [], text: '' }), /graph\.names\.m0 should be a text/],
      [(manifest) => (manifest['graph'] = { names: { m9: 'x' }, pinned: [], text: '' }), /not of "m9"/],
      [(manifest) => (manifest['graph'] = { names: {}, pinned: ['a0.h3'], text: '' }), /graph\.pinned\[0\] should be a node/],
      [(manifest) => (manifest['graph'] = { names: {}, pinned: 'm0', text: '' }), /graph\.pinned should be a list/],
    ] as [(manifest: Record<string, unknown>) => unknown, RegExp][]) {
      refuses(withManifest(change), message);
    }
    refuses(withManifest((manifest) => (manifest['graph'] = JSON.parse('{"names":{"__proto__":"x"},"pinned":[],"text":""}') as unknown)), /not of "__proto__"/);
  });

  it('is refused for edges without their method, senders or shape', () => {
    const missing = /of its edges the scores, those of the senders or the method are missing/;
    refuses(withManifest((manifest) => delete manifest['paths']), missing);
    refuses(withArrays({ 'paths.edges': undefined }), missing);
    refuses(withArrays({ 'paths.senders': undefined }), missing);
    refuses(withArrays({ 'paths.edges': { shape: [3, 21, 9] } }), /paths\.edges is 3×21×9 \(pair, sender, receiver\), expected 3×9×21/);
    refuses(withArrays({ 'paths.edges': { axes: ['pair', 'receiver', 'sender'] } }), /paths\.edges is 3×9×21 \(pair, receiver, sender\)/);
    refuses(withArrays({ 'paths.senders': { shape: [9, 3] } }), /paths\.senders is 9×3/);
    const strange = exampleRunWithEdges();
    arrayNamed(strange.arrays, 'paths.edges').data[5] = NaN;
    refuses(strange, /paths\.edges holds values that are no numbers/);
  });

  it('is refused for patched paths without their edges, effects or shape', () => {
    refuses(withArrays({ 'paths.cells': undefined }), /of its patched paths the edges or the effects are missing/);
    refuses(withArrays({ 'paths.effects': undefined }), /the edges or the effects are missing/);
    refuses(withArrays({ 'paths.cells': { shape: [9], axes: ['edge'] } }), /paths\.cells is 9 \(edge\)/);
    refuses(withArrays({ 'paths.cells': { shape: [1, 9] } }), /paths\.cells is 1×9/);
    refuses(withArrays({ 'paths.effects': { shape: [9, 1] } }), /paths\.effects is 9×1 \(edge, pair\), expected 3×3/);
    const strange = exampleRunWithEdges();
    arrayNamed(strange.arrays, 'paths.effects').data[2] = NaN;
    refuses(strange, /paths\.effects holds values that are no numbers/);
  });

  it('is refused for modes and edges that there are not', () => {
    for (const [field, value, message] of [
      [0, 3, /mode of measured edge 1 is 3/],
      [0, -1, /mode of measured edge 1 is -1/],
      [0, 0.5, /mode of measured edge 1/],
      [1, 9, /measured edge 1, from 9 to 20, is no edge/],
      [1, -1, /is no edge/],
      [1, 1.5, /is no edge/],
      [2, 21, /from 8 to 21, is no edge/],
      [2, 0, /from 8 to 0, is no edge/],
    ] as const) {
      const run = exampleRunWithEdges();
      arrayNamed(run.arrays, 'paths.cells').data[3 + field] = value;
      refuses(run, message);
    }
  });
});

describe('edges as CSV', () => {
  const run = exampleRunWithEdges();
  const shape = shapeOf(run);
  const raw: ViewOptions = { pair: 'all', unit: 'raw' };
  const rowsOf = (csv: string): string[][] => csv.trimEnd().split('\r\n').map((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/));

  it('have a line for each, strongest first', () => {
    const scores = edgeScores(run, raw);
    const [header, ...rows] = rowsOf(edgesCsv(run, raw));
    assert.deepEqual(header, ['edge', 'from', 'to', 'port', 'score', 'direct', 'directFrozen', 'throughMlps', 'metric', 'direction', 'other', 'variant', 'model', 'pair', 'effect', 'unit']);
    assert.equal(rows.length, edgeCount(shape));
    const sizes = rows.map(([, , , , score]) => Math.abs(Number(score)));
    assert.deepEqual(sizes, [...sizes].sort((a, b) => b - a));
    const byName = new Map(rows.map((row) => [row[0], row]));
    for (const edge of edgesOf(shape)) assert.ok(Math.abs(Number(byName.get(edgeName(shape, edge))![4]) - scores[matrixIndex(shape, edge)]!) < 1e-7);
    assert.deepEqual(byName.get('a0.h1->a1.h2<q>')!.slice(1, 4), ['a0.h1', 'a1.h2', 'q']);
    assert.deepEqual(byName.get('m1->logits')!.slice(1, 4), ['m1', 'logits', '']);
  });

  it('have exact effects where they were measured', () => {
    const exact = (options: ViewOptions, name: string): string[] => rowsOf(edgesCsv(run, options)).find(([edge]) => edge === name)!.slice(5, 8);
    assert.deepEqual(exact(raw, 'input->a0.h0<q>'), ['0.2', '', '0.5']);
    assert.deepEqual(exact(raw, 'm1->logits'), ['-2', '', '']);
    assert.deepEqual(exact({ pair: 2, unit: 'normalised', of: 'pair' }, 'm1->logits'), ['-1.2', '', '']);
    assert.deepEqual(exact(raw, 'm0->m1'), ['', '', '']);
  });

  it('say in every line of what, and how they were attributed', () => {
    for (const row of rowsOf(edgesCsv(run, raw)).slice(1)) {
      assert.deepEqual(row.slice(8), ['logitDiff', 'denoise', 'corrupted', '"EAP-IG (5 steps, left), receiver’s LayerNorm frozen"', 'example', 'all', 'mean', 'raw']);
    }
    assert.deepEqual(rowsOf(edgesCsv(run, { pair: 1, unit: 'normalised' }))[1]!.slice(13), ['second', 'share', 'normalised']);
  });

  it('are those of a circuit alone where one is given', () => {
    const mask = maskNamed(shape, 'input->a0.h1<v>', 'a1.h2->logits');
    assert.deepEqual(rowsOf(edgesCsv(run, raw, mask)).slice(1).map(([edge]) => edge).sort(), ['a1.h2->logits', 'input->a0.h1<v>']);
  });

  it('are none where they were not attributed', () => {
    assert.throws(() => edgesCsv(exampleRun(), raw), /not been attributed/);
  });
});
