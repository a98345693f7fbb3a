/**
 * A place in the page whose content is built anew only when what it depends on has changed,
 * so that an open list or a focused button is not pulled away by numbers that arrive.
 * When it is, the focus goes to the successor with the same `data-key`.
 */
export class Slot {
  private signature?: string;

  constructor(readonly element: HTMLElement) {}

  render(signature: string, build: () => readonly Node[]): void {
    if (signature === this.signature) return;
    this.signature = signature;
    const focused = document.activeElement instanceof HTMLElement && this.element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    this.element.replaceChildren(...build());
    if (focused !== undefined) this.element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}
