import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { heapGrowth } from '../../../src/engine/backend/start';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { DEFAULT_SITES } from '../../../src/shared/sites';
import { examplePair, expectedValues, loadParams, remove, WASM_FOLDER, writeHashModel } from './support';

describe('engine over many runs', function () {
  for (const [backend, runs] of [['wasm-simd', 50], ['wasm-threads', 12]] as const) {
    it(`holds the same tensors after each, and grows no wasm memory after the first ones: ${runs} on ${backend}`, async () => {
      const { checkpoint } = await expectedValues('two-layers');
      const folder = await writeHashModel(checkpoint);
      const engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
      try {
        await engine.load(loadParams(folder, { backend, threads: 2 }));
        const held: { numTensors: number; numDataBuffers: number; numBytes: number; heap: number }[] = [];
        for (let run = 0; run < runs; run++) {
          // Prompts of its own in every second run: the others may be served by what is kept.
          const pairs = [0, 1, 2].map((pair) => examplePair(3 * (run >> 1) + pair, 12, 4 + pair));
          await engine.attribute({ experiment: { metric: 'logitDiff', direction: run % 4 < 2 ? 'denoise' : 'noise', pairs }, sites: DEFAULT_SITES });
          const { numTensors, numDataBuffers, numBytes } = tf.memory();
          held.push({ numTensors, numDataBuffers, numBytes, heap: heapGrowth() });
        }
        const [first] = held;
        for (const [run, { heap, ...tensors }] of held.entries()) {
          assert.deepEqual({ ...tensors, heap: 0 }, { ...first, heap: 0 }, `after run ${run + 1}`);
          if (run >= 4) assert.equal(heap, held[4]!.heap, `wasm memory after run ${run + 1}`);
        }
      } finally {
        await engine.dispose();
        await remove(folder);
      }
    });
  }
});
