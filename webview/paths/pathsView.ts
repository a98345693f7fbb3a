import { edgeMethodWords } from '../../src/shared/graph/methodWords';
import type { Edge, GraphShape } from '../../src/shared/graph/nodes';
import { metricUnit } from '../../src/shared/metrics';
import type { RunSummary } from '../../src/shared/panelProtocol';
import { DEFAULT_EDGE_METHOD, type EdgeMethod, type GraphNotes } from '../../src/shared/paths';
import type { EdgePositions, GraphRequest } from '../../src/shared/pathsProtocol';
import { plural } from '../../src/shared/text';
import { Computed } from '../computed';
import { circuitAt } from '../model/circuitKeys';
import { viewCaption } from '../model/facts';
import { signWords } from '../model/signs';
import type { ViewState } from '../model/viewState';
import { Computing } from '../view/computing';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import type { View, ViewParts } from '../view/tabs';
import { Tooltip } from '../view/tooltip';
import { circuitCrumb, crumbs } from './crumbs';
import { drawnGraph, edgesOnPath, type DrawnGraph } from './drawnGraph';
import { edgeCard, nodeCard, nodeSentence } from './edgeCard';
import { EdgeDetails } from './edgeDetails';
import { EdgeTable } from './edgeTable';
import { NO_NOTES, togglePin } from './graphNotes';
import { GraphPages } from './graphPages';
import { GraphPicture, HINT } from './graphPicture';
import { formControls, verifyControls } from './graphToolbar';
import { hatchedWords, MatrixForm } from './matrixForm';
import { MethodForm } from './methodForm';
import { nodeLooks } from './nodeLooks';
import { NodeTables } from './nodeTables';
import { NotesKeeper } from './notesKeeper';
import { NotesPanel } from './notesPanel';
import { focusOn, pathsChoice, type PathsChoice } from './ownState';
import { edgeCountText, edgeSentence, edgeTitle, titleOf } from './pathText';
import { selectedHead, selectionOfNode } from './sharedSelection';
import { StrongPathsPanel } from './strongPathsPanel';
import { ThresholdControl } from './thresholdControl';
import type { Place } from './walk';
import { Work } from './work';

const EXPLANATION =
  'Edge attribution estimates how much the path from one component’s output to another one’s input carries: from the embedding, every head and every MLP to the query, key and value input of every head, to every MLP and to the logits. It takes a few passes for all edges at once.';

/** The graph of paths between the model's components. */
export class PathsView implements View {
  readonly element: HTMLElement;
  private readonly shape: GraphShape;
  private readonly pages: GraphPages;
  private readonly positions: Computed<EdgePositions[]>;
  private readonly loading: Computing;
  private readonly work: Work;
  private readonly form: MethodForm;
  private readonly methodLine = new Slot(el('div', { class: 'method-line' }));
  private readonly threshold: ThresholdControl;
  private readonly toolbar = new Slot(el('div', { class: 'toolbar', attributes: { role: 'group', 'aria-label': 'Graph' } }));
  private readonly verify = new Slot(el('div', { class: 'toolbar', attributes: { role: 'group', 'aria-label': 'Exact effects of edges' } }));
  private readonly trail = new Slot(el('div', { class: 'trail' }));
  private readonly picture: GraphPicture;
  private readonly matrix: MatrixForm;
  private readonly table: EdgeTable;
  private readonly nodeTables: NodeTables;
  private readonly details: EdgeDetails;
  private readonly paths: StrongPathsPanel;
  private readonly notesPanel: NotesPanel;
  private readonly notes: NotesKeeper;
  private readonly caption = el('p', { class: 'caption' });
  private readonly tooltip = new Tooltip();
  private readonly body: HTMLElement;
  private run: RunSummary;
  private palette: ViewParts['palette'];
  private state: ViewState;
  private choice: PathsChoice;
  private graph?: { /** Of which pinned nodes. */ made: string; graph: DrawnGraph };
  private formOpen = false;
  /** The slider is being moved. */
  private passing = false;
  private highlighted?: number;
  private closed = false;
  private readonly onScroll = (): void => this.tooltip.hide();

