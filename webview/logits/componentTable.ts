import type { Readout } from '../../src/shared/readout';
import { capitalised } from '../../src/shared/text';
import { formatScore } from '../model/format';
import type { Selection } from '../model/viewState';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, tableText, type TableHeading } from '../view/sortedTable';
import { componentsOf, orderedComponents, valueIn, type ComponentColumn, type ComponentOrder } from './components';

const FEW = 15;

/** All components as rows: the table twin of the direct logit attribution. Numbers sort by magnitude. */
export class ComponentTable {
  private readonly slot = new Slot(el('section', { class: 'table-section', attributes: { 'aria-label': 'Components' } }));
  readonly element = this.slot.element;
  private order: ComponentOrder = { by: 'clean', descending: true };
  private all = false;
  private active?: string;
  private shown?: { clean: Readout; corrupted?: Readout; side: string; selection?: Selection };

  constructor(private readonly actions: { copy(text: string, done: string): void; select(layer: number, head: number): void }) {}

  /** `side`: what the other side is called. */
  show(clean: Readout, corrupted: Readout | undefined, side: string, selection: Selection | undefined): void {
    this.shown = { clean, corrupted, side, selection };
    this.render();
  }

  private render(): void {
    const { clean, corrupted, side, selection } = this.shown!;
    const components = componentsOf(clean, corrupted);
    const rows = orderedComponents(components, this.order, this.all ? Infinity : FEW);
    const sides: TableHeading<ComponentColumn>[] = [
      { key: 'clean', text: 'Clean', numeric: true, title: 'Sorts by magnitude' },
      ...(corrupted
        ? [
            { key: 'corrupted' as const, text: capitalised(side), numeric: true, title: 'Sorts by magnitude' },
            { key: 'difference' as const, text: 'Difference', numeric: true, title: `Clean − ${side}; sorts by magnitude` },
          ]
        : []),
    ];
    const headings: TableHeading<ComponentColumn>[] = [{ key: 'name', text: 'Part', title: 'Sorts by depth' }, ...sides];
    this.slot.render(JSON.stringify([rows, this.order, this.all, selection]), () => [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Strongest parts' })]),
      sortedTable<ComponentColumn>({
        caption: 'Direct logit attribution of each part',
        headings,
        order: this.order,
        sort: (order) => {
          this.order = order;
          this.render();
        },
        rows: rows.map((component) => {
          const { name, head } = component;
          return {
            key: name,
            cells: [name, ...sides.map(({ key }) => formatScore(valueIn(component, key)))],
            selected: head && selection?.kind === 'head' && head.layer === selection.layer && head.head === selection.head,
            press: head && (() => this.actions.select(head.layer, head.head)),
          };
        }),
        active: this.active,
        activate: (key) => (this.active = key),
      }),
      el('div', { class: 'actions' }, [
        components.length > FEW &&
          button(this.all ? `Show the first ${FEW}` : `Show all ${components.length}`, () => {
            this.all = !this.all;
            this.render();
          }, { key: 'how many' }),
        button('Copy table', () => this.actions.copy(tableText(headings.map(({ text }) => text), orderedComponents(components, this.order).map((component) => [component.name, ...sides.map(({ key }) => valueIn(component, key))])), 'Copied the table')),
      ]),
    ]);
  }
}
