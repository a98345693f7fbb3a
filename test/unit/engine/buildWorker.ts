import { cp } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { WASM_FOLDER } from './support';

/** Bundled and minified as the shipped one is: that is what the threads must survive. */
export async function buildWorker(): Promise<string> {
  const folder = path.resolve('out', 'test', 'engine');
  await cp(WASM_FOLDER, path.join(folder, 'wasm'), { recursive: true });
  const script = path.join(folder, 'engineWorker.js');
  await build({ entryPoints: ['src/engineWorker.ts'], outfile: script, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, keepNames: true, logLevel: 'error' });
  return script;
}
