import type { Prediction } from '../../shared/results';
import { logSumExp } from './distribution';

/** The `top` most probable tokens, most probable first; equal logits in token order. Softmax in double precision. */
export function topPredictions(logits: Float32Array, top: number): Prediction[] {
  const total = logSumExp(logits);
  return largest(logits, top).map((token) => ({ token, logit: logits[token]!, probability: Math.exp(logits[token]! - total) }));
}

/** Indices of the `count` largest values, largest first, equal ones in their order. Few of many: sorting them all is far slower. */
function largest(values: Float32Array, count: number): number[] {
  if (count <= 0) return [];
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (found.length === count && !(value > values[found[count - 1]!]!)) continue;
    let place = found.length;
    while (place > 0 && value > values[found[place - 1]!]!) place--;
    found.splice(place, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}
