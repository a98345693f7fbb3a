// npm test: lint, types and build, then each group of tests; ends with what failed and "N passed, N failed".
// Usage: node test/run.mjs [unit|webview|host|e2e …] [-- mocha options]     (named groups skip lint and types)
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';

/** What a test takes is no goal here, and a busy machine may be many times slower than a quiet one: this ends what hangs. */
const HANGS_AFTER_MS = 240_000;
const GROUPS = ['unit', 'webview', 'host', 'e2e'];
const split = process.argv.indexOf('--');
const named = process.argv.slice(2, split === -1 ? undefined : split);
const mochaOptions = split === -1 ? [] : process.argv.slice(split + 1);

/** Runs a program; resolves to its exit code. Its output is shown as it comes, or, if it is to be `held`, in one piece when it has ended. */
function run(command, args, env = {}, held = false) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: held ? ['ignore', 'pipe', 'pipe'] : 'inherit', env: { ...process.env, ...env } });
    const output = [];
    if (held) for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.stdout.write(Buffer.concat(output));
      resolve(signal ? 1 : code);
    });
  });
}

async function testFiles(group) {
  const folder = path.join('test', group);
  if (!existsSync(folder)) return [];
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => path.join(folder, name)).sort();
}

/** One bundle per process, so that tfjs, which registers itself globally, is loaded once. */
async function bundle(name, files) {
  const outfile = path.join('out', 'test', `${name}.js`);
  await build({
    stdin: { contents: files.map((file) => `import ${JSON.stringify('./' + file)};`).join('\n'), resolveDir: '.', loader: 'ts' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'inline',
    keepNames: true,
    logLevel: 'warning',
    external: ['vscode', 'playwright-core', 'esbuild', 'axe-core', '@vscode/vsce'],
    outfile,
  });
  return outfile;
}

/** Groups that mostly keep one core busy: where there are two, each takes every second file. */
const HALVED = ['unit', 'webview'];

async function runGroup(group) {
  const files = await testFiles(group);
  if (files.length === 0) throw new Error(`There are no tests in test/${group}.`);
  if (!HALVED.includes(group) || availableParallelism() < 2) return runFiles(group, group, files);
  const halves = [0, 1].map((half) => files.filter((_, index) => index % 2 === half));
  const results = await Promise.all(halves.map((own, half) => runFiles(group, `${group}${half + 1}`, own, half > 0)));
  const sum = (field) => results.reduce((total, result) => total + result[field], 0);
  return { passed: sum('passed'), failed: sum('failed'), failures: results.flatMap((result) => result.failures), code: Math.max(...results.map((result) => result.code)) };
}

async function runFiles(group, name, files, held = false) {
  const counts = path.resolve('out', 'test', `${name}.json`);
  await mkdir(path.dirname(counts), { recursive: true });
  await rm(counts, { force: true });
  const bundled = await bundle(name, files);
  const code =
    group === 'host'
      ? await (await (await import('./load.mjs')).load('test/host/launch.ts')).launch({ bundle: path.resolve(bundled), counts, mochaOptions, hangsAfterMs: HANGS_AFTER_MS })
      : await run(
          process.execPath,
          ['--enable-source-maps', 'node_modules/mocha/bin/mocha.js', '--reporter', 'test/reporter.cjs', '--timeout', String(HANGS_AFTER_MS), ...mochaOptions, bundled],
          { TEST_COUNTS: counts },
          held,
        );
  if (!existsSync(counts)) return { passed: 0, failed: 1, failures: [`${name}: ended before its tests did`], code: code || 1 };
  return { ...JSON.parse(await readFile(counts, 'utf8')), code };
}

let passed = 0;
/** What failed, told again at the end: a long output may be cut to its last lines. */
const failures = [];
if (named.length === 0) {
  const checks = [
    ['lint', ['node_modules/eslint/bin/eslint.js', 'src', 'webview', 'test']],
    ['types', ['node_modules/typescript/bin/tsc', '--noEmit']],
  ];
  console.log('\n== lint, types');
  // Each keeps one core busy.
  const codes = await Promise.all(checks.map(([, args]) => run(process.execPath, args, {}, true)));
  codes.forEach((result, i) => {
    console.log(`${checks[i][0]}: ${result === 0 ? 'passed' : 'failed'}`);
    if (result === 0) passed++;
    else failures.push(checks[i][0]);
  });
}
console.log('\n== build');
if ((await run(process.execPath, ['esbuild.mjs', ...(named.length === 0 ? ['--clean'] : [])])) !== 0) failures.push('build');
const groups = named.length > 0 ? named : GROUPS;
if (groups.some((group) => group !== 'unit')) {
  // Here and not in a test: fetching a browser may take longer than a test may.
  console.log('\n== browser');
  try {
    console.log(await (await (await import('./load.mjs')).load('test/e2e/chromium.ts')).findChromium());
  } catch (error) {
    failures.push(`browser: ${error instanceof Error ? error.message : error}`);
    console.error(failures.at(-1));
  }
}
for (const group of groups) {
  console.log(`\n== ${group}`);
  const start = Date.now();
  try {
    const result = await runGroup(group);
    passed += result.passed;
    failures.push(...result.failures);
    if (result.code !== 0 && result.failed === 0) failures.push(`${group}: exit code ${result.code}`);
    console.log(`${group}: ${result.passed} passed, ${result.failed} failed, ${((Date.now() - start) / 1000).toFixed(0)} s`);
  } catch (error) {
    failures.push(`${group}: ${error instanceof Error ? error.message : error}`);
    console.error(failures.at(-1));
  }
}
if (failures.length > 0) console.log(`\n== failed\n${failures.join('\n\n')}`);
console.log(`\n${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);
