import type { CircuitSelection } from '../../src/shared/graph/select';
import type { SelectedCircuit } from '../../src/shared/pathsProtocol';
import type { Computation } from '../computed';
import { button, el, segmented } from '../view/dom';
import { Slot } from '../view/slot';
import { NumberField } from './numberField';
import { selectionOf, suggestedName, type CircuitsChoice } from './ownState';
import { noEdgeText, selectedText } from './words';

const SELECTIONS: readonly { value: CircuitSelection['by']; label: string; title: string }[] = [
  { value: 'top', label: 'Strongest', title: 'The strongest edges by |score| (MIB)' },
  { value: 'threshold', label: 'Threshold', title: 'Every edge of at least this |score|' },
  { value: 'greedy', label: 'Greedy', title: 'From the logits up: again and again the strongest edge into a node that is in already (EAP-IG)' },
];

export interface ExtractEvents {
  choose(part: Partial<CircuitsChoice>, passing?: boolean): void;
  extract(selection: CircuitSelection, name: string): void;
  stability(selection: CircuitSelection): void;
  retry(): void;
}

export interface ExtractState {
  choice: CircuitsChoice;
  total: number;
  /** Of the threshold: "normalised", "raw logits". */
  unit: string;
  selected: Computation<SelectedCircuit>;
  /** Why nothing can be extracted, or not asked how stable it is. */
  fault?: string;
  stabilityFault?: string;
  stability?: string;
  working: boolean;
  scores: string;
}

/** How a circuit is chosen, what that comes to, and the button that runs and keeps it. */
export class ExtractForm {
  readonly element: HTMLElement;
  private readonly how = new Slot(el('div', { class: 'toolbar' }));
  private readonly edges: NumberField;
  private readonly percent: NumberField;
  private readonly threshold: NumberField;
  private readonly budget = new Slot(el('div'));
  private readonly selected = new Slot(el('p', { class: 'selected-circuit', attributes: { role: 'status' } }));
  private readonly name: HTMLInputElement;
  private readonly actions = new Slot(el('div', { class: 'actions' }));
  private readonly caption = el('p', { class: 'caption' });
  private readonly stability = new Slot(el('div', { class: 'circuit-stability', attributes: { role: 'status' } }));
  private state?: ExtractState;

  constructor(
    private readonly events: ExtractEvents,
    work: HTMLElement,
  ) {
    const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;
    this.edges = new NumberField({ id: 'circuit-edges', label: 'Edges', min: 1, step: 1, allows: isCount, choose: (edges) => events.choose({ edges }, true) });
    this.percent = new NumberField({ id: 'circuit-percent', label: 'Percent of all edges', min: 0, max: 100, step: 'any', expects: 'A number but 0', allows: (value) => value > 0 && value <= 100, choose: (percent) => events.choose({ percent }, true) });
    this.threshold = new NumberField({ id: 'circuit-threshold', label: '|score|', min: 0, step: 'any', allows: (value) => value >= 0 && Number.isFinite(value), choose: (threshold) => events.choose({ threshold }, true) });
    this.name = el('input', {
      class: 'text',
      attributes: { type: 'text', id: 'circuit-name', maxlength: 100, 'data-key': 'circuit name' },
      on: { input: () => events.choose({ name: this.name.value.trim() === '' ? undefined : this.name.value }) },
    });
    this.element = el('section', { class: 'circuit-extract', attributes: { 'aria-label': 'Extract a circuit' } }, [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Extract a circuit' })]),
      el('div', { class: 'toolbar' }, [this.how.element, this.edges.element, this.percent.element, this.threshold.element, this.budget.element]),
      this.selected.element,
      el('div', { class: 'toolbar' }, [el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Name', attributes: { for: 'circuit-name' } }), this.name]), this.actions.element]),
      this.caption,
      work,
      this.stability.element,
    ]);
  }

  render(state: ExtractState): void {
    this.state = state;
    const { choice, unit, total } = state;
    const { by, budget, prune } = choice;
    this.how.render(JSON.stringify([by, prune]), () => [
      segmented('Choose by', SELECTIONS, by, (value) => this.events.choose({ by: value })),
      el('label', { class: 'check prune', attributes: { title: 'Nodes without an edge in or out are dropped with their edges: what stays lies on a path from the input to the logits' } }, [
        el('input', { attributes: { type: 'checkbox', checked: prune, 'data-key': 'prune' }, on: { change: () => this.events.choose({ prune: !choice.prune }) } }),
        el('span', { text: 'Prune dangling edges' }),
      ]),
    ]);
    this.budget.render(`${by === 'threshold'} ${budget}`, () =>
      by === 'threshold' ? [] : [segmented('Count in', [{ value: 'edges', label: 'Edges' }, { value: 'percent', label: '%', title: 'Percent of all edges, as MIB’s budgets are' }], budget, (value) => this.events.choose({ budget: value }))],
    );
    this.edges.element.hidden = by === 'threshold' || budget !== 'edges';
    this.percent.element.hidden = by === 'threshold' || budget !== 'percent';
    this.threshold.element.hidden = by !== 'threshold';
    this.threshold.label.textContent = `|score| of at least (${unit})`;
    this.edges.bound(total);
    this.edges.render(Math.min(choice.edges, total));
    this.percent.render(choice.percent);
    this.threshold.render(choice.threshold);
    this.name.placeholder = suggestedName(choice, total);
    if (document.activeElement !== this.name) this.name.value = choice.name ?? '';
    this.renderSelected(state);
    this.caption.textContent = state.fault ?? `Chosen ${state.scores}; run on all pairs of this run.`;
    this.stability.render(state.stability ?? '', () => (state.stability === undefined ? [] : [el('p', { text: state.stability })]));
  }

  private renderSelected({ choice, total, selected, fault, stabilityFault, working }: ExtractState): void {
    const selection = selectionOf(choice, total);
    const { element } = this.selected;
    element.classList.toggle('waiting', selection !== undefined && selected.state === 'running');
    if (!selection) this.selected.render('none', () => [noEdgeText(choice.percent, total)]);
    else if (selected.state === 'ready') this.selected.render(JSON.stringify(selected.value), () => [selectedText(selected.value)]);
    else if (selected.state === 'failed') this.selected.render(selected.message, () => [el('span', { class: 'failure', text: selected.message }), ' ', button('Try again', () => this.events.retry(), { key: 'try selection again' })]);
    const empty = !selection || (selected.state === 'ready' && selected.value.edges === 0);
    this.actions.render(JSON.stringify([empty, fault, stabilityFault, working]), () => [
      enabled(!empty && fault === undefined && !working, button('Extract', () => this.extract(), { secondary: false, key: 'extract', title: 'Runs the circuit on this run’s pairs and keeps it with its faithfulness' })),
      enabled(!empty && stabilityFault === undefined && !working, button('Stability', () => this.askStability(), { key: 'stability', title: stabilityFault ?? 'How far the same selection changes when the pairs are drawn anew (bootstrap)' })),
    ]);
  }

  private extract(): void {
    const { choice, total } = this.state!;
    const selection = selectionOf(choice, total);
    if (selection) this.events.extract(selection, (choice.name ?? suggestedName(choice, total)).trim());
  }

  private askStability(): void {
    const selection = selectionOf(this.state!.choice, this.state!.total);
    if (selection) this.events.stability(selection);
  }
}

export function enabled(possible: boolean, element: HTMLElement): HTMLElement {
  element.toggleAttribute('disabled', !possible);
  return element;
}
