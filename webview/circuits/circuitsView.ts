import { freeName } from '../../src/shared/graph/freeName';
import { edgeMethodWords } from '../../src/shared/graph/methodWords';
import { edgeCount } from '../../src/shared/graph/nodes';
import type { CircuitSelection } from '../../src/shared/graph/select';
import { metricUnit } from '../../src/shared/metrics';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { DEFAULT_EDGE_METHOD } from '../../src/shared/paths';
import type { GraphFormat } from '../../src/shared/pathsProtocol';
import type { CallOptions } from '../../src/shared/results';
import { scaleOf } from '../../src/shared/views';
import { Computed } from '../computed';
import type { ViewState } from '../model/viewState';
import { MethodForm } from '../paths/methodForm';
import { showingCircuit } from '../paths/ownState';
import { Work } from '../paths/work';
import { el } from '../view/dom';
import type { View, ViewParts } from '../view/tabs';
import { Tooltip } from '../view/tooltip';
import { AblationField } from './ablationField';
import { ABLATIONS, ablationFault } from './ablations';
import { CircuitDetails } from './circuitDetails';
import { circuitAt, circuitKeys } from '../model/circuitKeys';
import { countingCircuits } from './circuitWork';
import type { CurveMark } from './curveChart';
import { CurveSection, type MeasuredCurve } from './curveSection';
import { ExtractForm } from './extractForm';
import { KeptCircuits } from './keptCircuits';
import { LiveSelection } from './liveSelection';
import type { EdgeLoss } from './lossTable';
import { circuitsChoice, selectionOf, type CircuitsChoice } from './ownState';
import { keptSentence, measuredOn, scoresOf, stabilityText } from './words';

const EXPLANATION =
  'A circuit is a set of edges that does, all others being ablated, most of what the model does on these prompts. Circuits are chosen among attributed edges, which this run does not have yet. Attribution takes a few passes for all edges at once.';

type Overlap = { shared: number; either: number; jaccard: number };

/** Circuits of the run: extracted, kept, questioned, compared, exchanged. */
export class CircuitsView implements View {
  readonly element: HTMLElement;
  private readonly total: number;
  private readonly form: MethodForm;
  private readonly ablation: AblationField;
  private readonly extract: ExtractForm;
  private readonly kept: KeptCircuits;
  private readonly details: CircuitDetails;
  private readonly curve: CurveSection;
  private readonly selected: LiveSelection;
  private readonly overlaps: Computed<Overlap>;
  /** Each part shows its own work, and what went wrong with it, where it was asked for. */
  private readonly works: Record<'attributing' | 'extracting' | 'importing' | 'questioning' | 'measuring', Work>;
  private readonly tooltip = new Tooltip();
  private readonly body: HTMLElement;
  private readonly without: HTMLElement;
  private run: RunSummary;
  private state: ViewState;
  private choice: CircuitsChoice;
  /** Figures that cost the engine: kept while the panel is open. By circuit; by the question asked; as last measured. */
  private readonly losses = new Map<string, readonly EdgeLoss[]>();
  private readonly stabilities = new Map<string, string>();
  private measured?: Omit<MeasuredCurve, 'marks'> & { ablation: CircuitsChoice['ablation'] };
  private failure?: { of: string; message: string };
  /** A number is being written. */
  private passing = false;
  private closed = false;
  private readonly onScroll = (): void => this.tooltip.hide();

