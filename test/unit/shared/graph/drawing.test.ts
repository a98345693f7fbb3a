import assert from 'node:assert/strict';
import { drawingOf } from '../../../../src/shared/graph/drawing';
import { toDot } from '../../../../src/shared/graph/dot';
import { emptyMask } from '../../../../src/shared/graph/mask';
import { toMermaid } from '../../../../src/shared/graph/mermaid';
import { edgeMethodWords } from '../../../../src/shared/graph/methodWords';
import { indexNamed, maskNamed, SMALL } from './samples';

const EDGES = { 'input->a0.h0<v>': 2, 'a0.h0->a1.h1<q>': -1, 'a0.h0->a1.h0<v>': 0, 'a1.h1->logits': 0.123456, 'a1.h0->logits': 0.5 };
const mask = maskNamed(SMALL, ...Object.keys(EDGES));
const scores = new Float32Array(mask.length).fill(7); // of edges that are not drawn
for (const [name, score] of Object.entries(EDGES)) scores[indexNamed(SMALL, name)] = score;

describe('drawing a circuit', () => {
  it('has the nodes its edges touch, in the order of the forward pass', () => {
    const { nodes, edges } = drawingOf(SMALL, mask, scores, { names: { 'a1.h1': ' name\n mover ', m0: 'not there' } });
    assert.deepEqual(nodes.map(({ id }) => id), ['input', 'a0.h0', 'a1.h0', 'a1.h1', 'logits']);
    assert.deepEqual(nodes.map(({ rank }) => rank), ['input', 'a0', 'a1', 'a1', 'logits']);
    assert.deepEqual(nodes.map(({ name }) => name), [undefined, undefined, undefined, 'name mover', undefined]);
    assert.equal(edges.length, 5);
  });

  it('draws edges by their size beside the strongest and by their sign', () => {
    const { edges } = drawingOf(SMALL, mask, scores);
    const of = (from: string, to: string) => edges.find((edge) => edge.from === from && edge.to === to)!;
    assert.deepEqual(of('input', 'a0.h0'), { from: 'input', to: 'a0.h0', port: 'v', score: 2, colour: '#2166ac', width: 5 });
    assert.equal(of('a0.h0', 'a1.h1').colour, '#b2182b');
    assert.equal(of('a0.h0', 'a1.h1').width, 0.6 + 4.4 / 2);
    assert.equal(of('a0.h0', 'a1.h0').width, 0.6);
    assert.equal('port' in of('a1.h1', 'logits'), false);
    const flat = drawingOf(SMALL, mask, new Float32Array(scores.length));
    assert.ok(flat.edges.every(({ width }) => width === 0.6));
  });

  it('is a Graphviz digraph', () => {
    const dot = toDot(SMALL, mask, scores, { title: 'IOI "top 5"\\', names: { 'a1.h1': 'mover\\"; } digraph x {' } });
    assert.equal(
      dot,
      [
        'digraph circuit {',
        '  rankdir=BT;',
        '  label="IOI \\"top 5\\"\\\\\\l";',
        '  node [shape=box, style=rounded, fontname=Helvetica];',
        '  edge [fontname=Helvetica, fontsize=10];',
        '  "input" [label="input"];',
        '  "a0.h0" [label="a0.h0"];',
        '  "a1.h0" [label="a1.h0"];',
        '  "a1.h1" [label="mover\\\\\\"; } digraph x {\\na1.h1"];',
        '  "logits" [label="logits"];',
        '  { rank=same; "a1.h0"; "a1.h1"; }',
        '  "input" -> "a0.h0" [label="v", color="#2166ac", penwidth=5.00, score="2"];',
        '  "a0.h0" -> "a1.h1" [label="q", color="#b2182b", penwidth=2.80, score="-1"];',
        '  "a0.h0" -> "a1.h0" [label="v", color="#2166ac", penwidth=0.60, score="0"];',
        '  "a1.h0" -> "logits" [color="#2166ac", penwidth=1.70, score="0.5"];',
        '  "a1.h1" -> "logits" [color="#2166ac", penwidth=0.87, score="0.1235"];',
        '}',
        '',
      ].join('\n'),
    );
  });

  it('is a Mermaid flowchart', () => {
    const mermaid = toMermaid(SMALL, mask, scores, { title: 'IOI "top 5"', names: { 'a1.h1': '"] --> x; <b>`end` #1' } });
    assert.equal(
      mermaid,
      [
        '---',
        'title: "IOI \\"top 5\\""',
        '---',
        'flowchart BT',
        '  input["input"]',
        '  a0_h0["a0.h0"]',
        '  a1_h0["a1.h0"]',
        '  a1_h1["a1.h1 #34;#93; --#62; x#59; #60;b#62;#96;end#96; #35;1"]',
        '  logits["logits"]',
        '  input -->|"v 2"| a0_h0',
        '  a0_h0 -->|"q -1"| a1_h1',
        '  a0_h0 -->|"v 0"| a1_h0',
        '  a1_h0 -->|"0.5"| logits',
        '  a1_h1 -->|"0.1235"| logits',
        '  linkStyle 0 stroke:#2166ac,stroke-width:5.00px',
        '  linkStyle 1 stroke:#b2182b,stroke-width:2.80px',
        '  linkStyle 2 stroke:#2166ac,stroke-width:0.60px',
        '  linkStyle 3 stroke:#2166ac,stroke-width:1.70px',
        '  linkStyle 4 stroke:#2166ac,stroke-width:0.87px',
        '',
      ].join('\n'),
    );
  });

  it('is nothing but its frame where nothing is in the circuit', () => {
    assert.match(toDot(SMALL, emptyMask(SMALL), scores), /^digraph circuit \{\n[^"]*\}\n$/);
    assert.equal(toMermaid(SMALL, emptyMask(SMALL), scores), 'flowchart BT\n');
  });
});

describe('methods of edge attribution in words', () => {
  it('name the method and its LayerNorms', () => {
    assert.equal(edgeMethodWords({}), 'EAP, LayerNorm in full');
    assert.equal(edgeMethodWords({ integrated: { steps: 5, rule: 'left' }, layerNorm: 'receiver' }), 'EAP-IG (5 steps, left), receiver’s LayerNorm frozen');
    assert.equal(edgeMethodWords({ integrated: { steps: 1, rule: 'midpoint' }, layerNorm: 'all' }), 'EAP-IG (1 step, midpoint), every LayerNorm frozen');
    assert.equal(edgeMethodWords({ bothGradients: true, layerNorm: 'full' }), 'EAP, clean and corrupted gradients averaged, LayerNorm in full');
  });
});
