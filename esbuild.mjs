// Builds one bundle per process or thread into dist/, and their metafiles into dist/meta/ (not packed; tests read them).
import { context, build } from 'esbuild';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildKernels } from './src/engine/backend/kernels/assembly/build.mjs';

const watch = process.argv.includes('--watch');

/** @type {import('esbuild').BuildOptions} */
const node = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: true,
  minify: !watch,
  keepNames: true,
  metafile: true,
  logLevel: 'warning',
  external: ['vscode'],
};

const bundles = {
  extension: { ...node, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.js' },
  cli: { ...node, entryPoints: ['src/cli.ts'], outfile: 'dist/cli.js', banner: { js: '#!/usr/bin/env node' } },
  engineWorker: { ...node, entryPoints: ['src/engineWorker.ts'], outfile: 'dist/engineWorker.js' },
  engineProcess: { ...node, entryPoints: ['src/engineProcess.ts'], outfile: 'dist/engineProcess.js' },
  tokenizerWorker: { ...node, entryPoints: ['src/tokenizerWorker.ts'], outfile: 'dist/tokenizerWorker.js' },
  webview: {
    ...node,
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    external: [],
    entryPoints: ['webview/panel.ts', 'webview/panel.css'],
    outdir: 'dist/webview',
  },
};

/** The wasm backend's binaries, and those of our own kernels. */
async function copyWasm() {
  const from = 'node_modules/@tensorflow/tfjs-backend-wasm';
  await mkdir('dist/wasm', { recursive: true });
  for (const file of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm']) {
    await cp(path.join(from, 'dist', file), path.join('dist/wasm', file));
  }
  await buildKernels('dist/wasm');
}

if (process.argv.includes('--clean')) await rm('dist', { recursive: true, force: true });
await mkdir('dist/meta', { recursive: true });
await copyWasm();
for (const [name, options] of Object.entries(bundles)) {
  if (watch) {
    await (await context(options)).watch();
  } else {
    const { metafile } = await build(options);
    await writeFile(`dist/meta/${name}.json`, JSON.stringify(metafile));
  }
}
if (watch) console.log('watching');
