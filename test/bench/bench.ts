/** Measures on this machine and prints docs/performance.md's tables as markdown. `--repeats N` sets how often the quick runs are repeated. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { AttributionJson } from '../../src/cli/attributionJson';
import type { ActivationMeasurement, Measurement, RunTask, SweepMeasurement, Task } from './measure';
import { markdown, ratio, spread, type Spread } from './statistics';
import { tutorialShape, writeCheckpoint } from './workload';

const { values } = parseArgs({ options: { repeats: { type: 'string', default: '7' } } });
const REPEATS = Number(values.repeats);
const SAMPLE = path.join('media', 'samples', 'ioi.prompts.json');

interface Named {
  name: string;
  measured: Measurement;
}

function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${path.basename(command)} ${args[0]} ended with code ${code}`))));
    child.stdin.end(input);
  });
}

async function measure<T>(task: Task): Promise<T> {
  return JSON.parse(await run(process.execPath, [path.join('out', 'bench', 'measure.js'), JSON.stringify(task)])) as T;
}

function number(value: number, digits = 2): string {
  return value.toFixed(digits);
}

function between({ median, min, max }: Spread, digits = 2): string {
  return `${number(median, digits)} (${number(min, digits)} to ${number(max, digits)})`;
}

function machine(): string {
  const { version } = JSON.parse(readFileSync('node_modules/@tensorflow/tfjs-core/package.json', 'utf8')) as { version: string };
  const cpus = os.cpus();
  return [
    `${cpus[0]!.model.trim()}, ${cpus.length} cores, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ${os.type()} ${os.machine()}`,
    `Node ${process.versions.node}, tfjs ${version}, load average before: ${number(os.loadavg()[0]!)}`,
  ].join('; ');
}

/** Largest difference of head scores divided by the largest score. */
function disagreement(heads: readonly number[][], reference: readonly number[][]): number {
  const largest = Math.max(...reference.flat().map(Math.abs));
  return Math.max(...heads.flatMap((row, layer) => row.map((value, head) => Math.abs(value - reference[layer]![head]!)))) / largest;
}

async function tutorialTable(folder: string): Promise<Named[]> {
  const task = (name: string, rest: Omit<RunTask, 'folder'>) => ({ name, task: { folder, ...rest } });
  const tasks = [
    task('naive autodiff', { kind: 'naive', backend: 'wasm-simd', threads: 1, repeats: Math.min(3, REPEATS) }),
    task('engine, one thread', { kind: 'engine', backend: 'wasm-simd', threads: 1, repeats: REPEATS }),
    task('engine, as it chooses', { kind: 'engine', backend: 'auto', threads: 0, repeats: REPEATS }),
  ];
  const results: Named[] = [];
  for (const { name, task: one } of tasks) results.push({ name, measured: await measure<Measurement>(one) });
  const naive = results[0]!.measured;
  const rows = results.map(({ name, measured: { backend, threads, load, first, seconds, peakMegabytes, heads } }) => [
    `${name} (${backend}, ${threads})`,
    number(load),
    number(first),
    between(spread(seconds)),
    `× ${between(ratio(naive.seconds, seconds), 1)}`,
    number(peakMegabytes, 0),
    heads === naive.heads ? '' : disagreement(heads, naive.heads).toExponential(0),
  ]);
  console.log(`\n## The tutorial's shape at GPT-2 small's size\n`);
  console.log('8 pairs of 15 tokens that differ at position 10, random weights, the sites z, attn_out, mlp_out and resid_pre. Median (min to max).\n');
  console.log(markdown(['', 'load, s', 'first run, s', 'run, s', 'quicker than naive', 'peak memory, MB', 'differs by'], rows));
  return results;
}

async function peerTable(folder: string, own: Named[]): Promise<void> {
  const python = process.env['CIRCUIT_EXPLORER_PYTHON'];
  console.log(`\n## Beside PyTorch\n`);
  if (!python) {
    console.log('Not measured: CIRCUIT_EXPLORER_PYTHON names no Python with torch, transformers, nnsight and transformer-lens.');
    return;
  }
  for (const { name, measured } of own.filter(({ name: one }) => one.startsWith('engine'))) {
    const request = { folder, pairs: tutorialShape(), threads: measured.threads, repeats: REPEATS };
    const { versions, peers } = JSON.parse(await run(python, [path.join('test', 'bench', 'peers.py')], JSON.stringify(request))) as {
      versions: Record<string, string>;
      peers: ({ name: string; seconds: number[]; heads: number[][] } | { name: string; error: string })[];
    };
    const rows = peers.map((peer) =>
      'error' in peer
        ? [peer.name, peer.error, '', '']
        : [peer.name, between(spread(peer.seconds)), `× ${between(ratio(peer.seconds, measured.seconds), 2)}`, disagreement(peer.heads, measured.heads).toExponential(0)],
    );
    console.log(`The same experiment, heads only, ${measured.threads} thread${measured.threads === 1 ? '' : 's'} (${Object.entries(versions).map((entry) => entry.join(' ')).join(', ')}):\n`);
    console.log(`${markdown(['', 'run, s', `time beside "${name}"`, 'differs by'], rows)}\n`);
  }
}

