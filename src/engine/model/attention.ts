import * as tf from '@tensorflow/tfjs-core';
import { matrices } from './rows';
import { rowwise } from './rowwise';
import type { AttentionSite } from './sites';
import type { Work } from './work';

/** Causal attention of one layer. Queries belong to the last `queries` of all `positions`; keys and values to all of them. */
export type AttentionInput = {
  /** [batch, head, queries, dHead], already scaled. */
  query: tf.Tensor4D;
  /** [batch, head, positions, dHead] */
  key: tf.Tensor4D;
  value: tf.Tensor4D;
  /** [queries, positions], 0 where visible, −1e9 where not; absent when everything is visible. */
  mask?: tf.Tensor2D;
};

/**
 * What the backward pass reads. Patterns are kept only where they were looked at or changed and otherwise computed again:
 * at length 1,024 they would be 50 MB a layer and prompt.
 */
export type AttentionRecord = AttentionInput & {
  /** softmax(scores + mask): [batch, head, queries, positions]. */
  softmax?: tf.Tensor4D;
  /** What weighted the values: the softmax, or what it was changed to. */
  pattern?: tf.Tensor4D;
};

export type AttentionGradient = {
  query: tf.Tensor4D;
  /** Of the last `length` positions only: what lies before belongs to a prefix that is not differentiated. */
  key: tf.Tensor4D;
  value: tf.Tensor4D;
};

/** Is shown a site's tensor and returns what goes on in its place. */
export type Through<Site> = (site: Site, x: tf.Tensor4D) => tf.Tensor4D;

/**
 * From this many pattern cells on, heads are done one by one, so that no more than one head's pattern is held; below it one
 * batched product for all of them costs the fixed time of a call once.
 */
export const CELLS_FOR_HEAD_BY_HEAD = 4096;

/** Mask for the last `queries` of `positions`; undefined when nothing is hidden. */
export function causalMask(queries: number, positions: number): tf.Tensor2D | undefined {
  if (queries === 1) return undefined;
  const values = new Float32Array(queries * positions);
  for (let row = 0; row < queries; row++) {
    values.fill(-1e9, row * positions + positions - queries + row + 1, (row + 1) * positions);
  }
  return tf.tensor2d(values, [queries, positions]);
}

/** z = softmax(q·kᵀ + mask)·v: [batch, head, queries, dHead]. No more than one head's pattern is held where they are large. */
export function attend({ query, key, value, mask }: AttentionInput, work: Work): tf.Tensor4D {
  if (!isLarge(query, key)) {
    work.poll();
    return tf.matMul(softmax(tf.matMul(query, key, false, true), mask), value);
  }
  const q = headByHead(query);
  const k = headByHead(key);
  const v = headByHead(value);
  const parts = Array.from({ length: q.count }, (_, i) => {
    work.poll();
    return tf.tidy(() => tf.matMul(softmax(tf.matMul(q.at(i), k.at(i), false, true), mask), v.at(i)));
  });
  return tf.reshape(tf.concat(parts, 0), query.shape);
}

/** `attend`, with the scores (before the mask) and the pattern of all heads shown to `through`. */
export function attendThrough({ query, key, value, mask }: AttentionInput, through: Through<'scores' | 'pattern'>, work: Work): { z: tf.Tensor4D; softmax: tf.Tensor4D; pattern: tf.Tensor4D } {
  const large = isLarge(query, key);
  const weights = softmax(through('scores', product(query, key, { transposeB: true }, large, work)), mask);
  const pattern = through('pattern', weights);
  return { z: product(pattern, value, {}, large, work), softmax: weights, pattern };
}

/** Scores (before the mask) and pattern of all heads: [batch, head, queries, positions]. */
export function patterns({ query, key, mask }: Omit<AttentionInput, 'value'>, work: Work): { scores: tf.Tensor4D; pattern: tf.Tensor4D } {
  const scores = product(query, key, { transposeB: true }, isLarge(query, key), work);
  return { scores, pattern: softmax(scores, mask) };
}

/**
 * Gradient of `attend` given ∂L/∂z. With p the pattern: ∂L/∂v = pᵀ·∂z, ∂p = ∂z·vᵀ, ∂scores = p ∘ (∂p − Σ_src ∂p ∘ p),
 * ∂L/∂q = ∂scores·k, ∂L/∂k = ∂scoresᵀ·q. Each gradient goes through `through` before it is used further;
 * those of scores and pattern do only if `shown`. `freezePattern`: ∂scores = 0.
 */
