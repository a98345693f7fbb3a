import { select, zoom as zoomBehaviour, zoomIdentity, type D3ZoomEvent, type ZoomBehavior } from 'd3';
import type { GraphShape } from '../../src/shared/graph/nodes';
import type { DrawnEdge } from '../../src/shared/pathsProtocol';
import { el } from '../view/dom';
import { edgeCurve, nearest, outlineOf, pointOn, type Curve, type Outline } from './curve';
import { EdgeCanvas, HighlightCanvas } from './edgePainting';
import { stepOf } from './edgeScale';
import { inputOf, outputOf, type Layout, type PlacedNode, type Point } from './layout';
import { drawNodes, type NodeLooks } from './nodeShapes';
import type { Zoom } from './ownState';
import type { EdgeEnds } from './pathText';
import { isThere, walk, type Place } from './walk';

export interface Picture {
  shape: GraphShape;
  layout: Layout;
  /** Strongest first, and the ends of each. */
  edges: readonly DrawnEdge[];
  ends: readonly EdgeEnds[];
  /** What widths and colours are shares of. */
  largest: number;
  looks: NodeLooks;
  selected?: number;
  /** Edges on the paths that are highlighted; undefined: none are. */
  onPath?: ReadonlySet<number>;
  label: string;
  /** Absent: as much as fits. */
  zoom?: Zoom;
}

export interface PictureEvents {
  focusNode(name: string): void;
  selectEdge(index: number): void;
  verify(index: number): void;
  pin(name: string): void;
  point(place: Place | undefined, anchor: Element | undefined, by: 'pointer' | 'focus'): void;
  zoomed(zoom: Zoom | undefined): void;
}

const REACH = 7;
const SMALLEST = 0.08;
const LARGEST = 4;
const BIGGER = 1.25;
/** A small graph is not blown up to fill the place. */
const LARGEST_FIT = 1.4;
const MARGIN = 10;
/** Above and below the stage. */
const BORDERS = 2;
const PAN = 60;

export const HINT = 'Arrow keys go from a node onto its strongest edges and along them, Left and Right to the next node or edge. Enter focuses a node or selects an edge, P pins a node, V verifies an edge, plus, minus and 0 zoom, Shift with arrows moves the view.';

/** The drawn graph: edges on a canvas, nodes over them, one tab stop. */
export class GraphPicture {
  readonly element: HTMLElement;
  private readonly canvas = new EdgeCanvas();
  private readonly highlights = new HighlightCanvas();
  private readonly svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  private readonly anchor = el('div', { class: 'edge-anchor', attributes: { 'aria-hidden': 'true' } });
  private readonly behaviour: ZoomBehavior<HTMLElement, unknown>;
  private readonly resized: ResizeObserver;
  private picture?: Picture;
  private nodes = new Map<string, PlacedNode>();
  private curves: Curve[] = [];
  private outlines: Outline[] = [];
  private zoom: Zoom = { k: 1, x: 0, y: 0 };
  private place?: Place;
  private pointed?: Place;
  private frame = 0;
  private settling?: ReturnType<typeof setTimeout>;

  constructor(private readonly events: PictureEvents) {
    this.svg.setAttribute('class', 'node-layer');
    this.svg.setAttribute('aria-hidden', 'true');
    this.element = el('div', { class: 'graph-stage', attributes: { role: 'application', 'aria-roledescription': 'graph', tabindex: 0, 'aria-describedby': 'graph-hint', 'data-key': 'graph' } }, [
      this.canvas.element,
      this.highlights.element,
      this.svg,
      this.anchor,
    ]);
    this.behaviour = zoomBehaviour<HTMLElement, unknown>()
      .scaleExtent([SMALLEST, LARGEST])
      // The wheel scrolls the page until the graph is in use.
      .filter((event: Event) => (event instanceof WheelEvent ? event.ctrlKey || event.metaKey || document.activeElement === this.element : !(event instanceof MouseEvent && event.button !== 0)))
      .on('zoom', (event: D3ZoomEvent<HTMLElement, unknown>) => this.zoomTo(event));
    select(this.element).call(this.behaviour).on('dblclick.zoom', null);
    this.listen();
    this.resized = new ResizeObserver(() => this.refit());
    this.resized.observe(this.element);
  }

