import type { PanelHost, RunSummary } from '../../src/shared/panelProtocol';
import type { Palette } from '../model/colour';
import type { ViewName, ViewState } from '../model/viewState';
import type { Numbers } from '../numbers';
import type { Verifying } from '../verifying';
import { el } from './dom';

/** One of the panel's views of a run. It is built when it is first shown, and stays, hidden, while another one is. */
export interface View {
  readonly element: HTMLElement;
  /** Called once the element is in the page and in sight. */
  start(): void;
  /** The run is no longer shown: stop what is under way. */
  close(): void;
  themeChanged(palette: Palette): void;
  /** What is chosen has changed, here or elsewhere, or the view has come into sight again. Only the view in sight is told. */
  update(state: ViewState): void;
  /** The same run with something more kept with it: edges, circuits, notes, or exact effects of either. */
  runChanged?(run: RunSummary): void;
  /** Escape was pressed: closes what is open above the view. False when nothing was, and the selection goes. */
  escape?(): boolean;
}

/** What every view is built from. */
export interface ViewParts {
  host: PanelHost;
  run: RunSummary;
  state: ViewState;
  palette: Palette;
  /** Changes what is chosen: kept over reloads, and told to the view by `update` (unless nothing is to be drawn for it, as for scrolling). */
  change(part: Partial<ViewState>, redraw?: boolean): void;
  /** Spoken by screen readers. */
  say(text: string): void;
  /** Copies by way of the host, then says `done`. */
  copy(text: string, done: string): void;
}

/** What the views of the run's maps share beside that. */
export interface RunParts extends ViewParts {
  numbers: Numbers;
  verifying: Verifying;
}

const TITLES: Record<ViewName, string> = { heatmaps: 'Heatmaps', trust: 'Trust', paths: 'Paths', circuits: 'Circuits', attention: 'Attention', logits: 'Logits', neurons: 'Neurons' };

/** The views' tabs: one tab stop, arrow keys, Home and End choose among them. */
export class Tabs {
  readonly element = el('div', { class: 'tabs', attributes: { role: 'tablist', 'aria-label': 'Views of the run' } });
  private readonly tabs = new Map<ViewName, HTMLElement>();

  constructor(names: readonly ViewName[], choose: (name: ViewName) => void) {
    for (const name of names) {
      const tab = el('button', {
        class: 'tab',
        text: TITLES[name],
        attributes: { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `view-${name}`, 'data-key': `tab ${name}` },
        on: { click: () => choose(name) },
      });
      this.tabs.set(name, tab);
      this.element.append(tab);
    }
    this.element.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const at = names.findIndex((name) => this.tabs.get(name) === event.target);
      const last = names.length - 1;
      const targets: Record<string, number> = { ArrowLeft: at === 0 ? last : at - 1, ArrowRight: at === last ? 0 : at + 1, Home: 0, End: last };
      const target = names[targets[event.key] ?? -1];
      if (at === -1 || target === undefined) return;
      event.preventDefault();
      choose(target);
      this.tabs.get(target)!.focus();
    });
  }

  select(chosen: ViewName): void {
    for (const [name, tab] of this.tabs) {
      tab.setAttribute('aria-selected', String(name === chosen));
      tab.tabIndex = name === chosen ? 0 : -1;
    }
  }
}

/** The place of one view. */
export function tabPanel(name: ViewName, view: HTMLElement): HTMLElement {
  return el('div', { class: 'tab-panel', attributes: { role: 'tabpanel', id: `view-${name}`, 'aria-labelledby': `tab-${name}` } }, [view]);
}
