import * as tf from '@tensorflow/tfjs-core';
import assert from 'node:assert/strict';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { NORMALISE } from '../../../src/engine/backend/kernels/rowKernelNames';
import { rowwise, type Rowwise } from '../../../src/engine/model/rowwise';
import { plain } from '../../../src/engine/model/rowwisePlain';
import { WASM_FOLDER } from './support';

/** From −`size` to `size`, the same at every run. */
function values(count: number, seed: number, size = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return size * (state / 2 ** 31 - 1);
  });
}

/** Widths on both sides of vectors, of the sums' sixteen lanes, and a model's own. */
const WIDTHS = [1, 2, 3, 4, 5, 15, 16, 17, 31, 64, 768];
const EPSILON = 1e-5;
/** tfjs's own kernels that ours take the place of. */
const REPLACED = ['Add', 'Sub', 'Multiply', 'Slice', 'GatherV2', 'Transpose'];

const sum = (x: readonly number[]): number => x.reduce((total, value) => total + value, 0);
const mean = (x: readonly number[]): number => sum(x) / x.length;

/** Applies `f` to each row, in doubles. */
function byRow(rows: number, width: number, f: (row: number, at: (x: ArrayLike<number>, own?: number) => number[]) => readonly number[]): number[] {
  return Array.from({ length: rows }, (_, row) => f(row, (x, own = row) => Array.from({ length: width }, (__, i) => x[own * width + i]!))).flat();
}

/** Relative to the largest expected value: sums of numbers of both signs may come near 0. */
function isClose(actual: ArrayLike<number>, expected: readonly number[], what: string, bound = 2e-6): void {
  const largest = Math.max(...expected.map(Math.abs));
  assert.equal(actual.length, expected.length, what);
  expected.forEach((value, i) => assert.ok(Math.abs(actual[i]! - value) <= bound * largest, `${what} at ${i}: ${actual[i]} instead of ${value}`));
}

/** What the tensors that `f` makes hold; they are disposed, and so must be all others. */
function read(f: () => tf.Tensor[]): Float32Array[] {
  const before = tf.memory();
  const made = tf.tidy(f);
  const held = made.map((x) => x.dataSync<'float32'>());
  tf.dispose(made);
  assert.equal(tf.memory().numTensors, before.numTensors);
  assert.equal(tf.memory().numBytes, before.numBytes);
  return held;
}

/** Units in the last place of the float32 nearest to `expected`. */
function errorInUlps(actual: number, expected: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(expected))));
  return Math.abs(actual - expected) / 2 ** (exponent - 23);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const A = 2 * Math.sqrt(2 / Math.PI);
const gelu = (x: number): number => x * sigmoid(A * (x + 0.044715 * x ** 3));
function geluSlope(x: number): number {
  const gate = sigmoid(A * (x + 0.044715 * x ** 3));
  return gate * (1 + x * (1 - gate) * A * (1 + 3 * 0.044715 * x ** 2));
}

