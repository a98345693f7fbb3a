import { MOST_EDGES, type GraphPage } from '../../src/shared/pathsProtocol';
import { el } from '../view/dom';
import type { PathsChoice } from './ownState';
import { countText, edgeCountText } from './pathText';
import { SLIDER_STEPS, stepAt, thresholdAt, thresholdRange, thresholdText, type ThresholdRange } from './thresholdScale';

/** How many edges are drawn: by a threshold on |score| or by number. Setting one moves the other. */
export class ThresholdControl {
  readonly element: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly box: HTMLInputElement;
  private readonly value = el('output', { class: 'threshold-value', attributes: { 'aria-hidden': 'true' } });
  private readonly count = el('span', { class: 'edge-count', attributes: { role: 'status' } });
  private readonly said = el('span', { class: 'caption number-said', attributes: { role: 'status' } });
  private range: ThresholdRange = { weakest: 0, strongest: 0 };

  constructor(choose: (choice: PathsChoice['choose']) => void) {
    this.slider = el('input', {
      attributes: { type: 'range', id: 'edge-threshold', min: 0, max: SLIDER_STEPS, step: 1, 'data-key': 'threshold' },
      on: { input: () => choose({ threshold: thresholdAt(this.range, Number(this.slider.value)) }) },
    });
    this.box = el('input', {
      class: 'number',
      attributes: { type: 'number', id: 'edge-top', min: 1, max: MOST_EDGES, step: 1, 'data-key': 'top edges' },
      on: {
        input: () => {
          const top = this.written();
          this.box.setCustomValidity(top === undefined ? `${this.box.title} is expected.` : '');
          this.asked = undefined;
          this.say('');
          if (top !== undefined) choose({ top: Math.min(top, this.most) });
        },
        // What is no number of edges gives way to what is drawn, and so does more than there is: once that is drawn.
        change: () => {
          const top = this.written();
          this.box.setCustomValidity('');
          if (top === undefined) {
            this.box.value = String(this.drawn);
            return this.say(`${this.box.title} is expected; ${countText(this.drawn)} stay drawn.`);
          }
          this.asked = top;
          this.settle();
        },
      },
    });
    this.element = el('div', { class: 'threshold' }, [
      el('div', { class: 'field threshold-field' }, [el('label', { class: 'field-name', text: 'Threshold of |score|', attributes: { for: 'edge-threshold' } }), el('span', { class: 'threshold-line' }, [this.slider, this.value])]),
      el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Strongest edges', attributes: { for: 'edge-top' } }), this.box]),
      this.count,
      this.said,
    ]);
  }

  private drawn = 0;
  private waiting = false;
  /** As many as can be drawn at once, of those that there are. */
  private most = MOST_EDGES;
  /** What was written last, until it is drawn. */
  private asked?: number;

  private written(): number | undefined {
    const top = Number(this.box.value);
    return Number.isInteger(top) && top >= 1 ? top : undefined;
  }

  private say(text: string): void {
    if (this.said.textContent !== text) this.said.textContent = text;
  }

  /** More than there is was asked for: the number becomes that of what is drawn, and that is said. */
  private settle(): void {
    const { asked, drawn } = this;
    if (asked === undefined || this.waiting) return;
    this.asked = undefined;
    if (asked <= drawn) return;
    this.box.value = String(drawn);
    this.say(`${countText(asked)} asked for: ${drawn === MOST_EDGES ? `more than ${countText(drawn)} are not drawn at once` : `there are ${countText(drawn)} here`}.`);
  }

  /** `page`: what is drawn, which may still be of an earlier choice. */
  render(choose: PathsChoice['choose'], page: GraphPage, waiting: boolean): void {
    this.range = thresholdRange(page);
    this.drawn = page.edges.length;
    this.waiting = waiting;
    this.most = Math.max(1, Math.min(MOST_EDGES, page.total));
    this.box.max = String(this.most);
    this.box.title = `A whole number from 1 to ${countText(this.most)}`;
    const threshold = 'threshold' in choose ? choose.threshold : page.weakest;
    const { activeElement } = document;
    // A control in use is not moved under the person's hand.
    if (activeElement !== this.slider || 'top' in choose) this.slider.value = String(stepAt(this.range, threshold));
    this.slider.setAttribute('aria-valuetext', `${thresholdText(threshold)}, ${edgeCountText(page.edges.length, page.count, page.total)}`);
    this.value.textContent = `≥ ${thresholdText(threshold)}`;
    if (activeElement !== this.box || 'threshold' in choose) this.box.value = String('top' in choose && waiting ? choose.top : page.edges.length);
    this.settle();
    const text = edgeCountText(page.edges.length, page.count, page.total);
    if (this.count.textContent !== text) this.count.textContent = text;
    this.count.classList.toggle('waiting', waiting);
  }
}
