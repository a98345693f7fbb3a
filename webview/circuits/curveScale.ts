import type { CurvePoint } from '../../src/shared/pathsProtocol';

/** Shares that the axis names: the decades, and where there is room what lies between. */
const DECADES = [0.001, 0.01, 0.1, 1];
const BETWEEN = [0.002, 0.005, 0.02, 0.05, 0.2, 0.5];

/** From a little before the smallest share to all edges. */
export function shareDomain(points: readonly { share: number }[]): [number, number] {
  const least = Math.min(...points.map(({ share }) => share));
  return [Math.min(least, 0.5), 1];
}

/** Names of shares on an axis of `width` pixels, each with `room` around it. */
export function shareTicks([least, most]: readonly [number, number], width: number, room: number): number[] {
  const placeOf = (share: number): number => (Math.log(share / least) / Math.log(most / least)) * width;
  const chosen: number[] = [];
  for (const share of [least, ...DECADES.slice().reverse(), ...BETWEEN]) {
    if (share < least || share > most || chosen.includes(share)) continue;
    if (chosen.every((other) => Math.abs(placeOf(other) - placeOf(share)) >= room)) chosen.push(share);
  }
  return chosen.sort((a, b) => a - b);
}

/** Faithfulness from 0 to 1, and further where a point, or the band of the random circuits, goes. */
export function faithfulnessDomain(points: readonly CurvePoint[], marks: readonly { value: number }[]): [number, number] {
  const values = points.flatMap(({ faithfulness, random }) => [faithfulness ?? 0, ...(random ? [random.low, random.high] : [])]).concat(marks.map(({ value }) => value));
  return [Math.min(0, ...values), Math.max(1, ...values)];
}
