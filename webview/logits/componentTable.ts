import { formatScore } from '../model/format';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, tableText, type TableHeading } from '../view/sortedTable';
import { componentsOf, orderedComponents, valueIn, type ComponentColumn, type ComponentOrder } from './components';
import type { Readout } from './readout';

const FEW = 15;

/** All components as rows: the table twin of the direct logit attribution. Numbers sort by magnitude. */
export class ComponentTable {
  private readonly slot = new Slot(el('section', { class: 'table-section', attributes: { 'aria-label': 'Components' } }));
  readonly element = this.slot.element;
  private order: ComponentOrder = { by: 'clean', descending: true };
  private all = false;
  private shown?: { clean: Readout; corrupted?: Readout };

  constructor(private readonly actions: { copy(text: string, done: string): void }) {}

  show(clean: Readout, corrupted: Readout | undefined): void {
    this.shown = { clean, corrupted };
    this.render();
  }

  private render(): void {
    const { clean, corrupted } = this.shown!;
    const components = componentsOf(clean, corrupted);
    const rows = orderedComponents(components, this.order, this.all ? Infinity : FEW);
    const sides: TableHeading<ComponentColumn>[] = [
      { key: 'clean', text: 'Clean', numeric: true, title: 'Sorts by magnitude' },
      ...(corrupted
        ? [
            { key: 'corrupted' as const, text: 'Corrupted', numeric: true, title: 'Sorts by magnitude' },
            { key: 'difference' as const, text: 'Difference', numeric: true, title: 'Clean − corrupted; sorts by magnitude' },
          ]
        : []),
    ];
    const headings: TableHeading<ComponentColumn>[] = [{ key: 'name', text: 'Part', title: 'Sorts by depth' }, ...sides];
    this.slot.render(JSON.stringify([rows, this.order, this.all]), () => [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Strongest parts' })]),
      sortedTable<ComponentColumn>({
        caption: 'Direct logit attribution of each part',
        headings,
        order: this.order,
        sort: (order) => {
          this.order = order;
          this.render();
        },
        rows: rows.map((component) => ({ key: component.name, cells: [component.name, ...sides.map(({ key }) => formatScore(valueIn(component, key)))] })),
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
