import assert from 'node:assert/strict';
import { CircuitError } from '../../../../src/shared/errors';
import { emptyMask, fullMask, maskSize } from '../../../../src/shared/graph/mask';
import { fromMib, LARGEST_GRAPH, toMib, type MibModel } from '../../../../src/shared/graph/mib';
import { edgeCount } from '../../../../src/shared/graph/nodes';
import { GPT2_SMALL, indexNamed, maskNamed, sampleMask, sampleScores, SMALL } from './samples';

const MODEL: MibModel = { ...SMALL, dModel: 8 };
const CFG = { n_layers: 2, n_heads: 2, parallel_attn_mlp: false, d_model: 8 };

type Json = Record<string, unknown>;
interface GraphJson {
  cfg: Json;
  nodes: Record<string, Json>;
  edges: Record<string, { score: number; in_graph: boolean }>;
}

/** As EAP-IG's code writes it, by hand: a circuit of three edges. */
function sample(): GraphJson {
  return {
    cfg: { ...CFG },
    nodes: { input: { in_graph: true }, 'a0.h0': { in_graph: false }, 'a0.h1': { in_graph: true }, m0: { in_graph: false }, 'a1.h0': { in_graph: true }, 'a1.h1': { in_graph: false }, m1: { in_graph: false }, logits: { in_graph: true } },
    edges: {
      'input->a0.h1<v>': { score: 0.25, in_graph: true },
      'input->a0.h0<q>': { score: -0.0002955848758574575, in_graph: false },
      'a0.h1->a1.h0<k>': { score: -1.5, in_graph: true },
      'a1.h0->logits': { score: 3, in_graph: true },
      'm0->logits': { score: 0, in_graph: false },
    },
  };
}

function refuses(text: string | object, message: RegExp): void {
  assert.throws(
    () => fromMib(typeof text === 'string' ? text : JSON.stringify(text), MODEL),
    (error: unknown) => {
      assert.ok(CircuitError.is(error, 'experiment'), String(error));
      assert.match(error.message, message);
      assert.match(error.message, /^This graph cannot be imported: /);
      return true;
    },
  );
}

function changed(change: (graph: GraphJson) => void): GraphJson {
  const graph = sample();
  change(graph);
  return graph;
}

