import assert from 'node:assert/strict';
import * as read from '../../../src/editor/pathsMessages';
import { edgeNamed } from '../../../src/shared/graph/nodes';
import { shapeOf } from '../../../src/shared/graph/stored';
import { pathsRun, withCircuit } from './pathsRun';

const run = withCircuit(withCircuit(pathsRun(), 'one', ['input->m0']), 'other', ['m0->logits']);
const runId = run.manifest.id;
const options = { pair: 'all', unit: 'raw' };
const edge = edgeNamed(shapeOf(run), 'input->m0')!;

function refuses(reader: (params: unknown) => unknown, requests: [unknown, RegExp][]): void {
  for (const [request, message] of requests) assert.throws(() => reader(request), message, JSON.stringify(request));
}

describe('messages of the Paths view', () => {
  it('say how edges are attributed', () => {
    const of = (method: unknown): unknown => read.readEdgeMethodOf({ runId, method }, run);
    assert.deepEqual(of({}), {});
    assert.deepEqual(of({ integrated: { steps: 5, rule: 'left', more: 1 }, layerNorm: 'receiver', qkFix: true }), { integrated: { steps: 5, rule: 'left' }, layerNorm: 'receiver' });
    assert.deepEqual(of({ bothGradients: true }), { bothGradients: true });
    assert.deepEqual(of({ bothGradients: false, integrated: { steps: 512, rule: 'right' } }), { integrated: { steps: 512, rule: 'right' } });
    refuses(of, [
      [undefined, /parameters/],
      [{ layerNorm: 'none' }, /layerNorm/],
      [{ integrated: { steps: 0, rule: 'left' } }, /steps/],
      [{ integrated: { steps: 513, rule: 'left' } }, /1 to 512 steps, not 513/],
      [{ integrated: { steps: 2, rule: 'simpson' } }, /rule/],
      [{ bothGradients: 'yes' }, /bothGradients/],
      [{ bothGradients: true, integrated: { steps: 2, rule: 'left' } }, /method/],
    ]);
    assert.throws(() => read.readEdgeMethodOf({ runId: 'another', method: {} }, run), /no longer shows/);
  });

  it('ask for a graph', () => {
    const of = (more: object): unknown => read.readGraphRequest({ runId, options, choose: { top: 5 }, mode: 'direct', ...more }, run);
    assert.deepEqual(of({ extra: 1 }), { runId, options, choose: { top: 5 }, mode: 'direct' });
    const full = { choose: { threshold: 0.5 }, focus: ['a1.h2', 'logits'], circuit: 1, between: { from: 'input', to: 'logits', paths: 3 }, mode: 'throughMlps' };
    assert.deepEqual(of(full), { runId, options, ...full });
    assert.deepEqual((of({ between: { from: 'input', to: 'm0', paths: 1e6 } }) as { between: unknown }).between, { from: 'input', to: 'm0', paths: 100 });
    refuses((more) => of(more as object), [
      [{ choose: {} }, /threshold/],
      [{ choose: { top: -1 } }, /top/],
      [{ choose: { top: 1.5 } }, /top/],
      [{ choose: { threshold: -1 } }, /threshold/],
      [{ choose: { threshold: Infinity } }, /threshold/],
      [{ choose: undefined }, /parameters/],
      [{ focus: ['a9.h9'] }, /focus/],
      [{ focus: 'a1.h2' }, /focus/],
      [{ focus: Array.from({ length: 100 }, () => 'm0') }, /focus/],
      [{ circuit: 2 }, /circuit/],
      [{ circuit: 'one' }, /circuit/],
      [{ between: { from: 'input', to: '__proto__', paths: 3 } }, /to/],
      [{ between: { from: 'input', to: 'm0', paths: 0 } }, /paths/],
      [{ mode: 'sideways' }, /mode/],
      [{ options: { pair: 3, unit: 'raw' } }, /pair/],
      [{ runId: 'another' }, /no longer shows/],
    ]);
  });

  it('name edges', () => {
    assert.deepEqual(read.readEdgeRequest({ runId, options, edge }, run), { runId, options, edge });
    assert.deepEqual(read.readPathsRequest({ runId, options, mode: 'direct', edges: [{ ...edge, score: 1 }] }, run), { runId, options, mode: 'direct', edges: [edge] });
    assert.deepEqual(read.readPathsRequest({ runId, options, mode: 'directFrozen', edges: { top: 1e6 } }, run).edges, { top: 75 });
    refuses((wrong) => read.readEdgeRequest({ runId, options, edge: wrong }, run), [
      [undefined, /parameters/],
      [{ sender: 0 }, /receiver/],
      [{ sender: 0, receiver: 21 }, /edge/],
      [{ sender: 8, receiver: 0 }, /edge/],
      [{ sender: -1, receiver: 0 }, /sender/],
    ]);
    refuses((edges) => read.readPathsRequest({ runId, options, mode: 'direct', edges }, run), [
      [undefined, /parameters/],
      [{ top: 0 }, /top/],
      [[edge, { sender: 8, receiver: 0 }], /edge/],
      [Array.from({ length: 200 }, () => edge), /edges/],
    ]);
  });

  it('select, extract and question circuits', () => {
    const selection = { by: 'top', edges: 4 };
    const request = { runId, options, selection, prune: true };
    assert.deepEqual(read.readSelectionRequest(request, run), request);
    assert.deepEqual(read.readStabilityRequest(request, run), { selection, prune: true });
    const extraction = { ...request, selection: { by: 'threshold', threshold: 0.1 }, ablation: 'mean', name: ' mine ' };
    assert.deepEqual(read.readExtraction(extraction, run), { ...extraction, name: 'mine' });
    assert.deepEqual(read.readCurveRequest({ runId, options, by: 'greedy', ablation: 'zero', random: 20 }, run), { runId, options, by: 'greedy', ablation: 'zero', random: 20 });
    assert.equal(read.readCircuit({ runId, circuit: 1 }, run), 1);
    assert.deepEqual(read.readRefinement({ runId, circuit: 0, threshold: 0.01, name: 'fewer' }, run), { circuit: 0, threshold: 0.01, name: 'fewer' });
    assert.deepEqual(read.readTwoCircuits({ runId, circuits: [0, 1] }, run), [0, 1]);
    assert.equal(read.readAblation({ runId, ablation: 'resample' }, run), 'resample');
    assert.deepEqual(read.readGraphExport({ runId, options, format: 'dot' }, run), { runId, options, format: 'dot' });
    assert.deepEqual(read.readGraphExport({ runId, options, format: 'mib', circuit: 1 }, run), { runId, options, format: 'mib', circuit: 1 });
    refuses((wrong) => read.readSelectionRequest({ ...request, ...(wrong as object) }, run), [
      [{ selection: undefined }, /parameters/],
      [{ selection: { by: 'best', edges: 4 } }, /selection/],
      [{ selection: { by: 'greedy', edges: 0 } }, /edges/],
      [{ selection: { by: 'threshold', threshold: NaN } }, /threshold/],
      [{ prune: 'yes' }, /prune/],
    ]);
    refuses((wrong) => read.readExtraction({ ...extraction, ...(wrong as object) }, run), [
      [{ ablation: 'noise' }, /ablation/],
      [{ name: '  ' }, /name/],
      [{ name: 'x'.repeat(101) }, /name/],
      [{ name: undefined }, /name/],
    ]);
    refuses((wrong) => read.readCurveRequest({ runId, options, by: 'top', ablation: 'zero', random: 20, ...(wrong as object) }, run), [
      [{ by: 'threshold' }, /by/],
      [{ random: 101 }, /random/],
      [{ random: -1 }, /random/],
    ]);
    assert.throws(() => read.readCircuit({ runId, circuit: 2 }, run), /circuit/);
    assert.throws(() => read.readTwoCircuits({ runId, circuits: [0] }, run), /circuits/);
    assert.throws(() => read.readTwoCircuits({ runId, circuits: [0, 2] }, run), /circuit/);
    assert.throws(() => read.readGraphExport({ runId, options, format: 'png' }, run), /format/);
    assert.throws(() => read.readRefinement({ runId, circuit: 0, threshold: -1, name: 'fewer' }, run), /threshold/);
  });

  it('keep names, pins and notes of nodes that there are', () => {
    const notes = { names: { 'a1.h2': 'name mover', input: 'tokens' }, pinned: ['m0'], text: 'What I saw.' };
    const of = (more: object): unknown => read.readGraphNotes({ runId, notes: { ...notes, ...more } }, run);
    assert.deepEqual(of({ extra: 1 }), notes);
    assert.deepEqual((of({ pinned: ['m0', 'm0'] }) as typeof notes).pinned, ['m0']);
    refuses((more) => of(more as object), [
      [{ names: { 'a5.h5': 'name mover' } }, /names/],
      [{ names: { m0: '' } }, /name/],
      [{ names: { m0: 7 } }, /name/],
      [{ names: undefined }, /parameters/],
      [{ pinned: ['logit'] }, /pinned/],
      [{ text: 7 }, /text/],
      [{ text: 'x'.repeat(100_001) }, /text/],
    ]);
    assert.throws(() => of(JSON.parse('{"names": {"__proto__": "x"}}') as object), /names/);
  });
});
