// npm run bench [-- OPTIONS of bench.ts]: builds everything, then prints docs/performance.md's tables for this machine.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';

function run(args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

run(['esbuild.mjs']);
await build({
  entryPoints: ['test/bench/bench.ts', 'test/bench/side.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  keepNames: true,
  logLevel: 'warning',
  outdir: 'out/bench',
});
run(['out/bench/bench.js', ...process.argv.slice(2)]);
