import type { Readout } from '../../src/shared/readout';
import { headName } from '../model/describe';

/** Everything that writes to the logits, as rows of a table: heads, MLPs, embeddings, biases. */
export interface Component {
  name: string;
  /** Absent for what is no head. */
  head?: { layer: number; head: number };
  /** Order of depth: the embeddings first, then layer by layer, the biases last. */
  place: number;
  clean: number;
  /** Absent where nothing is corrupted. */
  corrupted?: number;
}

export type ComponentColumn = 'name' | 'clean' | 'corrupted' | 'difference';

export interface ComponentOrder {
  by: ComponentColumn;
  descending: boolean;
}

export function componentsOf(clean: Readout, corrupted?: Readout): Component[] {
  const { rows: layers, columns: heads } = clean.heads;
  const made: Component[] = [];
  const add = (name: string, read: (side: Readout) => number, head?: Component['head']): void => {
    made.push({ name, head, place: made.length, clean: read(clean), ...(corrupted && { corrupted: read(corrupted) }) });
  };
  add('Token embedding', ({ embed }) => embed);
  add('Position embedding', ({ position }) => position);
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) add(headName(layer, head), ({ heads: { values } }) => values[layer * heads + head]!, { layer, head });
    add(`MLP ${layer}`, ({ mlp }) => mlp[layer]!);
  }
  add('Biases', ({ bias }) => bias);
  return made;
}

export function valueIn({ clean, corrupted, place }: Component, column: ComponentColumn): number {
  if (column === 'name') return place;
  if (column === 'clean') return clean;
  if (column === 'corrupted') return corrupted ?? 0;
  return clean - (corrupted ?? 0);
}

/** Rows by a column; numbers by magnitude, so that what opposes stands beside what supports. The `most` first. */
export function orderedComponents(components: readonly Component[], { by, descending }: ComponentOrder, most = Infinity): Component[] {
  const keyOf = (component: Component): number => (by === 'name' ? component.place : Math.abs(valueIn(component, by)));
  const sign = descending ? -1 : 1;
  return [...components].sort((a, b) => sign * (keyOf(a) - keyOf(b)) || a.place - b.place).slice(0, most);
}