  constructor(private readonly parts: ViewParts) {
    const { host, run, say } = parts;
    this.run = run;
    this.palette = parts.palette;
    this.shape = run.model;
    this.state = parts.state;
    this.choice = pathsChoice(run, parts.state);
    this.pages = new GraphPages(host, () => this.render());
    this.positions = new Computed<EdgePositions[]>(40, () => this.render());
    this.loading = new Computing(() => 'Loading the graph', { stop: () => undefined, retry: () => this.pages.retry() });
    this.work = new Work(() => this.render(), say);
    this.form = new MethodForm(run.edgeMethod ?? DEFAULT_EDGE_METHOD, (method) => this.attribute(method));
    this.notes = new NotesKeeper(host, run.id, run.graph ?? NO_NOTES, say);
    this.threshold = new ThresholdControl((choose) => this.choose({ choose }, true));
    this.picture = new GraphPicture({
      focusNode: (name) => this.focus(name),
      selectEdge: (index) => this.select(index),
      verify: (index) => this.verifyEdge(index),
      pin: (name) => this.keepNotes(togglePin(this.notes.notes, name)),
      point: (place, anchor, by) => this.point(place, anchor, by),
      zoomed: (zoom) => this.keep({ zoom }),
    });
    this.matrix = new MatrixForm({
      port: (port) => this.choose({ port }),
      select: (index) => this.select(index),
      verify: (index) => this.verifyEdge(index),
      point: (content, sentence, anchor, by) => {
        if (!content || !anchor) return this.tooltip.hide();
        this.tooltip.show(anchor, content);
        if (by === 'focus') say(sentence);
      },
    });
    this.table = new EdgeTable({ sort: (order) => this.choose({ order }), select: (index) => this.select(index), copy: (text) => parts.copy(text, 'Copied the table') });
    this.nodeTables = new NodeTables((name) => this.focus(name));
    this.details = new EdgeDetails(run, this.shape, {
      verify: () => this.verifySelected(),
      clear: () => this.choose({ edge: undefined }),
      focus: (name) => this.focus(name),
      stopPositions: () => this.positions.stop(),
      retryPositions: () => this.positions.retry(),
    });
    this.paths = new StrongPathsPanel(this.choice.between, { between: (between) => this.showPaths(between), highlight: (path) => this.highlight(path) });
    this.notesPanel = new NotesPanel(this.shape, this.notes.notes, { keep: (notes) => this.keepNotes(notes), focus: (name) => this.focus(name) });
    this.body = el('div', { class: 'paths-body' }, [
      el('div', { class: 'paths-main' }, [
        el('div', { class: 'toolbar paths-toolbar' }, [this.threshold.element, this.toolbar.element]),
        this.trail.element,
        this.picture.element,
        el('p', { class: 'hidden', text: HINT, attributes: { id: 'graph-hint' } }),
        this.matrix.element,
        this.verify.element,
        this.caption,
      ]),
      el('aside', { class: 'paths-side', attributes: { 'aria-label': 'Selection, paths and notes' } }, [this.details.element, this.nodeTables.element, this.paths.element, this.notesPanel.element]),
      this.table.element,
    ]);
    this.element = el('div', { class: 'paths' }, [this.methodLine.element, this.form.element, this.work.element, this.loading.element, this.body, this.tooltip.element]);
    window.addEventListener('scroll', this.onScroll, { passive: true });
  }

  start(): void {
    this.render();
  }

  close(): void {
    this.closed = true;
    this.pages.close();
    this.positions.cancel();
    this.picture.close();
    this.work.close();
    this.notes.close();
    window.removeEventListener('scroll', this.onScroll);
  }

  themeChanged(palette: ViewParts['palette']): void {
    this.palette = palette;
    this.render();
  }

