import assert from 'node:assert/strict';
import { packArrays } from '../../../src/shared/arrays';
import type { RunPair, TokenText } from '../../../src/shared/run';
import { scaleOf } from '../../../src/shared/views';
import { cellUnder, fitMatrix, labelExtent, scrollToCell, wishedWidth } from '../../../webview/attention/matrixGeometry';
import { attendedPair, attentionChoice, attributionOptions, firstChoice, followSelection, openingMap, toggleHead } from '../../../webview/attention/ownState';
import { headMatrices, moveCell, resampledFrom, sharedLargest, valueOf } from '../../../webview/attention/patterns';
import { patternScale, scalesFor } from '../../../webview/attention/scales';
import { strongestCells } from '../../../webview/attention/strongestCells';
import { axisLabel, axisTokens, tokenWords } from '../../../webview/attention/tokenAxis';
import { attributionWords, cellSentence, formatProbability } from '../../../webview/attention/words';
import { paletteFor } from '../../../webview/model/colour';
import { defaultState } from '../../../webview/model/viewState';

const tokens = (...texts: string[]): TokenText[] => texts.map((text) => ({ id: [...text].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 0), text }));
const pair: RunPair = {
  ...{ name: 'one', clean: tokens('John', ' saw', ' Mary'), corrupted: tokens('Dan', ' saw', ' Mary'), correct: [], incorrect: [], differsAt: 0 },
  ...{ positions: { S1: 0, END: 2 }, metric: { clean: 1, corrupted: -1 } },
};
const denoise = { other: 'corrupted', direction: 'denoise' } as const;
const axes = ['head', 'dest', 'src'];
const shape = [2, 3, 3];
/** Heads 4 and 1, in that order. */
const clean = Float32Array.from([1, 0, 0, 0.5, 0.5, 0, 0.25, 0.25, 0.5, 1, 0, 0, 1, 0, 0, 1, 0, 0]);
const other = Float32Array.from([1, 0, 0, 0.75, 0.25, 0, 0.25, 0.5, 0.25, 1, 0, 0, 1, 0, 0, 1, 0, 0]);
const attribution = Float32Array.from([0, 0, 0, -2, 1, 0, 0, 0.5, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const answer = {
  heads: [4, 1],
  arrays: packArrays([
    { name: 'clean', axes, shape, data: clean },
    { name: 'other', axes, shape, data: other },
    { name: 'attribution', axes, shape, data: attribution },
  ]),
};

describe('the axes of an attention matrix', () => {
  it('name positions, mark what differs, and say where the metric is read if it is not the last', () => {
    const own = axisTokens(pair, 'clean');
    assert.deepEqual(own.map(({ differs }) => differs), [true, false, false]);
    assert.deepEqual(own.map(axisLabel), [{ name: 'S1', token: 'John' }, { name: '', token: 'saw' }, { name: 'END', token: 'Mary' }]);
    assert.equal(tokenWords(own[0]!), 'S1 “John” (0)');
    assert.equal(tokenWords(own[0]!, true), 'S1 “John” → “Dan” (0)');
    assert.equal(tokenWords(own[1]!, true), '“ saw” (1)');
    assert.deepEqual(axisTokens({ ...pair, at: 1 }, 'clean').map(({ names }) => names.join()), ['S1', 'metric', 'END']);
    assert.deepEqual(axisTokens({ ...pair, at: 0 }, 'clean')[0]!.names, ['S1']);
  });
});

describe('the matrices of a head', () => {
  it('are those of that head, with the difference', () => {
    const matrices = headMatrices(answer, 4, pair, denoise);
    assert.deepEqual(matrices.map(({ kind, title }) => [kind, title]), [['clean', 'Clean'], ['other', 'Corrupted'], ['difference', 'Clean − corrupted'], ['attribution', 'Attribution']]);
    assert.deepEqual(Array.from(matrices[2]!.values), [0, 0, 0, -0.25, 0.25, 0, 0, -0.25, 0.25]);
    assert.equal(valueOf(matrices[3]!, { dest: 2, src: 2 }), 3);
    assert.equal(matrices[1]!.tokens[0]!.text, 'Dan');
    assert.equal(sharedLargest(matrices, 'attribution'), 3);
    assert.deepEqual(headMatrices(answer, 7, pair, denoise), []);
    const halved = headMatrices(answer, 4, pair, denoise, scaleOf({ pairs: [pair] }, attributionOptions({ pairs: [pair] }, 0, { unit: 'normalised' })));
    assert.deepEqual(halved.map((matrix) => valueOf(matrix, { dest: 1, src: 0 })), [0.5, 0.75, -0.25, -1], 'the attribution alone is divided, by the pair’s own difference');
  });

  it('under an ablation by zero have no other side; with interventions they have one more', () => {
    const arrays = packArrays([
      { name: 'clean', axes, shape, data: clean },
      { name: 'base', axes, shape, data: other },
      { name: 'attribution', axes, shape, data: attribution },
    ]);
    assert.deepEqual(headMatrices({ heads: [4, 1], arrays }, 1, pair, { other: 'zero', direction: 'noise' }).map(({ kind }) => kind), ['clean', 'base', 'attribution']);
  });

  it('of resampling have on the other side the tokens of the next pair of that length', () => {
    const next: RunPair = { ...pair, name: 'two', clean: tokens('Ann', ' met', ' Bob') };
    const run = { other: 'resample' as const, direction: 'noise' as const, pairs: [pair, { ...pair, name: 'longer' }, next], groups: [{ pairs: [0, 2], length: 3, positions: 'all' as const }, { pairs: [1], length: 4, positions: 'all' as const }] };
    assert.deepEqual([0, 2].map((index) => resampledFrom(run, index)!.name), ['two', 'one']);
    const sides = { ...run, resampled: resampledFrom(run, 0) };
    const textsOf = (kind: string): string[] => headMatrices(answer, 4, pair, sides).find((matrix) => matrix.kind === kind)!.tokens.map(({ text }) => text);
    assert.deepEqual([textsOf('clean'), textsOf('other')], [['John', ' saw', ' Mary'], ['Ann', ' met', ' Bob']]);
    assert.equal(resampledFrom({ ...run, other: 'mean' as const }, 0), undefined);
  });

  it('name in the base run with the interventions the tokens of the prompt that it is of', () => {
    const arrays = packArrays(['clean', 'other', 'base'].map((name) => ({ name, axes, shape, data: clean })));
    const firstOf = (direction: 'denoise' | 'noise'): string => headMatrices({ heads: [4, 1], arrays }, 4, pair, { other: 'corrupted', direction }).find(({ kind }) => kind === 'base')!.tokens[0]!.text;
    assert.deepEqual([firstOf('denoise'), firstOf('noise')], ['Dan', 'John']);
  });

  it('share scales: patterns 0 … 1, the signed ones up to their largest in any head', () => {
    const palette = paletteFor('#ffffff');
    const scales = scalesFor(headMatrices(answer, 4, pair, denoise), palette);
    assert.equal(scales.difference.largest, 0.25);
    assert.equal(scales.attribution.largest, 3);
    assert.equal(scales.attribution.colourOf(3), palette.colourAt(1));
    assert.equal(scales.attribution.colourOf(0), palette.colourAt(0));
    assert.equal(scales.clean.largest, 1);
    const { colourOf } = patternScale(palette);
    assert.notEqual(colourOf(0.5), colourOf(1));
    assert.equal(colourOf(0), scales.difference.colourOf(0));
  });

  it('as a table: strongest first by magnitude, then as asked', () => {
    const heads = [4, 1].map((head) => ({ head, matrices: headMatrices(answer, head, pair, denoise) }));
    const top = strongestCells(heads, 'attribution', { by: 'attribution', descending: true }, 3);
    assert.deepEqual(top.map(({ head, dest, src, values }) => [head, dest, src, values.attribution]), [[4, 2, 2, 3], [4, 1, 0, -2], [4, 1, 1, 1]]);
    assert.equal(top[1]!.values.difference, -0.25);
    assert.deepEqual(strongestCells(heads, 'attribution', { by: 'dest', descending: false }, 3).map(({ dest }) => dest), [1, 1, 2]);
    assert.ok(strongestCells(heads, 'clean', { by: 'clean', descending: true }, 99).every(({ dest, src }) => src <= dest), 'nothing after its destination');
  });
});

describe('the keys in an attention matrix', () => {
  const move = (dest: number, src: number, key: string, ctrl = false): unknown => moveCell({ dest, src }, key, ctrl, { count: 10, page: 4 });
  it('stay inside the causal triangle', () => {
    assert.deepEqual(move(3, 3, 'ArrowRight'), { dest: 3, src: 3 });
    assert.deepEqual(move(3, 3, 'ArrowUp'), { dest: 2, src: 2 });
    assert.deepEqual(move(3, 1, 'ArrowDown'), { dest: 4, src: 1 });
    assert.deepEqual(move(0, 0, 'ArrowLeft'), { dest: 0, src: 0 });
    assert.deepEqual(move(3, 1, 'End'), { dest: 3, src: 3 });
    assert.deepEqual(move(3, 1, 'Home'), { dest: 3, src: 0 });
    assert.deepEqual(move(3, 1, 'End', true), { dest: 9, src: 9 });
    assert.deepEqual(move(8, 1, 'PageDown'), { dest: 9, src: 1 });
    assert.deepEqual(move(5, 5, 'PageUp'), { dest: 1, src: 1 });
    assert.equal(move(3, 1, 'x'), undefined);
  });
});

describe('the room of an attention matrix', () => {
  it('goes to its cells, between a least and a largest size', () => {
    assert.equal(fitMatrix(14, 80, 300).cell, 15);
    assert.equal(fitMatrix(3, 80, 300).cell, 22);
    const long = fitMatrix(200, 80, 300);
    assert.equal(long.cell, 10);
    assert.equal(long.width, 80 + 2000 + 1);
    assert.ok(labelExtent(axisTokens(pair, 'clean')) < labelExtent(axisTokens({ ...pair, clean: tokens('antidisestablishmentarianism', ' saw', ' Mary') }, 'clean')));
  });

  it('is wished for as wide as all cells need, within bounds', () => {
    assert.deepEqual([3, 30, 300].map((count) => wishedWidth(count, 80)), [250, 383, 560]);
  });

  it('knows the cell under a point, scrolled or not', () => {
    const geometry = fitMatrix(200, 80, 300);
    const still = { left: 0, top: 0 };
    assert.deepEqual(cellUnder(geometry, 85, 95, still), { dest: 1, src: 0 });
    assert.equal(cellUnder(geometry, 105, 85, still), undefined, 'not attended to');
    assert.equal(cellUnder(geometry, 40, 200, still), undefined, 'a label');
    assert.deepEqual(cellUnder(geometry, 85, 95, { left: 500, top: 700 }), { dest: 71, src: 50 });
    assert.equal(cellUnder(fitMatrix(3, 80, 300), 85, 290, still), undefined, 'below the last');
  });

  it('scrolls just far enough', () => {
    const geometry = fitMatrix(200, 80, 300);
    const box = { width: 300, height: 300 };
    assert.deepEqual(scrollToCell(geometry, { dest: 5, src: 2 }, { left: 0, top: 0 }, box), { left: 0, top: 0 });
    assert.deepEqual(scrollToCell(geometry, { dest: 5, src: 2 }, { left: 400, top: 400 }, box), { left: 20, top: 50 });
    const down = scrollToCell(geometry, { dest: 199, src: 0 }, { left: 0, top: 0 }, box);
    assert.equal(down.top, 2000 - (300 - 80 - 1));
  });
});

describe('what the attention view says', () => {
  it('of a cell: its place and every matrix, its own first', () => {
    const matrices = headMatrices(answer, 4, pair, denoise);
    assert.equal(cellSentence(matrices[1]!, matrices, { dest: 1, src: 0 }), '“ saw” (1) attends to S1 “Dan” (0): Corrupted 0.750, Clean 0.500, Clean − corrupted −0.250, Attribution −2.00');
    assert.equal(formatProbability(0), '0');
    assert.equal(formatProbability(0.00012), '1.2e−4');
    assert.equal(formatProbability(NaN), '–');
  });

  it('of attribution: which gradient, and what single cells depend on', () => {
    const run = { direction: 'denoise', other: 'corrupted', variant: {}, metric: 'logitDiff', pairs: [pair] } as const;
    const words = (of: Parameters<typeof attributionWords>[0]): string => attributionWords(of, { pair: 0, unit: 'raw', of: 'pair' }, 'raw');
    assert.match(words({ ...run, pairs: [pair] }), /clean − corrupted.*corrupted run.*single cells of a row.*rows’ sums do not depend/);
    assert.match(words({ ...run, direction: 'noise', pairs: [pair] }), /in the clean run; raw logits/);
    assert.match(words({ ...run, variant: { interventions: [{ unit: { site: 'z' }, with: 'zero' }] }, pairs: [pair] }), /in the corrupted run with the interventions;/);
    assert.match(words({ ...run, variant: { bothGradients: true }, pairs: [pair] }), /in the clean and the corrupted run, averaged/);
    assert.match(words({ ...run, variant: { integrated: { steps: 8, rule: 'midpoint' } }, pairs: [pair] }), /averaged along the way from the corrupted run/);
    // Without an other side the weights of a row do not cancel.
    assert.match(words({ ...run, direction: 'noise', other: 'zero', pairs: [pair] }), /clean pattern × .*rows’ sums both depend/);
  });

  it('of the unit: which, and why it is not the panel’s', () => {
    const other = { ...pair, name: 'two', metric: { clean: 1, corrupted: 1 } };
    const run = { direction: 'denoise', other: 'corrupted', variant: {}, metric: 'logitDiff', pairs: [pair, other] } as const;
    const of = (index: number, asked: 'raw' | 'normalised'): string => attributionWords({ ...run, pairs: [...run.pairs] }, attributionOptions({ pairs: [...run.pairs] }, index, { unit: asked }), asked);
    assert.match(of(0, 'normalised'), /in the corrupted run; normalised: 0 corrupted … 1 clean of this pair\. /);
    assert.match(of(0, 'raw'), /in the corrupted run; raw logits\. /);
    assert.match(of(1, 'normalised'), /in the corrupted run; raw logits, for this pair alone has nothing to divide by\. /);
  });
});

describe('what the attention view shows', () => {
  const run = { model: { layers: 5, heads: 8 }, pairs: [1, 2, 3] } as unknown as Parameters<typeof attentionChoice>[0];
  const state = (part = {}): ReturnType<typeof defaultState> => ({ ...defaultState({ pair: 'all', unit: 'raw' }), ...part });

  it('is the strongest head where none was chosen, of the selected layer if there is one', () => {
    const ranked = [{ row: 3, column: 6 }, { row: 1, column: 2 }, { row: 3, column: 0 }];
    assert.deepEqual(firstChoice(run, undefined, ranked), { pair: 0, layer: 3, heads: [6] });
    assert.deepEqual(firstChoice(run, { kind: 'position', group: 0, layer: 1, position: 4 }, ranked), { pair: 0, layer: 1, heads: [2] });
    assert.deepEqual(firstChoice(run, undefined, []), { pair: 0, layer: 4, heads: [0] }, 'a run without maps');
  });

  it('opens by the patterns where the run has them, else by the heads’ outputs', () => {
    assert.deepEqual(openingMap({ sites: ['resid_pre', 'z', 'v', 'pattern'] }, state()), { site: 'pattern', over: 'all' });
    assert.deepEqual(openingMap({ sites: ['resid_pre', 'v', 'z'] }, state()), { site: 'z', over: 'all' });
    assert.deepEqual(openingMap({ sites: ['v'] }, { ...state(), sites: { heads: 'v', positions: 'v' } }), { site: 'v', over: 'all' });
    assert.equal(openingMap({ sites: ['resid_pre'] }, state()), undefined);
  });

  it('at first is the selected head, else the last layer’s first', () => {
    assert.deepEqual(attentionChoice(run, state({ selection: { kind: 'head', layer: 3, head: 7 } })), { pair: 0, layer: 3, heads: [7] });
    assert.equal(attentionChoice(run, state()), undefined);
  });

  it('is what was kept, as far as the run has it', () => {
    assert.deepEqual(attentionChoice(run, state({ own: { attention: { pair: 2, layer: 1, heads: [6, 2, 99] } } })), { pair: 2, layer: 1, heads: [2, 6] });
    assert.deepEqual(attentionChoice(run, state({ own: { attention: { pair: 9, layer: 9, heads: 'x' } } })), undefined);
  });

  it('follows a head that is selected elsewhere, and the panel’s pair', () => {
    const choice = { pair: 1, layer: 0, heads: [1, 2] };
    const selection = { kind: 'head', layer: 3, head: 4 } as const;
    assert.deepEqual(followSelection(choice, undefined, selection), { pair: 1, layer: 3, heads: [4] });
    assert.equal(followSelection(choice, selection, { ...selection }), choice);
    assert.equal(followSelection(choice, selection, undefined), choice);
    assert.equal(attendedPair(choice, { pair: 'all' }), 1);
    assert.equal(attendedPair(choice, { pair: 2 }), 2);
  });

  it('always has a head', () => {
    assert.deepEqual(toggleHead([3], 1), [1, 3]);
    assert.deepEqual(toggleHead([1, 3], 1), [3]);
    assert.deepEqual(toggleHead([3], 3), [3]);
  });
});
