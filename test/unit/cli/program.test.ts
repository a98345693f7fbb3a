import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import type { AttentionJson } from '../../../src/cli/attention';
import type { AttributionJson } from '../../../src/cli/attributionJson';
import type { CircuitJson } from '../../../src/cli/circuitJson';
import type { InterveneJson } from '../../../src/cli/intervene';
import type { LensJson } from '../../../src/cli/lens';
import type { PatchJson } from '../../../src/cli/patchJson';
import type { PathsJson } from '../../../src/cli/pathsJson';
import { readRunFile } from '../../../src/runs/file';
import { attributionJson } from '../../../src/cli/attributionJson';
import { installStandIn, WORKING } from '../engine/standIns';
import { expectedValues, WASM_FOLDER, writeHashModel } from '../engine/support';
import { tinyTokenizerJson } from '../models/tinyTokenizer';

const WORDS = ['When', '·John', '·Mary', '·Tom', '·and', '·went', '·gave', '·it', '·to'];

const LISTENING = '[listens for Ctrl-C]';

/** The program as it ships: four layers, threads, signals and all. The model is small and random. */
describe('the command line as a program', function () {
  let folder: string;
  let program: string;

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'circuit-cli-'));
    program = path.resolve('out', 'test', 'cli', 'dist', 'cli.js');
    const bundles = path.dirname(program);
    await mkdir(path.join(bundles, 'wasm'), { recursive: true });
    for (const name of await readdir(WASM_FOLDER)) await cp(path.join(WASM_FOLDER, name), path.join(bundles, 'wasm', name));
    await build({
      entryPoints: ['src/cli.ts', 'src/engineWorker.ts', 'src/engineProcess.ts', 'src/tokenizerWorker.ts'],
      outdir: bundles,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      minify: true,
      keepNames: true,
      logLevel: 'error',
    });
    const { checkpoint } = await expectedValues('four-layers');
    const model = await writeHashModel(checkpoint);
    await writeFile(path.join(model, 'tokenizer.json'), JSON.stringify(tinyTokenizerJson(WORDS)));
    await cp(model, path.join(folder, 'model'), { recursive: true });
    await rm(model, { recursive: true });
    const pair = (clean: string, corrupted: string) => ({ clean, corrupted, correct: ' John', incorrect: ' Mary' });
    const pairs = [
      pair('When John and Mary went, Mary gave it to', 'When John and Mary went, John gave it to'),
      pair('When Tom and Mary went, Tom gave it to', 'When Tom and Mary went, Mary gave it to'),
      pair('John and Tom gave it to', 'John and Mary gave it to'),
    ];
    await writeFile(path.join(folder, 'a.prompts.json'), JSON.stringify({ model: './model', pairs }));
    await writeFile(path.join(folder, 'tell.cjs'), `process.on('newListener', (name) => name === 'SIGINT' && process.stderr.write('${LISTENING}'));`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  interface Ended {
    code: number | null;
    signal: NodeJS.Signals | null;
    out: string;
    err: string;
  }

  /** `listening`: called once the program listens for Ctrl-C, and a moment after. */
  function run(args: readonly string[], listening?: (kill: (signal: NodeJS.Signals) => void) => void): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [...(listening ? ['--require', path.join(folder, 'tell.cjs')] : []), program, ...args], { cwd: folder });
      const ended = { out: '', err: '' };
      child.stdout.on('data', (chunk) => (ended.out += chunk));
      child.stderr.on('data', (chunk) => {
        const heard = ended.err.includes(LISTENING);
        ended.err += chunk;
        if (!heard && ended.err.includes(LISTENING)) setTimeout(() => listening?.((signal) => child.kill(signal)), 500);
      });
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, ...ended }));
    });
  }

  async function json(...options: string[]): Promise<AttributionJson> {
    const { code, out, err } = await run(['attribute', 'a.prompts.json', '--json', ...options]);
    assert.equal(code, 0, err);
    return JSON.parse(out) as AttributionJson;
  }

  it('prints one JSON document and nothing else, and ends', async () => {
    const { code, out, err } = await run(['attribute', 'a.prompts.json', '--json', '--out', 'run.safetensors', '--top', '16']);
    assert.equal(code, 0, err);
    assert.equal(err, '', 'progress is for terminals');
    const document = JSON.parse(out) as AttributionJson;
    assert.deepEqual([document.model.id, document.model.layers, document.model.heads], ['model', 4, 4]);
    assert.deepEqual(document.positions.map(({ length, pairs }) => ({ length, pairs })), [
      { length: document.tokens[0]!.length, pairs: [0, 1] },
      { length: document.tokens[2]!.length, pairs: [2] },
    ]);
    assert.equal(document.tokens[0]![document.differsAt![0]!], ' Mary');
    assert.ok(document.topHeads[0]!.score !== 0);
    const stored = await readRunFile(path.join(folder, 'run.safetensors'));
    assert.deepEqual(document, JSON.parse(JSON.stringify(attributionJson(stored, { raw: false, top: 16 }))));
  });

  it('patches exactly, keeps the run, and goes on from it; the whole of a site agrees with patching what it is made of', async () => {
    const document = async <T>(...args: string[]): Promise<T> => {
      const { code, out, err } = await run([...args, '--json']);
      assert.equal(code, 0, err);
      return JSON.parse(out) as T;
    };
    const first = await document<PatchJson>('patch', 'a.prompts.json', '--top', '3', '--out', 'patched.safetensors');
    assert.equal(first.sites[0]!.measured, 3);
    const full = await document<PatchJson>('patch', 'patched.safetensors', '--site', 'z,attn_out,resid_post', '--full', '--model', 'model');
    assert.deepEqual(full.sites.map(({ cells, measured }) => [cells, measured]), [[16, 16], [full.sites[1]!.cells, full.sites[1]!.cells], [full.sites[2]!.cells, full.sites[2]!.cells]]);
    (first.sites[0]!.maps[0]!.exact as (number | null)[][]).forEach((row, layer) => row.forEach((value, head) => value !== null && assert.equal(value, (full.sites[0]!.maps[0]!.exact as number[][])[layer]![head])));
    // The last residual stream at the last position is all that the logits see: patched, each pair gives its clean metric.
    const lasts = full.sites[2]!.maps.map(({ exact }) => (exact as number[][])[3]!.at(-1)!);
    assert.ok(Math.abs(lasts.reduce((sum, value) => sum + value, 0) - 1) < 1e-4, String(lasts));
  });

  it('shows attention, lens and interventions', async () => {
    const attention = await run(['attention', 'a.prompts.json', '--head', '1.2', '--json']);
    assert.equal(attention.code, 0, attention.err);
    const { pairs } = JSON.parse(attention.out) as AttentionJson;
    for (const row of pairs[0]!.heads[0]!.clean as number[][]) assert.ok(Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
    assert.equal((await run(['attribute', 'a.prompts.json', '--out', 'seen.safetensors'])).code, 0);
    const lens = JSON.parse((await run(['lens', 'seen.safetensors', '--model', 'model', '--json'])).out) as LensJson;
    lens.pairs.forEach(({ clean }, pair) => assert.ok(Math.abs((clean.lens as number[]).at(-1)! - lens.metricValues.perPair[pair]!.clean) < 1e-3));
    // Its vocabulary is its tokenizer's, so that every prediction can be read.
    const sample = path.resolve('media', 'samples', 'ioi.prompts.json');
    const intervened = await run(['intervene', sample, '--model', path.resolve('media', 'model'), '--intervene', 'resid_post:4@last=other', '--json']);
    assert.equal(intervened.code, 0, intervened.err);
    const { patched, metricValues } = JSON.parse(intervened.out) as InterveneJson;
    patched.perPair.forEach(({ value }, pair) => assert.ok(Math.abs(value - metricValues.perPair[pair]!.clean) < 1e-4));
  });

  it('attributes edges, patches paths, finds circuits and runs them, from the run that it has kept', async function () {
    const document = async <T>(...args: string[]): Promise<T> => {
      const { code, out, err } = await run([...args, '--json']);
      assert.equal(code, 0, err);
      return JSON.parse(out) as T;
    };
    const paths = await document<PathsJson>('paths', 'a.prompts.json', '--method', 'eap', '--top', '1000', '--exact', 'direct-frozen', '--out', 'edges.safetensors');
    assert.equal(paths.edges.length, paths.chosen);
    for (const { node, score } of paths.nodes) {
      const sum = paths.edges.filter(({ from }) => from === node).reduce((total, edge) => total + edge.score, 0);
      assert.ok(Math.abs(sum - score) < 1e-4, `${node}: ${sum} for ${score}`);
    }
    // Behind the logits' input there is nothing but their own LayerNorm: with that frozen the estimate is exact.
    const frozen = await document<PathsJson>('paths', 'a.prompts.json', '--method', 'eap', '--layer-norm', 'receiver', '--into', 'logits', '--exact', 'direct-frozen', '--top', '1000');
    assert.ok(frozen.edges.length > 10);
    for (const { edge, score, exact } of frozen.edges) assert.ok(Math.abs(score - exact!) < 1e-4, `${edge}: ${score} for ${exact}`);

    const circuit = await document<CircuitJson>('circuit', 'edges.safetensors', '--model', 'model', '--edges', '40', '--curve', '--random', '2', '--minimality', '--export', 'circuit.json', '--out', 'edges.safetensors');
    assert.deepEqual(circuit.method, { layerNorm: 'full' });
    const [own] = circuit.measured;
    assert.ok(Math.abs(own!.full - circuit.metricValues.clean) < 1e-4 && Math.abs(own!.empty - circuit.metricValues.corrupted!) < 1e-4);
    assert.ok(Math.abs(circuit.curve!.points.at(-1)!.faithfulness! - 1) < 1e-5);
    const again = await document<CircuitJson>('circuit', 'a.prompts.json', '--import', 'circuit.json', '--random', '0');
    assert.ok(Math.abs(again.measured[0]!.faithfulness! - own!.faithfulness!) < 1e-5);
    assert.equal((await readRunFile(path.join(folder, 'edges.safetensors'))).manifest.circuits!.length, 1);

    const absent = await run(['verify-published', 'gpt2', '--model', 'nobody/has-this']);
    assert.deepEqual([absent.code, absent.out], [2, '']);
    assert.match(absent.err, /nobody\/has-this is not on this machine.*hf download/);
  });

  it('computes on a native backend out of a folder, and says how to install one that is not there', async () => {
    const absent = await run(['attribute', 'a.prompts.json', '--backend', 'native']);
    assert.deepEqual([absent.code, absent.out], [1, '']);
    assert.match(absent.err, /npm install @tensorflow\/tfjs-node@.*--native-folder/);
    await installStandIn(path.join(folder, 'native'), 'native', WORKING);
    const own = await json('--backend', 'native', '--native-folder', 'native', '--pair', '3');
    const reference = await json('--backend', 'cpu', '--pair', '3');
    assert.deepEqual(own, { ...reference, backend: 'native', threads: own.threads, timings: own.timings, run: own.run });
  });

  it('gives the same on one thread and on two, by hand-picked pair and direction', async () => {
    const two = await json('--backend', 'wasm-threads', '--threads', '2');
    const one = await json('--backend', 'wasm-simd');
    assert.deepEqual([two.backend, two.threads, one.backend, one.threads], ['wasm-threads', 2, 'wasm-simd', 1]);
    assert.deepEqual(two.topHeads.map(({ layer, head }) => `${layer}.${head}`), one.topHeads.map(({ layer, head }) => `${layer}.${head}`));
    two.topHeads.forEach(({ score }, place) => assert.ok(Math.abs(score - one.topHeads[place]!.score) < 1e-5));
    const noise = await json('--pair', '3', '--direction', 'noise', '--raw');
    assert.deepEqual([noise.direction, noise.unit, noise.tokens.length], ['noise', 'raw', 1]);
    assert.notEqual(noise.topHeads[0]!.score, one.topHeads[0]!.score);
  });

  it('runs prompts of unequal lengths at the sites that they share', async () => {
    await writeFile(path.join(folder, 'unequal.prompts.json'), JSON.stringify({ model: './model', align: 'end', pairs: [{ clean: 'When Tom gave it to', corrupted: 'John gave it to', correct: ' John', incorrect: ' Mary' }] }));
    const { code, out, err } = await run(['attribute', 'unequal.prompts.json', '--json']);
    assert.equal(code, 0, err);
    const { positions, sites } = JSON.parse(out) as AttributionJson;
    assert.equal(positions[0]!.positions, 'last');
    assert.ok('resid_post' in sites && !('pattern' in sites) && !('scores' in sites), Object.keys(sites).join());
  });

  it('prints tables for people', async () => {
    const { code, out } = await run(['attribute', 'a.prompts.json', '--top', '3']);
    assert.equal(code, 0);
    assert.match(out, /^a\.prompts\.json\n {2}model: 4 layers of 4 heads/);
    assert.match(out, /Top heads/);
  });

  it('exits with 2 when the input is wrong', async () => {
    await writeFile(path.join(folder, 'bad.prompts.json'), (await readFile(path.join(folder, 'a.prompts.json'), 'utf8')).replace('and Tom gave', 'gave'));
    const bad = await run(['attribute', 'bad.prompts.json', '--json']);
    assert.deepEqual([bad.code, bad.out], [2, '']);
    assert.match(bad.err, /^bad\.prompts\.json:1:\d+: /);
    assert.equal((await run(['attribute', 'a.prompts.json', '--frobnicate'])).code, 2);
    assert.equal((await run(['attribute', 'a.prompts.json', '--model', 'nobody/has-this'])).code, 2);
    assert.equal((await run([])).code, 2);
  });

  it('exits with 1 when the run cannot be written, with 2 when the model named is damaged', async () => {
    const unwritable = await run(['attribute', 'a.prompts.json', '--out', 'a.prompts.json/run.safetensors']);
    assert.equal(unwritable.code, 1);
    assert.match(unwritable.err, /could not be written/);
    await cp(path.join(folder, 'model'), path.join(folder, 'damaged'), { recursive: true });
    await writeFile(path.join(folder, 'damaged', 'model.safetensors'), 'no checkpoint at all');
    const damaged = await run(['attribute', 'a.prompts.json', '--model', 'damaged']);
    assert.equal(damaged.code, 2, damaged.err);
  });

  it('lists models, says its version and how it is used', async () => {
    assert.match((await run(['models'])).out, /^bundled +\S/);
    assert.ok(Array.isArray(JSON.parse((await run(['models', '--json'])).out)));
    assert.match((await run(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
    assert.match((await run(['--help'])).out, /^Usage: circuit-explorer attribute FILE/);
  });

  it('ends with 3 on Ctrl-C, at once on a second', async function () {
    if (process.platform === 'win32') return this.skip(); // no signals to send there
    const many = Array.from({ length: 400 }, () => ({ clean: `${'John and '.repeat(30)}Tom`, corrupted: `${'Mary and '.repeat(30)}Tom`, correct: ' John', incorrect: ' Mary' }));
    await writeFile(path.join(folder, 'many.prompts.json'), JSON.stringify({ model: './model', pairs: many }));
    const args = ['attribute', 'many.prompts.json', '--json', '--backend', 'cpu'];
    const soft = await run(args, (kill) => kill('SIGINT'));
    assert.deepEqual([soft.code, soft.signal, soft.out], [3, null, '']);
    assert.match(soft.err, /Cancelled\./);
    const hard = await run(args, (kill) => {
      kill('SIGINT');
      setTimeout(() => kill('SIGINT'), 1);
    });
    assert.ok(hard.signal === 'SIGINT' || hard.code === 3, 'it was quicker than the second signal, or was killed by it');
  });
});
