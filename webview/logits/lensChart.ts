import { axisBottom, axisLeft, line, pointer, scaleLinear, select, type Selection } from 'd3';
import { depthName } from '../../src/shared/readout';
import { formatScore } from '../model/format';
import { el } from '../view/dom';
import { writtenAt } from './readout';

export interface LensLine {
  name: string;
  values: readonly number[];
}

const HEIGHT = 230;
const MARGIN = { top: 12, right: 16, bottom: 34, left: 52 };
/** Of one layer on the axis, so that its name has room. */
const LAYER_LABEL = 30;

/**
 * The logit lens over depth. One tab stop: the arrow keys go from depth to depth. Lines differ by dash and marker as well as
 * by colour.
 */
export class LensChart {
  readonly element: HTMLElement;
  private readonly svg = select(document.createElementNS('http://www.w3.org/2000/svg', 'svg'));
  private readonly readout = el('p', { class: 'lens-readout' });
  private readonly plot: HTMLElement;
  private readonly sizes = new ResizeObserver(() => this.draw());
  private lines: readonly LensLine[] = [];
  private depth?: number;

  constructor() {
    this.plot = el('div', { class: 'lens-plot', attributes: { tabindex: 0, role: 'slider', 'aria-label': 'Logit lens: depth', 'aria-valuemin': 0 } });
    this.svg.attr('aria-hidden', 'true').attr('class', 'lens-svg');
    this.plot.append(this.svg.node()!);
    this.element = el('div', { class: 'lens' }, [this.plot, this.readout]);
    this.listen();
    this.sizes.observe(this.plot);
  }

  show(lines: readonly LensLine[]): void {
    this.lines = lines;
    if (this.depth !== undefined && this.depth > this.last) this.depth = undefined;
    this.plot.setAttribute('aria-valuemax', String(this.last));
    this.draw();
  }

  close(): void {
    this.sizes.disconnect();
  }

  private get last(): number {
    return (this.lines[0]?.values.length ?? 1) - 1;
  }

  private draw(): void {
    const width = this.plot.clientWidth;
    const { svg, lines, last } = this;
    if (width === 0 || lines.length === 0) return;
    svg.attr('viewBox', `0 0 ${width} ${HEIGHT}`).attr('width', width).attr('height', HEIGHT).selectAll('*').remove();
    const all = lines.flatMap(({ values }) => values);
    const x = scaleLinear([0, last], [MARGIN.left, width - MARGIN.right]);
    const y = scaleLinear([Math.min(0, ...all), Math.max(0, ...all)], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(5);

    const layers = last / 2;
    const room = (width - MARGIN.left - MARGIN.right) / layers;
    const every = Math.max(1, Math.ceil(LAYER_LABEL / room));
    const ticks = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => layer % every === 0);
    // Each layer is a stripe from the stream before it to the stream after it.
    for (let layer = 1; layer < layers; layer += 2) {
      svg.append('rect').attr('class', 'layer-stripe').attr('x', x(2 * layer)).attr('y', MARGIN.top).attr('width', x(2) - x(0)).attr('height', HEIGHT - MARGIN.top - MARGIN.bottom);
    }
    const below = svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${HEIGHT - MARGIN.bottom})`);
    below.call(axisBottom(x).tickValues(ticks.map((layer) => 2 * layer + 1)).tickFormat((depth) => `L${(Number(depth) - 1) / 2}`).tickSize(0).tickPadding(7));
    svg.append('g').attr('class', 'axis').attr('transform', `translate(${MARGIN.left},0)`).call(axisLeft(y).ticks(5).tickSize(-(width - MARGIN.left - MARGIN.right)).tickPadding(7).tickFormat((value) => (Number(value) === 0 ? '0' : formatTick(Number(value)))));
    svg.append('line').attr('class', 'zero').attr('x1', MARGIN.left).attr('x2', width - MARGIN.right).attr('y1', y(0)).attr('y2', y(0));
    svg.append('text').attr('class', 'axis-name').attr('x', MARGIN.left).attr('y', HEIGHT - 4).text('layer: after its attention, after its MLP →');

    const path = line<number>((_, depth) => x(depth), (value) => y(value));
    lines.forEach(({ values }, index) => {
      const group = svg.append('g').attr('class', `lens-line line${index}`);
      group.append('path').attr('d', path(values));
      const marks = group.selectAll('.mark').data(values);
      if (index === 0) marks.enter().append('circle').attr('class', 'mark').attr('r', 2.5).attr('cx', (_, depth) => x(depth)).attr('cy', (value) => y(value));
      else marks.enter().append('rect').attr('class', 'mark').attr('width', 5).attr('height', 5).attr('x', (_, depth) => x(depth) - 2.5).attr('y', (value) => y(value) - 2.5);
    });
    const cursor = svg.append('g').attr('class', 'cursor');
    this.mark(cursor, x, y);
    this.write();
  }

  private mark(cursor: Selection<SVGGElement, unknown, null, undefined>, x: (depth: number) => number, y: (value: number) => number): void {
    const { depth } = this;
    if (depth === undefined) return;
    cursor.append('line').attr('x1', x(depth)).attr('x2', x(depth)).attr('y1', MARGIN.top).attr('y2', HEIGHT - MARGIN.bottom);
    for (const [index, { values }] of this.lines.entries()) cursor.append('circle').attr('class', `line${index}`).attr('r', 4.5).attr('cx', x(depth)).attr('cy', y(values[depth]!));
  }

  /** The depth that is pointed at in words; the last one otherwise, where the logits are read. */
  private write(): void {
    const depth = this.depth ?? this.last;
    const parts = this.lines.map(({ name, values }, index) =>
      el('span', { class: `lens-value line${index}` }, [
        el('span', { class: 'line-sample', attributes: { 'aria-hidden': 'true' } }),
        `${name} `,
        el('strong', { text: formatScore(values[depth]!) }),
        depth > 0 && el('span', { class: 'caption', text: ` (${formatScore(writtenAt(values, depth))} here)` }),
      ]),
    );
    this.readout.replaceChildren(el('span', { class: 'lens-depth', text: depthName(depth) }), ...parts);
    this.plot.setAttribute('aria-valuenow', String(depth));
    this.plot.setAttribute('aria-valuetext', `${depthName(depth)}: ${this.lines.map(({ name, values }) => `${name} ${formatScore(values[depth]!)}`).join(', ')}`);
  }

  private point(depth: number | undefined): void {
    if (depth === this.depth) return;
    this.depth = depth;
    this.draw();
  }

  private listen(): void {
    const { plot } = this;
    plot.addEventListener('pointermove', (event) => {
      const [at] = pointer(event, plot);
      const share = (at - MARGIN.left) / (plot.clientWidth - MARGIN.left - MARGIN.right);
      this.point(Math.max(0, Math.min(this.last, Math.round(share * this.last))));
    });
    plot.addEventListener('pointerleave', () => this.point(undefined));
    plot.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const from = this.depth ?? this.last;
      const targets: Record<string, number> = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, Home: 0, End: this.last, PageUp: from + 2, PageDown: from - 2 };
      const target = targets[event.key];
      if (target === undefined) return;
      event.preventDefault();
      this.point(Math.max(0, Math.min(this.last, target)));
    });
    plot.addEventListener('blur', () => this.point(undefined));
  }
}

function formatTick(value: number): string {
  return value > 0 ? `+${value}` : String(value).replace('-', '−');
}
