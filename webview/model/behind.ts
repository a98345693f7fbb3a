import type { Matrix } from '../../src/shared/views';

/** What stands behind a cell: position × head scores (`layerDetail`) cut along one axis, strongest first. */

export interface HeadBehind {
  head: number;
  value: number;
}

/** The heads of a layer at one position, by falling |value|; ties by index. Their values add up to the cell of the z map. */
export function headsBehind(detail: Matrix, position: number, most: number): HeadBehind[] {
  const heads = Array.from({ length: detail.columns }, (_, head) => ({ head, value: detail.values[position * detail.columns + head]! }));
  return heads.sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.head - b.head).slice(0, most);
}

export interface PositionBehind {
  group: number;
  position: number;
  value: number;
}

/** The positions of one head over several length groups, by falling |value|; ties by group and position. */
export function positionsBehind(details: readonly { group: number; detail: Matrix }[], head: number, most: number): PositionBehind[] {
  const positions = details.flatMap(({ group, detail }) =>
    Array.from({ length: detail.rows }, (_, position) => ({ group, position, value: detail.values[position * detail.columns + head]! })),
  );
  return positions
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.group - b.group || a.position - b.position)
    .slice(0, most);
}
