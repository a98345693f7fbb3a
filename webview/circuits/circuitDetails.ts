import type { GraphShape } from '../../src/shared/graph/nodes';
import { metricUnit } from '../../src/shared/metrics';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { CircuitSummary, GraphFormat } from '../../src/shared/pathsProtocol';
import type { Computation } from '../computed';
import { button, dropDown, el, type Choice } from '../view/dom';
import { Slot } from '../view/slot';
import { ABLATIONS } from './ablations';
import { circuitKeys } from '../model/circuitKeys';
import { enabled } from './extractForm';
import { dateText } from './keptCircuits';
import { lossTable, type EdgeLoss } from './lossTable';
import { NumberField } from './numberField';
import type { CircuitsChoice } from './ownState';
import { edgesText, faithfulnessSentences, measuredOn, overlapText } from './words';

export interface DetailsEvents {
  choose(part: Partial<CircuitsChoice>): void;
  showInGraph(index: number): void;
  minimality(index: number): void;
  refine(index: number, threshold: number): void;
  exportCircuit(index: number, format: GraphFormat): void;
  remove(index: number): void;
  copy(text: string): void;
  retryOverlap(): void;
}

export interface DetailsState {
  run: RunSummary;
  /** Place of the circuit in the run's list, and of the one it is compared with. */
  index: number;
  other?: number;
  choice: CircuitsChoice;
  losses?: readonly EdgeLoss[];
  overlap?: Computation<{ shared: number; either: number; jaccard: number }>;
  /** Why circuits of this run cannot be run. */
  fault?: string;
  working: boolean;
  failure?: string;
}

const FORMATS: readonly Choice<GraphFormat>[] = [
  { value: 'mib', label: 'EAP-IG / MIB (JSON)' },
  { value: 'dot', label: 'Graphviz (DOT)' },
  { value: 'mermaid', label: 'Mermaid' },
  { value: 'csv', label: 'CSV' },
];

/** What is known of one kept circuit, and what can be done with it. */
export class CircuitDetails {
  readonly element: HTMLElement;
  private readonly head = new Slot(el('div', { class: 'circuit-head' }));
  private readonly overlap = new Slot(el('div', { class: 'circuit-overlap' }));
  private readonly refining: HTMLElement;
  private readonly refineButton = new Slot(el('span', { class: 'buttons' }));
  private readonly refineWords = el('p', { class: 'caption' });
  private readonly threshold: NumberField;
  private readonly losses = new Slot(el('div', { class: 'circuit-losses' }));
  private state?: DetailsState;
  /** The key of the circuit that is about to be removed. */
  private removing?: string;
  private all = false;

  constructor(
    private readonly shape: GraphShape,
    private readonly events: DetailsEvents,
    work: HTMLElement,
  ) {
    this.threshold = new NumberField({ id: 'refine-threshold', label: 'Threshold', min: 0, step: 'any', allows: (value) => value >= 0 && Number.isFinite(value), choose: (refine) => events.choose({ refine }) });
    this.refining = el('section', { class: 'circuit-refine', attributes: { 'aria-label': 'Refine' } }, [el('h3', { text: 'Refine (ACDC)' }), this.refineWords, el('div', { class: 'toolbar' }, [this.threshold.element, this.refineButton.element])]);
    this.element = el('section', { class: 'circuit-details', attributes: { 'aria-label': 'Selected circuit' } }, [this.head.element, work, this.overlap.element, this.refining, this.losses.element]);
  }

  render(state: DetailsState | undefined): void {
    this.state = state;
    this.element.hidden = state === undefined;
    if (!state) return;
    const { run, index, other, choice, losses, overlap, fault, working, failure } = state;
    const circuit = run.circuits[index]!;
    const key = circuitKeys(run.circuits)[index]!;
    if (this.removing !== key) this.removing = undefined;
    this.head.render(JSON.stringify([circuit, choice.format, this.removing, fault, working, failure]), () => this.headOf(state, circuit, key));
    this.overlap.render(JSON.stringify([run.circuits.map(({ name }) => name), index, other, overlap]), () => this.overlapOf(state));
    const unit = metricUnit(run.metric);
    this.refining.hidden = fault !== undefined;
    this.threshold.label.textContent = `Threshold (raw ${unit})`;
    this.threshold.render(choice.refine);
    const text = `Tries each edge in turn, from the logits down, and drops it for good where the ${measuredOn(run)} falls by less than the threshold without it. What is left becomes a circuit of its own.`;
    if (this.refineWords.textContent !== text) this.refineWords.textContent = text;
    this.refineButton.render(String(working), () => [enabled(!working, button('Refine', () => this.events.refine(this.state!.index, this.state!.choice.refine), { key: 'refine', title: 'One run of the circuit per edge, one after the other' }))]);
    const words = `${ABLATIONS[circuit.faithfulness?.ablation ?? 'corrupted'].label.toLowerCase()}; ${measuredOn(run)}`;
    this.losses.render(JSON.stringify([losses, choice.lossOrder, this.all, words]), () =>
      losses === undefined ? [] : lossTable(this.shape, { losses, order: choice.lossOrder, all: this.all, words, sort: (lossOrder) => this.events.choose({ lossOrder }), showAll: (all) => this.showAll(all), copy: (text) => this.events.copy(text) }),
    );
  }

