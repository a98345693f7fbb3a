import type { CircuitSummary } from '../../src/shared/pathsProtocol';
import { formatCoefficient } from '../model/trust';
import { button, el } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, tableText, type TableHeading } from '../view/sortedTable';
import { ABLATIONS } from './ablations';
import { circuitKeys } from '../model/circuitKeys';
import { enabled } from './extractForm';
import type { CircuitColumn, CircuitsChoice } from './ownState';

const HEADINGS: readonly TableHeading<CircuitColumn>[] = [
  { key: 'name', text: 'Circuit' },
  { key: 'edges', text: 'Edges', numeric: true },
  { key: 'nodes', text: 'Nodes', title: 'A head is one node, whichever of its inputs are reached', numeric: true },
  { key: 'faithfulness', text: 'Faithfulness', title: 'MIB’s: 1 is as good as the whole model, 0 as no edge at all', numeric: true },
  { key: 'knockedOut', text: 'Knocked out', title: 'Faithfulness of all edges but the circuit’s: 0 when nothing outside does its work', numeric: true },
  { key: 'origin', text: 'How it was found' },
  { key: 'date', text: 'Kept', title: 'When it was kept with the run' },
];

export interface KeptEvents {
  select(key: string): void;
  sort(order: CircuitsChoice['order']): void;
  importCircuit(): void;
  copy(text: string): void;
}

/** Circuits in the table's order, each with its key; what was not measured comes last. */
export function sortedCircuits(circuits: readonly CircuitSummary[], { by, descending }: CircuitsChoice['order']): { key: string; circuit: CircuitSummary }[] {
  const sign = descending ? -1 : 1;
  const last = sign * Infinity;
  const keys = circuitKeys(circuits);
  const valueOf = ({ name, edges, nodes, faithfulness, origin, createdAt }: CircuitSummary): number | string => {
    switch (by) {
      case 'name':
        return name;
      case 'edges':
        return edges;
      case 'nodes':
        return nodes;
      case 'faithfulness':
        return faithfulness?.value ?? last;
      case 'knockedOut':
        return faithfulness?.knockedOut ?? last;
      case 'origin':
        return origin;
      case 'date':
        return createdAt;
    }
  };
  const compare = (a: number | string, b: number | string): number => {
    if (a === b) return 0;
    return typeof a === 'string' ? a.localeCompare(String(b), 'en', { numeric: true }) : a - Number(b);
  };
  return circuits
    .map((circuit, index) => ({ key: keys[index]!, circuit, index }))
    .sort((a, b) => sign * compare(valueOf(a.circuit), valueOf(b.circuit)) || a.index - b.index)
    .map(({ key, circuit }) => ({ key, circuit }));
}

/** The circuits that the run keeps. */
export class KeptCircuits {
  private readonly slot = new Slot(el('div'));
  readonly element: HTMLElement;
  private active?: string;

  constructor(
    private readonly events: KeptEvents,
    work: HTMLElement,
  ) {
    this.element = el('section', { class: 'circuit-kept', attributes: { 'aria-label': 'Kept circuits' } }, [this.slot.element, work]);
  }

  /** `fault`: why circuits cannot be run, and so not imported. */
  render(circuits: readonly CircuitSummary[], { order, circuit: chosen }: CircuitsChoice, pairs: string, fault: string | undefined, working: boolean): void {
    const rows = sortedCircuits(circuits, order);
    this.slot.render(JSON.stringify([circuits, order, chosen, pairs, fault, working]), () => [
      el('div', { class: 'section-title' }, [
        el('h2', { text: 'Kept circuits' }),
        enabled(fault === undefined && !working, button('Import…', () => this.events.importCircuit(), { title: 'Reads a circuit from a graph file of EAP-IG or MIB (JSON), runs it on this run’s pairs with the ablation chosen above, and keeps it' })),
      ]),
      ...(rows.length === 0
        ? [el('p', { class: 'caption', text: 'None yet: a circuit that is extracted, imported or refined is kept here, with the run.' })]
        : [
            sortedTable<CircuitColumn>({
              caption: `Kept circuits, with their faithfulness in ${pairs}`,
              headings: HEADINGS,
              order,
              sort: (changed) => this.events.sort(changed),
              rows: rows.map(({ key, circuit }) => ({ key, cells: cellsOf(circuit), selected: key === chosen, press: () => this.events.select(key) })),
              active: this.active,
              activate: (key) => (this.active = key),
            }),
            el('p', { class: 'caption' }, [
              `Faithfulness, and what is left when a circuit is knocked out: ${pairs}, each with the ablation beside it. A circuit that was chosen on these pairs is measured fairly on others: on the command line, `,
              el('code', { text: 'circuit --evaluate' }),
              '.',
            ]),
            el('div', { class: 'actions' }, [button('Copy table', () => this.events.copy(textOf(rows.map(({ circuit }) => circuit))), { key: 'copy circuits' })]),
          ]),
    ]);
  }
}

function cellsOf({ name, edges, nodes, faithfulness, origin, createdAt }: CircuitSummary): (string | HTMLElement)[] {
  const measured = faithfulness
    ? el('span', {}, [formatCoefficient(faithfulness.value ?? undefined), el('span', { class: 'caption', text: ` ${ABLATIONS[faithfulness.ablation].label.toLowerCase()}` })])
    : 'not run';
  return [name, String(edges), String(nodes), measured, formatCoefficient(faithfulness?.knockedOut ?? undefined), el('span', { class: 'circuit-origin', text: origin }), dateText(createdAt)];
}

/** In the person's own time and manner. */
export function dateText(createdAt: string): string {
  return new Date(createdAt).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
}

function textOf(circuits: readonly CircuitSummary[]): string {
  return tableText(
    ['circuit', 'edges', 'nodes', 'faithfulness', 'ablation', 'metric', 'full', 'empty', 'knocked out', 'origin', 'created at'],
    circuits.map(({ name, edges, nodes, faithfulness: f, origin, createdAt }) => [name, edges, nodes, f?.value ?? '', f?.ablation ?? '', f?.metric ?? '', f?.full ?? '', f?.empty ?? '', f?.knockedOut ?? '', origin, createdAt]),
  );
}
