import type { PanelAction, PanelContent } from '../../src/shared/panelProtocol';
import { button, el } from './dom';

/** What stands in the panel when there is no run to draw, or above the run when its successor has failed. */
export function messageView(content: Exclude<PanelContent, { kind: 'run' | 'running' }>, act: (action: PanelAction) => void): HTMLElement {
  if (content.kind === 'empty') {
    return el('div', { class: 'message', attributes: { role: 'status' } }, [
      el('h1', { text: 'Nothing to show yet' }),
      el('p', { text: content.message }),
      el('div', { class: 'actions' }, [button('Show log', () => act('showLog'))]),
    ]);
  }
  return el('div', { class: 'message failed', attributes: { role: 'alert' } }, [
    el('h1', { text: `${content.title}: failed` }),
    el('p', { text: content.message }),
    el('div', { class: 'actions' }, [button('Try again', () => act('retry'), { secondary: false }), content.fromFile && button('Open prompts', () => act('openSource')), button('Show log', () => act('showLog'))]),
  ]);
}

/** Progress of a run, with its cancel button. Kept while it moves, so that the button keeps the focus. */
export class ProgressView {
  readonly element: HTMLElement;
  private readonly title = el('strong');
  private readonly stage = el('span', { class: 'stage' });
  private readonly bar = el('vscode-progress-bar', { attributes: { max: 100 } });
  private readonly live = el('span', { class: 'hidden', attributes: { role: 'status' } });

  constructor(act: (action: PanelAction) => void) {
    this.element = el('div', { class: 'progress', attributes: { role: 'region', 'aria-label': 'Progress' } }, [
      el('div', { class: 'progress-line' }, [this.title, this.stage, button('Cancel', () => act('cancel'))]),
      this.bar,
      this.live,
    ]);
  }

  update({ title, stage, fraction }: Extract<PanelContent, { kind: 'running' }>): void {
    const percent = Math.round(Math.max(0, Math.min(1, fraction)) * 100);
    this.title.textContent = title;
    this.stage.textContent = `${stage} · ${percent} %`;
    this.bar.setAttribute('value', String(percent));
    // Spoken once per stage, not once per percent.
    const words = `${title}: ${stage}`;
    if (this.live.textContent !== words) this.live.textContent = words;
  }
}