  constructor(private readonly parts: ViewParts) {
    const { host, run, say } = parts;
    this.run = run;
    this.state = parts.state;
    this.total = edgeCount(run.model);
    this.choice = circuitsChoice(run, parts.state);
    const work = (): Work => new Work(() => this.render(), say);
    this.works = { attributing: work(), extracting: work(), importing: work(), questioning: work(), measuring: work() };
    this.form = new MethodForm(run.edgeMethod ?? DEFAULT_EDGE_METHOD, (method) => void this.works.attributing.start('Attributing edges', 'Edges attributed', (call) => host.computePaths({ runId: run.id, method }, call)), 'circuits');
    this.selected = new LiveSelection(host, () => this.render());
    this.overlaps = new Computed<Overlap>(40, () => this.render());
    this.ablation = new AblationField((ablation) => this.choose({ ablation }));
    this.extract = new ExtractForm(
      {
        choose: (part, passing) => this.choose(part, passing),
        extract: (selection, name) => this.extractCircuit(selection, name),
        stability: (selection) => this.askStability(selection),
        retry: () => this.selected.retry(),
      },
      this.works.extracting.element,
    );
    this.kept = new KeptCircuits(
      { select: (key) => this.select(key), sort: (order) => this.choose({ order }), importCircuit: () => this.importCircuit(), copy: (text) => parts.copy(text, 'Copied the table') },
      this.works.importing.element,
    );
    this.details = new CircuitDetails(
      run.model,
      {
        choose: (part) => this.choose(part),
        showInGraph: (index) => this.showInGraph(index),
        minimality: (index) => this.askMinimality(index),
        refine: (index, threshold) => this.refine(index, threshold),
        exportCircuit: (index, format) => void this.exportCircuit(index, format),
        remove: (index) => void this.remove(index),
        copy: (text) => parts.copy(text, 'Copied the table'),
        retryOverlap: () => this.overlaps.retry(),
      },
      this.works.questioning.element,
    );
    this.curve = new CurveSection(
      run.model,
      this.total,
      { choose: (curve) => this.choose({ curve }), measure: () => this.measureCurve(), point: (content, anchor) => this.point(content, anchor), copy: (text) => parts.copy(text, 'Copied the table') },
      this.works.measuring.element,
    );
    this.without = el('div', { class: 'circuits-without' }, [el('h2', { text: 'Circuits' }), el('p', { class: 'paths-explained', text: EXPLANATION }), this.form.element, this.works.attributing.element]);
    this.body = el('div', { class: 'circuits-body' }, [
      el('div', { class: 'circuits-main' }, [this.ablation.element, this.extract.element, this.kept.element, this.curve.element]),
      el('aside', { class: 'circuits-side', attributes: { 'aria-label': 'Selected circuit and what it is worth' } }, [this.details.element]),
    ]);
    this.element = el('div', { class: 'circuits' }, [this.without, this.body, this.tooltip.element]);
    window.addEventListener('scroll', this.onScroll, { passive: true });
  }

  start(): void {
    this.render();
  }

  close(): void {
    this.closed = true;
    this.selected.close();
    this.overlaps.cancel();
    this.curve.close();
    for (const work of Object.values(this.works)) work.close();
    window.removeEventListener('scroll', this.onScroll);
  }

  themeChanged(): void {
    // All of it is drawn by the style sheet.
  }

  update(state: ViewState): void {
    this.state = state;
    this.render();
  }

  runChanged(run: RunSummary): void {
    this.run = run;
    this.render();
  }

  escape(): boolean {
    if (this.tooltip.shown) this.tooltip.hide();
    else return this.details.escape();
    return true;
  }

  private choose(part: Partial<CircuitsChoice>, passing = false): void {
    this.passing = passing;
    this.choice = { ...this.choice, ...part };
    const own = { ...this.state.own, circuits: this.choice };
    this.state = { ...this.state, own };
    this.parts.change({ own }, false);
    this.render();
  }

  private select(key: string): void {
    const same = key === this.choice.circuit;
    this.failure = undefined;
    this.choose({ circuit: same ? undefined : key, ...(key === this.choice.other && { other: undefined }) });
    const index = circuitAt(this.run.circuits, key);
    this.parts.say(same ? 'Selection cleared' : `Selected ${keptSentence(this.run.circuits[index!]!).replace('Kept c', 'c')}`);
  }

  // Work of the engine

  /** Work that keeps a circuit: the one that is new afterwards is selected. */
  private keeping(work: Work, title: string, call: (options: CallOptions) => Promise<void>): void {
    const before = new Set(circuitKeys(this.run.circuits));
    void work.start(title, '', (options) => call(countingCircuits(options))).then(() => {
      const added = this.closed ? undefined : circuitKeys(this.run.circuits).find((key) => !before.has(key));
      if (added === undefined) return;
      this.choose({ circuit: added, name: undefined });
      this.parts.say(keptSentence(this.run.circuits[circuitAt(this.run.circuits, added)!]!));
    });
  }

