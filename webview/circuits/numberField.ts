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
}

/** A labelled number box that lives on while what is around it is drawn anew: a number being written is not moved under the hand. */
export class NumberField {
  readonly element: HTMLElement;
  readonly label: HTMLElement;
  private readonly box: HTMLInputElement;
  private value = 0;

  constructor({ id, label, min, max, step, allows, choose }: NumberFieldParts) {
    this.box = el('input', {
      class: 'number',
      attributes: { type: 'number', id, min, max, step, 'data-key': id },
      on: {
        input: () => {
          const value = Number(this.box.value);
          if (this.box.value !== '' && allows(value)) choose(value);
        },
        // What is no such number gives way to the last that was.
        change: () => (this.box.value = String(this.value)),
      },
    });
    this.label = el('label', { class: 'field-name', text: label, attributes: { for: id } });
    this.element = el('div', { class: 'field' }, [this.label, this.box]);
  }

  render(value: number): void {
    this.value = value;
    if (document.activeElement !== this.box) this.box.value = String(value);
  }
}
