/**
 * Log-probabilities of one position from its logits, and gradients with respect to the logits. Sums in double precision,
 * with the largest logit taken out, so that logits of any size neither overflow nor lose a small probability.
 */

/** log Σ exp(logit), over all tokens or over those given. −∞ for none. */
export function logSumExp(logits: Float32Array, tokens?: Iterable<number>): number {
  let largest = -Infinity;
  let sum = 0;
  if (tokens) {
    const own = Array.from(tokens, (token) => logits[token]!);
    largest = Math.max(...own);
    for (const logit of own) sum += Math.exp(logit - largest);
  } else {
    for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
    for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - largest);
  }
  return sum === 0 ? -Infinity : largest + Math.log(sum);
}

/** into[token] = scale · probability of the token. `total` is `logSumExp(logits)`. */
export function writeProbabilities(logits: Float32Array, total: number, scale: number, into: Float32Array): void {
  for (let i = 0; i < logits.length; i++) into[i] = scale * Math.exp(logits[i]! - total);
}

/** Σ p_reference · (log p_reference − log p) in nats: KL(reference ‖ p). */
export function klDivergence(reference: Float32Array, logits: Float32Array): number {
  const [totalOfReference, total] = [logSumExp(reference), logSumExp(logits)];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const own = reference[i]! - totalOfReference;
    sum += Math.exp(own) * (own - (logits[i]! - total));
  }
  return sum;
}