  private headOf({ run, index, choice, fault, working, failure }: DetailsState, circuit: CircuitSummary, key: string): HTMLElement[] {
    return [
      el('div', { class: 'section-title' }, [el('h2', { text: circuit.name })]),
      el('p', { class: 'caption', text: `${edgesText(circuit.edges)}, ${circuit.nodes} nodes · ${circuit.origin} · kept ${dateText(circuit.createdAt)}` }),
      ...faithfulnessSentences(run, circuit).map((text) => el('p', { class: 'faithfulness', text })),
      ...(circuit.notes === undefined ? [] : [el('p', { text: circuit.notes })]),
      el('div', { class: 'actions' }, [
        button('Show in the graph', () => this.events.showInGraph(index), { secondary: false }),
        enabled(fault === undefined && !working, button('Minimality', () => this.events.minimality(index), { title: `Runs the circuit ${edgesText(circuit.edges).replace(/ edges?$/, '')} times, each time without one of its edges` })),
        button('Remove…', () => this.askRemove(key), { key: 'remove' }),
      ]),
      ...(this.removing === key
        ? [
            el('div', { class: 'circuit-removing', attributes: { role: 'group', 'aria-label': 'Remove' } }, [
              el('span', { text: `Remove “${circuit.name}” from the run? Its figures go with it.` }),
              button('Remove', () => this.events.remove(index), { key: 'remove now' }),
              button('Keep', () => this.askRemove(undefined), { key: 'remove not' }),
            ]),
          ]
        : []),
      el('div', { class: 'toolbar' }, [
        dropDown<GraphFormat>('Export as', FORMATS, choice.format, (format) => this.events.choose({ format })),
        el('span', { class: 'buttons' }, [button('Export…', () => this.events.exportCircuit(index, this.state!.choice.format), { title: 'Asks for a file and writes the circuit’s edges with their scores in the view’s units' })]),
      ]),
      ...(failure === undefined ? [] : [el('p', { class: 'failure', text: failure, attributes: { role: 'status' } })]),
    ];
  }

  private overlapOf({ run, index, other, overlap }: DetailsState): HTMLElement[] {
    if (run.circuits.length < 2) return [];
    const keys = circuitKeys(run.circuits);
    const choices = [{ value: '', label: '–' }, ...run.circuits.flatMap(({ name }, place) => (place === index ? [] : [{ value: keys[place]!, label: name }]))];
    const answer = overlap === undefined ? '' : overlap.state === 'ready' ? overlapText(overlap.value) : overlap.state === 'failed' ? overlap.message : 'Comparing …';
    return [
      el('div', { class: 'toolbar' }, [dropDown('Overlap with', choices, other === undefined ? '' : keys[other]!, (key) => this.events.choose({ other: key === '' ? undefined : key }))]),
      el('p', { class: overlap?.state === 'failed' ? 'failure' : 'overlap-words', text: answer, attributes: { role: 'status' } }),
      ...(overlap?.state === 'failed' ? [button('Try again', () => this.events.retryOverlap(), { key: 'try overlap again' })] : []),
    ];
  }

  private askRemove(key: string | undefined): void {
    this.removing = key;
    this.render(this.state);
    const target = this.element.querySelector<HTMLElement>(`[data-key="${key === undefined ? 'remove' : 'remove not'}"]`);
    target?.focus();
  }

  /** Closes the question whether to remove; false where none is open. */
  escape(): boolean {
    if (this.removing === undefined) return false;
    this.askRemove(undefined);
    return true;
  }

  private showAll(all: boolean): void {
    this.all = all;
    this.render(this.state);
  }
}
