import { startBackend, stopBackend } from '../../../src/engine/backend/start';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { openCheckpoint } from '../../../src/engine/model/checkpoint';
import { disposeWeights, loadWeights, type Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { hashCheckpoint } from '../../fixtures/hashCheckpoint';
import { expectedValues, loadParams, remove, WASM_FOLDER, writeHashModel } from './support';

/** A hash checkpoint as the plain models of the tests read it. */
type Plain = ReturnType<typeof hashCheckpoint>;

/** Loads a fixture's checkpoint into an engine before the tests of the `describe` it is called in; `use` takes both. */
export function withEngine(fixture: string, use: (engine: LocalEngine, plain: Plain) => void): void {
  let engine: LocalEngine;
  let folder: string;
  before(async () => {
    const { checkpoint } = await expectedValues(fixture);
    folder = await writeHashModel(checkpoint);
    engine = new LocalEngine({ wasmFolder: WASM_FOLDER });
    await engine.load(loadParams(folder));
    use(engine, hashCheckpoint(checkpoint));
  });
  after(async () => {
    await engine.dispose();
    await remove(folder);
  });
}

/** The same without an engine: only the weights, on a backend of this thread. */
export function withModel(fixture: string, use: (model: Gpt2, plain: Plain) => void): void {
  let model: Gpt2;
  before(async () => {
    await startBackend({ choice: 'wasm-simd', threads: 1, wasmFolder: WASM_FOLDER });
    const { checkpoint } = await expectedValues(fixture);
    const folder = await writeHashModel(checkpoint);
    ({ model } = await loadWeights(await openCheckpoint(folder), new Work()));
    await remove(folder);
    use(model, hashCheckpoint(checkpoint));
  });
  after(() => {
    disposeWeights(model);
    stopBackend();
  });
}