function checkNorm(own: Rowwise): void {
  for (const width of WIDTHS) {
    const rows = 3;
    // Far from 0, as residual streams are.
    const [x, gain, bias] = [values(rows * width, width, 4).map((value) => value + 3), values(width, 2), values(width, 3)];
    const centred = byRow(rows, width, (_, at) => {
      const own = at(x);
      const middle = mean(own);
      return own.map((value) => value - middle);
    });
    const inverse = byRow(rows, width, (_, at) => [1 / Math.sqrt(mean(at(centred).map((value) => value ** 2)) + EPSILON)]);
    const unit = byRow(rows, width, (row, at) => at(centred).map((value) => value * inverse[row]!));
    // One row's own values cancel: what is left of them is rounding, times up to 1/√ε.
    const bound = width === 1 ? Infinity : 1e-5;
    const [actualUnit, actualInverse, output] = read(() => {
      const normalised = own.normalise(tf.tensor2d(x, [rows, width]), EPSILON);
      assert.deepEqual(normalised.inverse.shape, [rows, 1]);
      return [normalised.unit, normalised.inverse, own.affine(normalised.unit, { gain: tf.tensor1d(gain), bias: tf.tensor1d(bias) })];
    }) as [Float32Array, Float32Array, Float32Array];
    if (width === 1) assert.ok(actualUnit.every((value) => Math.abs(value) < 1e-3));
    else isClose(actualUnit, unit, `unit of ${width}`, bound);
    isClose(actualInverse, inverse, `inverse of ${width}`, 1e-5);
    isClose(output, byRow(rows, width, (_, at) => at(actualUnit).map((value, i) => value * gain[i]! + bias[i]!)), `output of ${width}`);

    const held = values(rows, 4).map((value) => value + 2);
    const [heldUnit] = read(() => {
      const given = tf.tensor2d(held, [rows, 1]);
      const normalised = own.normalise(tf.tensor2d(x, [rows, width]), EPSILON, given);
      assert.equal(normalised.inverse, given);
      return [normalised.unit];
    }) as [Float32Array];
    isClose(heldUnit, byRow(rows, width, (row, at) => at(centred).map((value) => value * held[row]!)), `held unit of ${width}`, 1e-5);

    for (const times of [1, 2]) {
      const dy = values(times * rows * width, 5);
      const u = values(rows * width, 6, 2);
      for (const frozen of [false, true]) {
        const expected = byRow(times * rows, width, (row, at) => {
          const g = at(dy).map((value, i) => value * gain[i]!);
          const ofUnit = at(u, row % rows);
          const projected = frozen ? 0 : mean(g.map((value, i) => value * ofUnit[i]!));
          const middle = mean(g);
          return g.map((value, i) => (value - middle - ofUnit[i]! * projected) * held[row % rows]!);
        });
        const [actual] = read(() => {
          const d: tf.Tensor = times === 1 ? tf.tensor(dy, [rows, width]) : tf.tensor(dy, [times, rows, width]);
          const back = own.normBackward(d, { unit: tf.tensor2d(u, [rows, width]), inverse: tf.tensor2d(held, [rows, 1]) }, tf.tensor1d(gain), frozen);
          assert.deepEqual(back.shape, d.shape);
          return [back];
        }) as [Float32Array];
        if (width === 1 && frozen) assert.ok(actual.every((value) => value === 0));
        else isClose(actual, expected, `normBackward of ${width}${frozen ? ', frozen' : ''}, ${times} times`, width < 4 ? 1e-5 : undefined);
      }
    }
  }
}

function checkGelu(own: Rowwise): void {
  // Threads share pieces of 8192.
  for (const count of [1, 2, 3, 4, 7, 4096, 8191, 8192, 8193, 3 * 8192 + 5]) {
    const [x, dy] = [values(count, 7, 12), values(count, 8)];
    const [forward, backward] = read(() => {
      const at = tf.tensor2d(x, [1, count]);
      return [own.activate(at, 'gelu-tanh'), own.activateBackward(tf.tensor2d(dy, [1, count]), at, 'gelu-tanh')];
    }) as [Float32Array, Float32Array];
    // Below −5 both are tiny differences of large arguments: the bound is for the size of x, not theirs.
    x.forEach((value, i) => {
      assert.ok(Math.abs(forward[i]! - gelu(value)) <= 1e-6 * Math.max(1, Math.abs(gelu(value))), `GELU(${value}) = ${forward[i]}`);
      assert.ok(Math.abs(backward[i]! - dy[i]! * geluSlope(value)) <= 1e-6, `${dy[i]} · GELU'(${value}) = ${backward[i]}`);
    });
  }
  const extremes = [-1e4, -100, 100, 1e4, 0, NaN];
  const [forward] = read(() => [own.activate(tf.tensor2d(extremes, [1, 6]), 'gelu-tanh')]) as [Float32Array];
  // −0 is 0.
  assert.deepEqual([...forward].map((value) => value + 0), [0, 0, 100, 1e4, 0, NaN]);
}

