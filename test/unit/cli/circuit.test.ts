import assert from 'node:assert/strict';
import { open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CircuitJson } from '../../../src/cli/circuitJson';
import { readRunFile, writeRunFile } from '../../../src/runs/file';
import { fromMib, toMib } from '../../../src/shared/graph/mib';
import { edgesIn, emptyMask, maskOf, maskSize, type EdgeMask } from '../../../src/shared/graph/mask';
import { edgeCount, edgeName, edgeNamed, edgesOf, matrixIndex } from '../../../src/shared/graph/nodes';
import { prune } from '../../../src/shared/graph/prune';
import { edgeScores } from '../../../src/shared/graph/stored';
import type { Other } from '../../../src/shared/experiment';
import type { Run } from '../../../src/shared/run';
import { exampleRun } from '../runs/exampleRun';
import { commandLine, FILE } from './commandLine';
import { edgedRun, graphWork, normalisedScore, shareOf } from './graphWork';

const SHAPE = { layers: 2, heads: 3 };
const MODEL = { ...SHAPE, dModel: 6 };
const TOTAL = edgeCount(SHAPE);
const strongest = edgesOf(SHAPE).sort((a, b) => Math.abs(normalisedScore(SHAPE, b)) - Math.abs(normalisedScore(SHAPE, a)));
const worth = (mask: EdgeMask): number => edgesIn(SHAPE, mask).reduce((sum, edge) => sum + shareOf(SHAPE, edge), 0);
const close = (actual: number | null | undefined, expected: number): void => assert.ok(typeof actual === 'number' && Math.abs(actual - expected) < 1e-6, `${actual} for ${expected}`);

