import { cellKey } from '../../src/shared/exact';
import type { NeuronsPage } from '../../src/shared/panelProtocol';
import { plural } from '../../src/shared/text';
import { tokenColumns } from '../../src/shared/tokenColumns';
import { Computed } from '../computed';
import { topOf, VerifyLine } from '../heatmaps/verifyLine';
import { columnPlace } from '../model/describe';
import { viewCaption } from '../model/facts';
import { formatScore } from '../model/format';
import { signWords } from '../model/signs';
import { columnToken } from '../model/tokens';
import { groupOf, type ViewState } from '../model/viewState';
import { Computing } from '../view/computing';
import { button, dropDown, el } from '../view/dom';
import { Slot } from '../view/slot';
import { tableText } from '../view/sortedTable';
import type { RunParts, View } from '../view/tabs';
import { filtered, followPair, neuronName, neuronsChoice, PAGE, rangeWords, unitOf, type NeuronsChoice } from './ownState';

/** Pages kept. */
const MOST_PAGES = 40;
/** The host answers with no more at once. */
const MOST_VERIFIED = 1000;

/** The strongest MLP neurons, a page at a time: of all layers, of one, or of one at one position. */
export class NeuronsView implements View {
  readonly element: HTMLElement;
  private readonly pages = new Computed<NeuronsPage>(MOST_PAGES, () => this.render());
  private readonly computing = new Computing(() => 'Ranking neurons', { stop: () => this.pages.stop(), retry: () => this.pages.retry() });
  private readonly controls = new Slot(el('div', { class: 'toolbar', attributes: { role: 'group', 'aria-label': 'Neurons' } }));
  private readonly sign = el('p', { class: 'caption' });
  private readonly verifyLine: VerifyLine;
  private readonly table = new Slot(el('div', { class: 'neuron-table' }));
  private readonly caption = el('p', { class: 'caption' });
  private state: ViewState;
  private choice: NeuronsChoice;
  private firstPage?: { question: string; rows: NeuronsPage['rows'] };
  /** A new page is spoken once it is here. */
  private toSpeak = false;

  constructor(private readonly parts: RunParts) {
    this.state = parts.state;
    this.choice = neuronsChoice(parts.run, parts.state);
    this.verifyLine = new VerifyLine('neurons', parts.numbers, parts.verifying, (top) => parts.change({ top }));
    this.element = el('div', { class: 'neurons' }, [el('h2', { text: 'Strongest neurons' }), this.sign, this.controls.element, this.verifyLine.element, this.computing.element, this.table.element, this.caption]);
  }

  start(): void {
    if (this.hasNeurons) this.render();
    else this.element.replaceChildren(...this.without());
  }

  private get hasNeurons(): boolean {
    return this.parts.run.sites.includes('mlp_post');
  }

  /** Why there are none, and how there would be some. */
  private without(): HTMLElement[] {
    const { host, run, say } = this.parts;
    const again = (): void => {
      host.rerunWith({ runId: run.id, change: { sites: [...run.sites, 'mlp_post'] } }).catch((error: unknown) => say(`Not run: ${error instanceof Error ? error.message : String(error)}`));
    };
    const { layers, dMlp } = run.model;
    return [
      el('h2', { text: 'Strongest neurons' }),
      el('p', { text: `This run has no neurons: there are ${layers} × ${dMlp} of them at every position, and they are attributed only when they are asked for (site mlp_post).` }),
      button('Run again with neurons', again, { secondary: false, title: 'The same experiment once more, with the MLP neurons' }),
    ];
  }

  close(): void {
    this.pages.cancel();
  }

  themeChanged(): void {
    // All of it is drawn by the style sheet.
  }

  update(state: ViewState): void {
    if (state.options.pair !== this.state.options.pair) this.choice = followPair(this.parts.run, this.choice, state.options.pair);
    this.state = state;
    this.render();
  }

  private choose(choice: NeuronsChoice): void {
    this.choice = choice;
    this.toSpeak = true;
    this.parts.change({ own: { ...this.state.own, neurons: choice } });
    this.render();
  }

  private render(): void {
    if (!this.hasNeurons) return;
    const { host, run } = this.parts;
    const { options } = this.state;
    const { layer, group, position, from } = this.choice;
    this.controls.render(JSON.stringify([layer, group, position, options.pair]), () => this.filters());
    this.sign.textContent = `${signWords(run, options).sentence} Neurons are counted from 0 and taken after the activation function; scores are summed over ${position === undefined ? 'positions' : 'the pairs of this length'}.`;
    this.caption.textContent = viewCaption(run, options);
    const place = position === undefined ? {} : { group, position };
    const request = { runId: run.id, options, from, count: PAGE, ...(layer !== undefined && { layer, ...place }) };
    const answer = this.pages.ask(JSON.stringify(request), (call) => host.neurons(request, call));
    this.computing.render(answer);
    const { element } = this.table;
    element.classList.toggle('waiting', answer.state !== 'ready');
    if (answer.state !== 'ready') return;
    const exact = this.parts.numbers.exactEffects(answer.value.rows.map((row) => unitOf(this.choice, row)), options);
    const idle = this.parts.verifying.job === undefined;
    this.table.render(JSON.stringify([request, answer.value, [...exact], idle]), () => this.tableOf(answer.value, exact, idle));
    this.renderVerify(answer.value);
    if (this.toSpeak) this.parts.say(`Neurons ${rangeWords(this.choice, answer.value.rows.length, answer.value.total)}`);
    this.toSpeak = false;
  }

