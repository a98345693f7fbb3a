import assert from 'node:assert/strict';
import type { RunSummary } from '../../../src/shared/panelProtocol';
import type { CircuitSummary } from '../../../src/shared/pathsProtocol';
import { ablationFault } from '../../../webview/circuits/ablations';
import { sortedCircuits } from '../../../webview/circuits/keptCircuits';
import { sortedLosses } from '../../../webview/circuits/lossTable';
import { freeName } from '../../../src/shared/graph/freeName';
import { circuitsChoice, edgesOfShare, selectionOf, suggestedName } from '../../../webview/circuits/ownState';
import { faithfulnessDomain, shareDomain, shareTicks } from '../../../webview/circuits/curveScale';
import { edgesText, faithfulnessSentences, keptSentence, leftOutText, noEdgeText, overlapText, percentText, selectedText, stabilityText } from '../../../webview/circuits/words';
import { circuitAt, circuitKeys } from '../../../webview/model/circuitKeys';
import { showingCircuit } from '../../../webview/paths/ownState';
import { edgeNamed } from '../../../src/shared/graph/nodes';

const TOKEN = { id: 1, text: 'a' };

function runOf({ lengths = [3, 3], corrupted = true, metric = 'logitDiff' as RunSummary['metric'] } = {}): Pick<RunSummary, 'pairs' | 'groups' | 'metric' | 'model'> {
  const pairs = lengths.map((length, index) => ({
    name: `pair ${index}`,
    clean: Array.from({ length }, () => TOKEN),
    corrupted: Array.from({ length }, () => TOKEN),
    ...{ correct: [], incorrect: [], metric: { clean: 1 } },
    ...(corrupted && { differsAt: 1 }),
  }));
  const groups = [...new Set(lengths)].map((length) => ({ length, pairs: lengths.flatMap((own, index) => (own === length ? [index] : [])), positions: 'all' as const }));
  return { pairs, groups, metric, model: { layers: 2, heads: 2 } as RunSummary['model'] };
}

const circuit = (part: Partial<CircuitSummary> = {}): CircuitSummary => ({ name: 'top 40', origin: 'top 40 of EAP', createdAt: '2026-11-21T12:30:00.000Z', edges: 40, nodes: 12, ...part });
const faithful = (part: Partial<NonNullable<CircuitSummary['faithfulness']>> = {}): CircuitSummary['faithfulness'] => ({ ablation: 'corrupted', metric: 2.3, full: 2.8, empty: -2.7, value: 10 / 11, knockedOut: 0.12, ...part });

describe('circuits in the panel: ablations', () => {
  it('are refused where the run has nothing to ablate with, saying why', () => {
    assert.deepEqual((['corrupted', 'zero', 'mean', 'resample'] as const).map((ablation) => ablationFault(runOf(), ablation)), [undefined, undefined, undefined, undefined]);
    assert.match(ablationFault(runOf({ corrupted: false }), 'corrupted')!, /no corrupted prompts/);
    assert.match(ablationFault(runOf({ lengths: [3, 3, 4] }), 'resample')!, /only one prompt of 4 tokens/);
    assert.equal(ablationFault(runOf({ lengths: [3, 3, 4] }), 'mean'), undefined);
    assert.match(ablationFault(runOf({ lengths: [3, 4] }), 'mean')!, /mean would be itself/);
    assert.match(ablationFault(runOf({ metric: 'continuation' }), 'mean')!, /no common mean/);
    assert.match(ablationFault(runOf({ metric: { activation: 'neuron', layer: 0, neuron: 1 } }), 'zero')!, /not by an activation/);
    const uneven = runOf();
    uneven.pairs[1]!.corrupted = [TOKEN];
    assert.match(ablationFault(uneven, 'corrupted')!, /unequal token counts/);
  });
});