describe('circuit, the verb', () => {
  const cli = commandLine();
  let ran: { run: Run; circuits: readonly EdgeMask[]; ablation: Other }[];
  let attributions: number;
  beforeEach(() => {
    [ran, attributions] = [[], 0];
    const work = graphWork();
    cli.work = {
      ...work,
      paths: (job) => (attributions++, work.paths(job)),
      circuits: (job) => (ran.push(job), work.circuits(job)),
    };
  });
  const json = async (...words: string[]): Promise<CircuitJson> => {
    cli.out = '';
    assert.equal(await cli.run('circuit', ...words, '--json'), 0, cli.err);
    assert.doesNotMatch(cli.out, /NaN/);
    return JSON.parse(cli.out) as CircuitJson;
  };
  const fails = async (words: string[], message: RegExp, code = 2): Promise<void> => {
    cli.err = '';
    assert.equal(await cli.run('circuit', ...words), code, words.join(' '));
    assert.match(cli.err, message);
  };

  it('selects, prunes and runs a circuit, its complement and random ones beside it', async () => {
    const { circuits, measured, random, total, ablation, method } = await json('a.prompts.json', '--edges', '20', '--random', '5', '--seed', '3');
    const chosen = maskOf(SHAPE, strongest.slice(0, 20));
    const mask = prune(SHAPE, chosen);
    assert.deepEqual(circuits.map(({ kind, name, chosen: before, edges }) => [kind, name, before, edges.length]), [['selected', 'top 20', 20, maskSize(mask)]]);
    assert.equal(circuits[0]!.origin, 'top 20 of EAP-IG (5 steps, left), LayerNorm in full, pruned');
    assert.deepEqual(circuits[0]!.edges.map(({ edge }) => edge).sort(), edgesIn(SHAPE, mask).map((edge) => edgeName(SHAPE, edge)).sort());
    circuits[0]!.edges.slice(1).forEach(({ score }, i) => assert.ok(Math.abs(score!) <= Math.abs(circuits[0]!.edges[i]!.score!)));
    assert.deepEqual([circuits[0]!.nodes[0], circuits[0]!.nodes.at(-1)], ['input', 'logits']);
    assert.deepEqual([total, ablation, method!.layerNorm], [TOTAL, 'corrupted', 'full']);
    const [row] = measured;
    close(row!.faithfulness, worth(mask));
    close(row!.knockedOut, 1 - worth(mask));
    assert.deepEqual([row!.circuit, row!.on, row!.pairs, row!.full, row!.empty], ['top 20', 'three pairs', 3, 2, 0]);
    assert.deepEqual([random!.edges, random!.count, random!.seed, ran[1]!.circuits.length], [20, 5, 3, 5]);
    assert.ok(ran[1]!.circuits.every((own) => maskSize(own) === 20));
    assert.ok(random!.low < random!.mean && random!.mean < random!.high);
  });

  it('takes a share, a threshold, a greedy choice, no pruning and another ablation', async () => {
    const percent = await json('a.prompts.json', '--percent', '10', '--no-prune', '--ablation', 'mean', '--random', '0');
    assert.equal(percent.circuits[0]!.edges.length, Math.floor(TOTAL / 10));
    assert.deepEqual([percent.ablation, ran[0]!.ablation, percent.random, ran.length], ['mean', 'mean', undefined, 1]);
    const threshold = Math.abs(normalisedScore(SHAPE, strongest[6]!)) - 1e-6;
    const above = await json('a.prompts.json', '--threshold', String(threshold), '--no-prune', '--random', '0');
    assert.equal(above.circuits[0]!.edges.length, strongest.filter((edge) => Math.abs(normalisedScore(SHAPE, edge)) >= threshold).length);
    const raw = await json('a.prompts.json', '--threshold', String(2 * threshold), '--raw', '--no-prune', '--random', '0');
    assert.deepEqual(raw.circuits[0]!.edges.map(({ edge }) => edge), above.circuits[0]!.edges.map(({ edge }) => edge), 'in the units of the scores');
    const greedy = await json('a.prompts.json', '--edges', '9', '--select', 'greedy', '--random', '0');
    assert.equal(greedy.circuits[0]!.name, 'greedy 9');
  });

  it('takes the run’s own other side to be the ablation', async () => {
    cli.answer = async () => {
      const run = exampleRun();
      run.manifest.experiment.other = 'resample';
      return run;
    };
    assert.equal((await json('a.prompts.json', '--edges', '9', '--random', '0')).ablation, 'resample');
    assert.equal(ran[0]!.ablation, 'resample');
  });

  it('runs the circuit on held-out pairs too, where random ones and the curve are measured', async () => {
    await writeFile(path.join(cli.folder, 'b.prompts.json'), FILE);
    cli.answer = async ({ title }) => {
      const run = exampleRun();
      if (title === 'b.prompts.json') Object.assign(run.manifest, { title, pairs: run.manifest.pairs.map((pair) => ({ ...pair, metric: { clean: 4, corrupted: 1 } })) });
      return run;
    };
    const { measured, random, curve } = await json('a.prompts.json', '--pair', '1', '--edges', '20', '--evaluate', 'b.prompts.json', '--curve', '--random', '2', '--minimality');
    assert.deepEqual(measured.map(({ on, full, empty }) => [on, full, empty]), [['three pairs', 2, 0], ['b.prompts.json', 4, 1]]);
    assert.deepEqual([random!.on, curve!.on, curve!.full, curve!.empty], ['b.prompts.json', 'b.prompts.json', 4, 1]);
    assert.deepEqual(cli.jobs.map(({ title, experiment }) => [title, experiment.pairs.length]), [['a.prompts.json: pair 1', 1], ['b.prompts.json', 2]], 'pairs are chosen of the first file only');
    assert.equal(cli.err, '');
    assert.equal(attributions, 1, 'no edges of the held-out pairs are looked at');
    assert.equal(ran.at(-1)!.run.manifest.title, 'three pairs', 'edges are dropped where the circuit was found');
    cli.answer = async ({ title }) => {
      const run = exampleRun();
      run.manifest.prependBos = title === 'b.prompts.json';
      return run;
    };
    await json('a.prompts.json', '--edges', '20', '--evaluate', 'b.prompts.json');
    assert.match(cli.err, /b\.prompts\.json is run otherwise than a\.prompts\.json: logit difference, with BOS, not logit difference, no BOS/);
    cli.answer = async ({ title }) => {
      const run = exampleRun();
      if (title === 'b.prompts.json') run.manifest.model = { ...run.manifest.model, id: 'other', checkpointHash: 'ff' };
      return run;
    };
    await fails(['a.prompts.json', '--edges', '20', '--evaluate', 'b.prompts.json'], /b\.prompts\.json is of the model other, a\.prompts\.json of example/);
  });

  it('draws the curve over MIB’s budgets and says how many come to no edge', async () => {
    const { curve, circuits, measured } = await json('a.prompts.json', '--curve', '--random', '2');
    assert.deepEqual(curve!.points.map(({ share, chosen }) => [share, chosen]), [0.02, 0.05, 0.1, 0.2, 0.5, 1].map((share) => [share, Math.floor(share * TOTAL)]));
    assert.deepEqual([curve!.leftOut, curve!.select, circuits, measured], [4, 'top', [], []]);
    close(curve!.points.at(-1)!.faithfulness, 1);
    assert.equal(await cli.run('circuit', 'a.prompts.json', '--curve', '--select', 'greedy'), 0, cli.err);
    assert.match(cli.out, /Faithfulness over budgets, greedy, on 3 pairs of three pairs\n +budget +edges +pruned +faithfulness +mean of 20 random \(lowest … highest\)\n/);
    assert.match(cli.out, /^ +100 % +\d+ +\d+ +1\.000 +1\.000 \(1\.000 … 1\.000\)$/m);
    assert.match(cli.out, /CPR \d\.\d{3}, CMD \d\.\d{3} .*seed 0\n {2}4 smaller budgets of MIB's come to no edge in a graph of this size and are left out/);
  });

  it('drops edges one at a time, refines by ACDC, draws the pairs anew', async () => {
    // The mean difference of 2 is what all edges are worth together: a little less than the strongest edge into the logits is.
    const best = strongest.find((edge) => edgeName(SHAPE, edge).endsWith('logits'))!;
    const threshold = (2 * shareOf(SHAPE, best) * 0.999).toPrecision(6);
    const report = await json('a.prompts.json', '--edges', '20', '--minimality', '--stability', '--acdc', threshold, '--random', '0');
    const [selected, refined] = report.circuits;
    assert.deepEqual([refined!.kind, refined!.origin], ['refined', `${selected!.origin}, refined by ACDC at ${Number(threshold)}`]);
    const kept = selected!.edges.map(({ edge }) => edgeNamed(SHAPE, edge)!).filter((edge) => 2 * shareOf(SHAPE, edge) >= Number(threshold));
    assert.deepEqual(refined!.edges.map(({ edge }) => edge).sort(), edgesIn(SHAPE, prune(SHAPE, maskOf(SHAPE, kept))).map((edge) => edgeName(SHAPE, edge)).sort());
    assert.ok(refined!.edges.length > 0 && refined!.edges.length < selected!.edges.length);
    assert.ok(report.refined!.removed > 0 && report.refined!.tried <= selected!.edges.length);
    assert.deepEqual(report.measured.map(({ circuit }) => circuit), ['top 20', 'top 20, refined']);
    assert.equal(report.minimality!.length, refined!.edges.length);
    report.minimality!.forEach(({ edge, loss }) => close(loss, shareOf(SHAPE, edgeNamed(SHAPE, edge)!)));
    assert.deepEqual([report.stability!.mean, report.stability!.samples], [1, 100], 'all pairs say the same here');
    cli.out = '';
    assert.equal(await cli.run('circuit', 'a.prompts.json', '--edges', '20', '--minimality', '--acdc', threshold, '--stability', '--top', '1'), 0, cli.err);
    assert.match(cli.out, /Circuit; all other edges carry the corrupted prompt’s activations\n {2}top 20: top 20 of EAP-IG .*, pruned; \d+ of 75 edges, \d+\.\d % \(20 edges before pruning\), \d+ of 10 nodes\n/);
    assert.match(cli.out, /ACDC at 0\.0\d+ logits: \d+ edges? removed, \d+ tried one after the other/);
    assert.match(cli.out, /circuit +on +pairs +metric +all edges +no edges +faithfulness +knocked out\n {2}top 20 +three pairs +3 +\+\d/);
    assert.match(cli.out, /20 random circuits of \d+ edges on three pairs \(seed 0\): faithfulness 0\.\d{3} in the mean/);
    assert.match(cli.out, /Its edges, 1 of \d+ \(normalised: .*\)\n {2}# +edge +score\n/);
    assert.match(cli.out, /Faithfulness lost without one edge: 1 of \d+; 0 edges could go without any loss\n/);
    assert.match(cli.out, /Stability: pairs drawn anew 100 times share 1\.000 of the edges/);
  });

  it('says why nothing is left of a selection', async () => {
    const [strongestOfAll] = (await json('a.prompts.json', '--edges', '1', '--no-prune')).circuits;
    assert.deepEqual([strongestOfAll!.edges.length, cli.err], [1, '']);
    const { circuits: [single] } = await json('a.prompts.json', '--edges', '1');
    assert.deepEqual([single!.edges.length, cli.err], [0, 'Nothing of what was chosen (1 edge) lies on a way from the input to the logits: choose more, or do not prune.\n']);
    cli.err = '';
    await json('a.prompts.json', '--threshold', '99');
    assert.equal(cli.err, 'No edge is that strong: lower the threshold.\n');
    cli.out = '';
    assert.equal(await cli.run('circuit', 'a.prompts.json', '--threshold', '99'), 0, cli.err);
    assert.match(cli.out, /\n\nNo edges are in it\. No edge is that strong: lower the threshold\.\n$/);
    assert.doesNotMatch(cli.out, /# +edge/);
  });

  it('keeps the circuit with the run, in place of one of its name, and goes on from there', async () => {
    const kept = (): Promise<Run> => readRunFile(path.join(cli.folder, 'r.safetensors'));
    await json('a.prompts.json', '--edges', '20', '--name', 'mine', '--out', 'r.safetensors');
    const [own] = (await kept()).manifest.circuits!;
    assert.deepEqual([own!.name, own!.origin], ['mine', 'top 20 of EAP-IG (5 steps, left), LayerNorm in full, pruned']);
    close(own!.faithfulness!.value, worth(maskOf(SHAPE, own!.edges.map((name) => edgeNamed(SHAPE, name)!))));
    await json('r.safetensors', '--edges', '12', '--out', 'r.safetensors');
    await json('r.safetensors', '--edges', '15', '--name', 'mine', '--out', 'r.safetensors');
    assert.deepEqual((await kept()).manifest.circuits!.map(({ name, origin }) => [name, origin.slice(0, 6)]), [['top 12', 'top 12'], ['mine', 'top 15']]);
    assert.equal(attributions, 1);
    assert.deepEqual(edgeScores(await kept(), { pair: 'all', unit: 'raw' }), edgeScores(edgedRun(exampleRun(), {}), { pair: 'all', unit: 'raw' }));
  });

  describe('exchange', () => {
    const file = (text: string, name = 'g.json'): Promise<void> => writeFile(path.join(cli.folder, name), text);
    const mask = maskOf(SHAPE, ['input->m0', 'm0->a1.h1<k>', 'a1.h1->logits'].map((name) => edgeNamed(SHAPE, name)!));
    const graph = (): string => toMib(SHAPE, MODEL, new Float32Array(mask.length), mask);

    it('exports what it has found, and runs it again from there', async () => {
      const first = await json('a.prompts.json', '--edges', '20', '--export', 'out.json');
      const { mask: read } = fromMib(await readFile(path.join(cli.folder, 'out.json'), 'utf8'), MODEL);
      assert.deepEqual(edgesIn(SHAPE, read).map((edge) => edgeName(SHAPE, edge)).sort(), first.circuits[0]!.edges.map(({ edge }) => edge).sort());
      const again = await json('a.prompts.json', '--import', 'out.json');
      assert.equal(again.measured[0]!.faithfulness, first.measured[0]!.faithfulness);
    });

    it('runs an imported circuit as it is, without attributing edges', async () => {
      await file(graph());
      const { circuits, measured, method, random } = await json('a.prompts.json', '--import', 'g.json');
      assert.deepEqual([attributions, method], [0, undefined]);
      assert.deepEqual(circuits.map(({ kind, name, origin, edges }) => [kind, name, origin, edges.map(({ edge, score }) => [edge, score])]), [
        ['imported', 'g.json', 'imported from g.json', [['input->m0', undefined], ['m0->a1.h1<k>', undefined], ['a1.h1->logits', undefined]]],
      ]);
      close(measured[0]!.faithfulness, worth(mask));
      assert.equal(random!.edges, 3);
      assert.equal(await cli.run('circuit', 'a.prompts.json', '--import', 'g.json', '--minimality'), 0, cli.err);
      assert.match(cli.out, /g\.json: imported from g\.json; 3 of \d+ edges, .* 4 of 10 nodes\n/);
    });

    it('lists an imported circuit by the file’s scores, or by the run’s where it has them', async () => {
      const [weak, strong, negative] = ['input->m0', 'a1.h1->logits', 'm0->a1.h1<k>'];
      const scores = new Float32Array(mask.length);
      for (const [name, score] of [[weak, 0.25], [strong, 3], [negative, -0.5]] as const) scores[matrixIndex(SHAPE, edgeNamed(SHAPE, name!)!)] = score;
      await file(toMib(SHAPE, MODEL, scores, mask));
      const { circuits } = await json('a.prompts.json', '--import', 'g.json');
      assert.deepEqual(circuits[0]!.edges.map(({ edge, score, fileScore }) => [edge, score, fileScore]), [[strong, undefined, 3], [negative, undefined, -0.5], [weak, undefined, 0.25]]);
      cli.out = '';
      assert.equal(await cli.run('circuit', 'a.prompts.json', '--import', 'g.json', '--random', '0'), 0, cli.err);
      assert.match(cli.out, /Its edges \(scores as in g\.json\)\n {2}# +edge +score\n {2}1 +a1\.h1->logits +\+3\.0000\n {2}2 +m0->a1\.h1<k> +-0\.5000\n/);
      assert.equal(attributions, 0);
      await writeRunFile(path.join(cli.folder, 'run.safetensors'), edgedRun(exampleRun(), {}));
      const own = (await json('run.safetensors', '--import', 'g.json')).circuits[0]!.edges;
      own.forEach(({ edge, score, fileScore }) => {
        close(score, normalisedScore(SHAPE, edgeNamed(SHAPE, edge)!));
        assert.equal(fileScore, undefined);
      });
      assert.ok(own.every(({ score }, i) => i === 0 || Math.abs(score!) <= Math.abs(own[i - 1]!.score!)));
    });

    it('exports an imported circuit with the scores of its edges, which are attributed for it', async () => {
      await file(graph());
      for (const [name, unit] of [['e.json', 'raw'], ['e.csv', 'normalised']] as const) {
        const { circuits } = await json('a.prompts.json', '--import', 'g.json', '--export', name);
        assert.deepEqual(circuits[0]!.edges.map(({ edge }) => edge).sort(), edgesIn(SHAPE, mask).map((edge) => edgeName(SHAPE, edge)).sort());
        const text = await readFile(path.join(cli.folder, name), 'utf8');
        const scored = unit === 'raw' ? fromMib(text, MODEL).scores! : Float32Array.from(mask, () => 0);
        if (unit === 'normalised') for (const line of text.trim().split('\r\n').slice(1)) scored[matrixIndex(SHAPE, edgeNamed(SHAPE, line.split(',')[0]!)!)] = Number(line.split(',')[4]);
        for (const edge of edgesIn(SHAPE, mask)) close(scored[matrixIndex(SHAPE, edge)], normalisedScore(SHAPE, edge) * (unit === 'raw' ? 2 : 1));
      }
      assert.equal(attributions, 2);
    });

    it('refuses what is no circuit of this model, with the reason', async () => {
      const changed = (change: (graph: { cfg: Record<string, unknown>; nodes: Record<string, unknown>; edges: Record<string, unknown> }) => void): string => {
        const parsed = JSON.parse(graph()) as Parameters<typeof change>[0];
        change(parsed);
        return JSON.stringify(parsed);
      };
      for (const [text, message] of [
        ['not json', /g\.json: This graph cannot be imported: it is not JSON/],
        [changed(({ cfg }) => (cfg['n_layers'] = 12)), /of another model, with 12 layers/],
        [changed(({ nodes }) => (nodes['a7.h7'] = { in_graph: true })), /a node a7\.h7 that the model does not have/],
        [changed(({ edges }) => (edges['a1.h0->a0.h0<q>'] = { score: 1, in_graph: true })), /runs backwards/],
        [toMib(SHAPE, MODEL, new Float32Array(mask.length), emptyMask(SHAPE)), /none of its edges is in the circuit/],
      ] as [string, RegExp][]) {
        await file(text);
        await fails(['a.prompts.json', '--import', 'g.json'], message);
      }
      await fails(['a.prompts.json', '--import', 'nowhere.json'], /nowhere\.json: there is no such file/);
      await fails(['a.prompts.json', '--import', '.'], /the file could not be read/);
      const large = await open(path.join(cli.folder, 'large.json'), 'w');
      await large.truncate(51_000_000);
      await large.close();
      await fails(['a.prompts.json', '--import', 'large.json'], /large\.json: This graph cannot be imported: it has 51 MB, the largest that is read is 50 MB/);
      assert.deepEqual(ran, []);
    });
  });

  it('refuses sizes that there are not, before anything is attributed', async () => {
    await fails(['a.prompts.json', '--edges', String(TOTAL + 1)], new RegExp(`more than example has: ${TOTAL}`));
    await fails(['a.prompts.json', '--percent', '0.1'], /comes to none; one edge is/);
    assert.equal(attributions, 0);
  });

  it('says null where full and empty circuit do not differ', async () => {
    cli.answer = async () => {
      const run = exampleRun();
      run.manifest.pairs.forEach((pair) => (pair.metric = { clean: 1, corrupted: 1 }));
      return run;
    };
    await fails(['a.prompts.json', '--edges', '5'], /--raw/);
    const { measured, curve, minimality, random } = await json('a.prompts.json', '--edges', '5', '--no-prune', '--raw', '--curve', '--minimality');
    assert.deepEqual([measured[0]!.faithfulness, measured[0]!.knockedOut, curve!.cpr, curve!.points[0]!.faithfulness, minimality![0]!.loss, random], [null, null, null, null, null, undefined]);
    assert.equal(await cli.run('circuit', 'a.prompts.json', '--edges', '5', '--no-prune', '--raw', '--curve', '--minimality'), 0, cli.err);
    assert.match(cli.out, /undefined/);
    assert.doesNotMatch(cli.out, /NaN/);
  });

  it('takes several pairs to draw anew from', async () => {
    cli.answer = async () => {
      const run = exampleRun();
      return { ...run, manifest: { ...run.manifest, pairs: run.manifest.pairs.slice(0, 1), groups: [{ ...run.manifest.groups[0]!, pairs: [0] }] } };
    };
    await fails(['a.prompts.json', '--edges', '5', '--stability'], /With one pair there is nothing to draw anew/);
  });

  it('takes a stored run, whose experiment is its own', async () => {
    await writeRunFile(path.join(cli.folder, 'run.safetensors'), edgedRun(exampleRun(), { bothGradients: true }));
    const { method } = await json('run.safetensors', '--edges', '20');
    assert.deepEqual([method, attributions], [{ bothGradients: true, layerNorm: 'full' }, 0]);
    await fails(['run.safetensors', '--edges', '20', '--metric', 'prob'], /--metric cannot change it/);
  });
});
