import assert from 'node:assert/strict';
import { complementOf, edgesIn, emptyMask, fullMask, maskOf, maskSize, nodeCount } from '../../../../src/shared/graph/mask';
import {
  edgeAt,
  edgeCount,
  edgeIndices,
  edgeName,
  edgeNamed,
  edgesOf,
  isEdge,
  matrixIndex,
  nodeName,
  nodeNamed,
  nodeOfReceiver,
  receiverAt,
  receiverCount,
  receiverIndex,
  receiversOfSender,
  senderAt,
  senderCount,
  senderIndex,
  senderOfReceiver,
  sendersInto,
  type GraphShape,
} from '../../../../src/shared/graph/nodes';
import { GPT2_SMALL, maskNamed, sampleMask, SMALL } from './samples';

/** The edges as EAP-IG builds them: layer by layer, from everything that has been added to the residual stream by then. */
function namesInConstruction({ layers, heads }: GraphShape): string[] {
  const stream = ['input'];
  const names: string[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const own = Array.from({ length: heads }, (_, head) => `a${layer}.h${head}`);
    for (const from of stream) for (const head of own) for (const port of 'qkv') names.push(`${from}->${head}<${port}>`);
    stream.push(...own);
    for (const from of stream) names.push(`${from}->m${layer}`);
    stream.push(`m${layer}`);
  }
  for (const from of stream) names.push(`${from}->logits`);
  return names;
}

const SHAPES: GraphShape[] = [{ layers: 1, heads: 1 }, SMALL, { layers: 3, heads: 4 }, GPT2_SMALL];

