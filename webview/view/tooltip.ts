import { el } from './dom';

/** One tooltip for the panel, shared by pointer and focus. It never takes the pointer; Escape hides it. */
export class Tooltip {
  readonly element = el('div', { class: 'tooltip', attributes: { role: 'tooltip', id: 'tooltip', hidden: true } });
  private anchor?: Element;

  get shown(): boolean {
    return !this.element.hidden;
  }

  show(anchor: Element, content: readonly Node[]): void {
    this.anchor = anchor;
    this.element.replaceChildren(...content);
    this.element.hidden = false;
    this.place();
  }

  hide(): void {
    this.element.hidden = true;
    this.anchor = undefined;
  }

  /** Beside its cell: below it to the right where there is room, else above or to the left, never on the cell itself. */
  private place(): void {
    const { anchor, element } = this;
    if (!anchor) return;
    const cell = anchor.getBoundingClientRect();
    const { width, height } = element.getBoundingClientRect();
    const gap = 8;
    // Without the scrollbars, which innerWidth counts in.
    const { clientWidth, clientHeight } = document.documentElement;
    const below = cell.bottom + gap + height <= clientHeight;
    const left = Math.max(gap, Math.min(cell.left + cell.width / 2 + gap, clientWidth - width - gap));
    const top = below ? cell.bottom + gap : Math.max(gap, cell.top - gap - height);
    element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
