import * as tf from '@tensorflow/tfjs-core';
import assert from 'node:assert/strict';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { matrix } from '../../../src/engine/model/matrix';
import { WASM_FOLDER } from './support';

interface Product {
  a: number[];
  b: number[];
  transposeA?: boolean;
  transposeB?: boolean;
  bias?: boolean;
}

/** Values that are exact in float32 but whose sums are not, the same at every run. */
function values(count: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** The product in doubles, element by element. */
function plainly({ a, b, transposeA, transposeB }: Product, x: Float32Array, y: Float32Array, bias: Float32Array | undefined): { shape: number[]; data: number[] } {
  const [rowsA, columnsA] = a.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.slice(-2) as [number, number];
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const n = transposeB ? rowsB : columnsB;
  const [itemsA, itemsB] = [size(a.slice(0, -2)), size(b.slice(0, -2))];
  const data: number[] = [];
  for (let item = 0; item < Math.max(itemsA, itemsB); item++) {
    const [atA, atB] = [itemsA === 1 ? 0 : item * m * k, itemsB === 1 ? 0 : item * k * n];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = bias ? bias[j]! : 0;
        for (let q = 0; q < k; q++) sum += x[atA + (transposeA ? q * m + i : i * k + q)]! * y[atB + (transposeB ? j * k + q : q * n + j)]!;
        data.push(sum);
      }
    }
  }
  return { shape: [...(itemsA >= itemsB ? a : b).slice(0, -2), m, n], data };
}

function check(product: Product): void {
  const { a, b, transposeA = false, transposeB = false } = product;
  const [x, y] = [values(size(a), 1), values(size(b), 2)];
  const k = a.at(transposeA ? -2 : -1)!;
  const expected = plainly(product, x, y, product.bias ? values(b.at(transposeB ? -2 : -1)!, 3) : undefined);
  const actual = tf.tidy(() => {
    const operands = { a: tf.tensor(x, a), b: tf.tensor(y, b), transposeA, transposeB };
    if (product.bias) return tf.fused.matMul({ ...operands, bias: tf.tensor1d(values(expected.shape.at(-1)!, 3)) });
    return tf.matMul(operands.a, operands.b, transposeA, transposeB);
  });
  const name = JSON.stringify(product);
  assert.deepEqual(actual.shape, expected.shape, name);
  const data = actual.dataSync();
  actual.dispose();
  isClose(data, expected.data, k, name);
}

/** Of sums of k products of values below 1: the bound is loose for rounding, and far below the size of any one product. */
function isClose(actual: ArrayLike<number>, expected: readonly number[], k: number, name: string): void {
  const bound = 2 ** -22 * Math.max(1, k);
  assert.equal(actual.length, expected.length, name);
  expected.forEach((value, i) => assert.ok(Math.abs(actual[i]! - value) <= bound, `${name} at ${i}: ${actual[i]} instead of ${value}`));
}

const TRANSPOSES = [false, true].flatMap((transposeA) => [false, true].map((transposeB) => ({ transposeA, transposeB })));

function shapes(m: number, k: number, n: number, { transposeA, transposeB }: { transposeA: boolean; transposeB: boolean }): { a: number[]; b: number[] } {
  return { a: transposeA ? [k, m] : [m, k], b: transposeB ? [n, k] : [k, n] };
}

/** One product as the first of the backends below gave it. */
let onFirstBackend: tf.TypedArray | undefined;

