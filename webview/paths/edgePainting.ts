import type { Palette } from '../model/colour';
import { pointOn, type Curve } from './curve';
import { colourOf, opacityOf, STEPS, widthOf } from './edgeScale';
import type { Zoom } from './ownState';

/**
 * The edges on a canvas: two thousand curves as one stroke per step of strength and sign, so that a frame costs some dozens of
 * strokes however many edges there are. (As SVG elements, moving the same graph took three times as long per frame.)
 */
export interface PaintedEdge {
  curve: Curve;
  step: number;
  sign: number;
  /** Not on the paths that are highlighted. */
  dimmed: boolean;
  measured: boolean;
}

interface Stroke {
  path: Path2D;
  step: number;
  sign: number;
  dimmed: boolean;
}

const DIMMED = 0.16;
const MARK = 6;

export class EdgeCanvas {
  readonly element = document.createElement('canvas');
  private strokes: Stroke[] = [];
  private marks?: Path2D;
  private edges = 0;

  constructor() {
    this.element.className = 'edge-canvas';
    this.element.setAttribute('aria-hidden', 'true');
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.element.width !== w) this.element.width = w;
    if (this.element.height !== h) this.element.height = h;
  }

  setEdges(edges: readonly PaintedEdge[]): void {
    const strokes = new Map<number, Stroke>();
    const marks = new Path2D();
    for (const { curve, step, sign, dimmed, measured } of edges) {
      if (step === 0) continue;
      const key = (dimmed ? 0 : 1000) + step * 2 + (sign < 0 ? 1 : 0);
      let stroke = strokes.get(key);
      if (!stroke) strokes.set(key, (stroke = { path: new Path2D(), step, sign, dimmed }));
      trace(stroke.path, curve);
      if (measured && !dimmed) mark(marks, curve);
    }
    // The weakest first, so that the strongest lie on top.
    this.strokes = [...strokes].sort(([a], [b]) => a - b).map(([, stroke]) => stroke);
    this.marks = edges.some(({ measured }) => measured) ? marks : undefined;
    this.element.dataset.strokes = String(this.strokes.length);
    this.edges = edges.length;
    this.element.dataset.edges = String(edges.length);
  }

  paint(zoom: Zoom, palette: Palette, { foreground, background }: { foreground: string; background: string }): void {
    const context = prepared(this.element, zoom);
    for (const { path, step, sign, dimmed } of this.strokes) {
      context.globalAlpha = dimmed ? DIMMED : opacityOf(step, this.edges);
      context.strokeStyle = colourOf(step, sign, palette);
      context.lineWidth = widthOf(step);
      context.stroke(path);
    }
    if (!this.marks) return;
    context.globalAlpha = 1;
    context.fillStyle = foreground;
    context.strokeStyle = background;
    context.lineWidth = 1.2;
    context.fill(this.marks);
    context.stroke(this.marks);
  }
}

/** What is pointed at, selected or on a path, over the others: drawn on its own, so that pointing does not draw all of them again. */
export class HighlightCanvas {
  readonly element = document.createElement('canvas');

  constructor() {
    this.element.className = 'edge-canvas';
    this.element.setAttribute('aria-hidden', 'true');
  }

  paint(zoom: Zoom, edges: readonly { curve: Curve; step: number; sign: number; colour: string }[], palette: Palette): void {
    const context = prepared(this.element, zoom);
    for (const { curve, step, sign, colour } of edges) {
      const path = new Path2D();
      trace(path, curve);
      context.strokeStyle = colour;
      context.lineWidth = widthOf(step) + 3.5;
      context.stroke(path);
      context.strokeStyle = colourOf(Math.max(step, STEPS / 2), sign, palette);
      context.lineWidth = widthOf(step);
      context.stroke(path);
    }
  }
}

function prepared(canvas: HTMLCanvasElement, { k, x, y }: Zoom): CanvasRenderingContext2D {
  const context = canvas.getContext('2d')!;
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(k * ratio, 0, 0, k * ratio, x * ratio, y * ratio);
  context.lineCap = 'round';
  context.globalAlpha = 1;
  return context;
}

function trace(path: Path2D, [from, out, into, to]: Curve): void {
  path.moveTo(from.x, from.y);
  path.bezierCurveTo(out.x, out.y, into.x, into.y, to.x, to.y);
}

/** A diamond in the middle of an edge that was measured. */
function mark(path: Path2D, curve: Curve): void {
  const { x, y } = pointOn(curve, 0.5);
  path.moveTo(x, y - MARK);
  path.lineTo(x + MARK, y);
  path.lineTo(x, y + MARK);
  path.lineTo(x - MARK, y);
  path.closePath();
}
