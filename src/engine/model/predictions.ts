import type { Prediction } from '../../shared/results';

/** The `top` most probable tokens, most probable first; equal logits in token order. Softmax in double precision. */
export function topPredictions(logits: Float32Array, top: number): Prediction[] {
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const order = Array.from(logits, (_, token) => token).sort((a, b) => logits[b]! - logits[a]! || a - b);
  return order.slice(0, Math.max(0, top)).map((token) => ({ token, logit: logits[token]!, probability: Math.exp(logits[token]! - largest) / sum }));
}