describe('circuits in the panel: what is kept over reloads', () => {
  it('is taken as far as it means something', () => {
    const choice = circuitsChoice(runOf(), { own: { circuits: { by: 'greedy', budget: 'percent', edges: -3, percent: 400, threshold: NaN, prune: false, ablation: 'mean', name: '  ', order: { by: 'edges', descending: true }, circuit: 'key', curve: { by: 'greedy', random: 101 }, refine: 0.5, format: 'dot' } } });
    assert.deepEqual([choice.by, choice.budget, choice.edges, choice.percent, choice.threshold, choice.prune], ['greedy', 'percent', 40, 5, 0.01, false]);
    assert.deepEqual([choice.ablation, choice.name, choice.order, choice.circuit, choice.curve, choice.refine, choice.format], ['mean', undefined, { by: 'edges', descending: true }, 'key', { by: 'greedy', random: 20 }, 0.5, 'dot']);
    assert.deepEqual(circuitsChoice(runOf(), { own: { circuits: 'nonsense' } }), circuitsChoice(runOf(), { own: {} }));
  });

  it('never has an ablation that the run cannot have', () => {
    assert.equal(circuitsChoice(runOf({ corrupted: false }), { own: { circuits: { ablation: 'corrupted' } } }).ablation, 'zero');
  });

  it('comes to a selection, shares rounded down as MIB does', () => {
    const choice = circuitsChoice(runOf(), { own: {} });
    assert.deepEqual(selectionOf(choice, 761), { by: 'top', edges: 40 });
    assert.deepEqual(selectionOf(choice, 12), { by: 'top', edges: 12 }, 'there are no more');
    assert.deepEqual(selectionOf({ ...choice, budget: 'percent', percent: 5 }, 761), { by: 'top', edges: 38 });
    assert.equal(selectionOf({ ...choice, budget: 'percent', percent: 0.1 }, 761), undefined);
    assert.deepEqual(selectionOf({ ...choice, by: 'threshold', threshold: 0.2 }, 761), { by: 'threshold', threshold: 0.2 });
    assert.deepEqual([edgesOfShare(29, 100), edgesOfShare(0.1, 32_491), edgesOfShare(100, 761)], [29, 32, 761], 'in spite of floating point');
    assert.equal(suggestedName({ ...choice, by: 'greedy', edges: 9 }, 761), 'greedy 9');
    assert.equal(freeName('top 9', [{ name: 'top 9' }, { name: 'top 9 (2)' }]), 'top 9 (3)');
    assert.equal(freeName('top 9', []), 'top 9');
  });
});

describe('circuits in the panel: their keys', () => {
  it('tell them apart by time and name, and twins by their order', () => {
    const circuits = [circuit(), circuit({ name: 'other' }), circuit()];
    const keys = circuitKeys(circuits);
    assert.equal(new Set(keys).size, 3);
    assert.deepEqual(keys.map((key) => circuitAt(circuits, key)), [0, 1, 2]);
    assert.equal(circuitAt(circuits.slice(1), keys[1]), 0, 'found where it is now');
    assert.equal(circuitAt(circuits, 'gone'), undefined);
    assert.equal(circuitAt(circuits, undefined), undefined);
  });

  it('lead the graph to a circuit: all its edges, without what was focused', () => {
    const own = { paths: { choose: { top: 5 }, focus: ['a1.h0'], edge: 'input->logits', mode: 'throughMlps' } };
    const choice = showingCircuit(runOf(), { own }, 'key', 42);
    assert.deepEqual([choice.circuit, choice.choose, choice.focus, choice.edge, choice.mode], ['key', { top: 42 }, [], undefined, 'throughMlps']);
    assert.deepEqual(showingCircuit(runOf(), { own }, 'key', 5000).choose, { top: 2000 });
  });
});

describe('circuits in the panel: words', () => {
  it('count', () => {
    assert.deepEqual([edgesText(1), edgesText(32_491)], ['1 edge', '32,491 edges']);
    assert.deepEqual([0, 1, 0.874, 0.0312, 0.0005, -0.12, 1.4].map(percentText), ['0 %', '100 %', '87 %', '3.1 %', '0.05 %', '−12 %', '140 %']);
  });

  it('of a selection', () => {
    assert.equal(selectedText({ edges: 42, nodes: 17, chosen: 60, total: 761 }), '42 of 761 edges (5.5 %), 17 nodes; 60 edges before dangling ones were pruned');
    assert.equal(selectedText({ edges: 60, nodes: 1, chosen: 60, total: 761 }), '60 of 761 edges (7.9 %), 1 node');
    assert.match(selectedText({ edges: 0, nodes: 0, chosen: 5, total: 761 }), /^The 5 edges chosen lead nowhere/);
    assert.match(selectedText({ edges: 0, nodes: 0, chosen: 0, total: 761 }), /^No edge is that strong/);
    assert.equal(noEdgeText(0.1, 761), '0.1 % of 761 edges is no whole edge: from 0.14 % on there is one.');
    assert.equal(edgesOfShare(0.14, 761), 1);
  });

  it('of faithfulness: ablation, metric and pairs stand with it', () => {
    const [kept, knockedOut] = faithfulnessSentences(runOf(), circuit({ faithfulness: faithful() }));
    assert.equal(kept, 'With every other edge corrupted, the circuit keeps 91 % of what the whole model adds: logit difference +2.30, where the whole model has +2.80 and no edge at all −2.70 (raw logits, mean of 2 pairs).');
    assert.match(knockedOut!, /^Knocked out, with its own edges corrupted and all others as they are, 12 % is left/);
    assert.match(faithfulnessSentences(runOf(), circuit({ faithfulness: faithful({ value: 1.2 }) }))[0]!, /keeps 120 % .* more than all of it/);
    assert.match(faithfulnessSentences(runOf(), circuit({ faithfulness: faithful({ value: -0.2, ablation: 'mean' }) }))[0]!, /^With every other edge at its mean, the circuit does worse than no edge at all, by 20 %/);
    assert.match(faithfulnessSentences(runOf({ lengths: [3] }), circuit({ faithfulness: faithful() }))[0]!, /one pair\)\.$/);
    const [none, ...more] = faithfulnessSentences(runOf(), circuit({ faithfulness: faithful({ value: null, knockedOut: null }) }));
    assert.match(none!, /differ by less than 0\.001/);
    assert.deepEqual(more, []);
    assert.match(faithfulnessSentences(runOf(), circuit())[0]!, /not run/);
    assert.equal(keptSentence(circuit({ faithfulness: faithful() })), 'Kept circuit top 40: 40 edges, faithfulness 0.909 (corrupted)');
  });

  it('of stability, overlap and what a curve leaves out', () => {
    assert.match(stabilityText({ mean: 0.71, low: 0.58, high: 0.83, samples: 100 }, 8), /100 times: .* 71 % .*\(5–95 %: 58 % to 83 %; Jaccard\)\. Of 8 pairs alone that says little\.$/);
    assert.doesNotMatch(stabilityText({ mean: 0.71, low: 0.58, high: 0.83, samples: 100 }, 64), /says little/);
    assert.equal(overlapText({ shared: 20, either: 40, jaccard: 0.5 }), '20 edges in both of 40 in either: Jaccard 0.500.');
    const point = { share: 0.005, chosen: 3, edges: 3, faithfulness: 0.1 };
    assert.equal(leftOutText({ leftOut: 0, points: [point] }, 32_491), undefined);
    assert.equal(leftOutText({ leftOut: 2, points: [point] }, 761), '2 of MIB’s 3 budgets come to no edge of 761 and are left out: the areas start at 0.5 % and do not compare with those of larger models.');
  });
});