  update(state: ViewState): void {
    // A circuit is to be shown, which was chosen elsewhere.
    if (state.own.paths !== this.state.own.paths) this.choice = pathsChoice(this.run, state);
    this.state = state;
    this.render();
  }

  runChanged(run: RunSummary): void {
    const method = JSON.stringify(this.run.edgeMethod);
    this.run = run;
    if (run.graph) this.notes.take(run.graph);
    if (JSON.stringify(run.edgeMethod) !== method) this.formOpen = false;
    this.pages.outdated();
  }

  /** Closes what is open, from the inside out: the tooltip, the edge, the paths, one focus after the other. */
  escape(): boolean {
    const { choice } = this;
    if (this.tooltip.shown) this.tooltip.hide();
    else if (choice.edge !== undefined) this.choose({ edge: undefined });
    else if (choice.between) this.showPaths(undefined);
    else if (choice.focus.length > 0) this.backTo(choice.focus.length - 1);
    else return false;
    return true;
  }

  // What is chosen

  private keep(part: Partial<PathsChoice>, more: Partial<ViewState> = {}): void {
    this.choice = { ...this.choice, ...part };
    this.parts.change({ ...more, own: { ...this.state.own, paths: this.choice } }, Object.keys(more).length > 0);
    this.state = { ...this.state, ...more, own: { ...this.state.own, paths: this.choice } };
  }

  private choose(part: Partial<PathsChoice>, passing = false): void {
    this.tooltip.hide();
    this.passing = passing;
    this.keep(part);
    this.render();
  }

  private focus(name: string): void {
    this.tooltip.hide();
    const selection = selectionOfNode(this.shape, name);
    this.passing = false;
    this.keep({ focus: focusOn(this.choice.focus, name), between: undefined, edge: undefined, zoom: undefined }, selection && { selection });
    this.parts.say(`Focused ${titleOf(this.shape, name)}: its inputs and outputs`);
    this.render();
    this.picture.goTo({ node: name });
  }

  private backTo(length: number): void {
    const focus = this.choice.focus.slice(0, length);
    this.highlighted = undefined;
    this.choose({ focus, between: undefined, edge: undefined, zoom: undefined });
    this.parts.say(focus.length === 0 ? (circuitAt(this.run.circuits, this.choice.circuit) === undefined ? 'The whole graph' : 'The whole circuit') : `Back to ${titleOf(this.shape, focus.at(-1)!)}`);
  }

  private select(index: number): void {
    const name = this.graph?.graph.names[index];
    this.tooltip.hide();
    this.choose({ edge: name === this.choice.edge ? undefined : name });
    if (this.choice.edge !== undefined) {
      this.picture.goTo({ edge: index, via: 'to' });
      this.parts.say(`Selected ${edgeSentence(this.shape, this.graph!.graph.page.edges[index]!, index + 1)}`);
    } else this.parts.say('Selection cleared');
  }

  private showPaths(between: PathsChoice['between']): void {
    this.highlighted = undefined;
    this.choose({ between, focus: [], edge: undefined, zoom: undefined });
  }

  private highlight(path: number | undefined): void {
    this.highlighted = path;
    this.render();
  }

  private keepNotes(notes: GraphNotes): void {
    this.notes.keep(notes);
    this.render();
  }

  // Work of the engine

  private attribute(method: EdgeMethod): void {
    const { host, run } = this.parts;
    void this.work.start('Attributing edges', 'Edges attributed', (call) => host.computePaths({ runId: run.id, method }, call));
  }

  private patch(edges: Edge[] | { top: number }, what: string): void {
    const { host, run } = this.parts;
    const { mode } = this.choice;
    void this.work
      .start(`Verifying ${what}`, `Measured ${what}`, (call) => host.patchPaths({ runId: run.id, options: this.state.options, mode, edges }, call))
      .then(() => !this.closed && this.pages.outdated());
  }

  private verifyEdge(index: number): void {
    const edge = this.graph!.graph.page.edges[index]!;
    this.patch([{ sender: edge.sender, receiver: edge.receiver }], edgeTitle(this.shape, edge));
  }

