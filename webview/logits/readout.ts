import type { Readout } from '../../src/shared/readout';

export function readoutDifference(a: Readout, b: Readout): Readout {
  return {
    lens: a.lens.map((value, depth) => value - b.lens[depth]!),
    heads: { ...a.heads, values: a.heads.values.map((value, i) => value - b.heads.values[i]!) },
    mlp: a.mlp.map((value, layer) => value - b.mlp[layer]!),
    embed: a.embed - b.embed,
    position: a.position - b.position,
    bias: a.bias - b.bias,
  };
}

/** What each kind of component writes in all; they add up to the logit difference. */
export interface ReadoutSums {
  heads: number;
  mlp: number;
  embed: number;
  position: number;
  bias: number;
  total: number;
}

export function sumsOf({ heads, mlp, embed, position, bias }: Readout): ReadoutSums {
  const sums = { heads: add(heads.values), mlp: add(mlp), embed, position, bias };
  return { ...sums, total: sums.heads + sums.mlp + embed + position + bias };
}

function add(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** What was written between the depth before and this one. */
export function writtenAt(lens: readonly number[], depth: number): number {
  return depth === 0 ? lens[0]! : lens[depth]! - lens[depth - 1]!;
}