function checkSoftmax(own: Rowwise): void {
  for (const width of WIDTHS) {
    const [items, queries] = [3, 2];
    const rows = items * queries;
    const [scores, dp] = [values(rows * width, 9, 20), values(rows * width, 10)];
    const mask = Float32Array.from({ length: queries * width }, (_, i) => (i % width > Math.floor(width / 2) + Math.floor(i / width) ? -1e9 : 0));
    for (const masked of [false, true]) {
      const expected = byRow(rows, width, (row, at) => {
        const own = at(scores).map((value, i) => value + (masked ? mask[(row % queries) * width + i]! : 0));
        const largest = Math.max(...own);
        const powers = own.map((value) => Math.exp(value - largest));
        const total = sum(powers);
        return powers.map((value) => value / total);
      });
      const [p, back] = read(() => {
        const p = own.softmax(tf.tensor3d(scores, [items, queries, width]), masked ? tf.tensor2d(mask, [queries, width]) : undefined);
        assert.deepEqual(p.shape, [items, queries, width]);
        return [p, own.softmaxBackward(p, tf.tensor3d(dp, [items, queries, width]))];
      }) as [Float32Array, Float32Array];
      isClose(p, expected, `softmax of ${width}`);
      const slopes = byRow(rows, width, (_, at) => {
        const [weights, own] = [at(p), at(dp)];
        const total = sum(own.map((d, i) => d * weights[i]!));
        return weights.map((weight, i) => weight * (own[i]! - total));
      });
      // A difference of nearly equal numbers where one weight is nearly 1: the bound is for their size.
      slopes.forEach((slope, i) => assert.ok(Math.abs(back[i]! - slope) <= 1e-6, `softmaxBackward of ${width} at ${i}: ${back[i]} instead of ${slope}`));
      if (masked) assert.ok(p.every((value, i) => mask[i % (queries * width)] === 0 || value === 0), 'what is masked has no weight');
    }
  }
  const [odd] = read(() => [own.softmax(tf.tensor2d([1000, -1000, 1000, NaN, 0, 0], [2, 3]))]) as [Float32Array];
  assert.deepEqual([...odd], [0.5, 0, 0.5, NaN, NaN, NaN]);
}

function checkDifferenceSums(own: Rowwise): void {
  for (const width of WIDTHS) {
    const [gradient, other, base] = [values(6 * width, 11), values(6 * width, 12), values(6 * width, 13)];
    const [actual] = read(() => {
      const [g, o, b] = [gradient, other, base].map((x) => tf.tensor3d(x, [2, 3, width])) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const sums = own.differenceSums(g, o, b);
      assert.deepEqual(sums.shape, [2, 3]);
      return [sums];
    }) as [Float32Array];
    const expected = byRow(6, width, (_, at) => {
      const [o, b] = [at(other), at(base)];
      return [sum(at(gradient).map((value, i) => value * (o[i]! - b[i]!)))];
    });
    isClose(actual, expected, `sums of ${width}`);
  }
}

for (const { choice, threads } of [
  { choice: 'cpu', threads: 1 },
  { choice: 'wasm-simd', threads: 1 },
  { choice: 'wasm-threads', threads: 2 },
] as const) {
  describe(`row kernels on ${choice}`, () => {
    before(() => startBackend({ choice, threads, wasmFolder: WASM_FOLDER }));
    after(() => stopBackend());

    it('are ours where there is wasm SIMD', () => {
      assert.equal(rowwise() === plain, choice === 'cpu');
    });

    it('LayerNorm and its backward pass equal sums in doubles', () => checkNorm(rowwise()));
    it('GELU and its backward pass equal doubles', () => checkGelu(rowwise()));
    it('softmax and its backward pass equal sums in doubles', () => checkSoftmax(rowwise()));
    it('sums of differences equal sums in doubles', () => checkDifferenceSums(rowwise()));
  });
}

