// Runs a TypeScript module with plain Node: bundles it (packages stay outside) and imports the result.
// Usage: node test/load.mjs FILE.ts [arguments for the module's main()]
import { build } from 'esbuild';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');

/** Imports a module of this repository, named from its root. */
export async function load(file) {
  const outfile = path.join(root, 'out', 'tools', `${path.basename(file, '.ts')}.${process.pid}.mjs`);
  const { rm } = await import('node:fs/promises');
  await build({ absWorkingDir: root, entryPoints: [file], bundle: true, platform: 'node', target: 'node20', format: 'esm', packages: 'external', sourcemap: 'inline', logLevel: 'warning', outfile });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(outfile);
  }
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.chdir(root);
  const { main } = await load(process.argv[2]);
  process.exitCode = await main(process.argv.slice(3));
}