describe('graphs in EAP-IG’s JSON', () => {
  it('are read: the circuit and the scores', () => {
    const { mask, scores } = fromMib(JSON.stringify(sample()), MODEL);
    assert.deepEqual(mask, maskNamed(SMALL, 'input->a0.h1<v>', 'a0.h1->a1.h0<k>', 'a1.h0->logits'));
    assert.equal(scores![indexNamed(SMALL, 'a0.h1->a1.h0<k>')], -1.5);
    assert.equal(scores![indexNamed(SMALL, 'input->a0.h0<q>')], Math.fround(-0.0002955848758574575));
    assert.equal(scores![indexNamed(SMALL, 'input->logits')], 0, 'an edge that is not named');
  });

  it('come back as they were written, bit for bit', () => {
    for (const [shape, dModel] of [[SMALL, 8], [GPT2_SMALL, 768]] as const) {
      const [scores, mask] = [sampleScores(shape, 4), sampleMask(shape, 5, 0.1)];
      const read = fromMib(toMib(shape, { dModel }, scores, mask), { ...shape, dModel });
      assert.deepEqual(read.mask, mask);
      assert.deepEqual(read.scores, scores);
    }
  });

  it('are written with everything that EAP-IG’s from_json asks for', () => {
    const mask = maskNamed(SMALL, 'input->a0.h1<v>', 'a0.h1->logits', 'm0->a1.h1<k>');
    const senders = Float32Array.of(0.5, 1, 2, 3, 4, 5, 6);
    const graph = JSON.parse(toMib(SMALL, { dModel: 8 }, sampleScores(SMALL, 1), mask, senders)) as GraphJson;
    assert.deepEqual(graph.cfg, CFG);
    assert.deepEqual(graph.nodes, {
      input: { in_graph: true, score: 0.5 },
      'a0.h0': { in_graph: false, score: 1 },
      'a0.h1': { in_graph: true, score: 2 },
      m0: { in_graph: true, score: 3 },
      'a1.h0': { in_graph: false, score: 4 },
      'a1.h1': { in_graph: true, score: 5 },
      m1: { in_graph: false, score: 6 },
      logits: { in_graph: true },
    });
    assert.equal(Object.keys(graph.edges).length, edgeCount(SMALL));
    for (const edge of Object.values(graph.edges)) assert.deepEqual([typeof edge.score, typeof edge.in_graph], ['number', 'boolean']);
    assert.equal(graph.edges['m0->a1.h1<k>']!.in_graph, true);
    const plain = JSON.parse(toMib(SMALL, { dModel: 8 }, sampleScores(SMALL, 1), emptyMask(SMALL))) as GraphJson;
    assert.deepEqual(plain.nodes['m0'], { in_graph: false }, 'no scores of nodes where there are none');
  });

  it('are read as older versions wrote them: nodes as flags, no d_model, scores that are null', () => {
    const older = {
      cfg: { n_layers: 2, n_heads: 2, parallel_attn_mlp: false },
      nodes: { input: true, 'a0.h0': false, logits: true },
      edges: { 'input->logits': { score: null, in_graph: true }, 'input->m0': { score: null, in_graph: false } },
    };
    const { mask, scores } = fromMib(JSON.stringify(older), MODEL);
    assert.deepEqual(mask, maskNamed(SMALL, 'input->logits'));
    assert.equal(scores, undefined);
  });

  it('are read with the whole of a TransformerLens config, with white space, and in any order', () => {
    const { nodes, edges } = sample();
    const text = JSON.stringify({ edges, extra: [{ note: 'a "quoted": \\ one' }, 'edges'], nodes, cfg: { ...CFG, act_fn: 'gelu_new', d_head: 4, seed: null } }, undefined, 2).replaceAll(/^(\s*"[^"]*"): /gm, '$1\t: ');
    assert.deepEqual(fromMib(text, MODEL), fromMib(JSON.stringify(sample()), MODEL));
  });

  it('may have scores and no circuit, as MIB’s submissions do', () => {
    const { mask, scores } = fromMib(JSON.stringify(changed(({ edges }) => Object.values(edges).forEach((edge) => (edge.in_graph = false)))), MODEL);
    assert.equal(maskSize(mask), 0);
    assert.equal(scores![indexNamed(SMALL, 'a1.h0->logits')], 3);
  });

  it('hold all of GPT-2 small’s edges', () => {
    const text = toMib(GPT2_SMALL, { dModel: 768 }, sampleScores(GPT2_SMALL, 1), fullMask(GPT2_SMALL));
    assert.equal(maskSize(fromMib(text, { ...GPT2_SMALL, dModel: 768 }).mask), 32_491);
  });
});

describe('graphs that are refused', () => {
  it('for being another model’s', () => {
    refuses(changed(({ cfg }) => (cfg['n_layers'] = 12)), /another model, with 12 layers, 2 heads and d_model 8; this experiment’s model has 2 layers, 2 heads and d_model 8/);
    refuses(changed(({ cfg }) => (cfg['n_heads'] = '2x')), /another model/);
    refuses(changed(({ cfg }) => (cfg['d_model'] = 768)), /d_model 768/);
    refuses(changed(({ cfg }) => delete cfg['n_heads']), /another model, with 2 layers, no heads/);
    refuses(changed(({ cfg }) => (cfg['parallel_attn_mlp'] = true)), /side by side/);
  });

  it('for nodes and edges that the model does not have', () => {
    refuses(changed(({ nodes }) => (nodes['a2.h0'] = { in_graph: false })), /a node a2\.h0 that/);
    refuses(changed(({ nodes }) => (nodes['embed'] = { in_graph: false })), /a node embed/);
    const withEdge = (name: string): GraphJson => changed(({ edges }) => (edges[name] = { score: 1, in_graph: true }));
    refuses(withEdge('a0.h0->a2.h0<q>'), /a0\.h0->a2\.h0<q> names a node a2\.h0 that/);
    refuses(withEdge('a0.h7->logits'), /names a node a0\.h7 that/);
    refuses(withEdge('a0.h0->a1.h0'), /does not say which input of the head/);
    refuses(withEdge('a0.h0->a1.h0<x>'), /does not say which input of the head/);
    refuses(withEdge('a0.h0->m1<q>'), /an input that only heads have/);
    refuses(withEdge('a0.h0'), /a0\.h0 is no name of an edge/);
    refuses(withEdge('logits->m0'), /out of the logits/);
    refuses(withEdge('m0->input'), /into the input/);
  });

  it('for edges that would close a cycle', () => {
    for (const [name, words] of [
      ['a1.h0->a0.h0<q>', /a1\.h0->a0\.h0<q> runs backwards: a0\.h0 is computed before or beside a1\.h0/],
      ['m0->m0', /m0->m0 runs backwards/],
      ['a1.h0->a1.h1<v>', /runs backwards/],
      ['m1->a1.h1<v>', /runs backwards/],
    ] as const) {
      refuses(changed(({ edges }) => (edges[name] = { score: 1, in_graph: false })), words);
    }
  });

  it('for names that JavaScript gives a meaning, without giving it', () => {
    const text = JSON.stringify(sample());
    refuses(text.replace('"edges":{', '"edges":{"__proto__":{"score":1,"in_graph":true},'), /__proto__ is no name of an edge/);
    refuses(text.replace('"edges":{', '"edges":{"constructor->logits":{"score":1,"in_graph":true},'), /names a node constructor/);
    refuses(text.replace('"nodes":{', '"nodes":{"__proto__":{"in_graph":true},'), /a node __proto__/);
    refuses(text.replace(/"cfg":\{[^}]*\}/, `"cfg":{"__proto__":${JSON.stringify(CFG)}}`), /another model, with no layers/);
    refuses(text.replace('"cfg":', '"__proto__":'), /cfg is missing/);
    assert.equal(({} as Json)['n_layers'], undefined);
    assert.equal(({} as Json)['in_graph'], undefined);
  });

  it('for saying something twice', () => {
    const text = JSON.stringify(sample());
    refuses(text.replace('"edges":{', '"edges":{"a1.h0->logits":{"score":9,"in_graph":false},'), /names a1\.h0->logits twice/);
    refuses(text.replace('"nodes":{', '"nodes":{"m0":{"in_graph":true},'), /names m0 twice/);
    refuses(text.replace('{"cfg":', '{"edges":{},"cfg":'), /names edges twice/);
    refuses(text.replace('"score":3', '"score":3,"score":4'), /says something twice/);
    refuses(text.replace('"edges":{', '"edges":{"\\u006d0->logits":{"score":9,"in_graph":true},'), /twice/);
  });

  it('for scores that are no finite numbers and flags that are none', () => {
    const text = JSON.stringify(sample());
    refuses(text.replace('"score":3', '"score":1e999'), /score of edge a1\.h0->logits is no finite number/);
    refuses(text.replace('"score":3', '"score":1e39'), /no finite number/);
    refuses(text.replace('"score":3', '"score":"3"'), /no finite number/);
    refuses(text.replace('"score":3', '"score":NaN'), /not JSON/);
    refuses(text.replace('"in_graph":true}}}', '"in_graph":1}}}').replace('"score":3,"in_graph":true', '"score":3,"in_graph":"true"'), /a1\.h0->logits does not say whether/);
    refuses(changed(({ edges }) => ((edges as Json)['a1.h0->logits'] = true)), /does not say whether/);
    refuses(changed(({ nodes }) => (nodes['m0'] = { score: 1 })), /node m0 does not say whether/);
  });

  it('for being circuits of neurons', () => {
    refuses(changed(({ nodes }) => (nodes['m0'] = { in_graph: true, neurons: [1, 0, 1] })), /m0 is in only with some of its neurons/);
    refuses(changed(({ nodes }) => (nodes['m0'] = { in_graph: true, neurons: [true, false] })), /m0 is in only with some of its neurons/);
    assert.ok(fromMib(JSON.stringify(changed(({ nodes }) => (nodes['m0'] = { in_graph: true, neurons: [1, 1] }))), MODEL));
  });

  it('for being something else altogether', () => {
    refuses('', /not JSON/);
    refuses('PK\u0003\u0004', /not JSON/);
    refuses(JSON.stringify(sample()).slice(0, -5), /not JSON/);
    for (const value of [null, 3, 'text', [], [sample()]]) refuses(JSON.stringify(value), /no object with cfg, nodes and edges/);
    for (const part of ['cfg', 'nodes', 'edges']) {
      refuses(changed((graph) => delete (graph as unknown as Json)[part]), new RegExp(`its ${part} is missing`));
      refuses(changed((graph) => ((graph as unknown as Json)[part] = [])), new RegExp(`its ${part} is missing or no object`));
    }
  });

  it('for its size, before it is parsed', () => {
    // Were it parsed, it would be refused for not being JSON.
    refuses('x'.repeat(LARGEST_GRAPH + 1), /it has 50 MB, the largest that is read is 50 MB/);
    refuses(`{"a":${'['.repeat(200_000)}`, /not JSON/);
    refuses(JSON.stringify({ ...sample(), edges: { ['x'.repeat(1000)]: {} } }), /x{60}… is no name/);
  });
});
