import type { PatchCell } from '../../src/shared/results';
import type { CellDescription } from '../model/describe';
import { cellCard } from './cellCard';
import { button, el } from '../view/dom';
import type { MapSection } from './mapSection';
import { Slot } from '../view/slot';

/** Where the table and the details stand beside the maps; the style sheet has the same width. */
export const WIDE = matchMedia('(min-width: 1040px)');

interface Actions {
  copy(text: string, done: string): void;
  clear(): void;
  /** Measures the selected cell. */
  verify(): void;
  /** Measures what stands behind it. */
  verifyBehind(units: readonly PatchCell[], title: string): void;
}

/** The selected cell with what stands behind it: beside the maps where there is room, else under the map it belongs to. */
export class SelectionDetails {
  private readonly slot = new Slot(el('section', { class: 'details', attributes: { 'aria-label': 'Selection' } }));

  constructor(
    private readonly side: HTMLElement,
    private readonly firstMap: MapSection,
    private readonly actions: Actions,
  ) {}

  get element(): HTMLElement {
    return this.slot.element;
  }

  /** Shows `description`, a cell of `map`; nothing selected when it is absent. */
  render(description: CellDescription | undefined, map: MapSection, verifying: boolean): void {
    const { element } = map.heatmap;
    const top = element.getBoundingClientRect().top;
    this.place(description && map);
    this.element.toggleAttribute('data-empty', description === undefined);
    this.slot.render(JSON.stringify([description, verifying]), () => (description ? this.card(description, verifying) : [el('p', { class: 'caption', text: 'Select a cell or a row to keep its details here.' })]));
    // Details that leave the map above must not pull the cell that was pressed from under the pointer.
    const shift = element.getBoundingClientRect().top - top;
    if (shift !== 0 && description && !WIDE.matches) window.scrollBy({ top: shift });
  }

  private card(description: CellDescription, verifying: boolean): HTMLElement[] {
    const { behind } = description;
    const unmeasured = behind.state === 'ready' ? behind.items.flatMap(({ unit, exact }) => (unit && exact === undefined ? [unit] : [])) : [];
    return [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Selection' })]),
      ...cellCard(description),
      el('div', { class: 'actions' }, [
        description.exact === undefined && !verifying && button('Verify this cell', () => this.actions.verify(), { title: 'Patch it exactly (V on a focused cell)' }),
        unmeasured.length > 0 && !verifying && button(unmeasured.length === 1 ? 'Verify this one' : `Verify these ${unmeasured.length}`, () => this.actions.verifyBehind(unmeasured, `what stands behind ${description.title}`), { title: 'Patch each of the heads at its position exactly', key: 'verify behind' }),
        button('Copy value', () => this.actions.copy(String(description.value), 'Copied the value')),
        button('Clear', () => this.actions.clear()),
      ]),
    ];
  }

  /** Under the map that holds the selection, where there is no room beside, so that selecting is seen to do something. */
  private place(map: MapSection | undefined): void {
    const { element } = this.slot;
    const { activeElement } = document;
    const home = WIDE.matches ? this.side : (map?.element ?? element.closest('.map-section') ?? this.firstMap.element);
    if (element.parentElement === home) return;
    const focused = activeElement instanceof HTMLElement && element.contains(activeElement) ? activeElement : undefined;
    if (home === this.side) home.append(element);
    else home.querySelector('.map-scroller')!.after(element);
    focused?.focus({ preventScroll: true });
  }
}
