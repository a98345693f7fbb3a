import { keepingFocus } from './focus';

/**
 * A place in the page whose content is built anew only when what it depends on has changed,
 * so that an open list or a focused button is not pulled away by numbers that arrive.
 */
export class Slot {
  private signature?: string;

  constructor(readonly element: HTMLElement) {}

  render(signature: string, build: () => readonly (Node | string)[]): void {
    if (signature === this.signature) return;
    this.signature = signature;
    keepingFocus(this.element, () => this.element.replaceChildren(...build()));
  }
}
