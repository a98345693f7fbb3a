import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { VerifyPublishedCommand } from '../../../src/cli/graphArguments';
import type { Surroundings } from '../../../src/cli/prepare';
import { ProgressBar } from '../../../src/cli/progressBar';
import { GPT2 } from '../../../src/cli/published/gpt2';
import type { Published } from '../../../src/cli/published/published';
import { verifyPublished } from '../../../src/cli/verifyPublished';
import type { VerifyPublishedJson } from '../../../src/cli/verifyPublishedTables';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { resolveModel } from '../../../src/models/resolveModel';
import { createTokenizerService } from '../../../src/models/tokenizerService';
import { parsePromptFile } from '../../../src/prompts/parse';
import { createRunner } from '../../../src/runner/createRunner';
import type { ExperimentRunner } from '../../../src/runner/runner';
import { CircuitError } from '../../../src/shared/errors';
import { emptyMask } from '../../../src/shared/graph/mask';
import { edgeNamed } from '../../../src/shared/graph/nodes';
import { toMib } from '../../../src/shared/graph/mib';
import { edgeScores } from '../../../src/shared/graph/stored';
import { packArrays } from '../../../src/shared/arrays';
import { withExact } from '../../../src/shared/exact';
import { WASM_FOLDER } from '../engine/support';
import { exampleRun } from '../runs/exampleRun';
import { commandLine } from './commandLine';
import { graphWork } from './graphWork';

/** What PyTorch measured of the bundled model on the same eight prompts (media/model/train/measure.py), without BOS. */
interface Measured {
  tutorialPrompts: { logitDifference: number }[];
  heads: { tutorial: { logitDifferenceClean: number; exact: number[][]; attribution: number[][] } };
}

const COMMAND: VerifyPublishedCommand = { verb: 'verify-published', of: 'gpt2', backend: 'auto', threads: 0, json: true };

