import type { Computation } from '../computed';
import { button, el } from './dom';
import { Slot } from './slot';

/** Stands where numbers will be while the engine computes them: how far it is, or why there are none. Empty once they are here. */
export class Computing {
  private readonly slot = new Slot(el('div', { class: 'computing', attributes: { role: 'status' } }));
  readonly element = this.slot.element;
  private bar?: HTMLElement;
  private stage?: HTMLElement;

  constructor(
    /** What is computed, at the start of a line: "Attention of layer 9". */
    private readonly what: () => string,
    private readonly actions: { stop(): void; retry(): void },
  ) {}

  render(computation: Computation<unknown>): void {
    if (computation.state === 'running') this.renderProgress(computation.progress);
    else if (computation.state === 'failed') this.renderFailure(computation.message);
    else this.slot.render('', () => []);
  }

  private renderProgress(progress: Extract<Computation<unknown>, { state: 'running' }>['progress']): void {
    // Kept while it moves, so that the button keeps the focus.
    this.slot.render(`running ${this.what()}`, () => {
      this.bar = el('vscode-progress-bar', { attributes: { max: 100, 'aria-label': this.what() } });
      this.stage = el('span', { class: 'stage', attributes: { 'aria-hidden': 'true' } });
      return [el('div', { class: 'computing-line' }, [el('span', { text: `${this.what()} …` }), this.stage, button('Cancel', () => this.actions.stop())]), this.bar];
    });
    if (!progress) return;
    const percent = Math.round(Math.max(0, Math.min(1, progress.fraction)) * 100);
    this.stage!.textContent = `${progress.stage} · ${percent} %`;
    this.bar!.setAttribute('value', String(percent));
  }

  private renderFailure(message: string): void {
    this.slot.render(`failed ${message}`, () => [el('div', { class: 'computing-line' }, [el('span', { text: message }), button('Try again', () => this.actions.retry())])]);
  }
}
