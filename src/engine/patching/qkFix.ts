/**
 * AtP*'s effects of queries and keys (formulas B.9): the softmax is taken again with the one query or key replaced,
 *   Σ_k (A' − A)[k] · G[k], A = softmax(s), A' = softmax(s'), G = ∂M/∂A.
 * All rows have `sources` scores of which the first `visible` count. In double precision; exact where float32 has p = 1.
 */

/** A new query changes every score of its row: Σ_k (softmax(s') − softmax(s))[k] · G[k]. */
export function queryEffect(scores: Float32Array, replaced: Float32Array, gradient: Float32Array, start: number, visible: number): number {
  const [top, topReplaced] = [largest(scores, start, visible), largest(replaced, start, visible)];
  let [sum, sumReplaced, mean, meanReplaced] = [0, 0, 0, 0];
  for (let k = start; k < start + visible; k++) {
    const [own, other] = [Math.exp(scores[k]! - top), Math.exp(replaced[k]! - topReplaced)];
    sum += own;
    sumReplaced += other;
    // Relative to one of the gradients: what all have in common has no effect.
    mean += own * (gradient[k]! - gradient[start]!);
    meanReplaced += other * (gradient[k]! - gradient[start]!);
  }
  return meanReplaced / sumReplaced - mean / sum;
}

/**
 * A new key at source t changes one score of the row, s'[t] = s[t] + δ, so that with p = A[t] and p' = σ(logit p + δ)
 *   Σ_k (A' − A)[k]·G[k] = (p' − p)·(G[t] − Σ_{k≠t} A[k]·G[k]/(1 − p)),
 *   p' − p = p·expm1(δ)·σ(−(logit p + δ)) for δ ≤ 0, (1 − p)·(−expm1(−δ))·σ(logit p + δ) for δ > 0,
 * which equals p·expm1(δ)/(1 + p·expm1(δ)) · (G[t] − Σ_k A[k]·G[k]) but is right for any δ and for p near 1: 1 − p and the
 * mean over the other keys are summed without key t where p > ½. Calls `add` for each of the keys from `first` on; a single visible key
 * has all of the row whatever its score, and is not called for.
 */
export function keyEffects(scores: Float32Array, replaced: Float32Array, gradient: Float32Array, start: number, visible: number, first: number, add: (source: number, effect: number) => void): void {
  if (visible === 1) return;
  let top = 0;
  for (let k = 1; k < visible; k++) if (scores[start + k]! > scores[start + top]!) top = k;
  const highest = scores[start + top]!;
  const reference = gradient[start + top]!;
  // Sums over all keys but the top one, relative to the highest score among them.
  let next = -Infinity;
  for (let k = 0; k < visible; k++) if (k !== top) next = Math.max(next, scores[start + k]!);
  let [rest, restMean] = [0, 0];
  for (let k = 0; k < visible; k++) {
    if (k === top) continue;
    const weight = Math.exp(scores[start + k]! - next);
    rest += weight;
    restMean += weight * (gradient[start + k]! - reference);
  }
  const logRest = Math.log(rest) + next;
  const logAll = highest + Math.log1p(Math.exp(logRest - highest));
  const mean = Math.exp(logRest - logAll) * (restMean / rest);
  for (let t = first; t < visible; t++) {
    const delta = replaced[start + t]! - scores[start + t]!;
    const logP = scores[start + t]! - logAll;
    const p = Math.exp(logP);
    const logOthers = t === top ? logRest - logAll : Math.log1p(-p);
    const away = t === top ? -(restMean / rest) : (gradient[start + t]! - reference - mean) / (1 - p);
    const shifted = logP - logOthers + delta;
    const change = delta <= 0 ? p * Math.expm1(delta) * sigmoid(-shifted) : Math.exp(logOthers) * -Math.expm1(-delta) * sigmoid(shifted);
    add(t, change * away);
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function largest(values: Float32Array, start: number, count: number): number {
  let most = -Infinity;
  for (let i = start; i < start + count; i++) most = Math.max(most, values[i]!);
  return most;
}