describe('circuits in the panel: tables and axes', () => {
  it('sort circuits by every column, those without a figure last, ties as they were kept', () => {
    const circuits = [circuit({ name: 'top 9', edges: 9, faithfulness: faithful({ value: 0.4 }) }), circuit({ name: 'top 10', edges: 10 }), circuit({ name: 'a', edges: 10, faithfulness: faithful({ value: 0.9 }) })];
    const names = (by: Parameters<typeof sortedCircuits>[1]['by'], descending = false): string[] => sortedCircuits(circuits, { by, descending }).map(({ circuit: { name } }) => name);
    assert.deepEqual(names('name'), ['a', 'top 9', 'top 10']);
    assert.deepEqual(names('edges', true), ['top 10', 'a', 'top 9']);
    assert.deepEqual(names('faithfulness'), ['top 9', 'a', 'top 10']);
    assert.deepEqual(names('faithfulness', true), ['a', 'top 9', 'top 10']);
    assert.deepEqual(names('date'), ['top 9', 'top 10', 'a']);
  });

  it('sort edges by their loss or by the model’s order', () => {
    const shape = { layers: 2, heads: 2 };
    const losses = (['a0.h1->logits', 'input->a0.h1<v>', 'a0.h0->a1.h0<q>'] as const).map((name, index) => ({ name, edge: edgeNamed(shape, name)!, loss: [0.1, null, 0.5][index]! }));
    const names = (by: Parameters<typeof sortedLosses>[2]['by'], descending: boolean): string[] => sortedLosses(shape, losses, { by, descending }).map((own) => (own as (typeof losses)[number]).name);
    assert.deepEqual(names('loss', true), ['a0.h0->a1.h0<q>', 'a0.h1->logits', 'input->a0.h1<v>']);
    assert.deepEqual(names('loss', false), ['a0.h1->logits', 'a0.h0->a1.h0<q>', 'input->a0.h1<v>']);
    assert.deepEqual(names('from', false), ['input->a0.h1<v>', 'a0.h0->a1.h0<q>', 'a0.h1->logits']);
    assert.deepEqual(names('to', true), ['a0.h1->logits', 'a0.h0->a1.h0<q>', 'input->a0.h1<v>']);
    assert.deepEqual(names('port', false), ['a0.h1->logits', 'a0.h0->a1.h0<q>', 'input->a0.h1<v>']);
  });

  it('name as many shares on an axis as there is room for', () => {
    assert.deepEqual(shareTicks([0.001, 1], 900, 40), [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
    const narrow = shareTicks([0.001, 1], 150, 40);
    assert.deepEqual(narrow, [0.001, 0.01, 0.1, 1]);
    assert.deepEqual(shareTicks([0.5, 1], 30, 40), [0.5], 'the smallest share always');
    assert.deepEqual(shareDomain([{ share: 0.02 }, { share: 1 }]), [0.02, 1]);
    assert.deepEqual(shareDomain([{ share: 1 }]), [0.5, 1], 'an axis has two ends');
  });

  it('reach from 0 to 1 and as far as anything goes', () => {
    const point = { share: 0.1, chosen: 1, edges: 1, faithfulness: 0.4 };
    assert.deepEqual(faithfulnessDomain([point], []), [0, 1]);
    assert.deepEqual(faithfulnessDomain([{ ...point, faithfulness: 1.3, random: { mean: 0, low: -0.4, high: 0.2 } }], []), [-0.4, 1.3]);
    assert.deepEqual(faithfulnessDomain([{ ...point, faithfulness: null }], [{ value: 2 }]), [0, 2]);
  });
});
