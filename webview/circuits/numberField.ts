import { el } from '../view/dom';

export interface NumberFieldParts {
  id: string;
  label: string;
  min: number;
  max?: number;
  step: number | 'any';
  /** Whether a number can be chosen. */
  allows(value: number): boolean;
  choose(value: number): void;
  /** "A whole number": what is expected, as far as `min` and `max` do not say it. */
  expects?: string;
}

/** A labelled number box that lives on while what is around it is drawn anew: a number being written is not moved under the hand. */
export class NumberField {
  readonly element: HTMLElement;
  readonly label: HTMLElement;
  private readonly box: HTMLInputElement;
  private readonly said = el('span', { class: 'caption number-said', attributes: { role: 'status' } });
  private readonly expects: string;
  private readonly least: number;
  private most = Infinity;
  private value = 0;

  constructor({ id, label, min, max, step, allows, choose, expects = step === 1 ? 'A whole number' : 'A number' }: NumberFieldParts) {
    this.expects = expects;
    this.least = min;
    this.box = el('input', {
      class: 'number',
      attributes: { type: 'number', id, min, max, step, 'data-key': id },
      on: {
        input: () => {
          const value = this.written();
          const possible = value !== undefined && allows(value);
          this.box.setCustomValidity(possible ? '' : `${this.box.title} is expected.`);
          this.said.textContent = '';
          if (possible) choose(value);
        },
        // What is no such number gives way to the last that was, and so does more than there is.
        change: () => {
          const value = this.written();
          const { value: text } = this.box;
          this.box.setCustomValidity('');
          this.box.value = String(this.value);
          if (value === undefined || !allows(value)) this.said.textContent = `${this.box.title} is expected; ${this.value} stays.`;
          else if (Number(text) > value) this.said.textContent = `${text} asked for: there are no more than ${value}.`;
        },
      },
    });
    this.label = el('label', { class: 'field-name', text: label, attributes: { for: id } });
    this.element = el('div', { class: 'field' }, [this.label, this.box, this.said]);
    this.bound(max);
  }

  /** What was written, brought to the greatest there is. */
  private written(): number | undefined {
    return this.box.value === '' ? undefined : Math.min(Number(this.box.value), this.most);
  }

  /** The greatest number there is. */
  bound(most = Infinity): void {
    this.most = most;
    if (most < Infinity) this.box.max = String(most);
    this.box.title = `${this.expects} ${most < Infinity ? `from ${this.least} to ${most}` : `of at least ${this.least}`}`;
  }

  render(value: number): void {
    this.value = value;
    if (document.activeElement !== this.box) this.box.value = String(value);
  }
}