  /** Of the whole graph, or of what is in focus. */
  private verifyTop(): void {
    const { verify, focus, between, circuit } = this.choice;
    const whole = focus.length === 0 && !between && circuitAt(this.run.circuits, circuit) === undefined;
    const edges = this.graph!.graph.page.edges.slice(0, verify).map(({ sender, receiver }) => ({ sender, receiver }));
    this.patch(whole ? { top: verify } : edges, whole ? `top ${verify} edges` : `top ${plural(edges.length, 'edge')} in focus`);
  }

  private verifySelected(): void {
    const index = this.selectedIndex();
    if (index !== undefined) this.verifyEdge(index);
  }

  // Drawing

  private render(): void {
    // Out of sight nothing is drawn or asked for: it is once the view is back.
    if (this.closed || this.element.closest('[hidden]')) return;
    const { edgeMethod } = this.run;
    this.work.render();
    this.form.element.hidden = (edgeMethod !== undefined && !this.formOpen) || this.work.running;
    this.form.render(edgeMethod);
    this.methodLine.render(JSON.stringify([edgeMethod, this.formOpen]), () => this.methodLineParts(edgeMethod));
    this.body.hidden = true;
    if (!edgeMethod) return this.loading.render({ state: 'ready', value: undefined });
    const answer = this.pages.ask(this.request(), this.passing && this.graph !== undefined);
    // A graph that is there stays while its successor is on its way.
    this.loading.render(answer.state === 'running' && this.graph ? { state: 'ready', value: undefined } : answer);
    if (answer.state === 'ready') this.take(answer.value);
    this.body.classList.toggle('waiting', answer.state !== 'ready');
    if (this.graph) this.draw(this.graph.graph, answer.state !== 'ready');
  }

  private request(): GraphRequest {
    const { choose, focus, between, mode } = this.choice;
    const node = focus.at(-1);
    const circuit = circuitAt(this.run.circuits, this.choice.circuit);
    return { runId: this.run.id, options: this.state.options, choose, mode, ...(circuit !== undefined && { circuit }), ...(node !== undefined && { focus: [node] }), ...(between && { between }) };
  }

  private take(page: DrawnGraph['page']): void {
    const pinned = this.choice.between || this.choice.focus.length > 0 ? [] : this.notes.notes.pinned;
    if (this.graph?.graph.page === page && this.graph.made === pinned.join()) return;
    this.graph = { made: pinned.join(), graph: drawnGraph(this.shape, page, pinned) };
  }

  private draw(graph: DrawnGraph, waiting: boolean): void {
    const { choice, shape, run } = this;
    const { names } = this.notes.notes;
    const selected = this.selectedIndex();
    const focused = choice.focus.at(-1);
    this.body.hidden = false;
    this.threshold.element.hidden = choice.between !== undefined;
    this.threshold.render(choice.choose, graph.page, waiting);
    this.toolbar.render(choice.form, () => formControls(choice, { form: (form) => this.choose({ form }), zoomBy: (factor) => this.picture.zoomBy(factor), fit: () => this.picture.fit() }));
    this.verify.render(JSON.stringify([choice.mode, choice.verify]), () => verifyControls(this.choice, { mode: (mode) => this.choose({ mode }), top: (verify) => this.choose({ verify }), verifyTop: () => this.verifyTop() }));
    const head = selectedHead(this.state.selection);
    const circuit = run.circuits[circuitAt(run.circuits, choice.circuit) ?? -1]?.name;
    const whole = circuit === undefined ? 'Whole graph' : 'Whole circuit';
    this.trail.render(JSON.stringify([choice.focus, choice.between, head, circuit]), () => [
      ...circuitCrumb(circuit, () => this.choose({ circuit: undefined })),
      ...crumbs(shape, whole, choice.focus, choice.between, head, { backTo: (length) => this.backTo(length), focus: (name) => this.focus(name) }),
    ]);
    this.picture.element.hidden = choice.form !== 'graph';
    this.matrix.element.hidden = choice.form !== 'matrix';
    if (choice.form === 'graph') this.drawPicture(graph, selected, focused);
    else this.matrix.render(shape, graph, choice.port, this.palette, selected, hatchedWords(shape, choice, circuit));
    this.table.render(shape, graph, choice.order, names, selected);
    this.nodeTables.render(shape, graph, focused, names);
    this.renderDetails(graph, selected);
    this.paths.render(shape, this.notes.notes, choice.between, graph, this.highlighted, whole);
    this.notesPanel.render(this.notes.notes, focused);
    this.caption.textContent = `${signWords(run, this.state.options).sentence} ${choice.form === 'graph' ? 'Width is |score|; a diamond marks what is measured. ' : ''}${viewCaption(run, this.state.options)} · ${edgeMethodWords(run.edgeMethod!)}`;
  }

