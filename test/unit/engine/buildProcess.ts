import { build } from 'esbuild';
import path from 'node:path';
import { buildWorker } from './buildWorker';

export interface Scripts {
  workerScript: string;
  processScript: string;
}

/** The bundles of the engine's thread and of the native backends' process, side by side as they are shipped. */
export async function buildProcess(): Promise<Scripts> {
  const workerScript = await buildWorker();
  const processScript = path.join(path.dirname(workerScript), 'engineProcess.js');
  await build({ entryPoints: ['src/engineProcess.ts'], outfile: processScript, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, keepNames: true, logLevel: 'error' });
  return { workerScript, processScript };
}