  private extractCircuit(selection: CircuitSelection, wanted: string): void {
    const { host, run } = this.parts;
    const { prune, ablation } = this.choice;
    const name = freeName(wanted, this.run.circuits);
    this.keeping(this.works.extracting, `Extracting ${name}`, (call) => host.extractCircuit({ runId: run.id, options: this.state.options, selection, prune, ablation, name }, call));
  }

  private importCircuit(): void {
    const { host, run } = this.parts;
    const { ablation } = this.choice;
    this.keeping(this.works.importing, 'Importing a circuit', (call) => host.importCircuit({ runId: run.id, ablation }, call));
  }

  private refine(circuit: number, threshold: number): void {
    const { host, run } = this.parts;
    const { name: from } = this.run.circuits[circuit]!;
    const name = freeName(`${from}, refined`, this.run.circuits);
    this.keeping(this.works.questioning, `Refining ${from}`, (call) => host.refineCircuit({ runId: run.id, circuit, threshold, name }, call));
  }

  private askMinimality(circuit: number): void {
    const { host, run } = this.parts;
    const { name } = this.run.circuits[circuit]!;
    const key = circuitKeys(this.run.circuits)[circuit]!;
    void this.works.questioning.start(`Leaving out each edge of ${name}`, `Minimality of ${name} is here`, async (call) => {
      this.losses.set(key, await host.circuitMinimality({ runId: run.id, circuit }, countingCircuits(call)));
    });
  }

  private askStability(selection: CircuitSelection): void {
    const { host, run } = this.parts;
    const key = this.stabilityKey(selection);
    void this.works.extracting.start('Drawing the pairs anew', 'Stability is here', async (call) => {
      const answer = await host.circuitStability({ runId: run.id, selection: this.inRawUnits(selection), prune: this.choice.prune }, call);
      this.stabilities.set(key, stabilityText(answer, this.run.pairs.length));
    });
  }

  /** Of the mean of all pairs in raw units, as the bootstrap reads a threshold. */
  private inRawUnits(selection: CircuitSelection): CircuitSelection {
    if (selection.by !== 'threshold') return selection;
    return { by: 'threshold', threshold: selection.threshold * Math.abs(scaleOf(this.run, { pair: 'all', unit: 'raw' }) / scaleOf(this.run, this.state.options)) };
  }

  private stabilityKey(selection: CircuitSelection | undefined): string {
    const { unit } = this.state.options;
    return JSON.stringify([selection, this.choice.prune, this.run.edgeMethod, selection?.by === 'threshold' && unit]);
  }

  private measureCurve(): void {
    const { host, run } = this.parts;
    const { ablation, curve: { by, random } } = this.choice;
    const { options } = this.state;
    const words = `${by === 'top' ? 'The strongest edges' : 'Edges greedily from the logits up'}, ${scoresOf(this.run, options)} (${edgeMethodWords(this.run.edgeMethod!)}), pruned; all others ${ABLATIONS[ablation].carrying}. ${this.measuredWords()}`;
    void this.works.measuring.start('Measuring circuits over budgets', 'The curve is here', async (call) => {
      const curve = await host.circuitCurve({ runId: run.id, options, by, ablation, random }, countingCircuits(call));
      this.measured = { curve, random, words, ablation };
    });
  }

  private measuredWords(): string {
    const words = measuredOn(this.run);
    return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
  }

  // What takes no time

  private async exportCircuit(circuit: number, format: GraphFormat): Promise<void> {
    const { host, run } = this.parts;
    await this.attempt(circuit, 'Not exported', () => host.exportGraph({ runId: run.id, options: this.state.options, format, circuit }));
  }

  private async remove(circuit: number): Promise<void> {
    const { host, run, say } = this.parts;
    const { name } = this.run.circuits[circuit]!;
    const done = await this.attempt(circuit, 'Not removed', () => host.removeCircuit({ runId: run.id, circuit }));
    if (!done || this.closed) return;
    this.choose({ circuit: undefined });
    say(`Removed ${name}`);
  }