  private drawPicture(graph: DrawnGraph, selected: number | undefined, focus: string | undefined): void {
    const { page, ends, layout, largest } = graph;
    const path = this.highlighted === undefined ? undefined : page.paths?.[this.highlighted];
    const { notes } = this.notes;
    this.picture.draw({
      ...{ shape: this.shape, layout, edges: page.edges, ends, largest, selected },
      ...(path && { onPath: new Set(edgesOnPath(graph, path.nodes)) }),
      looks: nodeLooks(this.shape, graph, notes, this.palette, focus, path?.nodes),
      label: `Graph of paths: ${edgeCountText(page.edges.length, page.count, page.total)}, ${plural(page.nodes.length, 'node')}. The table of drawn edges has every number.`,
      zoom: this.choice.zoom,
    });
  }

  private renderDetails(graph: DrawnGraph, selected: number | undefined): void {
    if (selected === undefined) {
      this.positions.cancel();
      return this.details.render(undefined);
    }
    const { host, run } = this.parts;
    const { options } = this.state;
    const edge = graph.page.edges[selected]!;
    const request = { runId: run.id, options, edge: { sender: edge.sender, receiver: edge.receiver } };
    const positions = this.positions.ask(JSON.stringify([request, this.run.edgeMethod]), (call) => host.edgePositions(request, call));
    this.details.render({ edge, rank: selected + 1, mode: this.choice.mode, unit: this.unit(), options, working: this.work.running, positions });
  }

  private methodLineParts(method: EdgeMethod | undefined): HTMLElement[] {
    if (!method) return [el('h2', { text: 'Paths between components' }), el('p', { class: 'paths-explained', text: EXPLANATION })];
    return [
      el('span', { class: 'caption', text: edgeMethodWords(method) }),
      button(this.formOpen ? 'Close' : 'Method…', () => {
        this.formOpen = !this.formOpen;
        this.render();
      }, { title: 'Attribute the edges in another way', key: 'method' }),
    ];
  }

  private point(place: Place | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void {
    if (!place || !anchor || !this.graph) return this.tooltip.hide();
    const { graph } = this.graph;
    const { shape } = this;
    const { names } = this.notes.notes;
    const node = 'node' in place ? graph.nodes.get(place.node) : undefined;
    const edge = 'edge' in place ? graph.page.edges[place.edge] : undefined;
    if ('node' in place) this.tooltip.show(anchor, nodeCard(shape, place.node, node, graph, names, this.unit()));
    else if (edge) this.tooltip.show(anchor, edgeCard(shape, edge, place.edge + 1, this.unit()));
    if (by === 'focus') this.parts.say('node' in place ? nodeSentence(shape, place.node, node, graph, names) : edgeSentence(shape, edge!, place.edge + 1));
  }

  private selectedIndex(): number | undefined {
    const { edge } = this.choice;
    const index = edge === undefined ? -1 : (this.graph?.graph.names.indexOf(edge) ?? -1);
    return index === -1 ? undefined : index;
  }

  private unit(): string {
    return this.state.options.unit === 'normalised' ? 'normalised' : `raw ${metricUnit(this.run.metric)}`;
  }
}