  close(): void {
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.settling);
  }

  draw(picture: Picture): void {
    const before = this.picture;
    this.picture = picture;
    const { layout, edges, ends, onPath } = picture;
    if (layout !== before?.layout) {
      this.nodes = new Map(layout.nodes.map((placed) => [placed.name, placed]));
      this.curves = ends.map(({ from, to, port }) => edgeCurve(outputOf(this.nodes.get(from)!), inputOf(this.nodes.get(to)!, port)));
      this.outlines = this.curves.map(outlineOf);
    }
    if (layout !== before?.layout || edges !== before.edges || onPath !== before.onPath) this.setEdges(picture);
    drawNodes(this.svg, layout, picture.looks);
    this.element.setAttribute('aria-label', picture.label);
    if (this.place && !isThere({ nodes: [...this.nodes.keys()], edges: ends }, this.place)) this.place = undefined;
    this.pointed = undefined;
    this.refit();
  }

  private setEdges({ edges, largest, onPath }: Picture): void {
    this.canvas.setEdges(edges.map(({ score, exact }, index) => ({ curve: this.curves[index]!, step: stepOf(score, largest), sign: score, dimmed: onPath !== undefined && !onPath.has(index), measured: exact !== undefined })));
  }

  fit(): void {
    this.events.zoomed(undefined);
    if (this.picture) this.picture = { ...this.picture, zoom: undefined };
    this.refit();
  }

  zoomBy(factor: number): void {
    this.behaviour.scaleBy(select(this.element), factor);
    this.events.zoomed(this.zoom);
  }

  /** Brings the keyboard's place onto a node or an edge that was chosen elsewhere. */
  goTo(place: Place): void {
    this.place = place;
    if (isThere({ nodes: [...this.nodes.keys()], edges: this.curves }, place)) this.reveal(place);
    this.paintHighlights();
  }

  // Zoom

  private refit(): void {
    const { picture, element } = this;
    const { clientWidth } = element;
    if (!picture || clientWidth === 0) return;
    // Where the width decides how large the graph is, more height would only stand empty.
    element.style.setProperty('--graph-height', `${Math.ceil(picture.layout.height * widthScale(picture.layout, clientWidth) + 2 * MARGIN + BORDERS)}px`);
    const { clientHeight } = element;
    this.canvas.resize(clientWidth, clientHeight);
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.highlights.element, { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio) });
    const { k, x, y } = picture.zoom ?? this.fitted(picture.layout, clientWidth, clientHeight);
    this.behaviour.transform(select(element), zoomIdentity.translate(x, y).scale(k));
    this.paint();
  }

  private fitted(layout: Layout, roomWidth: number, roomHeight: number): Zoom {
    const { width, height } = layout;
    const k = Math.max(SMALLEST, Math.min(widthScale(layout, roomWidth), (roomHeight - 2 * MARGIN) / height));
    return { k, x: (roomWidth - width * k) / 2, y: (roomHeight - height * k) / 2 };
  }

  private zoomTo({ transform, sourceEvent }: D3ZoomEvent<HTMLElement, unknown>): void {
    this.zoom = { k: transform.k, x: transform.x, y: transform.y };
    if (!sourceEvent) return this.schedule();
    this.keepZoom();
    // While it moves, the nodes are a layer of their own that is moved as it is; they are drawn sharp again once it rests.
    this.svg.classList.add('moving');
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.svg.classList.remove('moving'), 150);
    this.events.point(undefined, undefined, 'pointer');
    this.schedule();
  }

  private keepZoom(): void {
    if (this.picture) this.picture = { ...this.picture, zoom: this.zoom };
    this.events.zoomed(this.zoom);
  }

  private schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  // Painting

  private paint(): void {
    const { picture, zoom } = this;
    if (!picture) return;
    const { color } = getComputedStyle(this.element);
    this.canvas.paint(zoom, picture.looks.palette, { foreground: color, background: getComputedStyle(document.body).backgroundColor });
    this.svg.style.transform = `translate(${zoom.x}px, ${zoom.y}px) scale(${zoom.k})`;
    this.element.classList.toggle('far', zoom.k < 0.45);
    this.paintHighlights();
  }

  private paintHighlights(): void {
    const { picture, place, pointed } = this;
    if (!picture) return;
    const { color } = getComputedStyle(this.element);
    const focused = document.activeElement === this.element;
    const shown = new Set([picture.selected, pointed && 'edge' in pointed ? pointed.edge : undefined, focused && place && 'edge' in place ? place.edge : undefined]);
    shown.delete(undefined);
    const edges = [...shown].filter((index): index is number => index !== undefined && index < this.curves.length);
    this.highlights.paint(this.zoom, edges.map((index) => ({ curve: this.curves[index]!, step: stepOf(picture.edges[index]!.score, picture.largest), sign: picture.edges[index]!.score, colour: color })), picture.looks.palette);
    this.element.dataset.highlighted = edges.join(' ');
    const active = focused && place && 'node' in place ? place.node : undefined;
    select(this.svg).selectAll<SVGGElement, PlacedNode>('g.graph-node').classed('active', ({ name }) => name === active);
  }

  // Pointer and keyboard

  private listen(): void {
    const { element } = this;
    element.addEventListener('pointermove', (event) => {
      if (event.buttons === 0) this.pointAt(this.placeUnder(event), event);
    });
    element.addEventListener('pointerleave', () => this.pointAt(undefined));
    element.addEventListener('click', (event) => {
      const place = this.placeUnder(event);
      if (place) this.press(place);
    });
    element.addEventListener('focus', () => this.paintHighlights());
    element.addEventListener('blur', () => {
      this.paintHighlights();
      this.events.point(undefined, undefined, 'focus');
    });
    element.addEventListener('keydown', (event) => this.onKey(event));
  }

  private placeUnder({ target, clientX, clientY }: MouseEvent): Place | undefined {
    const node = target instanceof Element ? target.closest<SVGGElement>('g.graph-node') : null;
    if (node) return { node: node.dataset.name! };
    const { left, top } = this.element.getBoundingClientRect();
    const { k, x, y } = this.zoom;
    const index = nearest(this.outlines, { x: (clientX - left - x) / k, y: (clientY - top - y) / k }, REACH / k);
    return index === -1 ? undefined : { edge: index, via: 'to' };
  }

  private pointAt(place: Place | undefined, event?: MouseEvent): void {
    if (samePlace(place, this.pointed)) return;
    this.pointed = place;
    this.element.classList.toggle('pointing', place !== undefined);
    this.paintHighlights();
    this.events.point(place, place && this.anchorOf(place, event), 'pointer');
  }

  /** What a tooltip stands beside: the node, or a point of the edge. */
  private anchorOf(place: Place, event?: MouseEvent): Element {
    if ('node' in place) return this.svg.querySelector(`g.graph-node[data-name="${CSS.escape(place.node)}"]`)!;
    const { left, top } = this.element.getBoundingClientRect();
    const at = event ? { x: event.clientX - left, y: event.clientY - top } : this.onScreen(pointOn(this.curves[place.edge]!, 0.5));
    this.anchor.style.transform = `translate(${at.x - 6}px, ${at.y - 6}px)`;
    return this.anchor;
  }

  private onScreen({ x, y }: Point): Point {
    return { x: x * this.zoom.k + this.zoom.x, y: y * this.zoom.k + this.zoom.y };
  }

  private press(place: Place): void {
    this.place = place;
    if ('node' in place) this.events.focusNode(place.node);
    else this.events.selectEdge(place.edge);
  }

  private onKey(event: KeyboardEvent): void {
    const { picture, place } = this;
    if (!picture || event.altKey || event.metaKey || event.ctrlKey) return;
    const { key } = event;
    if (this.zoomKey(key, event.shiftKey)) return event.preventDefault();
    if (event.shiftKey) return;
    if ((key === 'Enter' || key === ' ') && place) {
      event.preventDefault();
      return this.press(place);
    }
    if (key === 'p' && place && 'node' in place) return this.events.pin(place.node);
    if (key === 'v' && place && 'edge' in place) return this.events.verify(place.edge);
    const next = walk({ shape: picture.shape, nodes: [...this.nodes.keys()], edges: picture.ends }, place, key);
    if (!next) return;
    event.preventDefault();
    this.place = next;
    this.reveal(next);
    this.paintHighlights();
    this.events.point(next, this.anchorOf(next), 'focus');
  }

  private zoomKey(key: string, shift: boolean): boolean {
    if (key === '+' || key === '=') this.zoomBy(BIGGER);
    else if (key === '-' || key === '_') this.zoomBy(1 / BIGGER);
    else if (key === '0') this.fit();
    else if (shift && key.startsWith('Arrow')) {
      const { k } = this.zoom;
      const [dx, dy] = [key === 'ArrowLeft' ? PAN : key === 'ArrowRight' ? -PAN : 0, key === 'ArrowUp' ? PAN : key === 'ArrowDown' ? -PAN : 0];
      this.behaviour.translateBy(select(this.element), dx / k, dy / k);
      this.keepZoom();
    } else return false;
    return true;
  }

  /** Moves the view just so far that the keyboard's place is in sight. */
  private reveal(place: Place): void {
    const { clientWidth, clientHeight } = this.element;
    const node = 'node' in place ? this.nodes.get(place.node)! : undefined;
    const { x, y } = this.onScreen(node ? { x: node.x + node.width / 2, y: node.y + node.height / 2 } : pointOn(this.curves['edge' in place ? place.edge : 0]!, 0.5));
    const room = 40;
    const dx = Math.max(0, room - x) - Math.max(0, x - clientWidth + room);
    const dy = Math.max(0, room - y) - Math.max(0, y - clientHeight + room);
    if (dx === 0 && dy === 0) return;
    this.behaviour.translateBy(select(this.element), dx / this.zoom.k, dy / this.zoom.k);
    this.keepZoom();
    this.paint();
  }
}

function widthScale({ width }: Layout, room: number): number {
  return Math.min((room - 2 * MARGIN) / width, LARGEST_FIT);
}

function samePlace(a: Place | undefined, b: Place | undefined): boolean {
  if (!a || !b) return a === b;
  return 'node' in a ? 'node' in b && a.node === b.node : 'edge' in b && a.edge === b.edge;
}
