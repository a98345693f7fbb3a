import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { serveEngine, type EngineThreadData } from './engine/client/engineThread';
import { LocalEngine } from './engine/client/localEngine';

/** Composition root of the engine's thread. `__dirname` is dist/. */
if (!parentPort) throw new Error('engineWorker.js is started as a worker thread');
const engine = new LocalEngine({ wasmFolder: path.join(__dirname, 'wasm') });
serveEngine(parentPort, engine, workerData as EngineThreadData, (error) => {
  // Thrown where nobody catches it: that ends the thread and tells its owner why.
  setImmediate(() => {
    throw error;
  });
});