describe('verify-published', () => {
  it('has numbers that can be those of GPT-2 small, on the prompts of the sample', async () => {
    const { experiment } = parsePromptFile(await readFile('media/samples/ioi.prompts.json', 'utf8'));
    const bare = ({ name, clean, corrupted, correct, incorrect }: (typeof GPT2.pairs)[0]) => ({ name, clean, corrupted, correct, incorrect });
    assert.deepEqual(GPT2.pairs, experiment!.pairs.map(bare));
    const { perPair, mean } = GPT2.nodes.logitDiff;
    assert.ok(Math.abs(perPair.reduce((sum, value) => sum + value, 0) / perPair.length - mean) < GPT2.nodes.bound);
    assert.ok(GPT2.nodes.heads.every(({ layer, head }) => layer < 12 && head < 12));
    assert.ok(GPT2.edges.list.every(({ edge }) => edgeNamed(GPT2, edge)));
    const sizes = GPT2.edges.list.map(({ score }) => Math.abs(score));
    assert.deepEqual(sizes, [...sizes].sort((a, b) => b - a));
  });

  describe('with a stand-in checkpoint, and what others measured of it', function () {
    let runner: ExperimentRunner;
    let folder: string;
    let standIn: Published;
    let out: string;

    before(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'published-'));
      const tokenizer = createTokenizerService();
      const places = { bundledFolder: path.resolve('media/model'), cacheFolders: [], home: '/nowhere' };
      runner = createRunner({
        engine: new LocalEngine({ wasmFolder: WASM_FOLDER }),
        tokenizer: { ...tokenizer, dispose: async () => undefined },
        resolveModel: (reference) => resolveModel(reference, places),
        extensionVersion: 'test',
      });
      const { tutorialPrompts, heads } = JSON.parse(await readFile('media/model/measured.json', 'utf8')) as Measured;
      const { exact, attribution, logitDifferenceClean } = heads.tutorial;
      standIn = {
        ...GPT2,
        ...{ model: 'bundled', layers: 5, heads: 4, dModel: 128, prependBos: false },
        nodes: {
          source: 'PyTorch',
          bound: 1e-3,
          logitDiff: { mean: logitDifferenceClean, perPair: tutorialPrompts.map(({ logitDifference }) => logitDifference) },
          heads: exact.flatMap((row, layer) => row.map((value, head) => ({ site: 'z' as const, layer, head, exact: value, attribution: attribution[layer]![head]! }))),
        },
        edges: { ...GPT2.edges, list: [{ edge: 'input->a0.h0<v>', score: -0.6 }, { edge: 'a3.h0->logits', score: -0.4 }, { edge: 'a0.h0->a3.h0<v>', score: -0.2 }, { edge: 'a2.h1->a3.h0<v>', score: 0.01 }] },
      };
    });
    after(async () => {
      await runner.dispose();
      await rm(folder, { recursive: true });
    });

    const verify = (published: Published, more: Partial<VerifyPublishedCommand> = {}): Promise<number> => {
      out = '';
      const surroundings: Surroundings = { runner, progress: new ProgressBar({ write: () => undefined }), signal: new AbortController().signal, folder, print: (text) => (out += text), warn: () => undefined };
      return verifyPublished({ ...COMMAND, ...more }, surroundings, published);
    };

    it('meets every bound of what PyTorch gives, and turns the sign of edges that count the other way', async () => {
      assert.equal(await verify(standIn), 0, out);
      const { nodes, edges, misses, prependBos } = JSON.parse(out) as VerifyPublishedJson;
      assert.equal(nodes.rows.length, 1 + 8 + 2 * 20);
      assert.ok(nodes.rows.every(({ met, ours, published }) => met && Math.abs(ours - published) < 1e-3));
      assert.deepEqual([misses, prependBos, edges.signTurned, edges.spearman, edges.bound], [[], false, true, 1, undefined]);
      assert.deepEqual(edges.rows[0]!.published, -0.6, 'as it was published');
      assert.ok(edges.rows[0]!.ours > 0);
    });

    it('prints both side by side', async () => {
      assert.equal(await verify(standIn, { json: false }), 0);
      assert.match(out, /Nodes: PyTorch\n {2}what +published +ours +difference +over 0\.001\n {2}logit difference, mean +\+6\.3658 +\+6\.365\d +[+-]0\.0000\n/);
      assert.match(out, /^ {2}z 0\.0, patched +\+0\.6647 +\+0\.6647 +[+-]0\.0000$/m);
      assert.match(out, /Their sign is the opposite of ours.*it is turned here\.\n {2}edge +published +ours\n {2}input->a0\.h0<v> +\+0\.6000 +\+\d/);
      assert.match(out, /Spearman ρ over 4 edges: 1\.000 \(without a bound/);
      assert.match(out, /Every bound is met\.\n$/);
    });

    it('counts what is off by more than its bound', async () => {
      const [first, ...rest] = standIn.nodes.heads;
      const off = { ...standIn, nodes: { ...standIn.nodes, heads: [{ ...first!, exact: first!.exact + 2e-3 }, ...rest], logitDiff: { ...standIn.nodes.logitDiff, mean: 6.36 } } };
      assert.equal(await verify(off), 2);
      const { misses, nodes } = JSON.parse(out) as VerifyPublishedJson;
      assert.deepEqual(misses, ['logit difference, mean', 'z 0.0, patched']);
      assert.equal(nodes.rows.filter(({ met }) => !met).length, 2);
      assert.equal(await verify(off, { json: false }), 2);
      assert.match(out, /2 bounds not met: logit difference, mean; z 0\.0, patched\.\n$/);
      assert.match(out, /z 0\.0, patched .* off$/m);
    });

    it('compares the ranks of a whole graph file’s strongest edges, and holds them to the bound', async () => {
      // Their scores: ours, turned and scaled; then those of no graph at all.
      const shape = { layers: 5, heads: 4 };
      const job = { experiment: { metric: 'logitDiff' as const, direction: 'denoise' as const, model: 'bundled', prependBos: false, pairs: standIn.pairs }, settings: { model: 'bundled', backend: 'auto' as const, threads: 0, prependBos: false, direction: 'denoise' as const }, title: 'ours' };
      const run = await runner.paths({ run: await runner.attribute({ ...job, sites: [] }), settings: job.settings, method: standIn.edges.method });
      const ours = edgeScores(run, { pair: 'all', unit: 'raw' });
      const theirs = ours.map((score) => -score / 20);
      await writeFile(path.join(folder, 'same.json'), toMib(shape, standIn, theirs, emptyMask(shape)));
      assert.equal(await verify(standIn, { circuit: 'same.json' }), 0);
      const { edges } = JSON.parse(out) as VerifyPublishedJson;
      assert.deepEqual([edges.rows.length, edges.signTurned, edges.bound], [100, true, 0.9]);
      assert.ok(edges.spearman! > 0.999);
      await writeFile(path.join(folder, 'others.json'), toMib(shape, standIn, theirs.map((score, i) => score * Math.sin(i * i)), emptyMask(shape)));
      assert.equal(await verify(standIn, { circuit: 'others.json' }), 1);
      assert.deepEqual((JSON.parse(out) as VerifyPublishedJson).misses, ['ranks of the edges']);
      await assert.rejects(verify({ ...standIn, layers: 12 }, { circuit: 'same.json' }), (error) => CircuitError.is(error, 'experiment') && /^same\.json: .*another model/.test(error.message));
    });

    it('refuses another model than the one that the numbers are of', async () => {
      await assert.rejects(verify({ ...standIn, layers: 12, heads: 12 }), (error) => CircuitError.is(error, 'experiment') && /those of bundled, 12 layers of 12 heads.* bundled has 5 layers of 4 heads/.test(error.message));
    });
  });

  describe('the verb', () => {
    const cli = commandLine();

    it('says that the model is not on this machine, and how to get it', async () => {
      cli.answer = async () => {
        throw new CircuitError('model-missing', 'The model gpt2 is not on this machine; fetch it.');
      };
      assert.equal(await cli.run('verify-published', 'gpt2'), 2);
      assert.match(cli.err, /gpt2 is not on this machine/);
      assert.deepEqual([cli.jobs[0]!.settings.model, cli.jobs[0]!.experiment.prependBos], ['gpt2', true]);
    });

    it('prints what it got and exits with 1 when numbers are off', async () => {
      const work = graphWork();
      cli.work = { paths: work.paths, patch: async ({ run, cells }) => withExact(run, { cells: [...cells], effects: new Float32Array(cells.length * run.manifest.pairs.length) }) };
      cli.answer = async () => {
        const { manifest } = exampleRun();
        const model = { ...manifest.model, layers: 12, heads: 12, dModel: 768 };
        const arrays = manifest.groups.flatMap(({ pairs, length }, group) =>
          ['z', 'q', 'v'].map((site) => ({ name: `group${group}.${site}`, axes: ['pair', 'layer', 'position', 'head'], shape: [pairs.length, 12, length, 12], data: new Float32Array(pairs.length * 144 * length) })),
        );
        return { manifest: { ...manifest, model }, arrays: packArrays(arrays) };
      };
      assert.equal(await cli.run('verify-published', 'gpt2'), 1, cli.err);
      assert.match(cli.out, /^ {2}logit difference, mean +\+3\.5519 +\+2\.0000 +-1\.5519 +off$/m);
      assert.match(cli.out, /a9\.h9->logits +[+-]0\.2815 +/);
      assert.match(cli.out, /\d+ bounds not met: logit difference, mean; /);
      assert.deepEqual(cli.jobs[0]!.sites, ['z', 'q', 'v']);
    });

    it('takes the model from a folder, relative to the working folder', async () => {
      cli.answer = async () => {
        throw new CircuitError('model-missing', 'no');
      };
      await cli.run('verify-published', 'gpt2', '--model', './mine');
      assert.equal(cli.jobs[0]!.settings.model, path.join(cli.folder, 'mine'));
    });
  });
});
