import { rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { WASM_FOLDER } from './support';

/** Of this process alone: others run tests at the same time. */
const FOLDER = path.resolve('out', 'test', `engine-${process.pid}`);
let built: Promise<string> | undefined;

/** Bundled and minified as the shipped one is: that is what the threads must survive. Gone when the tests are. */
export function buildWorker(): Promise<string> {
  built ??= (async () => {
    process.once('exit', () => rmSync(FOLDER, { recursive: true, force: true }));
    await cp(WASM_FOLDER, path.join(FOLDER, 'wasm'), { recursive: true });
    const script = path.join(FOLDER, 'engineWorker.js');
    await build({ entryPoints: ['src/engineWorker.ts'], outfile: script, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, keepNames: true, logLevel: 'error' });
    return script;
  })();
  return built;
}