describe('graph nodes', () => {
  it('has GPT-2 small’s 157 senders, 445 receivers and 32,491 edges', () => {
    assert.equal(senderCount(GPT2_SMALL), 157);
    assert.equal(receiverCount(GPT2_SMALL), 445);
    assert.equal(edgeCount(GPT2_SMALL), 32_491);
  });

  for (const shape of SHAPES) {
    it(`has the edges that EAP-IG constructs, ${shape.layers} layers of ${shape.heads} heads`, () => {
      const names = edgesOf(shape).map((edge) => edgeName(shape, edge));
      assert.equal(names.length, edgeCount(shape));
      assert.equal(new Set(names).size, names.length);
      assert.deepEqual([...names].sort(), namesInConstruction(shape).sort());
    });

    it(`reads back every index and every name, ${shape.layers} layers of ${shape.heads} heads`, () => {
      for (let sender = 0; sender < senderCount(shape); sender++) {
        const node = senderAt(shape, sender);
        assert.equal(senderIndex(shape, node), sender);
        assert.deepEqual(nodeNamed(shape, nodeName(node)), node);
      }
      for (let receiver = 0; receiver < receiverCount(shape); receiver++) assert.equal(receiverIndex(shape, receiverAt(shape, receiver)), receiver);
      for (const edge of edgesOf(shape)) {
        assert.deepEqual(edgeNamed(shape, edgeName(shape, edge)), edge);
        assert.deepEqual(edgeAt(shape, matrixIndex(shape, edge)), edge);
      }
    });
  }

  it('counts in EAP-IG’s order', () => {
    const { heads } = GPT2_SMALL;
    for (const [layer, head] of [[0, 0], [5, 5], [9, 9], [11, 11]] as const) {
      assert.equal(senderIndex(GPT2_SMALL, { kind: 'head', layer, head }), 1 + layer * (heads + 1) + head);
      assert.equal(senderIndex(GPT2_SMALL, { kind: 'mlp', layer }), 1 + layer * (heads + 1) + heads);
      (['q', 'k', 'v'] as const).forEach((port, place) => assert.equal(receiverIndex(GPT2_SMALL, { kind: 'head', layer, head, port }), layer * (3 * heads + 1) + place * heads + head));
      assert.equal(receiverIndex(GPT2_SMALL, { kind: 'mlp', layer }), layer * (3 * heads + 1) + 3 * heads);
      assert.equal(sendersInto(GPT2_SMALL, receiverIndex(GPT2_SMALL, { kind: 'head', layer, head, port: 'k' })), 1 + layer * (heads + 1));
      assert.equal(sendersInto(GPT2_SMALL, receiverIndex(GPT2_SMALL, { kind: 'mlp', layer })), 1 + layer * (heads + 1) + heads);
    }
    assert.equal(receiverIndex(GPT2_SMALL, { kind: 'logits' }), 444);
    assert.equal(sendersInto(GPT2_SMALL, 444), 157);
  });

  it('lists edges by receiver, then by sender', () => {
    const order = edgesOf(SMALL).map(({ sender, receiver }) => receiver * 1000 + sender);
    assert.deepEqual(order, [...order].sort((a, b) => a - b));
    assert.deepEqual(Array.from(edgeIndices(SMALL)), edgesOf(SMALL).map((edge) => matrixIndex(SMALL, edge)));
  });

  it('knows a node as sender and as receiver', () => {
    for (let receiver = 0; receiver < receiverCount(SMALL); receiver++) {
      const sender = senderOfReceiver(SMALL, receiver);
      const node = nodeOfReceiver(receiverAt(SMALL, receiver));
      if (sender === undefined) assert.equal(node.kind, 'logits');
      else {
        assert.equal(nodeName(senderAt(SMALL, sender)), nodeName(node));
        assert.ok(receiversOfSender(SMALL, sender).includes(receiver));
      }
    }
    assert.deepEqual(Array.from({ length: senderCount(SMALL) }, (_, sender) => receiversOfSender(SMALL, sender).length), [0, 3, 3, 1, 3, 3, 1]);
  });

  it('has no edges but forward ones', () => {
    const cells = senderCount(SMALL) * receiverCount(SMALL);
    const forward = Array.from({ length: cells }, (_, index) => edgeAt(SMALL, index)).filter((edge) => isEdge(SMALL, edge));
    assert.equal(forward.length, edgeCount(SMALL));
    for (const edge of [{ sender: -1, receiver: 0 }, { sender: 0, receiver: -1 }, { sender: 0, receiver: 15 }, { sender: 7, receiver: 14 }, { sender: 0.5, receiver: 3 }, { sender: 0, receiver: NaN }]) {
      assert.equal(isEdge(SMALL, edge), false, JSON.stringify(edge));
    }
  });

  it('knows each node and edge by one name only', () => {
    for (const name of ['', 'a0', 'a2.h0', 'a0.h2', 'm2', 'a00.h1', 'a0.h01', 'm01', 'A0.h0', 'input ', 'embed', '__proto__', 'constructor', 'a0.h1<q>']) assert.equal(nodeNamed(SMALL, name), undefined, name);
    for (const name of [
      'input->a0.h0', // no port
      'input->m0<q>', // a port too much
      'input->logits<q>',
      'a0.h0->a0.h1<q>', // the same layer
      'a1.h0->a0.h0<q>', // backwards
      'm0->m0',
      'm0->a0.h0<v>',
      'logits->m0',
      'm0->input',
      'a0.h0->a1.h0<z>',
      'a0.h0-->m0',
      'a0.h0->m0->m1',
      '__proto__->m0',
      '',
    ]) {
      assert.equal(edgeNamed(SMALL, name), undefined, name);
    }
    assert.ok(edgeNamed(SMALL, 'a0.h1->m0'), 'heads reach the MLP of their layer');
  });
});

describe('sets of edges', () => {
  it('are full, empty and complements of each other', () => {
    assert.equal(maskSize(fullMask(GPT2_SMALL)), 32_491);
    assert.equal(maskSize(emptyMask(GPT2_SMALL)), 0);
    const mask = sampleMask(GPT2_SMALL, 3, 0.3);
    const rest = complementOf(GPT2_SMALL, mask);
    assert.equal(maskSize(mask) + maskSize(rest), 32_491);
    assert.ok(mask.every((cell, i) => cell + rest[i]! < 2));
    assert.deepEqual(complementOf(GPT2_SMALL, rest), mask);
    assert.deepEqual(maskOf(GPT2_SMALL, edgesIn(GPT2_SMALL, mask)), mask);
  });

  it('count a head as one node, whichever of its inputs are reached', () => {
    assert.equal(nodeCount(SMALL, emptyMask(SMALL)), 0);
    assert.equal(nodeCount(SMALL, maskNamed(SMALL, 'input->a1.h0<q>', 'input->a1.h0<v>', 'a1.h0->logits')), 3);
    assert.equal(nodeCount(SMALL, fullMask(SMALL)), 8);
  });
});
