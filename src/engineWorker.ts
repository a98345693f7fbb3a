import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { serveEngine, type EngineThreadData } from './engine/client/engineThread';
import { LocalEngine } from './engine/client/localEngine';

/** Composition root of the engine's thread. `__dirname` is dist/. */
if (!parentPort) throw new Error('engineWorker.js is started as a worker thread');
const data = workerData as EngineThreadData;
const engine = new LocalEngine({ wasmFolder: path.join(__dirname, 'wasm'), nativeFolder: data.nativeFolder });
serveEngine(parentPort, engine, data, (error) => {
  // Thrown where nobody catches it: that ends the thread and tells its owner why.
  setImmediate(() => {
    throw error;
  });
});
