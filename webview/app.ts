import type { PanelAction, PanelContent, PanelHost, PanelState, PanelWebview } from '../src/shared/panelProtocol';
import { connectRpc, serveRpc } from '../src/shared/rpc';
import type { HostSeam } from './host';
import { stateFor, type ViewState } from './model/viewState';
import { el } from './view/dom';
import { keepingFocus } from './view/focus';
import { messageView, ProgressView } from './view/messages';
import { RunView } from './view/runView';
import { watchTheme } from './view/theme';

/** Builds the panel in `root` and keeps it in step with its host. */
export function startPanel(root: HTMLElement, seam: HostSeam): void {
  const { remote: host } = connectRpc<PanelHost>(seam.port);
  const place = el('div', { class: 'panel' });
  root.append(place);
  let stored: PanelState | undefined = seam.getState();
  let shown: RunView | undefined;
  let progress: ProgressView | undefined;
  /** What failed since, above the run that is shown. */
  let failure: HTMLElement | undefined;

  const fail = (title: string, error: unknown): void => show({ kind: 'failed', title, message: error instanceof Error ? error.message : String(error), fromFile: false });
  const act = (action: PanelAction): void => {
    host.act({ action }).catch((error: unknown) => fail('The panel', error));
  };
  let saving: ReturnType<typeof setTimeout> | undefined;
  const keep = (state: PanelState): void => {
    stored = state;
    clearTimeout(saving);
    // Scrolling changes it many times a second, and every change is a message to VS Code.
    saving = setTimeout(() => seam.setState(state), 100);
  };
  const clear = (): void => {
    shown?.close();
    shown = undefined;
    progress = undefined;
    failure = undefined;
    place.replaceChildren();
  };

  const show = (content: PanelContent): void => {
    if (content.kind === 'running') showProgress(content);
    else keepingFocus(place, () => showResult(content));
  };

  const showProgress = (content: Extract<PanelContent, { kind: 'running' }>): void => {
    // Above the run that is shown, which stays readable while its successor is computed.
    if (!progress) {
      failure?.remove();
      failure = undefined;
      if (!shown) keepingFocus(place, clear);
      progress = new ProgressView(act);
      place.prepend(progress.element);
    }
    progress.update(content);
  };

  const endProgress = (): void => {
    progress?.element.remove();
    progress = undefined;
  };

  const showResult = (content: Exclude<PanelContent, { kind: 'running' }>): void => {
    if (content.kind === 'run' && shown?.runId === content.run.id) {
      // The run that is on show with more of it measured or kept with it, or after a rerun that came to nothing.
      endProgress();
      shown.measuredMore(content.run, content.verifying);
      return;
    }
    if (content.kind === 'failed' && shown) {
      endProgress();
      failure?.remove();
      place.prepend((failure = messageView(content, act)));
      failure.scrollIntoView({ block: 'nearest' });
      return;
    }
    clear();
    if (content.kind !== 'run') {
      place.append(messageView(content, act));
      return;
    }
    const { run } = content;
    const state = stateFor(run, { pair: 'all', unit: run.canNormalise ? 'normalised' : 'raw' }, stored);
    const save = (changed: ViewState): void => keep({ runId: run.id, view: changed });
    shown = new RunView(host, run, state, save, act);
    place.append(shown.element);
    save(state);
    shown.start(content.verifying);
  };

  serveRpc<PanelWebview>(seam.port, {
    async show({ content }) {
      show(content);
    },
  });
  watchTheme(() => shown?.themeChanged());
  window.addEventListener('scroll', () => shown?.pageScrolled(window.scrollY), { passive: true });
  host.ready({}).then(show, (error: unknown) => fail('The panel could not be filled', error));
}