describe('threads that share one kind of work after the other', () => {
  const [m, n, k, count] = [20, 96, 160, 3 * 8192 + 5];
  let expected: Float32Array[] | undefined;

  for (const [choice, threads, rounds] of [['wasm-simd', 1, 1], ['wasm-threads', 2, 300], ['wasm-threads', 3, 300]] as const) {
    it(`give the same bits every time: ${threads}`, async () => {
      await startBackend({ choice, threads, wasmFolder: WASM_FOLDER });
      try {
        const [a, b, x, dy] = [tf.tensor2d(values(m * k, 1), [m, k]), tf.tensor2d(values(k * n, 2), [k, n]), tf.tensor2d(values(count, 3, 4), [1, count]), tf.tensor2d(values(count, 4), [1, count])];
        for (let round = 0; round < rounds; round++) {
          const found = read(() => [tf.matMul(a, b), rowwise().activate(x, 'gelu-tanh'), tf.matMul(b, a, true, true), rowwise().activateBackward(dy, x, 'gelu-tanh')]);
          assert.deepEqual(found, (expected ??= found), `round ${round}`);
        }
        tf.dispose([a, b, x, dy]);
      } finally {
        stopBackend();
      }
    });
  }
});

describe('e^x in row kernels', () => {
  before(() => startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: WASM_FOLDER }));
  after(() => stopBackend());

  // Rows [0, x, x, x], whose softmax is [1, e^x, e^x, e^x] times the first value, which is 1 below −20.
  const powers = (x: Float32Array): number[] => {
    const scores = Float32Array.from({ length: (x.length / 3) * 4 }, (_, i) => (i % 4 === 0 ? 0 : x[Math.floor(i / 4) * 3 + (i % 4) - 1]!));
    const [p] = read(() => [rowwise().softmax(tf.tensor2d(scores, [x.length / 3, 4]))]) as [Float32Array];
    return Array.from(x, (_, i) => p[Math.floor(i / 3) * 4 + (i % 3) + 1]! / p[Math.floor(i / 3) * 4]!);
  };

  it('is right to 1.1 units in the last place down to the smallest numbers', () => {
    const count = 200_001;
    // From −20 on the product with the first value is rounded once more.
    for (const [low, high, bound] of [[-104, -87, 1.1], [-88, -20, 1.1], [-20, 0, 2.1], [-1, 0, 2.1], [-1e-3, 0, 2.1]] as const) {
      const x = Float32Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
      powers(x).forEach((actual, i) => {
        const error = errorInUlps(actual, Math.exp(x[i]!));
        assert.ok(error <= bound, `e^${x[i]} = ${actual}, ${error} units off`);
      });
    }
    assert.deepEqual(powers(Float32Array.of(-0, -Infinity, -1e30, -104.5, -1e-40, 0)), [1, 0, 0, 0, 1, 1]);
  });

  it('is right for positive x, by GELU far below 0', () => {
    const x = Float32Array.from({ length: 100_000 }, (_, i) => -9.9 + (9.8 * i) / 100_000);
    const [actual] = read(() => [rowwise().activate(tf.tensor2d(x, [1, x.length]), 'gelu-tanh')]) as [Float32Array];
    // e^y of y up to 85, of which float32 has the relative error 2^-24.
    x.forEach((value, i) => assert.ok(Math.abs(actual[i]! / gelu(value) - 1) < 2e-5, `GELU(${value}) = ${actual[i]}`));
  });
});