export function attendBackward(
  record: AttentionRecord,
  dz: tf.Tensor4D,
  length: number,
  options: { shown: boolean; freezePattern?: boolean },
  through: Through<AttentionSite>,
  work: Work,
): AttentionGradient {
  const { query, key, value, mask } = record;
  const large = isLarge(query, key);
  if (large && !options.shown && !options.freezePattern && !record.pattern) {
    const d = attendBackwardHeadByHead(record, dz, length, work);
    return { value: through('v', d.value), query: through('q', d.query), key: through('k', d.key) };
  }
  const [batch, heads, queries] = query.shape;
  const prefix = key.shape[2] - length;
  const ofSuffix = (cells: tf.Tensor4D): tf.Tensor4D => (prefix === 0 ? cells : tf.slice(cells, [0, 0, 0, prefix], [batch, heads, queries, length]));
  const weights = record.softmax ?? softmax(product(query, key, { transposeB: true }, large, work), mask);
  const dValue = through('v', product(ofSuffix(record.pattern ?? weights), dz, { transposeA: true }, large, work));
  const dPattern = through('pattern', product(dz, value, { transposeB: true }, large, work));
  const dScores = through('scores', options.freezePattern ? tf.zerosLike(dPattern) : softmaxBackward(weights, dPattern));
  return {
    value: dValue,
    query: through('q', product(dScores, key, {}, large, work)),
    key: through('k', product(ofSuffix(dScores), query, { transposeA: true }, large, work)),
  };
}

function attendBackwardHeadByHead({ query, key, value, mask }: AttentionInput, dz: tf.Tensor4D, length: number, work: Work): AttentionGradient {
  const [batch, heads, queries, dHead] = query.shape;
  const prefix = key.shape[2] - length;
  const q = headByHead(query);
  const k = headByHead(key);
  const v = headByHead(value);
  const d = headByHead(dz);
  const parts = Array.from({ length: q.count }, (_, i) => {
    work.poll();
    return tf.tidy(() => {
      const p = softmax(tf.matMul<tf.Tensor2D>(q.at(i), k.at(i), false, true), mask);
      const dScores = softmaxBackward(p, tf.matMul<tf.Tensor2D>(d.at(i), v.at(i), false, true));
      const ofSuffix = (cells: tf.Tensor2D): tf.Tensor2D => (prefix === 0 ? cells : tf.slice(cells, [0, prefix], [queries, length]));
      return { query: tf.matMul(dScores, k.at(i)), key: tf.matMul(ofSuffix(dScores), q.at(i), true), value: tf.matMul(ofSuffix(p), d.at(i), true) };
    });
  });
  return {
    query: tf.reshape(tf.concat(parts.map((part) => part.query), 0), query.shape),
    key: tf.reshape(tf.concat(parts.map((part) => part.key), 0), [batch, heads, length, dHead]),
    value: tf.reshape(tf.concat(parts.map((part) => part.value), 0), [batch, heads, length, dHead]),
  };
}

function isLarge(query: tf.Tensor4D, key: tf.Tensor4D): boolean {
  return query.shape[2] * key.shape[2] >= CELLS_FOR_HEAD_BY_HEAD;
}

/** Matrix product of each head of each sequence; one after the other if `large`. */
function product(a: tf.Tensor4D, b: tf.Tensor4D, { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean }, large: boolean, work: Work): tf.Tensor4D {
  if (!large) {
    work.poll();
    return tf.matMul(a, b, transposeA, transposeB);
  }
  const [batch, heads] = a.shape;
  const [left, right] = [headByHead(a), headByHead(b)];
  const parts = Array.from({ length: left.count }, (_, i) => {
    work.poll();
    return tf.tidy(() => tf.matMul(left.at(i), right.at(i), transposeA, transposeB));
  });
  return tf.reshape(tf.concat(parts, 0), [batch, heads, parts[0]!.shape[0], parts[0]!.shape[1]!]);
}

function softmax<T extends tf.Tensor>(scores: T, mask: tf.Tensor2D | undefined): T {
  return rowwise().softmax(scores, mask);
}

function softmaxBackward<T extends tf.Tensor>(p: T, dp: T): T {
  return rowwise().softmaxBackward(p, dp);
}

/** Cuts [batch, head, rows, dHead] into batch · head matrices [rows, dHead]. */
function headByHead(x: tf.Tensor4D): ReturnType<typeof matrices> {
  const [batch, heads, rows, dHead] = x.shape;
  return matrices(tf.reshape(x, [batch * heads * rows, dHead]), rows);
}

/** [batch · positions, dModel] → [batch, head, positions, dHead]. */
export function splitHeads(x: tf.Tensor2D, batch: number, heads: number): tf.Tensor4D {
  const [rows, dModel] = x.shape;
  return tf.transpose(tf.reshape(x, [batch, rows / batch, heads, dModel / heads]), [0, 2, 1, 3]);
}

/** The inverse of `splitHeads`. */
export function joinHeads(x: tf.Tensor4D): tf.Tensor2D {
  const [batch, heads, positions, dHead] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch * positions, heads * dHead]);
}
