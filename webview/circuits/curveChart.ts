import { area, axisBottom, axisLeft, line, pointer, scaleLinear, scaleLog, select } from 'd3';
import type { CurvePoint } from '../../src/shared/pathsProtocol';
import { formatCoefficient } from '../model/trust';
import { el } from '../view/dom';
import { faithfulnessDomain, shareDomain, shareTicks } from './curveScale';
import { edgesText, percentText } from './words';

/** A kept circuit of the same ablation, beside the curve. */
export interface CurveMark {
  name: string;
  share: number;
  value: number;
}

export interface CurveDrawing {
  points: readonly CurvePoint[];
  marks: readonly CurveMark[];
  label: string;
}

const HEIGHT = 300;
const MARGIN = { top: 12, right: 18, bottom: 40, left: 46 };
const TICK_ROOM = 40;

/** Faithfulness over budgets, on a logarithmic axis of shares. One tab stop: arrow keys go from budget to budget. */
export class CurveChart {
  readonly element: HTMLElement;
  private readonly svg = select(document.createElementNS('http://www.w3.org/2000/svg', 'svg'));
  private readonly sizes = new ResizeObserver(() => this.draw());
  private drawing?: CurveDrawing;
  private active?: number;

  constructor(private readonly point: (content: readonly Node[] | undefined, anchor: Element | undefined) => void) {
    this.svg.attr('class', 'curve-svg').attr('aria-hidden', 'true');
    this.element = el('div', { class: 'curve-plot', attributes: { tabindex: 0, role: 'slider', 'aria-valuemin': 0 } });
    this.element.append(this.svg.node()!);
    this.listen();
    this.sizes.observe(this.element);
  }

  show(drawing: CurveDrawing): void {
    this.drawing = drawing;
    const last = drawing.points.length - 1;
    if (this.active !== undefined && this.active > last) this.active = undefined;
    this.element.setAttribute('aria-label', drawing.label);
    this.element.setAttribute('aria-valuemax', String(last));
    this.write();
    this.draw();
  }

  close(): void {
    this.sizes.disconnect();
  }

  private get last(): number {
    return (this.drawing?.points.length ?? 1) - 1;
  }

