import path from 'node:path';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import type { LoadedModel } from '../../../src/engine/client/engine';

/** The engine in this process, where its tensors and kernels can be looked at: of this tree, whichever bundle is measured. */
export async function localEngine(folder: string): Promise<LoadedModel & { engine: LocalEngine }> {
  const engine = new LocalEngine({ wasmFolder: path.resolve('dist', 'wasm') });
  return { engine, ...(await engine.load({ folder, id: 'bench', backend: 'auto', threads: 0 })) };
}
