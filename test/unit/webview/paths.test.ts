import assert from 'node:assert/strict';
import { edgeNamed, type GraphShape } from '../../../src/shared/graph/nodes';
import type { DrawnEdge } from '../../../src/shared/pathsProtocol';
import { sortedEdges, type EdgeRow } from '../../../webview/paths/edgeTable';
import { groupNames, NO_NOTES, togglePin, withName } from '../../../webview/paths/graphNotes';
import { gradientOf, withGradient } from '../../../webview/paths/methodWords';
import { nodeChoices } from '../../../webview/paths/nodeChoices';
import { DEFAULT_TOP, focusOn, pathsChoice, type PathsChoice } from '../../../webview/paths/ownState';
import { edgeCountText, edgeEnds, edgeError, edgeSentence, edgeTitle, titleOf, titleWithName } from '../../../webview/paths/pathText';
import { selectedHead, selectionOfNode } from '../../../webview/paths/sharedSelection';
import { SLIDER_STEPS, stepAt, thresholdAt, thresholdRange, thresholdText } from '../../../webview/paths/thresholdScale';
import { walk, type Place, type Walkable } from '../../../webview/paths/walk';

const shape: GraphShape = { layers: 12, heads: 12 };
const edge = (name: string, score = 0.1, exact?: number): DrawnEdge => ({ ...edgeNamed(shape, name)!, score, ...(exact !== undefined && { exact }) });

describe('paths in words', () => {
  it('names nodes as the panel’s cells, with what a person calls them', () => {
    assert.deepEqual(['a9.h6', 'm3', 'input', 'logits'].map((name) => titleOf(shape, name)), ['L9H6', 'MLP 3', 'Input', 'Logits']);
    assert.equal(titleWithName(shape, 'a9.h6', { 'a9.h6': 'name mover' }), 'L9H6 (name mover)');
  });

  it('names edges by both ends and the input', () => {
    assert.equal(edgeTitle(shape, edge('a5.h5->a8.h6<v>')), 'L5H5 → L8H6 v');
    assert.equal(edgeTitle(shape, edge('input->m0')), 'Input → MLP 0');
    assert.deepEqual(edgeEnds(shape, edge('a9.h9->logits')), { from: 'a9.h9', to: 'logits' });
    assert.equal(edgeSentence(shape, edge('a5.h5->a8.h6<v>', 0.12, 0.1), 3), 'L5H5 into the value input of L8H6, +0.120, rank 3 of the drawn, exact +0.100');
    assert.equal(edgeSentence(shape, edge('m0->logits', -0.5), 1), 'MLP 0 into Logits, −0.500, rank 1 of the drawn, not measured');
  });

  it('counts edges, and says when more are chosen than drawn', () => {
    assert.equal(edgeCountText(42, 42, 32491), '42 of 32,491 edges');
    assert.equal(edgeCountText(2000, 5321, 32491), '5,321 of 32,491 edges; the 2,000 strongest are drawn');
  });

  it('keeps LayerNorm with another gradient', () => {
    const integrated = withGradient({ layerNorm: 'receiver' }, 'integrated');
    assert.deepEqual(integrated, { layerNorm: 'receiver', integrated: { steps: 5, rule: 'left' } });
    assert.deepEqual(withGradient(integrated, 'both'), { layerNorm: 'receiver', bothGradients: true });
    assert.deepEqual((['eap', 'integrated', 'both'] as const).map((gradient) => gradientOf(withGradient({}, gradient))), ['eap', 'integrated', 'both']);
  });
});

describe('the threshold of the paths’ graph', () => {
  const range = thresholdRange({ weakest: 0.01, strongest: 0.5 });

  it('runs on a logarithmic scale from a ten-thousandth of the strongest edge to it', () => {
    assert.deepEqual(range, { weakest: 0.5e-4, strongest: 0.5 });
    assert.equal(thresholdAt(range, 0), 0.5e-4);
    assert.equal(thresholdAt(range, SLIDER_STEPS), 0.5);
    assert.ok(Math.abs(thresholdAt(range, SLIDER_STEPS / 2) - 0.005) < 1e-9, 'halfway is a hundredth');
    assert.equal(thresholdRange({ weakest: 1e-6, strongest: 0.5 }).weakest, 1e-6, 'what is drawn is always in reach');
  });

  it('and back', () => {
    for (const step of [0, 1, 57, 200, 399, SLIDER_STEPS]) assert.equal(stepAt(range, thresholdAt(range, step)), step);
    assert.deepEqual([stepAt(range, 0), stepAt(range, 7)], [0, SLIDER_STEPS]);
  });

  it('survives a graph without scores', () => {
    const nothing = thresholdRange({ weakest: 0, strongest: 0 });
    assert.deepEqual([thresholdAt(nothing, 100), stepAt(nothing, 0.1)], [0, SLIDER_STEPS]);
    assert.deepEqual([thresholdText(0), thresholdText(0.012345), thresholdText(1.2e-8)], ['0', '0.0123', '1.2e−8']);
  });
});