  private draw(): void {
    const width = this.element.clientWidth;
    const { svg, drawing, active } = this;
    if (width === 0 || !drawing) return;
    const { points, marks } = drawing;
    svg.attr('viewBox', `0 0 ${width} ${HEIGHT}`).attr('width', width).attr('height', HEIGHT).selectAll('*').remove();
    const domain = shareDomain([...points, ...marks]);
    const x = scaleLog(domain, [MARGIN.left, width - MARGIN.right]);
    const y = scaleLinear(faithfulnessDomain(points, marks), [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(5);
    const ticks = shareTicks(domain, width - MARGIN.left - MARGIN.right, TICK_ROOM);
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${HEIGHT - MARGIN.bottom})`).call(axisBottom(x).tickValues(ticks).tickFormat((share) => percentText(Number(share)))).select('.domain').remove();
    svg.append('g').attr('class', 'axis').attr('transform', `translate(${MARGIN.left},0)`).call(axisLeft(y).ticks(5).tickFormat((value) => String(value).replace('-', '−'))).select('.domain').remove();
    for (const at of [0, 1]) svg.append('line').attr('class', `curve-line at${at}`).attr('x1', MARGIN.left).attr('x2', width - MARGIN.right).attr('y1', y(at)).attr('y2', y(at));
    svg.append('text').attr('class', 'axis-name').attr('x', width - MARGIN.right).attr('y', HEIGHT - 6).attr('text-anchor', 'end').text('share of all edges (logarithmic)');

    const random = points.flatMap(({ share, random: own }) => (own ? [{ share, ...own }] : []));
    const curve = points.filter((own): own is CurvePoint & { faithfulness: number } => own.faithfulness !== null);
    if (random.length > 0) {
      svg.append('path').attr('class', 'random-band').attr('d', area<(typeof random)[number]>(({ share }) => x(share), ({ low }) => y(low), ({ high }) => y(high))(random));
      svg.append('path').attr('class', 'random-mean').attr('d', line<(typeof random)[number]>(({ share }) => x(share), ({ mean }) => y(mean))(random));
    }
    svg.append('path').attr('class', 'curve-path').attr('d', line<(typeof curve)[number]>(({ share }) => x(share), ({ faithfulness }) => y(faithfulness))(curve));
    svg.selectAll('.curve-mark').data(marks).join('path').attr('class', 'curve-mark').attr('d', 'M0,-6L6,0L0,6L-6,0Z').attr('transform', ({ share, value }) => `translate(${x(share)},${y(value)})`);
    const isActive = (own: CurvePoint): boolean => points[active ?? -1] === own;
    svg.selectAll('.curve-point').data(curve).join('circle').attr('class', (own) => (isActive(own) ? 'curve-point active' : 'curve-point')).attr('cx', ({ share }) => x(share)).attr('cy', ({ faithfulness }) => y(faithfulness)).attr('r', (own) => (isActive(own) ? 6 : 4));
  }

  private go(active: number | undefined): void {
    if (active === this.active) return;
    this.active = active;
    this.draw();
    this.write();
    const own = active === undefined ? undefined : this.drawing?.points[active];
    // A budget without faithfulness has no point to stand beside.
    this.point(own && pointCard(own), own && (this.svg.select<SVGElement>('.curve-point.active').node() ?? this.element));
  }

  /** The budget that is pointed at in words; all edges otherwise. */
  private write(): void {
    const own = this.drawing?.points[this.active ?? this.last];
    if (!own) return;
    this.element.setAttribute('aria-valuenow', String(this.active ?? this.last));
    this.element.setAttribute('aria-valuetext', pointText(own));
  }

  private listen(): void {
    const { element } = this;
    element.addEventListener('pointermove', (event) => {
      if (!this.drawing) return;
      const { points, marks } = this.drawing;
      const [at] = pointer(event, element);
      const x = scaleLog(shareDomain([...points, ...marks]), [MARGIN.left, element.clientWidth - MARGIN.right]);
      const distances = points.map(({ share }) => Math.abs(x(share) - at));
      this.go(distances.indexOf(Math.min(...distances)));
    });
    element.addEventListener('pointerleave', () => this.go(undefined));
    element.addEventListener('blur', () => this.go(undefined));
    element.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const from = this.active ?? this.last;
      const targets: Record<string, number> = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, Home: 0, End: this.last };
      const target = targets[event.key];
      if (target === undefined) return;
      event.preventDefault();
      this.go(Math.max(0, Math.min(this.last, target)));
    });
  }
}

function pointCard({ share, chosen, edges, faithfulness, random }: CurvePoint): HTMLElement[] {
  return [
    el('div', { class: 'card-title', text: `${percentText(share)} · ${edgesText(edges)}` }),
    el('div', { class: 'card-value' }, [el('strong', { text: formatCoefficient(faithfulness ?? undefined) }), ' faithfulness']),
    ...(chosen === edges ? [] : [el('div', { class: 'card-note', text: `${edgesText(chosen)} before dangling ones were pruned` })]),
    ...(random ? [el('div', { class: 'card-note', text: `Random circuits: mean ${formatCoefficient(random.mean)}, ${formatCoefficient(random.low)} to ${formatCoefficient(random.high)}` })] : []),
  ];
}

/** "5 % of the edges, 38 edges: faithfulness 0.871; random circuits 0.012, from −0.004 to 0.05" */
export function pointText({ share, edges, faithfulness, random }: CurvePoint): string {
  const beside = random ? `; random circuits ${formatCoefficient(random.mean)}, from ${formatCoefficient(random.low)} to ${formatCoefficient(random.high)}` : '';
  return `${percentText(share)} of the edges, ${edgesText(edges)}: faithfulness ${formatCoefficient(faithfulness ?? undefined)}${beside}`;
}