for (const { choice, threads } of [
  { choice: 'wasm-simd', threads: 1 },
  { choice: 'wasm-threads', threads: 1 },
  { choice: 'wasm-threads', threads: 3 },
] as const) {
  describe(`matrix products on ${choice} with ${threads} thread${threads === 1 ? '' : 's'}`, function () {
    before(() => startBackend({ choice, threads, wasmFolder: WASM_FOLDER }));
    after(() => stopBackend());

    it('equal sums in doubles, at and beside the borders of tiles, chunks and depths', () => {
      for (const transposes of TRANSPOSES) {
        for (const [m, k, n] of [[1, 1, 1], [4, 8, 8], [5, 64, 15], [3, 256, 32], [7, 257, 33], [40, 300, 96], [1, 3072, 9], [130, 5, 70]] as const) {
          check({ ...shapes(m, k, n, transposes), ...transposes });
          check({ ...shapes(m, k, n, transposes), ...transposes, bias: true });
        }
      }
    });

    it('go block by block where A has many rows', () => {
      for (const transposes of TRANSPOSES) check({ ...shapes(1030, 40, 36, transposes), ...transposes });
    });

    it('take batches, of small items and of large ones, and share an operand that is not one', () => {
      for (const transposes of TRANSPOSES) {
        for (const [outer, m, k, n] of [[[3, 4], 5, 64, 15], [[2], 9, 11, 7], [[2], 200, 130, 90], [[5, 1], 33, 1000, 3]] as const) {
          const { a, b } = shapes(m, k, n, transposes);
          check({ a: [...outer, ...a], b: [...outer, ...b], ...transposes });
        }
        const { a, b } = shapes(6, 20, 10, transposes);
        check({ a: [1, ...a], b: [4, ...b], ...transposes });
        check({ a: [4, ...a], b: [1, ...b], ...transposes });
      }
    });

    it('take weights in panels, and their transposes, and give them back row by row', () => {
      for (const [m, rows, columns] of [[1, 1, 1], [5, 64, 16], [7, 257, 33], [40, 30, 300], [3, 9, 520], [600, 20, 12]] as const) {
        const [w, x, y, b] = [values(rows * columns, 6), values(m * rows, 7), values(m * columns, 8), values(columns, 9)];
        const weight = matrix(tf.tensor2d(w, [rows, columns]));
        assert.deepEqual(weight.shape, [rows, columns]);
        const [copy, forward, backward] = tf.tidy(() => [
          weight.copy().dataSync(),
          weight.times(tf.tensor2d(x, [m, rows]), tf.tensor1d(b)).dataSync(),
          weight.transposedTimes(tf.tensor2d(y, [m, columns])).dataSync(),
        ] as const);
        assert.deepEqual(copy, w);
        isClose(forward, plainly({ a: [m, rows], b: [rows, columns] }, x, w, b).data, rows, `${m} x ${rows} x ${columns}`);
        isClose(backward, plainly({ a: [m, columns], b: [rows, columns], transposeB: true }, y, w, undefined).data, columns, `${m} x ${columns} x ${rows}`);
        weight.dispose();
      }
    });

    it('leave to tfjs what they do not know', () => {
      const [x, y] = [tf.tensor2d([1, -2, 3, 4], [2, 2]), tf.tensor2d([1, 0, -1, 1], [2, 2])];
      const relu = tf.fused.matMul({ a: x, b: y, activation: 'relu' });
      assert.deepEqual([...relu.dataSync()], [3, 0, 0, 4]);
      assert.deepEqual(tf.matMul(tf.zeros([0, 3]), tf.zeros([3, 2])).shape, [0, 2]);
      tf.dispose([x, y, relu]);
    });

    it('are the same to the bit every time, with any number of threads and however they come to them', () => {
      const [x, y] = [tf.tensor2d(values(37 * 300, 4), [37, 300]), tf.tensor2d(values(300 * 130, 5), [300, 130])];
      const first = tf.matMul(x, y);
      const expected = first.dataSync();
      first.dispose();
      assert.deepEqual(expected, (onFirstBackend ??= expected), 'other threads, other bits');
      const tensors = tf.memory().numTensors;
      for (let round = 0; round < 1500; round++) {
        const again = tf.matMul(x, y);
        // The last rows and columns are what a thread that is late would still be writing.
        if (round % 50 === 0) assert.deepEqual(again.dataSync(), expected, `round ${round}`);
        else assert.equal(again.dataSync().at(-1), expected.at(-1), `round ${round}`);
        again.dispose();
      }
      assert.equal(tf.memory().numTensors, tensors);
      tf.dispose([x, y]);
    });
  });
}

describe('matrix products', () => {
  it("are tfjs's own again when the backend has stopped", async () => {
    const stock = tf.getKernel('BatchMatMul', 'wasm').kernelFunc;
    await startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: WASM_FOLDER });
    assert.notEqual(tf.getKernel('BatchMatMul', 'wasm').kernelFunc, stock);
    stopBackend();
    assert.equal(tf.getKernel('BatchMatMul', 'wasm').kernelFunc, stock);
  });
});
