import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { matrix } from '../../../src/engine/model/matrix';
import { WASM_FOLDER } from './support';

describe('columns of a weight for edge attribution', () => {
  for (const choice of ['cpu', 'wasm', 'wasm-simd'] as const) {
    it(`are groups of equal width, whatever its layout, on ${choice}`, async () => {
      await startBackend({ choice, threads: 1, wasmFolder: WASM_FOLDER });
      try {
        for (const [rows, columns, width] of [[5, 32, 16], [7, 48, 48], [6, 21, 7], [9, 64, 8], [4, 36, 12]] as const) {
          const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i + 1));
          const weight = matrix(tf.tensor2d(values, [rows, columns]));
          const copy = new Float32Array(rows * columns);
          weight.copyColumns(width, copy);
          weight.dispose();
          const expected = Float32Array.from(copy, (_, i) => values[(Math.floor(i / width) % rows) * columns + Math.floor(i / width / rows) * width + (i % width)]!);
          assert.deepEqual(copy, expected, `${rows} × ${columns} by ${width}`);
        }
      } finally {
        stopBackend();
      }
    });
  }
});