  private renderVerify({ total, rows }: NeuronsPage): void {
    const { options, top } = this.state;
    const { layer, group, position, from } = this.choice;
    const cells = Math.min(total, MOST_VERIFIED);
    const wanted = topOf(top, cells);
    const question = JSON.stringify([options, layer, group, position]);
    if (from === 0) this.firstPage = { question, rows };
    // The first page has most of what is ever asked for.
    const known = this.firstPage?.question === question && this.firstPage.rows.length >= wanted ? this.firstPage.rows : undefined;
    const asked = known ? undefined : this.parts.numbers.neurons({ options, from: 0, count: wanted, ...(layer !== undefined && { layer, ...(position !== undefined && { group, position }) }) });
    const strongest = known ?? (asked?.state === 'ready' ? asked.value.rows : undefined);
    this.verifyLine.render({ strongest: strongest && { units: strongest.slice(0, wanted).map((row) => unitOf(this.choice, row)) }, top, cells });
  }

  private filters(): HTMLElement[] {
    const { run } = this.parts;
    const { options } = this.state;
    const { layer, group, position } = this.choice;
    const layers = Array.from({ length: run.model.layers }, (_, index) => ({ value: String(index), label: `L${index}` }));
    const chosen = position === undefined ? 'all' : `${group} ${position}`;
    return [
      dropDown('Layer', [{ value: 'all', label: 'All layers' }, ...layers], layer === undefined ? 'all' : String(layer), (value) => this.choose(filtered(this.choice, { layer: value === 'all' ? undefined : Number(value) }))),
      ...(layer === undefined ? [] : [dropDown('Position', [{ value: 'all', label: 'All positions' }, ...this.places(options.pair)], chosen, (value) => this.choosePlace(value))]),
    ];
  }

  /** Positions of the pairs in view by their tokens, length by length. */
  private places(pair: ViewState['options']['pair']): { value: string; label: string }[] {
    const { run } = this.parts;
    const only = groupOf(run, pair);
    return run.groups.flatMap((group, index) => {
      if (only !== undefined && index !== only) return [];
      const which = run.groups.length > 1 && only === undefined ? ` (${plural(group.length, 'token')})` : '';
      return tokenColumns(run, group, pair).map((column) => ({ value: `${index} ${column.position}`, label: `${columnPlace(column)} ${columnToken(column)}${which}` }));
    });
  }

  private choosePlace(value: string): void {
    if (value === 'all') return this.choose(filtered(this.choice, { position: undefined }));
    const [group, position] = value.split(' ').map(Number);
    this.choose({ ...this.choice, group: group!, position, from: 0 });
  }

  private tableOf({ total, rows }: NeuronsPage, exact: ReadonlyMap<string, number>, idle: boolean): HTMLElement[] {
    const { choice } = this;
    const { from } = choice;
    const largest = Math.max(...rows.map(({ score }) => Math.abs(score)), Number.MIN_VALUE);
    const turn = (to: number): void => this.choose({ ...choice, from: to });
    const names = rows.map(neuronName);
    const units = rows.map((row) => unitOf(choice, row));
    const measured = units.map((unit) => exact.get(cellKey(unit)));
    const lines = rows.map(({ score }, place) => {
      const bar = el('span', { class: score < 0 ? 'bar negative' : 'bar positive' });
      bar.style.width = `${(Math.abs(score) / largest) * 100}%`;
      return el('tr', { class: 'still' }, [
        el('td', { class: 'number', text: String(from + place + 1) }),
        el('th', { text: names[place], attributes: { scope: 'row' } }),
        el('td', { class: 'number', text: formatScore(score) }),
        el('td', { class: 'neuron-bar', attributes: { 'aria-hidden': 'true' } }, [bar]),
        el('td', { class: 'number exact' }, [this.exactOf(measured[place], () => void this.parts.verifying.start({ units: [units[place]!] }, names[place]!), names[place]!, idle)]),
      ]);
    });
    const turner = (label: string, to: number, possible: boolean): HTMLElement => {
      const made = button(label, () => possible && turn(to));
      if (!possible) made.setAttribute('disabled', '');
      return made;
    };
    return [
      el('div', { class: 'table-scroller' }, [
        el('table', { class: 'ranked sorted' }, [
          el('caption', { class: 'hidden', text: 'Neurons by strength' }),
          el('thead', {}, [el('tr', {}, [el('th', { class: 'number', text: '#', attributes: { scope: 'col' } }), el('th', { text: 'Neuron', attributes: { scope: 'col' } }), el('th', { class: 'number', text: 'Score', attributes: { scope: 'col' } }), el('td'), el('th', { class: 'number', text: 'Exact', attributes: { scope: 'col', title: 'By exact patching' } })])]),
          el('tbody', {}, lines),
        ]),
      ]),
      el('div', { class: 'pager' }, [
        turner('Previous', Math.max(0, from - PAGE), from > 0),
        el('span', { text: rangeWords(choice, rows.length, total) }),
        turner('Next', from + PAGE, from + rows.length < total),
        button('Copy table', () => this.parts.copy(tableText(['rank', 'neuron', 'score', 'exact'], rows.map(({ score }, place) => [from + place + 1, names[place]!, score, measured[place] ?? ''])), 'Copied the table')),
      ]),
    ];
  }

  /** What was measured, or the way to it. */
  private exactOf(value: number | undefined, verify: () => void, name: string, idle: boolean): HTMLElement | string {
    if (value !== undefined) return formatScore(value);
    if (!idle) return '–';
    return el('button', { class: 'link', text: 'Verify', attributes: { type: 'button', 'aria-label': `Verify ${name}`, title: `Patch ${name} exactly`, 'data-key': `verify ${name}` }, on: { click: verify } });
  }
}