async function sweepTable(folder: string): Promise<void> {
  const [naive, ...engines] = [
    await measure<SweepMeasurement>({ kind: 'naiveSweep', folder, backend: 'wasm-simd', threads: 1 }),
    await measure<SweepMeasurement>({ kind: 'sweep', folder, backend: 'auto', threads: 0 }),
  ] as const;
  const perCell = ({ seconds, cells }: SweepMeasurement): number => seconds / cells;
  const largest = Math.max(...naive.heads.map(Math.abs));
  const differs = ({ heads }: SweepMeasurement): number => Math.max(...heads.map((effect, i) => Math.abs(effect - naive.heads[i]!))) / largest;
  console.log(`\n## Exact patching of every head\n`);
  console.log(`z, q, k, v and pattern of ${engines[0].cells / 5} heads at all positions of the same eight pairs. Plain tfjs: whole forward passes with all logits, timed with ${naive.cells} cells.\n`);
  console.log(
    markdown(['', 'cells', 's', 'ms a cell', 'quicker than naive', 'longest wait for cells, ms', 'stops within, ms', 'peak memory, MB', 'differs by'], [
      [`naive (${naive.backend}, ${naive.threads})`, `${naive.cells}`, number(naive.seconds), number(1000 * perCell(naive), 0), '', '', '', number(naive.peakMegabytes, 0), ''],
      ...engines.map((own) => [
        `engine (${own.backend}, ${own.threads})`,
        `${own.cells}`,
        number(own.seconds, 1),
        number(1000 * perCell(own), 0),
        `× ${number(perCell(naive) / perCell(own), 1)}`,
        number(own.longestWaitMs!, 0),
        number(own.cancelMs!, 0),
        number(own.peakMegabytes, 0),
        differs(own).toExponential(0),
      ]),
    ]),
  );
}

async function bundledTable(): Promise<void> {
  const documents: AttributionJson[] = [];
  const wall: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = performance.now();
    documents.push(JSON.parse(await run(process.execPath, ['dist/cli.js', 'attribute', SAMPLE, '--json'])) as AttributionJson);
    wall.push((performance.now() - start) / 1000);
  }
  const { backend, threads, tokens } = documents[0]!;
  console.log(`\n## The bundled model, from the command line\n`);
  console.log(`The sample's ${tokens.length} pairs on ${backend}, ${threads} threads: a fresh process each time, nothing warm.\n`);
  const times: [string, number[]][] = [
    ['start to exit', wall],
    ['of that: load', documents.map(({ timings }) => timings.load)],
    ['of that: run', documents.map(({ timings }) => timings.run)],
  ];
  console.log(markdown(['', 's'], times.map(([name, seconds]) => [name, between(spread(seconds), 3)])));
}

async function activationTable(): Promise<void> {
  const measured: ActivationMeasurement[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) measured.push(await measure<ActivationMeasurement>({ kind: 'activation', bundle: 'dist/extension.js' }));
  console.log(`\n## Activation\n`);
  console.log('What the extension host does when the extension is first needed, with a stand-in for VS Code. A fresh process each time.\n');
  console.log(
    markdown(['', 'ms'], [
      ['read the bundle', between(spread(measured.map(({ requireMilliseconds }) => requireMilliseconds)), 1)],
      ['activate', between(spread(measured.map(({ activateMilliseconds }) => activateMilliseconds)), 1)],
    ]),
  );
  const sizes = readdirSync('dist').filter((name) => name.endsWith('.js')).map((name) => [`dist/${name}`, (statSync(path.join('dist', name)).size / 1000).toFixed(0)]);
  console.log(`\n${markdown(['', 'kB'], sizes)}`);
}

async function main(): Promise<void> {
  console.log(`${machine()}; ${new Date().toISOString().slice(0, 10)}`);
  await activationTable();
  await bundledTable();
  const folder = await writeCheckpoint();
  try {
    await peerTable(folder, await tutorialTable(folder));
    await sweepTable(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(`\nLoad average after: ${number(os.loadavg()[0]!)}`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