describe('walking the paths’ graph by keyboard', () => {
  const names = ['a5.h5->a8.h6<v>', 'a8.h6->a9.h9<q>', 'input->a5.h5<k>', 'a5.h5->a9.h9<k>', 'm0->a8.h6<v>'];
  const graph: Walkable = { shape, nodes: ['a9.h9', 'a5.h5', 'input', 'm0', 'a8.h6'], edges: names.map((name) => edgeEnds(shape, edge(name))) };
  const go = (place: Place | undefined, ...keys: string[]): Place | undefined => keys.reduce((from: Place | undefined, key) => walk(graph, from, key), place);

  it('starts at the top, and goes from end to end', () => {
    assert.deepEqual(go(undefined, 'ArrowDown'), { node: 'a9.h9' });
    assert.deepEqual([go({ node: 'a8.h6' }, 'Home'), go({ node: 'a8.h6' }, 'End')], [{ node: 'input' }, { node: 'a9.h9' }]);
  });

  it('goes along the strongest edges, up to where they lead and down to where they come from', () => {
    assert.deepEqual(go({ node: 'a5.h5' }, 'ArrowUp'), { edge: 0, via: 'from' });
    assert.deepEqual(go({ node: 'a5.h5' }, 'ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowUp'), { node: 'a9.h9' });
    assert.deepEqual(go({ node: 'a8.h6' }, 'ArrowDown', 'ArrowDown'), { node: 'a5.h5' });
    assert.deepEqual(go({ node: 'input' }, 'ArrowDown'), { node: 'input' }, 'nothing leads into it');
  });

  it('goes sideways to the next edge of the same node, or to the next node of the model', () => {
    assert.deepEqual(go({ node: 'a8.h6' }, 'ArrowDown', 'ArrowRight'), { edge: 4, via: 'to' });
    assert.deepEqual(go({ node: 'a8.h6' }, 'ArrowDown', 'ArrowRight', 'ArrowRight'), { edge: 4, via: 'to' });
    assert.deepEqual(go({ node: 'a5.h5' }, 'ArrowUp', 'ArrowRight'), { edge: 3, via: 'from' });
    assert.deepEqual(go({ node: 'a5.h5' }, 'ArrowRight'), { node: 'a8.h6' });
    assert.deepEqual(go({ node: 'a5.h5' }, 'ArrowLeft', 'ArrowLeft', 'ArrowLeft'), { node: 'input' });
  });

  it('leaves other keys alone, and starts anew where its place is gone', () => {
    for (const key of ['a', 'Tab', 'Enter', 'Escape']) assert.equal(walk(graph, { node: 'input' }, key), undefined);
    assert.deepEqual(walk(graph, { edge: 99, via: 'to' }, 'ArrowUp'), { node: 'a9.h9' });
    assert.equal(walk({ ...graph, nodes: [], edges: [] }, undefined, 'ArrowUp'), undefined);
  });
});

describe('the table of the paths’ edges', () => {
  const rows: EdgeRow[] = [edge('a5.h5->a8.h6<v>', -0.4, -0.1), edge('input->m0', 0.3), edge('a5.h5->a8.h6<k>', 0.2, 0.25)].map((own, index) => ({ index, edge: own, ...edgeEnds(shape, own) }));
  const order = (by: PathsChoice['order']['by'], descending = false): number[] => sortedEdges(shape, rows, { by, descending }).map(({ index }) => index);

  it('sorts by every column, what was not measured last', () => {
    assert.deepEqual([order('rank'), order('rank', true)], [[0, 1, 2], [2, 1, 0]]);
    assert.deepEqual([order('from'), order('to', true), order('port')], [[1, 0, 2], [0, 2, 1], [1, 2, 0]]);
    assert.deepEqual([order('score', true), order('exact'), order('exact', true)], [[1, 2, 0], [0, 2, 1], [2, 0, 1]]);
    assert.deepEqual([order('error'), order('error', true)], [[2, 0, 1], [0, 2, 1]]);
    assert.equal(edgeError(rows[1]!.edge), undefined);
  });
});

