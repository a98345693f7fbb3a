import { AttentionView } from '../attention/attentionView';
import { HeatmapsView } from '../heatmaps/heatmapsView';
import { CircuitsView } from '../circuits/circuitsView';
import { LogitsView } from '../logits/logitsView';
import type { PanelHost, RunningVerification, RunSummary } from '../../src/shared/panelProtocol';
import { signWords } from '../model/signs';
import { choosingPair, selectedUnit, viewsOf, withinReach, type ViewName, type ViewState } from '../model/viewState';
import { PathsView } from '../paths/pathsView';
import { NeuronsView } from '../neurons/neuronsView';
import { Numbers } from '../numbers';
import { TrustView } from '../trust/trustView';
import { Verifying } from '../verifying';
import { ChangeForm } from './changeForm';
import { el } from './dom';
import { factsView, readingAid } from './factsView';
import { pairsView } from './pairsView';
import { Slot } from './slot';
import { tabPanel, Tabs, type RunParts, type View } from './tabs';
import { currentPalette } from './theme';
import { viewControls } from './viewControls';

/** What to do with a run that has nothing to draw a map of. */
const NO_ESTIMATES =
  'This run has no estimates, and so no maps: at its base run the gradient of the metric is exactly zero. With “Change…” choose the direction denoise, integrated gradients or another metric; exact effects can then be measured beside the estimates. The command line measures them without: circuit-explorer patch --full.';

const VIEWS: Record<ViewName, new (parts: RunParts) => View> = {
  heatmaps: HeatmapsView,
  trust: TrustView,
  paths: PathsView,
  circuits: CircuitsView,
  attention: AttentionView,
  logits: LogitsView,
  neurons: NeuronsView,
};

interface Built {
  view: View;
  panel: HTMLElement;
  /** What it was last told. */
  told?: ViewState;
}

/** A run in the panel: its facts, what is chosen for all views, and the views as tabs. */
export class RunView {
  readonly element: HTMLElement;
  private readonly numbers: Numbers;
  private readonly verifying: Verifying;
  private readonly live = el('div', { class: 'hidden', attributes: { 'aria-live': 'polite', 'aria-atomic': 'true', id: 'live' } });
  private readonly reading = new Slot(el('p', { class: 'reading' }));
  private readonly controls = new Slot(el('div', { class: 'toolbar main-toolbar', attributes: { role: 'group', 'aria-label': 'View' } }));
  private readonly pairs = new Slot(el('div'));
  private readonly tabs: Tabs;
  private readonly form: ChangeForm;
  private readonly panels = el('div', { class: 'tab-panels' });
  private readonly built = new Map<ViewName, Built>();
  private palette = currentPalette();
  private pairsOpen = false;
  private frame = 0;
  private closed = false;
  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !event.defaultPrevented) this.escape();
  };

  constructor(
    private readonly host: PanelHost,
    private run: RunSummary,
    private state: ViewState,
    private readonly save: (state: ViewState) => void,
    act: Parameters<typeof factsView>[1],
  ) {
    this.numbers = new Numbers(host, run.id, () => this.schedule());
    this.verifying = new Verifying(host, this.numbers, () => this.schedule(), (text) => this.say(text));
    this.tabs = new Tabs(viewsOf(run), (view) => this.change({ view }));
    this.form = new ChangeForm(host, run, act);
    this.element = el('div', { class: 'run' }, [
      factsView(run, act, this.form),
      ...(run.sites.length === 0 ? [el('p', { class: 'note info', text: NO_ESTIMATES, attributes: { role: 'note' } })] : [this.reading.element]),
      this.controls.element,
      this.pairs.element,
      el('div', { class: 'tab-line' }, [this.tabs.element]),
      this.panels,
      this.live,
    ]);
    document.addEventListener('keydown', this.onKey);
  }

  /** Called once the element is in the page. `verifying`: what is being verified of it already. */
  start(verifying?: RunningVerification): void {
    this.verifying.follow(verifying);
    this.render();
  }

  close(): void {
    this.closed = true;
    cancelAnimationFrame(this.frame);
    document.removeEventListener('keydown', this.onKey);
    this.verifying.close();
    for (const { view } of this.built.values()) view.close();
  }

  get runId(): string {
    return this.run.id;
  }

  /** The host has more of this run, which is measured or kept with it; `verifying`: what is still under way. */
  measuredMore(run: RunSummary, verifying?: RunningVerification): void {
    this.run = run;
    for (const { view } of this.built.values()) view.runChanged?.(run);
    this.verifying.follow(verifying);
    this.numbers.measuredMore();
  }

  themeChanged(): void {
    this.palette = currentPalette();
    for (const { view } of this.built.values()) view.themeChanged(this.palette);
  }

  pageScrolled(top: number): void {
    this.change({ scroll: { ...this.state.scroll, page: top } }, false);
  }

  private change(part: Partial<ViewState>, redraw = true): void {
    this.state = { ...this.state, ...part };
    this.save(this.state);
    if (redraw) this.schedule();
  }

  /** Numbers often arrive in bunches: one drawing per frame. */
  private schedule(): void {
    if (this.closed) return;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.render());
  }

  private render(): void {
    if (this.closed) return;
    const { run, state } = this;
    const signs = signWords(run, state.options);
    this.reading.render(signs.sentence, () => readingAid(signs));
    this.controls.render(JSON.stringify([state.options, state.view]), () =>
      viewControls(run, state.options, state.view, {
        pair: (pair) => this.change(choosingPair(run, this.state, pair)),
        unit: (unit) => this.change({ options: { ...this.state.options, unit } }),
        of: (of) => this.change({ options: withinReach(run, { ...this.state.options, of }) }),
      }),
    );
    this.pairs.render(`${state.options.pair}`, () => [this.pairsElement()]);
    this.form.select(selectedUnit(run, state));
    this.tabs.select(state.view);
    this.renderView();
  }

  private renderView(): void {
    const { state } = this;
    for (const [name, { panel }] of this.built) panel.hidden = name !== state.view;
    const built = this.built.get(state.view);
    if (!built) return this.build(state.view);
    // Exact effects of cells are drawn by all views but these, whose numbers are their own.
    if (built.told === state && (state.view === 'logits' || state.view === 'paths' || state.view === 'circuits')) return;
    built.told = state;
    built.view.update(state);
  }

  private build(name: ViewName): void {
    const view = new VIEWS[name]({
      ...{ host: this.host, run: this.run, state: this.state, palette: this.palette, numbers: this.numbers, verifying: this.verifying },
      change: (part, redraw) => this.change(part, redraw),
      say: (text) => this.say(text),
      copy: (text, done) => this.copy(text, done),
    });
    const panel = tabPanel(name, view.element);
    this.built.set(name, { view, panel, told: this.state });
    this.panels.append(panel);
    view.start();
  }

  private pairsElement(): HTMLElement {
    const element = pairsView(this.run, this.state.options.pair, this.pairsOpen, (pair) => this.change(choosingPair(this.run, this.state, pair)));
    element.addEventListener('toggle', () => {
      this.pairsOpen = (element as HTMLDetailsElement).open;
    });
    return element;
  }

  private escape(): void {
    if (this.built.get(this.state.view)?.view.escape?.()) return;
    if (!this.state.selection) return;
    this.change({ selection: undefined });
    this.say('Selection cleared');
  }

  private copy(text: string, done: string): void {
    this.host.copy({ text }).then(
      () => this.say(done),
      (error: unknown) => this.say(`Not copied: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  private say(text: string): void {
    this.live.textContent = text;
  }
}
