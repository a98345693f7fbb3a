import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { filled, valuesInPlace } from '../../../src/engine/model/heapValues';
import { lookUp, matrices, rowsFrom, takeRows } from '../../../src/engine/model/rows';
import { gatherRows, rowsKey, type Segment } from '../../../src/engine/model/segments';
import { WASM_FOLDER } from './support';

describe('rows taken without copies in between', function () {
  for (const choice of ['wasm-threads', 'wasm', 'cpu'] as const) {
    describe(`on ${choice}`, () => {
      let x: tf.Tensor2D;
      before(async () => {
        await startBackend({ choice, threads: 2, wasmFolder: WASM_FOLDER });
        x = tf.tensor2d([[0, 1], [2, 3], [4, 5]]);
      });
      after(() => {
        x.dispose();
        stopBackend();
      });

      const shown = (make: () => tf.Tensor): { shape: number[]; values: number[] } => {
        const made = tf.tidy(make);
        const found = { shape: made.shape, values: Array.from(made.dataSync()) };
        if (made !== x) made.dispose();
        return found;
      };

      it('stand in the order asked for, a row several times where it is', () => {
        const { numTensors } = tf.memory();
        assert.deepEqual(shown(() => takeRows(x, [2, 0, 2])), { shape: [3, 2], values: [4, 5, 0, 1, 4, 5] });
        assert.deepEqual(shown(() => lookUp(x, [1, 1])), { shape: [2, 2], values: [2, 3, 2, 3] });
        assert.deepEqual(shown(() => takeRows(tf.reshape(x, [3, 1, 2]), [1])), { shape: [1, 1, 2], values: [2, 3] });
        assert.deepEqual(shown(() => rowsFrom(x, 1, 2)), { shape: [2, 2], values: [2, 3, 4, 5] });
        assert.equal(rowsFrom(x, 0, 3), x, 'nothing is copied where all are asked for');
        assert.equal(tf.memory().numTensors, numTensors);
      });

      it('make up matrices, the last of them smaller', () => {
        const { count, at } = matrices(x, 2);
        assert.equal(count, 2);
        assert.deepEqual([shown(() => at(0)), shown(() => at(1))], [{ shape: [2, 2], values: [0, 1, 2, 3] }, { shape: [1, 2], values: [4, 5] }]);
      });

      it('must be there', () => {
        const { numTensors } = tf.memory();
        for (const row of [-1, 3, NaN]) assert.throws(() => takeRows(x, [0, row]), /row (-1|3|NaN) was asked for of 3/);
        for (const [from, count] of [[-1, 2], [2, 2], [3, 1], [1, -1]] as const) assert.throws(() => rowsFrom(x, from, count), /were asked for of 3/);
        const segment: Segment = { start: 0, length: 3, fullFrom: 1, lastFrom: 1, values: new Map([[rowsKey('z', 3), { data: Float32Array.of(1, 2), from: 1 }]]) };
        for (const [from, count] of [[0, 2], [2, 2]] as const) assert.throws(() => gatherRows([[{ segment, from, count }]], rowsKey('z', 3), 1), /were asked for, but it has 2 from 1 on/);
        assert.equal(tf.memory().numTensors, numTensors, 'and nothing is left behind');
      });

      it('are read where they stand and written where they will', () => {
        assert.deepEqual(Array.from(valuesInPlace(x)), [0, 1, 2, 3, 4, 5]);
        const { numTensors, numBytes } = tf.memory();
        const made = filled<tf.Tensor2D>([2, 2], (values) => values.set([1, 2, 3, 4]));
        assert.deepEqual([made.shape, Array.from(made.dataSync())], [[2, 2], [1, 2, 3, 4]]);
        assert.deepEqual([tf.memory().numTensors, tf.memory().numBytes], [numTensors + 1, numBytes + 16]);
        made.dispose();
        assert.equal(tf.memory().numBytes, numBytes);
      });

      it('come together from the segments of several prompts', () => {
        const segment = (start: number, from: number, values: number[]): Segment => ({ start, length: 2, fullFrom: 0, lastFrom: 0, values: new Map([[rowsKey('z', 3), { data: Float32Array.from(values), from }]]) });
        const [first, second] = [segment(0, 0, [1, 2]), segment(2, 1, [4])];
        const paths = [[{ segment: first, from: 0, count: 2 }, { segment: second, from: 1, count: 1 }], [{ segment: first, from: 1, count: 1 }, { segment: first, from: 0, count: 2 }]];
        assert.deepEqual(shown(() => gatherRows(paths, rowsKey('z', 3), 1)), { shape: [6, 1], values: [1, 2, 4, 2, 1, 2] });
        assert.deepEqual(shown(() => gatherRows(paths, rowsKey('z', 3), 1, 2)), { shape: [2, 1], values: [4, 2] });
      });
    });
  }
});