describe('what the paths view keeps', () => {
  const run = { model: shape as never };
  const chosen: PathsChoice = {
    choose: { threshold: 0.02 },
    focus: ['a9.h9', 'a8.h6'],
    form: 'matrix',
    port: 'v',
    mode: 'throughMlps',
    between: { from: 'input', to: 'a9.h9', paths: 3 },
    edge: 'a5.h5->a8.h6<v>',
    zoom: { k: 2, x: -10, y: 4 },
    order: { by: 'error', descending: true },
    verify: 25,
  };

  it('comes back as it was', () => {
    assert.deepEqual(pathsChoice(run, { own: { paths: JSON.parse(JSON.stringify(chosen)) } }), chosen);
  });

  it('leaves out what means nothing for this run, whatever was stored', () => {
    const fallback: PathsChoice = { choose: { top: DEFAULT_TOP }, focus: [], form: 'graph', port: 'all', mode: 'direct', order: { by: 'rank', descending: false }, verify: 10 };
    const other = { ...chosen, choose: { top: 2001 }, focus: ['a12.h0'], form: 'tree', port: 'x', mode: 'wrong', between: { from: 'x', to: 'logits', paths: 2 }, edge: 'a8.h6->a5.h5<v>', zoom: { k: 0, x: 1, y: 1 }, order: { by: 'age' }, verify: 0 };
    for (const paths of [other, undefined, null, 7, [], { focus: 'a9.h9', choose: { threshold: -1 }, zoom: { k: 'big' } }]) assert.deepEqual(pathsChoice(run, { own: { paths } }), fallback);
  });

  it('goes back where one has come by a node already', () => {
    assert.deepEqual(focusOn(['a9.h9', 'a8.h6'], 'a5.h5'), ['a9.h9', 'a8.h6', 'a5.h5']);
    assert.deepEqual(focusOn(['a9.h9', 'a8.h6', 'a5.h5'], 'a8.h6'), ['a9.h9', 'a8.h6']);
  });

  it('shares heads with the other views’ selection', () => {
    assert.deepEqual(selectionOfNode(shape, 'a9.h6'), { kind: 'head', layer: 9, head: 6 });
    assert.equal(selectionOfNode(shape, 'm3'), undefined);
    assert.equal(selectedHead({ kind: 'head', layer: 9, head: 6 }), 'a9.h6');
    assert.equal(selectedHead({ kind: 'role', layer: 9, role: 'END' }), undefined);
  });
});

describe('names and pins of the paths’ nodes', () => {
  it('are given and taken; nodes of one name are a group', () => {
    const named = withName(withName(withName(NO_NOTES, 'a9.h9', ' name mover '), 'a9.h6', 'name mover'), 'a8.h6', 'S-inhibition');
    assert.deepEqual(named.names, { 'a9.h9': 'name mover', 'a9.h6': 'name mover', 'a8.h6': 'S-inhibition' });
    assert.deepEqual(groupNames(named), ['name mover', 'S-inhibition']);
    assert.deepEqual(withName(named, 'a8.h6', '  ').names, { 'a9.h9': 'name mover', 'a9.h6': 'name mover' });
    assert.deepEqual(togglePin(togglePin(togglePin(NO_NOTES, 'm0'), 'a1.h1'), 'm0').pinned, ['a1.h1']);
    assert.deepEqual(NO_NOTES, { names: {}, pinned: [], text: '' });
  });

  it('come first among the nodes to choose from', () => {
    const choices = nodeChoices({ layers: 2, heads: 2 }, { names: { 'a1.h0': 'mover' }, pinned: ['m0'] });
    assert.deepEqual(choices.slice(0, 3).map(({ label, group }) => [label, group]), [['MLP 0', 'Pinned and named'], ['L1H0 (mover)', 'Pinned and named'], ['Input', 'Ends']]);
    assert.equal(choices.length, 2 * 3 + 2);
  });
});
