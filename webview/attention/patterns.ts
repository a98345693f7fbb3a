import { arrayNamed, type NamedArrays } from '../../src/shared/arrays';
import type { TextExperiment } from '../../src/shared/experiment';
import { otherSide } from '../../src/shared/otherSide';
import type { RunSummary } from '../../src/shared/panelProtocol';
import type { RunPair } from '../../src/shared/run';
import { capitalised } from '../../src/shared/text';
import { axisTokens, type AxisToken } from './tokenAxis';

/** One head's attention, as the view shows it: matrices of the same head side by side. */

export type PatternKind = 'clean' | 'other' | 'base' | 'difference' | 'attribution';

export interface PatternMatrix {
  kind: PatternKind;
  title: string;
  /** Destinations and sources are the same tokens. */
  tokens: AxisToken[];
  /** [dest, src]; what is after the destination is not attended to. */
  values: Float32Array;
}

export interface PatternCell {
  dest: number;
  src: number;
}

/** What the engine answers for some heads of a layer: see AttentionResult. */
export interface LayerAttention {
  heads: number[];
  arrays: NamedArrays;
}

/** What an experiment's two sides are. */
interface Sides extends Pick<TextExperiment, 'other' | 'direction'> {
  /** Under `resample`: the pair whose clean prompt is the other side. */
  resampled?: RunPair;
}

/** Under `resample` the other side of a pair is the next one of its length. */
export function resampledFrom({ other, pairs, groups }: Pick<RunSummary, 'other' | 'pairs' | 'groups'>, pair: number): RunPair | undefined {
  if (other !== 'resample') return undefined;
  const group = groups.find((own) => own.pairs.includes(pair))!.pairs;
  return pairs[group[(group.indexOf(pair) + 1) % group.length]!];
}

/** All matrices of one head: clean, other, with the interventions, clean − other, attribution times `scale`; those that the answer has. */
export function headMatrices(answer: LayerAttention, head: number, pair: RunPair, { other = 'corrupted', direction, resampled }: Sides, scale = 1): PatternMatrix[] {
  const row = answer.heads.indexOf(head);
  const clean = axisTokens(pair, 'clean');
  // Means have no tokens of their own.
  const corrupted = other === 'corrupted' ? axisTokens(pair, 'corrupted') : resampled ? axisTokens({ ...resampled, corrupted: pair.clean }, 'clean') : clean;
  const side = otherSide({ other });
  const read = (name: string): Float32Array | undefined => {
    if (row === -1 || !(name in answer.arrays.entries)) return undefined;
    const { data, shape } = arrayNamed(answer.arrays, name);
    const size = shape[1]! * shape[2]!;
    return data.subarray(row * size, (row + 1) * size);
  };
  const [cleanValues, otherValues] = [read('clean'), read('other')];
  const [base, attribution] = [read('base'), read('attribution')];
  const matrices: (PatternMatrix | undefined)[] = [
    cleanValues && { kind: 'clean', title: 'Clean', tokens: clean, values: cleanValues },
    otherValues && { kind: 'other', title: capitalised(side), tokens: corrupted, values: otherValues },
    base && { kind: 'base', title: 'With the interventions', tokens: direction === 'denoise' ? corrupted : clean, values: base },
    cleanValues && otherValues && { kind: 'difference', title: `Clean − ${side}`, tokens: clean, values: cleanValues.map((value, cell) => value - otherValues[cell]!) },
    attribution && { kind: 'attribution', title: 'Attribution', tokens: clean, values: attribution.map((value) => value * scale) },
  ];
  return matrices.filter((matrix) => matrix !== undefined);
}

export function valueOf({ values, tokens }: PatternMatrix, { dest, src }: PatternCell): number {
  return values[dest * tokens.length + src]!;
}

/** The end of a scale that several matrices share: the largest magnitude in any of them. */
export function sharedLargest(matrices: readonly PatternMatrix[], kind: PatternKind): number {
  let largest = 0;
  for (const matrix of matrices) {
    if (matrix.kind !== kind) continue;
    for (const value of matrix.values) largest = Math.max(largest, Math.abs(value));
  }
  return largest;
}

/** Where an arrow key, Home or End leads from a cell, inside the causal triangle; undefined for other keys. */
export function moveCell({ dest, src }: PatternCell, key: string, ctrl: boolean, { count, page }: { count: number; page: number }): PatternCell | undefined {
  const at = (toDest: number, toSrc: number): PatternCell => {
    const inside = Math.max(0, Math.min(count - 1, toDest));
    return { dest: inside, src: Math.max(0, Math.min(inside, toSrc)) };
  };
  switch (key) {
    case 'ArrowLeft':
      return at(dest, src - 1);
    case 'ArrowRight':
      return at(dest, src + 1);
    case 'ArrowUp':
      return at(dest - 1, src);
    case 'ArrowDown':
      return at(dest + 1, src);
    case 'Home':
      return ctrl ? at(0, 0) : at(dest, 0);
    case 'End':
      return ctrl ? at(count - 1, count - 1) : at(dest, dest);
    case 'PageUp':
      return at(dest - page, src);
    case 'PageDown':
      return at(dest + page, src);
    default:
      return undefined;
  }
}

/** Of `LayerAttention` of so many heads: four arrays of floats at most. */
export function answerBytes(heads: number, length: number): number {
  return heads * length ** 2 * 4 * Float32Array.BYTES_PER_ELEMENT;
}
