import type { SiteName } from '../../shared/sites';
import { isAttentionSite } from '../model/sites';
import type { Part } from './exactCells';

/** A site's values of some sequences: [sequence, head, position, feature]; `heads` is 1 where a position's values are one row. */
export interface SiteValues {
  data: Float32Array;
  heads: number;
  /** Whether heads stand in an axis of their own; if not, head h has features h·dHead to (h + 1)·dHead. */
  byHead: boolean;
  positions: number;
  width: number;
  /** Position in the prompt of the first of `positions`: a site may have the trailing ones only. */
  first: number;
}

/** The values of a site's tensor in a run of `batch` sequences whose prompts have `length` tokens. */
export function siteValues(site: SiteName, data: Float32Array, shape: readonly number[], batch: number, length: number): SiteValues {
  const byHead = isAttentionSite(site);
  const [heads, positions, width] = byHead ? (shape.slice(1) as [number, number, number]) : [1, shape[0]! / batch, shape[1]!];
  return { data, heads, byHead, positions, width, first: length - positions };
}

/** The values of some sequences, in the order given. */
export function sequencesOf(values: SiteValues, sequences: readonly number[]): SiteValues {
  const size = values.heads * values.positions * values.width;
  const data = new Float32Array(sequences.length * size);
  sequences.forEach((sequence, i) => data.set(values.data.subarray(sequence * size, (sequence + 1) * size), i * size));
  return { ...values, data };
}

/**
 * Overwrites a part of one sequence by that of another run's sequence, or by zeros. Positions that either does not have
 * stay: they are those that reach nothing. `dHead`: features of a head within a row.
 */
export function overwrite(target: SiteValues, sequence: number, part: Part, source: { values: SiteValues; sequence: number } | undefined, dHead: number): void {
  const [firstHead, endHead] = target.byHead && part.head !== undefined ? [part.head, part.head + 1] : [0, target.heads];
  const [from, to] = columnsOf(part, target, dHead);
  const first = Math.max(part.first, target.first, source ? source.values.first - part.shift : 0);
  const end = Math.min(part.end, target.first + target.positions);
  for (let head = firstHead; head < endHead; head++) {
    for (let position = first; position < end; position++) {
      const row = rowStart(target, sequence, head, position);
      if (!source) {
        target.data.fill(0, row + from, row + to);
        continue;
      }
      const other = rowStart(source.values, source.sequence, head, position + part.shift);
      target.data.set(source.values.data.subarray(other + from, other + to), row + from);
    }
  }
}

function columnsOf({ head, neuron, source }: Part, { byHead, width }: SiteValues, dHead: number): [number, number] {
  if (source !== undefined) return [source, source + 1];
  if (neuron !== undefined) return [neuron, neuron + 1];
  return !byHead && head !== undefined ? [head * dHead, (head + 1) * dHead] : [0, width];
}

function rowStart({ heads, positions, width, first }: SiteValues, sequence: number, head: number, position: number): number {
  return ((sequence * heads + head) * positions + position - first) * width;
}

/** The rows of some sequences from a position of the prompt on, one sequence after the other. For sites without heads. */
export function rowsOf({ data, positions, width, first }: SiteValues, sequences: readonly number[], start: number): Float32Array {
  const size = (positions - (start - first)) * width;
  const taken = new Float32Array(sequences.length * size);
  sequences.forEach((sequence, i) => {
    const end = (sequence + 1) * positions * width;
    taken.set(data.subarray(end - size, end), i * size);
  });
  return taken;
}
