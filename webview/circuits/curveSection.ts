import { budgetsOf } from '../../src/shared/graph/faithfulness';
import type { GraphShape } from '../../src/shared/graph/nodes';
import { SEED } from '../../src/shared/graph/random';
import type { CircuitCurve, CurvePoint } from '../../src/shared/pathsProtocol';
import { formatCoefficient } from '../model/trust';
import { button, el, segmented } from '../view/dom';
import { Slot } from '../view/slot';
import { sortedTable, tableText, type TableHeading, type TableOrder } from '../view/sortedTable';
import { CurveChart, type CurveMark } from './curveChart';
import { enabled } from './extractForm';
import { NumberField } from './numberField';
import { MOST_RANDOM, type CircuitsChoice } from './ownState';
import { leftOutText, percentText } from './words';

/** A curve with what it was asked with, in words. */
export interface MeasuredCurve {
  curve: CircuitCurve;
  random: number;
  words: string;
  marks: readonly CurveMark[];
}

export interface CurveEvents {
  choose(curve: CircuitsChoice['curve']): void;
  measure(): void;
  point(content: readonly Node[] | undefined, anchor: Element | undefined): void;
  copy(text: string): void;
}

type Column = 'share' | 'edges' | 'faithfulness' | 'mean' | 'range';

const HEADINGS: readonly TableHeading<Column>[] = [
  { key: 'share', text: 'Share', title: 'Of all edges' },
  { key: 'edges', text: 'Edges', title: 'After pruning', numeric: true },
  { key: 'faithfulness', text: 'Faithfulness', numeric: true },
  { key: 'mean', text: 'Random, mean', title: 'Faithfulness of random circuits of as many edges', numeric: true },
  { key: 'range', text: 'Random, range', title: 'From the least to the largest', numeric: true },
];

/** Faithfulness over MIB's budgets: how it is measured, the chart, its areas, and the table with every number. */
export class CurveSection {
  readonly element: HTMLElement;
  private readonly how = new Slot(el('div', { class: 'toolbar' }));
  private readonly random: NumberField;
  private readonly cost = el('p', { class: 'caption' });
  private readonly measure = new Slot(el('span', { class: 'buttons' }));
  private readonly chart: CurveChart;
  private readonly figures = new Slot(el('div', { class: 'curve-figures' }));
  private readonly table = new Slot(el('div', { class: 'curve-table' }));
  private readonly body: HTMLElement;
  private order: TableOrder<Column> = { by: 'share', descending: false };
  private last?: () => void;

  constructor(
    private readonly shape: GraphShape,
    private readonly total: number,
    private readonly events: CurveEvents,
    work: HTMLElement,
  ) {
    this.random = new NumberField({
      ...{ id: 'curve-random', label: 'Random circuits per budget', min: 0, max: MOST_RANDOM, step: 1 },
      allows: (value) => Number.isInteger(value) && value >= 0 && value <= MOST_RANDOM,
      choose: (random) => this.chosen && events.choose({ ...this.chosen, random }),
    });
    this.chart = new CurveChart((content, anchor) => events.point(content, anchor));
    this.body = el('div', { class: 'curve-body' }, [
      el('div', { class: 'curve-chart' }, [this.chart.element, this.legend()]),
      el('div', { class: 'curve-side' }, [this.figures.element, this.table.element]),
    ]);
    this.element = el('section', { class: 'circuit-curve', attributes: { 'aria-label': 'Curve over budgets' } }, [
      el('div', { class: 'section-title' }, [el('h2', { text: 'Faithfulness over budgets' })]),
      el('div', { class: 'toolbar' }, [this.how.element, this.random.element, this.measure.element]),
      this.cost,
      work,
      this.body,
    ]);
  }

  private chosen?: CircuitsChoice['curve'];

  close(): void {
    this.chart.close();
  }

  render(chosen: CircuitsChoice['curve'], measured: MeasuredCurve | undefined, fault: string | undefined, working: boolean): void {
    this.chosen = chosen;
    this.last = () => this.render(chosen, measured, fault, working);
    const { by, random } = chosen;
    this.how.render(by, () => [
      segmented('Circuits of each budget', [{ value: 'top', label: 'Strongest', title: 'The strongest edges (MIB)' }, { value: 'greedy', label: 'Greedy', title: 'From the logits up' }], by, (value) => this.events.choose({ ...chosen, by: value })),
    ]);
    this.random.render(random);
    this.measure.render(JSON.stringify([fault, working, measured === undefined]), () => [enabled(fault === undefined && !working, button(measured ? 'Measure again' : 'Measure the curve', () => this.events.measure(), { secondary: measured !== undefined, key: 'measure curve', title: fault }))]);
    const { budgets, leftOut } = budgetsOf(this.shape);
    const runs = budgets.length + random * (budgets.length - 1) + Math.min(random, 1);
    this.cost.textContent = fault ?? `At ${budgets.length === 10 ? 'MIB’s 10 budgets' : `${budgets.length} of MIB’s ${budgets.length + leftOut} budgets`}, 0.1 to 100 % of all edges: ${runs} circuits to run. Random circuits are drawn from seed ${SEED}, the same each time.`;
    this.body.hidden = measured === undefined;
    if (measured) this.renderMeasured(measured);
  }

