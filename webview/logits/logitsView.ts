import { otherSide } from '../../src/shared/otherSide';
import type { Predictions } from '../../src/shared/panelProtocol';
import type { NamedArrays } from '../../src/shared/arrays';
import { readoutOf, type Readout } from '../../src/shared/readout';
import { capitalised } from '../../src/shared/text';
import { Computed } from '../computed';
import type { Palette } from '../model/colour';
import type { ViewState } from '../model/viewState';
import { Computing } from '../view/computing';
import { dropDown, el, segmented } from '../view/dom';
import { Slot } from '../view/slot';
import type { View, ViewParts } from '../view/tabs';
import { ComponentTable } from './componentTable';
import { DirectAttribution } from './directAttribution';
import { LensChart } from './lensChart';
import { lensTable } from './lensTable';
import { logitsChoice, predictedPair, SHOWN, type LogitsChoice } from './ownState';
import { predictionsView } from './predictionsView';
import { readoutDifference } from './readout';

const LENS_WORDS =
  'The residual stream at the metric’s position, read out at each depth along correct − incorrect, through the final LayerNorm with the scale of the same run. Raw weights, nothing centred or folded.';
const DIRECT_WORDS =
  'What each part writes to the logit difference directly, not by way of later layers; the final LayerNorm’s scale is that of the same run. Weights are raw: single parts differ from TransformerLens’s folded ones by how biases are assigned, their sum does not.';

/** Logits: how the answer comes about over depth, which parts write it, and what the model says in the end. */
export class LogitsView implements View {
  readonly element: HTMLElement;
  private readonly lensAnswer = new Computed<{ arrays: NamedArrays }>(1, () => this.render());
  private readonly predictionAnswers = new Computed<Predictions>(50, () => this.render());
  private readonly lensComputing = new Computing(() => 'Reading the logit lens', { stop: () => this.lensAnswer.stop(), retry: () => this.lensAnswer.retry() });
  private readonly predicting = new Computing(() => 'Predicting', { stop: () => this.predictionAnswers.stop(), retry: () => this.predictionAnswers.retry() });
  private readonly chart = new LensChart();
  private readonly chartTable = new Slot(el('div'));
  private readonly direct: DirectAttribution;
  private readonly components: ComponentTable;
  private readonly directControls = new Slot(el('div', { class: 'toolbar' }));
  private readonly predictionControls = new Slot(el('div', { class: 'toolbar' }));
  private readonly predictions = new Slot(el('div', { class: 'prediction-lists' }));
  private readonly captions: HTMLElement[] = [el('p', { class: 'caption' }), el('p', { class: 'caption' })];
  private readonly lensParts: HTMLElement[];
  private state: ViewState;
  private palette: Palette;
  private choice: LogitsChoice;

  constructor(private readonly parts: ViewParts) {
    this.state = parts.state;
    this.palette = parts.palette;
    this.choice = logitsChoice(parts.run, parts.state);
    const select = (layer: number, head: number): void => parts.change({ selection: { kind: 'head', layer, head } });
    this.direct = new DirectAttribution({ select: ({ row, column }) => select(row, column), say: parts.say });
    this.components = new ComponentTable({ copy: parts.copy, select });
    const lens = el('div', { class: 'logits-part' }, [this.chart.element, this.chartTable.element]);
    const direct = el('div', { class: 'logits-part' }, [this.directControls.element, this.direct.element]);
    this.lensParts = [lens, direct, this.components.element];
    this.element = el('div', { class: 'logits' }, [
      el('div', { class: 'logits-column' }, [
        section('Logit lens', LENS_WORDS, [this.lensComputing.element, lens, this.captions[0]!]),
        section('Direct logit attribution', DIRECT_WORDS, [direct, this.captions[1]!]),
      ]),
      el('div', { class: 'logits-column' }, [
        section('Top predictions', undefined, [this.predictionControls.element, this.predicting.element, this.predictions.element]),
        this.components.element,
      ]),
    ]);
  }

  start(): void {
    this.render();
  }

  close(): void {
    this.lensAnswer.cancel();
    this.predictionAnswers.cancel();
    this.chart.close();
  }

  themeChanged(palette: Palette): void {
    this.palette = palette;
    this.render();
  }

