import * as tf from '@tensorflow/tfjs-core';
import { matrices } from './rows';
import type { Work } from './work';

/**
 * Causal attention of one layer. Queries belong to the last `queries` of all `positions`; keys and values to all of them.
 * Patterns are not kept for the backward pass but computed again: at length 1,024 they would be 50 MB a layer and prompt.
 */
export type AttentionInput = {
  /** [batch, head, queries, dHead], already scaled. */
  query: tf.Tensor4D;
  /** [batch, head, positions, dHead] */
  key: tf.Tensor4D;
  value: tf.Tensor4D;
  /** [queries, positions], 0 where visible, −1e9 where not; absent when everything is visible. */
  mask?: tf.Tensor2D;
};

export type AttentionGradient = {
  query: tf.Tensor4D;
  /** Of the last `length` positions only: what lies before belongs to a prefix that is not differentiated. */
  key: tf.Tensor4D;
  value: tf.Tensor4D;
};

/**
 * From this many pattern cells on, heads are done one by one: wasm's batched matMul is a scalar loop, while a
 * two-dimensional one runs on all threads but costs a fixed time per call.
 */
const CELLS_FOR_HEAD_BY_HEAD = 4096;

/** Mask for the last `queries` of `positions`; undefined when nothing is hidden. */
export function causalMask(queries: number, positions: number): tf.Tensor2D | undefined {
  if (queries === 1) return undefined;
  const values = new Float32Array(queries * positions);
  for (let row = 0; row < queries; row++) {
    values.fill(-1e9, row * positions + positions - queries + row + 1, (row + 1) * positions);
  }
  return tf.tensor2d(values, [queries, positions]);
}

/** z = softmax(q·kᵀ + mask)·v: [batch, head, queries, dHead]. */
export function attend({ query, key, value, mask }: AttentionInput, work: Work): tf.Tensor4D {
  if (!isLarge(query, key)) {
    work.poll();
    return tf.matMul(pattern(tf.matMul(query, key, false, true), mask), value);
  }
  const q = headByHead(query);
  const k = headByHead(key);
  const v = headByHead(value);
  const parts = Array.from({ length: q.count }, (_, i) => {
    work.poll();
    return tf.tidy(() => tf.matMul(pattern(tf.matMul(q.at(i), tf.transpose(k.at(i))), mask), v.at(i)));
  });
  return tf.reshape(tf.concat(parts, 0), query.shape);
}

/**
 * Gradient of `attend` given ∂L/∂z. With p the pattern: ∂L/∂v = pᵀ·∂z, ∂p = ∂z·vᵀ, ∂scores = p ∘ (∂p − Σ_src ∂p ∘ p),
 * ∂L/∂q = ∂scores·k, ∂L/∂k = ∂scoresᵀ·q.
 */
export function attendBackward({ query, key, value, mask }: AttentionInput, dz: tf.Tensor4D, length: number, work: Work): AttentionGradient {
  const [batch, heads, queries, dHead] = query.shape;
  const prefix = key.shape[2] - length;
  if (!isLarge(query, key)) {
    work.poll();
    const p = pattern(tf.matMul(query, key, false, true), mask);
    const dScores = scoresBackward(p, tf.matMul(dz, value, false, true));
    const ofSuffix = (cells: tf.Tensor): tf.Tensor4D => (prefix === 0 ? cells : tf.slice(cells, [0, 0, 0, prefix], [batch, heads, queries, length])) as tf.Tensor4D;
    return {
      query: tf.matMul(dScores, key),
      key: tf.matMul(ofSuffix(dScores), query, true, false),
      value: tf.matMul(ofSuffix(p), dz, true, false),
    };
  }
  const q = headByHead(query);
  const k = headByHead(key);
  const v = headByHead(value);
  const d = headByHead(dz);
  const parts = Array.from({ length: q.count }, (_, i) => {
    work.poll();
    return tf.tidy(() => {
      const p = pattern(tf.matMul(q.at(i), tf.transpose(k.at(i)) as tf.Tensor2D), mask);
      const dScores = scoresBackward(p, tf.matMul(d.at(i), tf.transpose(v.at(i)) as tf.Tensor2D));
      const ofSuffix = (cells: tf.Tensor): tf.Tensor2D => tf.transpose(prefix === 0 ? cells : tf.slice(cells, [0, prefix], [queries, length])) as tf.Tensor2D;
      return { query: tf.matMul(dScores, k.at(i)), key: tf.matMul(ofSuffix(dScores), q.at(i)), value: tf.matMul(ofSuffix(p), d.at(i)) };
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

function pattern<T extends tf.Tensor>(scores: T, mask: tf.Tensor2D | undefined): T {
  return tf.softmax(mask ? tf.add<T>(scores, mask) : scores);
}

function scoresBackward<T extends tf.Tensor>(p: T, dp: T): T {
  return tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true)));
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