  private renderMeasured({ curve, random, words, marks }: MeasuredCurve): void {
    const { points } = curve;
    this.body.classList.toggle('without-random', random === 0);
    this.body.classList.toggle('without-marks', marks.length === 0);
    this.chart.show({ points, marks, label: `Faithfulness of circuits over ${points.length} budgets` });
    this.figures.render(JSON.stringify([curve, random, words]), () => this.figuresOf(curve, random, words));
    this.table.render(JSON.stringify([points, this.order]), () => [
      sortedTable<Column>({
        caption: 'Faithfulness over budgets',
        headings: HEADINGS,
        order: this.order,
        sort: (order) => {
          this.order = order;
          this.last?.();
        },
        rows: sortedPoints(points, this.order).map((own) => ({ key: String(own.share), cells: cellsOf(own) })),
      }),
      el('div', { class: 'actions' }, [button('Copy table', () => this.events.copy(textOf(points)), { key: 'copy curve' })]),
    ]);
  }

  private figuresOf(curve: CircuitCurve, random: number, words: string): HTMLElement[] {
    const areas: [string, number | null, string][] = [
      ['CPR', curve.cpr, 'MIB: ∫ f dp, the area under the curve over linear shares. Larger is better.'],
      ['CMD', curve.cmd, 'MIB: ∫ |1 − f| dp, the area between the curve and 1. Smaller is better.'],
    ];
    const leftOut = leftOutText(curve, this.total);
    return [
      el('div', { class: 'figures' }, [
        el('span', { class: 'caption', text: 'MIB’s areas' }),
        el('dl', {}, areas.map(([name, value, title]) => el('div', { attributes: { title } }, [el('dt', { text: name }), el('dd', { text: formatCoefficient(value ?? undefined) })]))),
      ]),
      el('p', { class: 'caption', text: 'CPR: ∫ f dp, larger is better. CMD: ∫ |1 − f| dp, smaller is better.' }),
      ...(curve.cpr === null ? [el('p', { class: 'note', text: 'There are no areas: the metric of the whole model and of no edge at all hardly differ, or there are fewer than two budgets.' })] : []),
      ...(leftOut === undefined ? [] : [el('p', { class: 'note curve-left-out', text: leftOut })]),
      el('p', { class: 'caption', text: `${words}${random === 0 ? '' : ` Beside it ${random} random circuits of each budget, as likely as any other and not pruned.`}` }),
    ];
  }

  private legend(): HTMLElement {
    const entry = (kind: string, text: string): HTMLElement => el('span', { class: `curve-key ${kind}` }, [el('span', { class: 'curve-sample', attributes: { 'aria-hidden': 'true' } }), text]);
    return el('div', { class: 'curve-legend' }, [entry('scored', 'circuits by score'), entry('random', 'random circuits: range and mean'), entry('marks', 'kept circuits of this ablation')]);
  }
}

/** What is not there comes last. */
function sortedPoints(points: readonly CurvePoint[], { by, descending }: TableOrder<Column>): CurvePoint[] {
  const sign = descending ? -1 : 1;
  const none = sign * Infinity;
  const keyOf = ({ share, edges, faithfulness, random }: CurvePoint): number => {
    if (by === 'share') return share;
    if (by === 'edges') return edges;
    if (by === 'faithfulness') return faithfulness ?? none;
    return random === undefined ? none : by === 'mean' ? random.mean : random.high - random.low;
  };
  const compare = (a: number, b: number): number => (a === b ? 0 : a - b);
  return [...points].sort((a, b) => sign * compare(keyOf(a), keyOf(b)) || a.share - b.share);
}

function cellsOf({ share, edges, faithfulness, random }: CurvePoint): string[] {
  return [percentText(share), String(edges), formatCoefficient(faithfulness ?? undefined), formatCoefficient(random?.mean), random ? `${formatCoefficient(random.low)} … ${formatCoefficient(random.high)}` : '–'];
}

function textOf(points: readonly CurvePoint[]): string {
  return tableText(
    ['share', 'edges', 'edges before pruning', 'faithfulness', 'random mean', 'random least', 'random largest'],
    points.map(({ share, edges, chosen, faithfulness, random }) => [share, edges, chosen, faithfulness ?? '', random?.mean ?? '', random?.low ?? '', random?.high ?? '']),
  );
}