describe("row kernels in the place of tfjs's own", () => {
  before(() => startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: WASM_FOLDER }));
  after(() => stopBackend());

  it('add, subtract and multiply, and leave what needs broadcasting to tfjs', () => {
    for (const width of [1, 3, 4, 7, 64]) {
      const [x, y] = [values(2 * width, 16), values(2 * width, 17)];
      const [sums, differences, products, scaled, rows] = read(() => {
        const [a, b] = [tf.tensor2d(x, [2, width]), tf.tensor2d(y, [2, width])];
        return [tf.add(a, b), tf.sub(a, b), tf.mul(a, b), tf.mul(a, 0.3), tf.add(a, tf.tensor1d(y.subarray(0, width)))];
      }) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
      const factor = Math.fround(0.3);
      x.forEach((value, i) => {
        assert.equal(sums[i], Math.fround(value + y[i]!));
        assert.equal(differences[i], Math.fround(value - y[i]!));
        assert.equal(products[i], Math.fround(value * y[i]!));
        assert.equal(scaled[i], Math.fround(value * factor));
        assert.equal(rows[i], Math.fround(value + y[i % width]!));
      });
    }
  });

  it('cut rows, and leave other slices to tfjs', () => {
    const x = values(2 * 3 * 9, 18);
    for (const [first, count] of [[0, 9], [8, 1], [2, 3], [4, 5], [1, 8]] as const) {
      const [cut, other] = read(() => {
        const tensor = tf.tensor3d(x, [2, 3, 9]);
        return [tf.slice(tensor, [0, 0, first], [2, 3, count]), tf.slice(tensor, [0, 1, first], [-1, 2, count])];
      }) as [Float32Array, Float32Array];
      const rows = Array.from({ length: 6 }, (_, row) => [...x.subarray(row * 9 + first, row * 9 + first + count)]);
      assert.deepEqual([...cut], rows.flat());
      assert.deepEqual([...other], [1, 2, 4, 5].flatMap((row) => rows[row]!));
    }
    tf.tidy(() => assert.throws(() => tf.slice(tf.tensor2d(x, [6, 9]), [0, 5], [6, 5])));
  });

  it('swap the middle axes, and leave other transposes to tfjs', () => {
    for (const width of [1, 3, 4, 7, 64]) {
      const x = values(2 * 3 * 5 * width, 14);
      const [swapped, other] = read(() => [tf.transpose(tf.tensor4d(x, [2, 3, 5, width]), [0, 2, 1, 3]), tf.transpose(tf.tensor2d(x, [6, 5 * width]))]) as [Float32Array, Float32Array];
      swapped.forEach((value, i) => {
        const [item, b, a, at] = [Math.floor(i / (15 * width)), Math.floor(i / (3 * width)) % 5, Math.floor(i / width) % 3, i % width];
        assert.equal(value, x[((item * 3 + a) * 5 + b) * width + at]);
      });
      other.forEach((value, i) => assert.equal(value, x[(i % 6) * 5 * width + Math.floor(i / 6)]));
    }
  });

  it('gather rows, and refuse those that are not there', () => {
    const table = values(10 * 7, 15);
    const rows = [9, 0, 3, 3];
    const gather = (numbers: number[], axis = 0): Float32Array => read(() => [tf.gather(tf.tensor2d(table, [10, 7]), tf.tensor1d(numbers, 'int32'), axis)])[0]!;
    assert.deepEqual([...gather(rows)], rows.flatMap((row) => [...table.subarray(row * 7, row * 7 + 7)]));
    assert.deepEqual([...gather([6], 1)], Array.from({ length: 10 }, (_, row) => table[row * 7 + 6]));
    assert.throws(() => gather([10]), /10/);
  });

  it('refuse shapes that do not fit', () => {
    tf.tidy(() => {
      const x = tf.tensor2d(values(6, 1), [2, 3]);
      assert.throws(() => rowwise().softmax(x, tf.zeros([2, 2])), /do not fit/);
      assert.throws(() => rowwise().normalise(x, EPSILON, tf.zeros([3, 1])), /do not fit/);
      assert.throws(() => rowwise().affine(x, { gain: tf.zeros([2]), bias: tf.zeros([3]) }), /do not fit/);
      const turned = tf.zeros<tf.Rank.R2>([3, 2]);
      assert.throws(() => rowwise().activateBackward(turned, x, 'gelu-tanh'), /do not fit/);
      assert.throws(() => rowwise().softmaxBackward(x, turned), /do not fit/);
      assert.throws(() => rowwise().differenceSums(x, x, turned), /do not fit/);
    });
  });

  it('are gone when the backend has stopped', () => {
    const own = REPLACED.map((name) => tf.getKernel(name, 'wasm').kernelFunc);
    stopBackend();
    assert.equal(tf.getKernel(NORMALISE, 'wasm'), undefined);
    REPLACED.forEach((name, i) => assert.notEqual(tf.getKernel(name, 'wasm').kernelFunc, own[i]));
  });
});
