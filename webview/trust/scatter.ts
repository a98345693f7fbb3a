import { axisBottom, axisLeft, brush, interpolateViridis, scaleLinear, select, type BrushBehavior, type D3BrushEvent, type ScaleLinear } from 'd3';
import type { Palette } from '../model/colour';
import { formatScore } from '../model/format';
import { commonDomain, type Area, type TrustPoint } from '../model/trust';
import { el } from '../view/dom';

export interface ScatterDrawing {
  points: readonly TrustPoint[];
  layers: number;
  palette: Palette;
  /** What both axes are in: "normalised", "raw logits". */
  unit: string;
  label: string;
  selected?: { row: number; column: number };
  area?: Area;
}

export interface ScatterEvents {
  select(point: TrustPoint): void;
  point(point: TrustPoint | undefined, anchor: Element | undefined): void;
  /** A rectangle was drawn; undefined: none any more. */
  brush(area: Area | undefined): void;
}

const MARGIN = { top: 8, right: 12, bottom: 40, left: 58 };
const TALLEST = 480;
/** So many points are named in the plot: those whose estimates are furthest off. */
const NAMED = 3;
/** More circles than these make the page slow and the picture no clearer. */
export const MOST_POINTS = 4000;

/** Estimate against exact effect: on the diagonal the estimate is right. Pointer only; the points table is its twin for the keyboard. */
export class Scatter {
  readonly element = el('div', { class: 'scatter' });
  private readonly svg = select(this.element).append('svg').attr('role', 'img');
  private drawing?: ScatterDrawing;
  private drawnKey = '';
  private brushing = false;
  private readonly resized = new ResizeObserver(() => this.render());

  constructor(private readonly events: ScatterEvents) {
    this.resized.observe(this.element);
  }

  close(): void {
    this.resized.disconnect();
  }

  draw(drawing: ScatterDrawing): void {
    this.drawing = drawing;
    this.render();
  }

  /** Drawn once per change: a drawing that is replaced under the pointer would take a rectangle that is being drawn with it. */
  private isDrawn(drawing: ScatterDrawing, width: number): boolean {
    if (this.brushing) return true;
    const key = JSON.stringify([drawing, width]);
    if (key === this.drawnKey) return true;
    this.drawnKey = key;
    return false;
  }

  private render(): void {
    const { drawing, svg } = this;
    const width = this.element.clientWidth;
    if (!drawing || width === 0 || this.isDrawn(drawing, width)) return;
    const plot = Math.max(120, Math.min(width - MARGIN.left - MARGIN.right, TALLEST - MARGIN.top - MARGIN.bottom));
    const domain = commonDomain(drawing.points);
    const x = scaleLinear(domain, [0, plot]);
    const y = scaleLinear(domain, [plot, 0]);
    svg.attr('width', MARGIN.left + plot + MARGIN.right).attr('height', MARGIN.top + plot + MARGIN.bottom).attr('aria-label', drawing.label);
    svg.selectAll('*').remove();
    const root = svg.append('g').attr('transform', `translate(${MARGIN.left},${MARGIN.top})`);
    this.axes(root.append('g').node()!, x, y, plot, drawing.unit);
    this.brush(root.append('g').attr('class', 'brush').node()!, x, y, plot, drawing);
    this.points(root.append('g').node()!, x, y, drawing);
  }

  private axes(group: SVGGElement, x: ScaleLinear<number, number>, y: ScaleLinear<number, number>, plot: number, unit: string): void {
    const root = select(group);
    const ticks = Math.max(3, Math.floor(plot / 70));
    const text = (value: number | { valueOf(): number }): string => (value.valueOf() === 0 ? '0' : x.tickFormat(ticks)(value));
    const [low, high] = x.domain() as [number, number];
    root.append('rect').attr('class', 'frame').attr('width', plot).attr('height', plot);
    root.append('line').attr('class', 'zero').attr('x1', x(0)).attr('x2', x(0)).attr('y2', plot);
    root.append('line').attr('class', 'zero').attr('y1', y(0)).attr('y2', y(0)).attr('x2', plot);
    root.append('line').attr('class', 'identity').attr('x1', x(low)).attr('y1', y(low)).attr('x2', x(high)).attr('y2', y(high));
    root.append('g').attr('class', 'axis').attr('transform', `translate(0,${plot})`).call(axisBottom(x).ticks(ticks).tickFormat(text).tickSize(4));
    root.append('g').attr('class', 'axis').call(axisLeft(y).ticks(ticks).tickFormat(text).tickSize(4));
    root.append('text').attr('class', 'axis-name').attr('x', plot / 2).attr('y', plot + 34).attr('text-anchor', 'middle').text(`Exact effect (${unit})`);
    root.append('text').attr('class', 'axis-name').attr('transform', `translate(${-MARGIN.left + 13},${plot / 2}) rotate(-90)`).attr('text-anchor', 'middle').text(`Estimate (${unit})`);
  }

