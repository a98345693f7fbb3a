import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PathsJson } from '../../../src/cli/pathsJson';
import { readRunFile, writeRunFile } from '../../../src/runs/file';
import { agreementOf } from '../../../src/shared/agreement';
import { CircuitError } from '../../../src/shared/errors';
import { fromMib } from '../../../src/shared/graph/mib';
import { edgeName, edgeNamed, edgesOf, type Edge } from '../../../src/shared/graph/nodes';
import { maskSize } from '../../../src/shared/graph/mask';
import { measuredPaths } from '../../../src/shared/graph/stored';
import type { EdgeMethod } from '../../../src/shared/paths';
import { exampleRun } from '../runs/exampleRun';
import { commandLine } from './commandLine';
import { edgedRun, effectsOf, graphWork, normalisedScore } from './graphWork';

const SHAPE = { layers: 2, heads: 3 };
const strongest = edgesOf(SHAPE).sort((a, b) => Math.abs(normalisedScore(SHAPE, b)) - Math.abs(normalisedScore(SHAPE, a)));

describe('paths, the verb', () => {
  const cli = commandLine();
  let methods: EdgeMethod[];
  let patched: { mode: string; edges: readonly Edge[] }[];
  beforeEach(() => {
    [methods, patched] = [[], []];
    const work = graphWork();
    cli.work = {
      ...work,
      paths: (job) => (methods.push(job.method), work.paths(job)),
      patchPaths: (job) => (patched.push(job), work.patchPaths(job)),
    };
  });
  const json = async (...words: string[]): Promise<PathsJson> => {
    cli.out = '';
    assert.equal(await cli.run('paths', ...words, '--json'), 0, cli.err);
    assert.doesNotMatch(cli.out, /NaN/);
    return JSON.parse(cli.out) as PathsJson;
  };

  it('lists the strongest edges and nodes, by EAP-IG unless it is said', async () => {
    const { edges, nodes, method, total, chosen, unit, ...rest } = await json('a.prompts.json', '--top', '4');
    assert.deepEqual(cli.jobs[0]!.sites, [], 'only the metric is needed');
    assert.deepEqual([methods, method], [[{ integrated: { steps: 5, rule: 'left' } }], { integrated: { steps: 5, rule: 'left' }, layerNorm: 'full' }]);
    assert.deepEqual(edges.map(({ edge }) => edge), strongest.slice(0, 4).map((edge) => edgeName(SHAPE, edge)));
    edges.forEach(({ score, edge }) => assert.ok(Math.abs(score - normalisedScore(SHAPE, edgeNamed(SHAPE, edge)!)) < 1e-6));
    assert.deepEqual([total, chosen, unit, nodes.length], [edgesOf(SHAPE).length, edgesOf(SHAPE).length, 'normalised', 4]);
    const own = edgesOf(SHAPE).filter(({ sender }) => sender === 0).reduce((sum, edge) => sum + normalisedScore(SHAPE, edge), 0);
    assert.ok(Math.abs((await json('a.prompts.json')).nodes.find(({ node }) => node === 'input')!.score - own) < 1e-5);
    assert.ok(!('exact' in rest) && !('agreement' in rest) && edges.every((edge) => !('exact' in edge)));
    assert.deepEqual([rest.run.title, rest.metricValues.clean], ['three pairs', 2]);
  });

  it('takes the other methods, and raw units', async () => {
    const { method, edges, unit } = await json('a.prompts.json', '--method', 'clean-corrupted', '--layer-norm', 'receiver', '--raw', '--top', '1');
    assert.deepEqual([methods[0], method, unit], [{ bothGradients: true, layerNorm: 'receiver' }, { bothGradients: true, layerNorm: 'receiver' }, 'raw']);
    assert.ok(Math.abs(edges[0]!.score - 2 * normalisedScore(SHAPE, strongest[0]!)) < 1e-5);
  });

  it('chooses edges into and out of nodes, inputs of heads apart', async () => {
    const into = await json('a.prompts.json', '--into', '1.2<v>', '--top', '50');
    assert.deepEqual(into.edges.map(({ edge }) => edge).sort(), ['a0.h0->a1.h2<v>', 'a0.h1->a1.h2<v>', 'a0.h2->a1.h2<v>', 'input->a1.h2<v>', 'm0->a1.h2<v>']);
    assert.deepEqual(into.edges.map(({ from, to, port }) => [from, to, port])[0]!.slice(1), ['a1.h2', 'v']);
    assert.equal((await json('a.prompts.json', '--into', 'a1.h2', '--top', '50')).edges.length, 15);
    const both = await json('a.prompts.json', '--from', '0.1', '--into', 'logits');
    assert.deepEqual([both.edges.map(({ edge }) => edge), both.chosen], [['a0.h1->logits'], 1]);
    assert.ok(!('port' in both.edges[0]!));
  });

  it('patches the edges listed exactly, and says how well the estimates agree', async () => {
    const { edges, exact, agreement } = await json('a.prompts.json', '--exact', 'direct-frozen', '--top', '5');
    assert.deepEqual(patched.map(({ mode, edges: own }) => [mode, own]), [['directFrozen', strongest.slice(0, 5)]]);
    assert.equal(exact, 'direct-frozen');
    edges.forEach(({ score, exact: effect }) => assert.ok(Math.abs(effect! - 1.1 * score) < 1e-6));
    assert.equal(agreement!.count, 5);
    assert.ok(Math.abs(agreement!.slope! - agreementOf(edges.map(({ score, exact: effect }) => ({ estimate: score, exact: effect! }))).slope!) < 1e-6 && Math.abs(agreement!.slope! - 1 / 1.1) < 1e-6);
  });

  it('shows named edges in the order in which they are named', async () => {
    const { edges } = await json('a.prompts.json', '--edge', 'm1->logits', '--edge', '0.1->1.2<q>', '--edge', 'm1->logits', '--exact', 'through-mlps');
    assert.deepEqual(edges.map(({ edge }) => edge), ['m1->logits', 'a0.h1->a1.h2<q>']);
    assert.equal(patched[0]!.edges.length, 2);
  });

  it('shows one edge by position, the pairs’ mean, one list per token length', async () => {
    const { positions } = await json('a.prompts.json', '--edge', '0.1->1.2<q>', '--by-position');
    // Sender 2 of pairs 0 and 2, then of pair 1, over three pairs and a difference of 2.
    assert.deepEqual(positions!.map(({ length, pairs, values }) => [length, pairs, values.map((value) => Math.round(value * 1e4) / 1e4)]), [[3, [0, 2], [0, 2, 4]], [4, [1], [0, 1, 2, 3]]]);
    assert.equal(await cli.run('paths', 'a.prompts.json', '--edge', '0.1->1.2<q>', '--by-position', '--top', '2'), 0, cli.err);
    assert.match(cli.out, /a0\.h1->a1\.h2<q>, top positions, 2 pairs of 3 tokens: \+6\.0000 in all \(normalised: .*\)\n {2}# +position +token +score\n {2}1 +2 +" gave" +\+4\.0000\n {2}2 +1 /);
  });

  it('prints tables for people', async () => {
    assert.equal(await cli.run('paths', 'a.prompts.json', '--top', '3', '--exact', 'direct'), 0, cli.err);
    assert.match(cli.out, /^ {2}Edges: EAP-IG \(5 steps, left\), LayerNorm in full, \d+ of them, 0\.50 s$/m);
    assert.match(cli.out, /Top edges, 3 of \d+ that are not 0 \(normalised: 0 corrupted … 1 clean\)\n {2}# +edge +score +exact\n {2}1 +\S+->\S+ +[+-]\d\.\d{4} +[+-]\d\.\d{4}\n/);
    assert.match(cli.out, /Estimate against exact over 3 edges: r 1\.000, .* \(so few edges say little\)\n {2}exact: the direct edge patched, LayerNorm recomputed/);
    assert.match(cli.out, /Top nodes, all that leads out of them \(.*\)\n {2}# +node +score\n/);
    cli.out = '';
    assert.equal(await cli.run('paths', 'a.prompts.json', '--into', 'logits', '--from', 'm0'), 0, cli.err);
    assert.match(cli.out, /Top edges out of m0 into logits, 1 of 1/);
    assert.doesNotMatch(cli.out, /Top nodes/);
  });

  it('writes the edges listed for other programs, with names that can be read again', async () => {
    const read = (name: string): Promise<string> => readFile(path.join(cli.folder, name), 'utf8');
    for (const name of ['g.json', 'g.dot', 'g.mmd', 'g.csv']) await json('a.prompts.json', '--top', '3', '--export', name);
    const { mask, scores } = fromMib(await read('g.json'), { ...SHAPE, dModel: 6 });
    assert.equal(maskSize(mask), 3);
    assert.ok(Math.max(...scores!) > 3, 'raw');
    assert.equal((await read('g.dot')).match(/ -> /g)!.length, 3);
    assert.match(await read('g.mmd'), /^---\ntitle: "three pairs"\n---\nflowchart BT\n/);
    assert.equal((await read('g.csv')).trimEnd().split('\n').length, 4);
    assert.equal(await cli.run('paths', 'a.prompts.json', '--export', 'no/such/folder.dot'), 1);
    assert.match(cli.err, /no\/such\/folder\.dot could not be written/);
  });

  describe('keeping a run', () => {
    it('writes it with its edges and all the panel shows, and goes on from it', async () => {
      await json('a.prompts.json', '--exact', 'direct', '--top', '2', '--out', 'kept.safetensors');
      assert.equal(cli.jobs[0]!.sites, undefined);
      const again = await json('kept.safetensors', '--exact', 'direct', '--top', '3');
      assert.deepEqual([cli.jobs.length, methods.length], [1, 1], 'nothing is attributed again');
      assert.equal(again.edges[2]!.exact !== undefined, true);
      const kept = await readRunFile(path.join(cli.folder, 'kept.safetensors'));
      assert.equal(measuredPaths(kept, 'direct').edges.length, 2);
      await json('kept.safetensors', '--method', 'eap-ig=5:left');
      assert.equal(methods.length, 1, 'the same method');
      assert.deepEqual((await json('kept.safetensors', '--method', 'eap')).method, { layerNorm: 'full' });
      assert.equal(methods.length, 2);
    });

    it('keeps what was measured before it was cancelled', async () => {
      cli.work.patchPaths = async ({ run, mode, edges }, call) => {
        call?.onProgress?.({ stage: 'Patching', fraction: 0.2, paths: effectsOf(run, mode, edges.slice(0, 1)) });
        call?.onProgress?.({ stage: 'Patching', fraction: 0.5, paths: effectsOf(run, mode, edges.slice(1, 3)) });
        throw new CircuitError('cancelled', 'Cancelled.');
      };
      assert.equal(await cli.run('paths', 'a.prompts.json', '--exact', 'direct', '--top', '5', '--out', 'kept.safetensors', '--json'), 3);
      assert.equal(cli.out, '');
      assert.match(cli.err, /kept\.safetensors keeps what is measured, 3 of 5 edges/);
      assert.deepEqual(measuredPaths(await readRunFile(path.join(cli.folder, 'kept.safetensors')), 'direct').edges, strongest.slice(0, 3));
    });

    it('has an experiment of its own', async () => {
      await writeRunFile(path.join(cli.folder, 'run.safetensors'), edgedRun(exampleRun(), {}));
      assert.equal(await cli.run('paths', 'run.safetensors', '--metric', 'kl'), 2);
      assert.match(cli.err, /--metric cannot change it/);
      assert.deepEqual((await json('run.safetensors')).method, { layerNorm: 'full' }, 'as it is');
      assert.equal(methods.length, 0);
    });
  });

  it('refuses what the model does not have, before anything is computed', async () => {
    for (const [flags, message] of [
      [['--into', 'a2.h0'], /--into: example has no node "a2\.h0"; there are input, logits, a head as a9\.h9 or 9\.9/],
      [['--into', '1.3'], /no node "1\.3"/],
      [['--into', 'm0<q>'], /no node "m0<q>"/],
      [['--into', 'input'], /nothing leads into the input/],
      [['--from', 'logits'], /nothing leads out of the logits/],
      [['--from', '1.1<q>'], /name the head alone/],
      [['--edge', 'm1->m0'], /example has no edge "m1->m0"; .* earlier to later/],
      [['--edge', '0.1->1.1'], /no edge "0\.1->1\.1"/],
      [['--edge', 'm0'], /no edge "m0"/],
    ] as [string[], RegExp][]) {
      cli.err = '';
      assert.equal(await cli.run('paths', 'a.prompts.json', ...flags), 2, flags.join(' '));
      assert.match(cli.err, message);
    }
    assert.deepEqual(methods, []);
  });

  it('computes nothing that it cannot show', async () => {
    cli.answer = async () => {
      const run = exampleRun();
      run.manifest.pairs.forEach((pair) => (pair.metric = { clean: 1, corrupted: 1 }));
      return run;
    };
    assert.equal(await cli.run('paths', 'a.prompts.json'), 2);
    assert.match(cli.err, /--raw/);
    assert.deepEqual(methods, []);
    assert.equal((await json('a.prompts.json', '--raw')).unit, 'raw');
  });
});
