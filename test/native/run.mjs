// npm run test:native [-- --prepare] [-- mocha options]: the engine on a real native backend. Says "skipped" where there is none.
// The backend is looked for in $CIRCUIT_EXPLORER_NATIVE, else in out/native, where --prepare builds it. No part of npm test.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { prepare } from './prepare.mjs';

const args = process.argv.slice(2);
const own = path.resolve('out', 'native');
const folder = process.env.CIRCUIT_EXPLORER_NATIVE ? path.resolve(process.env.CIRCUIT_EXPLORER_NATIVE) : own;
if (args[0] === '--prepare') {
  args.shift();
  await prepare(own);
}
if (!existsSync(path.join(folder, 'node_modules', '@tensorflow', 'tfjs-node', 'package.json'))) {
  console.log(`skipped: there is no tfjs-node in ${folder}. npm run test:native -- --prepare builds one (Linux on x64, with npm, g++, python3 and pip).`);
  process.exit(0);
}
const outfile = path.join('out', 'test', 'native.js');
await build({
  stdin: { contents: "import './native.test.ts'; import './webGpu.test.ts';", resolveDir: 'test/native', loader: 'ts' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: 'inline',
  keepNames: true,
  logLevel: 'warning',
  external: ['esbuild'],
  outfile,
});
const { status } = spawnSync(process.execPath, ['--enable-source-maps', 'node_modules/mocha/bin/mocha.js', '--timeout', '120000', ...args, outfile], {
  stdio: 'inherit',
  env: { ...process.env, CIRCUIT_EXPLORER_NATIVE: folder },
});
process.exit(status ?? 1);