  private async attempt(circuit: number, failed: string, act: () => Promise<void>): Promise<boolean> {
    const of = circuitKeys(this.run.circuits)[circuit]!;
    this.failure = undefined;
    try {
      await act();
      return true;
    } catch (error) {
      const message = `${failed}: ${error instanceof Error ? error.message : String(error)}`;
      this.failure = { of, message };
      this.parts.say(message);
      return false;
    } finally {
      this.render();
    }
  }

  private showInGraph(circuit: number): void {
    const { edges } = this.run.circuits[circuit]!;
    const paths = showingCircuit(this.run, this.state, circuitKeys(this.run.circuits)[circuit]!, edges);
    this.parts.change({ view: 'paths', own: { ...this.state.own, paths } });
  }

  private point(content: readonly Node[] | undefined, anchor: Element | undefined): void {
    if (content && anchor) this.tooltip.show(anchor, content);
    else this.tooltip.hide();
  }

  // Drawing

  private render(): void {
    // Out of sight nothing is drawn or asked for: it is once the view is back.
    if (this.closed || this.element.closest('[hidden]')) return;
    const { run, choice, works } = this;
    const { edgeMethod } = run;
    for (const work of Object.values(works)) work.render();
    this.without.hidden = edgeMethod !== undefined;
    this.body.hidden = edgeMethod === undefined;
    this.form.element.hidden = works.attributing.running;
    if (!edgeMethod) return this.form.render(undefined);
    const fault = ablationFault(run, choice.ablation);
    this.ablation.render(run, choice.ablation);
    this.renderExtract(fault);
    this.kept.render(run.circuits, choice, measuredOn(run), fault, works.importing.running);
    this.renderDetails(fault);
    const { measured } = this;
    this.curve.render(choice.curve, measured && { ...measured, marks: this.marksOf(measured.ablation) }, fault, works.measuring.running);
  }

  private renderExtract(fault: string | undefined): void {
    const { run, choice, total } = this;
    const { options } = this.state;
    const selection = selectionOf(choice, total);
    const stabilityFault = run.pairs.length < 2 ? 'With one pair there is nothing to draw anew.' : options.pair === 'all' ? undefined : 'Stability is of the mean of all pairs: choose all pairs above.';
    const stability = stabilityFault === undefined ? this.stabilities.get(this.stabilityKey(selection)) : undefined;
    this.extract.render({
      ...{ choice, total, fault, stabilityFault, stability },
      unit: options.unit === 'normalised' ? 'normalised' : `raw ${metricUnit(run.metric)}`,
      selected: selection ? this.selected.ask({ runId: run.id, options, selection, prune: choice.prune }, run.edgeMethod, this.passing) : { state: 'running' },
      working: this.works.extracting.running,
      scores: `${scoresOf(run, options)} (${edgeMethodWords(run.edgeMethod!)})`,
    });
  }

  private renderDetails(fault: string | undefined): void {
    const { run, choice } = this;
    const index = circuitAt(run.circuits, choice.circuit);
    if (index === undefined) return this.details.render(undefined);
    const found = circuitAt(run.circuits, choice.other);
    const other = found === index ? undefined : found;
    const keys = circuitKeys(run.circuits);
    const overlap = other === undefined ? undefined : this.overlaps.ask(JSON.stringify([keys[index], keys[other]]), (call) => this.parts.host.circuitOverlap({ runId: run.id, circuits: [index, other] }, call));
    this.details.render({
      ...{ run, index, other, choice, overlap, fault },
      losses: this.losses.get(keys[index]!),
      working: this.works.questioning.running,
      failure: this.failure?.of === keys[index] ? this.failure?.message : undefined,
    });
  }

  private marksOf(ablation: CircuitsChoice['ablation']): CurveMark[] {
    return this.run.circuits.flatMap(({ name, edges, faithfulness }) =>
      faithfulness?.ablation === ablation && typeof faithfulness.value === 'number' && edges > 0 ? [{ name, share: edges / this.total, value: faithfulness.value }] : [],
    );
  }
}
