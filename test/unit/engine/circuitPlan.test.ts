import assert from 'node:assert/strict';
import { CircuitPlan } from '../../../src/engine/patching/circuitPlan';
import { emptyMask, fullMask, maskOf, type EdgeMask } from '../../../src/shared/graph/mask';
import { edgeNamed, type GraphShape } from '../../../src/shared/graph/nodes';

describe('what circuits have to compute', () => {
  const shape: GraphShape = { layers: 3, heads: 2 };
  const named = (...names: string[]): EdgeMask => maskOf(shape, names.map((name) => edgeNamed(shape, name)!));
  const planOf = (circuits: readonly EdgeMask[], ablatedIsRun = true): CircuitPlan => {
    const plan = new CircuitPlan(shape, ablatedIsRun);
    for (const mask of circuits) plan.add(mask);
    return plan.sorted();
  };
  const inputs = ({ layers }: CircuitPlan): number[] => layers.map((steps) => steps.inputs.length);
  const work = ({ layers }: CircuitPlan): string[] => layers.map(({ heads, mlps }) => `${heads.map(({ head }) => head).join('')}${'m'.repeat(mlps.length)}`);

  it('of the full circuit every component, from one input for all ports of a layer', () => {
    const plan = planOf([fullMask(shape)]);
    assert.equal(plan.components, 9);
    assert.deepEqual(work(plan), ['01m', '01m', '01m']);
    // In the last layer queries are read at other positions.
    assert.deepEqual(inputs(plan), [1, 1, 2]);
    assert.deepEqual(plan.outputs.map(({ values, tail }) => [values.length, tail]), [[10, true]]);
  });

  it('of the empty circuit nothing', () => {
    const plan = planOf([emptyMask(shape), emptyMask(shape)]);
    assert.deepEqual([plan.components, plan.outputOf, plan.outputs.map(({ values }) => [...values])], [0, [0, 0], [[]]]);
  });

  it('only what something reaches and what reaches the logits', () => {
    const dangling = ['input->a1.h0<q>', 'a1.h0->a2.h1<k>'];
    const fromNothing = ['a1.h1->m1', 'm1->logits'];
    const plan = planOf([named('input->a0.h1<v>', 'a0.h1->logits', ...dangling, ...fromNothing)]);
    assert.deepEqual(work(plan), ['1', '', '']);
    // Queries and keys read the ablated run as it is.
    assert.deepEqual(plan.layers[0]!.inputs.map(({ values }) => [...values]), [[], [0]]);
    const [step] = plan.layers[0]!.heads;
    assert.deepEqual([step!.q, step!.k, step!.v], [0, 0, 1]);
  });

  it('under zeros and means also what nothing reaches: it computes something of its own', () => {
    assert.deepEqual(work(planOf([named('a1.h1->m1', 'm1->logits')], false)), ['', '1m', '']);
  });

  it('what two circuits have in common once', () => {
    const one = named('input->a0.h0<v>', 'input->m0', 'a0.h0->a1.h1<q>', 'm0->a1.h1<v>', 'a1.h1->logits', 'm0->logits');
    const other = named('input->a0.h0<v>', 'input->m0', 'a0.h0->a1.h1<q>', 'm0->a1.h1<k>', 'a1.h1->logits', 'm0->logits');
    const plan = planOf([one, other, one]);
    assert.deepEqual(work(plan), ['0m', '11', '']);
    assert.deepEqual(plan.outputOf, [0, 1, 0]);
    assert.equal(planOf([one]).components + 1, plan.components);
  });

  it('the same component again where something upstream of it differs', () => {
    const plan = planOf([named('input->m0', 'm0->m1', 'm1->logits'), named('input->a0.h0<v>', 'a0.h0->m0', 'm0->m1', 'm1->logits')]);
    assert.deepEqual(work(plan), ['0mm', 'mm', '']);
  });
});
