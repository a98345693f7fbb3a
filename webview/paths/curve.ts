import type { Point } from './layout';

/** An edge as a cubic curve: its four points. Upward out of the sender, upward into the receiver. */
export type Curve = readonly [Point, Point, Point, Point];

/** Edges within a column would run through the nodes between: they bow sideways, the longer the further. */
const MOST_BOW = 90;
const STRAIGHT = 90;

export function edgeCurve(from: Point, to: Point): Curve {
  const rise = from.y - to.y;
  const across = to.x - from.x;
  const lift = Math.max(14, rise * 0.45);
  const bow = rise > STRAIGHT && Math.abs(across) < STRAIGHT ? Math.min(MOST_BOW, (rise - STRAIGHT) * 0.22) * (across < 0 ? -1 : 1) : 0;
  return [from, { x: from.x + bow, y: from.y - lift }, { x: to.x + bow, y: to.y + lift }, to];
}

export function pointOn([a, b, c, d]: Curve, t: number): Point {
  const s = 1 - t;
  const [p, q, r, w] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
  return { x: p * a.x + q * b.x + r * c.x + w * d.x, y: p * a.y + q * b.y + r * c.y + w * d.y };
}

const SEGMENTS = 16;

/** A curve made ready to be asked how far a point is from it. */
export interface Outline {
  xs: Float64Array;
  ys: Float64Array;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export function outlineOf(curve: Curve): Outline {
  const points = Array.from({ length: SEGMENTS + 1 }, (_, i) => pointOn(curve, i / SEGMENTS));
  const [xs, ys] = [Float64Array.from(points, ({ x }) => x), Float64Array.from(points, ({ y }) => y)];
  return { xs, ys, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

/** Index of the outline nearest to a point, not further than `reach`; of equally near ones the first. −1 where there is none. */
export function nearest(outlines: readonly Outline[], { x, y }: Point, reach: number): number {
  let best = -1;
  let least = reach;
  outlines.forEach((outline, index) => {
    if (x < outline.left - least || x > outline.right + least || y < outline.top - least || y > outline.bottom + least) return;
    const distance = distanceTo(outline, x, y);
    if (distance >= least) return;
    least = distance;
    best = index;
  });
  return best;
}

function distanceTo({ xs, ys }: Outline, x: number, y: number): number {
  let least = Infinity;
  for (let i = 0; i < SEGMENTS; i++) {
    const [dx, dy] = [xs[i + 1]! - xs[i]!, ys[i + 1]! - ys[i]!];
    const along = Math.max(0, Math.min(1, ((x - xs[i]!) * dx + (y - ys[i]!) * dy) / (dx * dx + dy * dy || 1)));
    least = Math.min(least, Math.hypot(x - xs[i]! - along * dx, y - ys[i]! - along * dy));
  }
  return least;
}