  update(state: ViewState): void {
    this.state = state;
    this.render();
  }

  escape(): boolean {
    return this.direct.escape();
  }

  private choose(part: Partial<LogitsChoice>): void {
    this.choice = { ...this.choice, ...part };
    this.parts.change({ own: { ...this.state.own, logits: this.choice } });
    this.render();
  }

  private render(): void {
    this.renderLens();
    this.renderPredictions();
  }

  private renderLens(): void {
    const { host, run } = this.parts;
    const answer = this.lensAnswer.ask('', (call) => host.lens({ runId: run.id }, call));
    this.lensComputing.render(answer);
    for (const part of this.lensParts) part.hidden = answer.state !== 'ready';
    for (const caption of this.captions) caption.textContent = this.caption();
    if (answer.state !== 'ready') return;
    const { pair } = this.state.options;
    const clean = readoutOf(answer.value.arrays, 'clean', pair)!;
    const corrupted = readoutOf(answer.value.arrays, 'corrupted', pair);
    const lines = [{ name: 'clean', values: clean.lens }, ...(corrupted ? [{ name: otherSide(run), values: corrupted.lens }] : [])];
    this.chart.show(lines);
    this.chartTable.render(JSON.stringify(lines), () => [lensTable(lines, (text) => this.parts.copy(text, 'Copied the table'))]);
    this.renderDirect(clean, corrupted);
    this.components.show(clean, corrupted, otherSide(run), this.state.selection);
  }

  private renderDirect(clean: Readout, corrupted: Readout | undefined): void {
    const side = otherSide(this.parts.run);
    const shown = corrupted ? this.choice.shown : 'clean';
    this.directControls.render(`${shown} ${corrupted !== undefined}`, () =>
      corrupted ? [segmented('Shown', SHOWN.map((value) => ({ value, label: { clean: 'Clean', corrupted: capitalised(side), difference: `Clean − ${side}` }[value] })), shown, (value) => this.choose({ shown: value }))] : [],
    );
    const readout = shown === 'clean' ? clean : shown === 'corrupted' ? corrupted! : readoutDifference(clean, corrupted!);
    const sum = shown === 'difference' ? 'Change of the logit difference' : `Logit difference, ${shown === 'clean' ? shown : side}`;
    const { selection } = this.state;
    this.direct.show(readout, sum, this.palette, selection?.kind === 'head' ? { row: selection.layer, column: selection.head } : undefined);
  }

  private renderPredictions(): void {
    const { host, run } = this.parts;
    const { options } = this.state;
    const pair = predictedPair(this.choice, options);
    this.predictionControls.render(`${options.pair} ${pair}`, () =>
      run.pairs.length > 1 && options.pair === 'all' ? [dropDown('Predictions of pair', run.pairs.map(({ name }, index) => ({ value: String(index), label: name })), String(pair), (value) => this.choose({ pair: Number(value) }))] : [],
    );
    const answer = this.predictionAnswers.ask(String(pair), (call) => host.predictions({ runId: run.id, pair }, call));
    this.predicting.render(answer);
    const { element } = this.predictions;
    element.classList.toggle('waiting', answer.state !== 'ready');
    if (answer.state === 'ready') this.predictions.render(JSON.stringify([pair, answer.value]), () => predictionsView(answer.value, run.pairs[pair]!, run));
  }

  /** Which pairs, and that these numbers are logits whatever the unit chosen above. */
  private caption(): string {
    const { run } = this.parts;
    const { pair } = this.state.options;
    const which = pair === 'all' ? (run.pairs.length === 1 ? 'one pair' : `mean of ${run.pairs.length} pairs`) : run.pairs[pair]!.name;
    const untouched = (run.variant.interventions ?? []).length > 0 ? ' · without the interventions' : '';
    return `logits, correct − incorrect · ${which} · ${run.prependBos ? 'BOS prepended' : 'no BOS'}${untouched}`;
  }
}

function section(title: string, words: string | undefined, children: readonly HTMLElement[]): HTMLElement {
  return el('section', { class: 'logits-section', attributes: { 'aria-label': title } }, [el('h2', { text: title }), words !== undefined && el('p', { class: 'caption', text: words }), ...children]);
}
