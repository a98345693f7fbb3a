import { MOST_EDGES, type GraphPage } from '../../src/shared/pathsProtocol';
import { el } from '../view/dom';
import type { PathsChoice } from './ownState';
import { edgeCountText } from './pathText';
import { SLIDER_STEPS, stepAt, thresholdAt, thresholdRange, thresholdText, type ThresholdRange } from './thresholdScale';

/** How many edges are drawn: by a threshold on |score| or by number. Setting one moves the other. */
export class ThresholdControl {
  readonly element: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly box: HTMLInputElement;
  private readonly value = el('output', { class: 'threshold-value', attributes: { 'aria-hidden': 'true' } });
  private readonly count = el('span', { class: 'edge-count', attributes: { role: 'status' } });
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
          const top = Math.round(Number(this.box.value));
          if (top >= 1) choose({ top: Math.min(top, MOST_EDGES) });
        },
        // What is no number of edges gives way to what is drawn.
        change: () => {
          const top = Math.round(Number(this.box.value));
          this.box.value = String(top >= 1 ? Math.min(top, MOST_EDGES) : this.drawn);
        },
      },
    });
    this.element = el('div', { class: 'threshold' }, [
      el('div', { class: 'field threshold-field' }, [el('label', { class: 'field-name', text: 'Threshold of |score|', attributes: { for: 'edge-threshold' } }), el('span', { class: 'threshold-line' }, [this.slider, this.value])]),
      el('div', { class: 'field' }, [el('label', { class: 'field-name', text: 'Strongest edges', attributes: { for: 'edge-top' } }), this.box]),
      this.count,
    ]);
  }

  private drawn = 0;

  /** `page`: what is drawn, which may still be of an earlier choice. */
  render(choose: PathsChoice['choose'], page: GraphPage, waiting: boolean): void {
    this.range = thresholdRange(page);
    this.drawn = page.edges.length;
    const threshold = 'threshold' in choose ? choose.threshold : page.weakest;
    const { activeElement } = document;
    // A control in use is not moved under the person's hand.
    if (activeElement !== this.slider || 'top' in choose) this.slider.value = String(stepAt(this.range, threshold));
    this.slider.setAttribute('aria-valuetext', `${thresholdText(threshold)}, ${edgeCountText(page.edges.length, page.count, page.total)}`);
    this.value.textContent = `≥ ${thresholdText(threshold)}`;
    if (activeElement !== this.box || 'threshold' in choose) this.box.value = String('top' in choose ? choose.top : page.edges.length);
    const text = edgeCountText(page.edges.length, page.count, page.total);
    if (this.count.textContent !== text) this.count.textContent = text;
    this.count.classList.toggle('waiting', waiting);
  }
}