  private brush(group: SVGGElement, x: ScaleLinear<number, number>, y: ScaleLinear<number, number>, plot: number, { area }: ScatterDrawing): void {
    const behaviour: BrushBehavior<unknown> = brush<unknown>()
      .extent([[0, 0], [plot, plot]])
      .on('start', (event: D3BrushEvent<unknown>) => {
        this.brushing = event.sourceEvent !== undefined && event.sourceEvent !== null;
      })
      .on('end', (event: D3BrushEvent<unknown>) => {
        // Of a person, not of the drawing below.
        if (!event.sourceEvent) return;
        this.brushing = false;
        const drawn = event.selection as [[number, number], [number, number]] | null;
        this.events.brush(drawn ? { exact: [x.invert(drawn[0][0]), x.invert(drawn[1][0])], estimate: [y.invert(drawn[1][1]), y.invert(drawn[0][1])] } : undefined);
      });
    const root = select(group).call(behaviour);
    if (area) root.call(behaviour.move, [[x(area.exact[0]), y(area.estimate[1])], [x(area.exact[1]), y(area.estimate[0])]]);
  }

  private points(group: SVGGElement, x: ScaleLinear<number, number>, y: ScaleLinear<number, number>, { points, layers, palette, selected }: ScatterDrawing): void {
    const isSelected = ({ row, column }: TrustPoint): boolean => selected?.row === row && selected.column === column;
    // The weakest first, so that the strongest, and the selected one, lie on top.
    const drawn = points.slice(0, MOST_POINTS).reverse().sort((a, b) => Number(isSelected(a)) - Number(isSelected(b)));
    select(group)
      .selectAll<SVGCircleElement, TrustPoint>('circle')
      .data(drawn)
      .join('circle')
      .attr('class', (point) => (isSelected(point) ? 'point selected' : 'point'))
      .attr('data-name', ({ name }) => name)
      .attr('cx', ({ exact }) => x(exact))
      .attr('cy', ({ estimate }) => y(estimate))
      .attr('r', (point) => (isSelected(point) ? 6.5 : points.length > 400 ? 3 : 4.5))
      .attr('fill', ({ row }) => layerColour(row, layers, palette))
      .on('click', (_event, point) => this.events.select(point))
      .on('pointerover', ({ currentTarget }: PointerEvent, point) => this.events.point(point, currentTarget as Element))
      .on('pointerout', () => this.events.point(undefined, undefined));
    const named = [...points].sort((a, b) => Math.abs(b.miss) - Math.abs(a.miss)).slice(0, NAMED).filter(({ miss }) => miss !== 0);
    const onRight = ({ exact }: TrustPoint): boolean => x(exact) < 0.8 * x.range()[1]!;
    select(group)
      .selectAll('text')
      .data(named)
      .join('text')
      .attr('class', 'point-name')
      .attr('x', (point) => x(point.exact) + (onRight(point) ? 9 : -9))
      .attr('y', ({ estimate }) => y(estimate) + 4)
      .attr('text-anchor', (point) => (onRight(point) ? 'start' : 'end'))
      .text(({ name }) => name);
  }
}

/** Viridis, which keeps its order for all kinds of colour blindness, without the end that the background would swallow. */
export function layerColour(layer: number, layers: number, { dark }: Palette): string {
  const depth = layers > 1 ? layer / (layers - 1) : 0;
  return interpolateViridis(dark ? 0.22 + 0.78 * depth : 0.84 * depth);
}

/** Which colour is which layer, and what the dashes are. */
export function layerLegend(layers: number, palette: Palette): HTMLElement {
  const bar = el('span', { class: 'layer-bar' });
  const stops = Array.from({ length: layers }, (_, layer) => `${layerColour(layer, layers, palette)} ${(layer / layers) * 100}% ${((layer + 1) / layers) * 100}%`);
  bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(', ')})`;
  return el('div', { class: 'layer-legend' }, [el('span', { text: 'Layer 0' }), bar, el('span', { text: String(layers - 1) }), el('span', { text: '- - estimate = exact' })]);
}

export function pointCard({ title, estimate, exact, miss, estimateRank, exactRank }: TrustPoint, count: number): HTMLElement[] {
  return [
    el('div', { class: 'card-title', text: title }),
    el('div', { class: 'card-value' }, [el('strong', { text: formatScore(estimate) }), ` estimate · rank ${estimateRank} of ${count} measured`]),
    el('div', { class: 'card-exact' }, [el('strong', { text: formatScore(exact) }), ` exact · rank ${exactRank} · off by ${formatScore(miss)}`]),
  ];
}
