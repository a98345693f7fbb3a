import assert from 'node:assert/strict';
import path from 'node:path';
import type { AttentionJson } from '../../../src/cli/attention';
import type { InterveneJson } from '../../../src/cli/intervene';
import type { LensJson, LensSideJson } from '../../../src/cli/lens';
import { writeRunFile } from '../../../src/runs/file';
import { packArrays } from '../../../src/shared/arrays';
import type { TokenPrediction } from '../../../src/shared/panelProtocol';
import { exampleRun } from '../runs/exampleRun';
import { commandLine } from './commandLine';

describe('attention, lens and intervene, the verbs', () => {
  const cli = commandLine();
  const json = async <T>(...words: string[]): Promise<T> => {
    assert.equal(await cli.run(...words, '--json'), 0, cli.err);
    return JSON.parse(cli.out) as T;
  };

  describe('attention', () => {
    beforeEach(() => {
      cli.work.attention = async ({ pair, layer, heads }) => {
        const length = pair === 1 ? 4 : 3;
        const of = (name: string, factor: number) => ({
          name,
          axes: ['head', 'dest', 'src'],
          shape: [heads.length, length, length],
          data: Float32Array.from({ length: heads.length * length * length }, (_, i) => {
            const cell = i % (length * length);
            return cell % length > Math.floor(cell / length) ? 0 : factor * (100 * pair + 10 * layer + heads[Math.floor(i / (length * length))]! + cell / 16);
          }),
        });
        return { heads: [...heads], arrays: packArrays([of('clean', 1), of('other', 2), of('attribution', -3)]) };
      };
    });

    it('has every head of every pair, destinations before sources', async () => {
      const { pairs, unit, of } = await json<AttentionJson>('attention', 'a.prompts.json', '--head', '1.2,0.1', '--head', '1.0');
      assert.deepEqual(cli.jobs[0]!.sites, [], 'only the metric is needed');
      assert.deepEqual([unit, of], ['normalised', 'pair']);
      assert.deepEqual(pairs.map(({ name }) => name), ['first', 'second', 'third']);
      assert.deepEqual(pairs[1]!.heads.map(({ layer, head }) => [layer, head]), [[1, 2], [1, 0], [0, 1]]);
      const { clean, other, attribution, axes, ...rest } = pairs[1]!.heads[0]!;
      assert.deepEqual(axes, ['dest', 'src']);
      assert.deepEqual([(clean as number[][])[3]![1], (other as number[][])[3]![1], (clean as number[][])[1]![3]], [112 + 13 / 16, 2 * (112 + 13 / 16), 0]);
      assert.ok(Math.abs((attribution as number[][])[3]![1]! - (-3 * (112 + 13 / 16)) / 0.5) < 1e-3, 'its own, divided by its own difference');
      assert.deepEqual(rest, { layer: 1, head: 2 }, 'no base pattern without interventions');
    });

    it('lists the cells that carry most, with their tokens', async () => {
      assert.equal(await cli.run('attention', 'a.prompts.json', '--head', '0.0', '--top', '2', '--raw'), 0, cli.err);
      assert.match(cli.out, /Head 0\.0, second: top cells by attribution \(its own, logits\)\n {2}destination +source +clean +other +attribution\n {2}3 " é⟨E2⟩" +3 " é⟨E2⟩" +100\.938 +201\.875 +-302\.8125\n {2}3 " é⟨E2⟩" +2 " is" /);
    });

    it('refuses heads that the model does not have', async () => {
      assert.equal(await cli.run('attention', 'a.prompts.json', '--head', '0.3'), 2);
      assert.match(cli.err, /no head 0\.3; example has layers 0 to 1 of heads 0 to 2/);
    });
  });

  describe('lens', () => {
    const sides = (names: readonly string[]) =>
      packArrays(
        names.flatMap((side, s) =>
          ([['lens', [5]], ['heads', [2, 3]], ['mlp', [2]], ['embed', []], ['position', []], ['bias', []]] as [string, number[]][]).map(([part, shape]) => {
            const size = shape.reduce((product, extent) => product * extent, 1);
            return { name: `${side}.${part}`, axes: ['pair', ...shape.map(String)], shape: [3, ...shape], data: Float32Array.from({ length: 3 * size }, (_, i) => (s === 0 ? 1 : -1) * (Math.floor(i / size) + (i % size) / 8)) };
          }),
        ),
      );

    it('has every part of every pair, in logits', async () => {
      cli.work.lens = async () => ({ arrays: sides(['clean', 'corrupted']) });
      const { pairs, depths, unit } = await json<LensJson>('lens', 'a.prompts.json');
      assert.deepEqual([unit, depths], ['raw', ['before layer 0', 'after attention of layer 0', 'after MLP of layer 0', 'after attention of layer 1', 'after MLP of layer 1']]);
      const expected: LensSideJson = { lens: [1, 1.125, 1.25, 1.375, 1.5], heads: [[1, 1.125, 1.25], [1.375, 1.5, 1.625]], mlp: [1, 1.125], embed: 1, position: 1, bias: 1 };
      assert.deepEqual(pairs[1], { name: 'second', clean: expected, corrupted: JSON.parse(JSON.stringify(expected).replace(/(?<=[:[,])1/g, '-1')) as LensSideJson });
    });

    it('prints means over the pairs, of the clean side alone where there is no other', async () => {
      cli.work.lens = async () => ({ arrays: sides(['clean']) });
      assert.equal(await cli.run('lens', 'a.prompts.json', '--top', '2'), 0, cli.err);
      assert.match(cli.out, /Logit lens: .*\(logits, mean over 3 pairs\)\n {2}depth +clean\n {2}before layer 0 +\+1\.0000\n {2}after attention of layer 0 +\+1\.1250\n/);
      assert.match(cli.out, /top heads .*\n {2}head +clean\n +1\.2 +\+1\.6250\n +1\.1 +\+1\.5000\n\n/);
      assert.match(cli.out, /everything else .*\n[^]*MLP 1 +\+1\.1250\n {2}embed +\+1\.0000/);
      assert.ok(!cli.out.includes('first token'));
    });

    it('says that of a continuation only the first token is read', async () => {
      cli.work.lens = async () => ({ arrays: sides(['clean', 'corrupted']) });
      cli.answer = async () => {
        const run = exampleRun();
        run.manifest.experiment.metric = 'continuation';
        return run;
      };
      assert.equal(await cli.run('lens', 'a.prompts.json'), 0, cli.err);
      assert.match(cli.out, /\n\n {2}Of a continuation only the first token is read here, in logits; the metric reads the log-probabilities of all its tokens\.\n\nLogit lens: /);
    });
  });

  describe('intervene', () => {
    const prediction = (text: string, probability: number): TokenPrediction => ({ text, logit: 2, probability });
    beforeEach(() => {
      cli.answer = async ({ experiment: { variant } }) => {
        const run = exampleRun();
        run.manifest.experiment.variant = variant;
        return run;
      };
      cli.work.intervene = async ({ run, top }) => ({
        metric: { clean: [2, 1, 3], corrupted: [-1, 0.5, 0.5] },
        patched: [0.5, 0.25, 0],
        pairs: run.manifest.pairs.map((_, i) => ({ clean: [prediction(' Mary', 0.5)], corrupted: [prediction(' John', 0.25)], patched: Array.from({ length: top }, (_, rank) => prediction(` p${i}${rank}`, 0.125)) })),
        seconds: 1,
      });
    });

    it('has the metric and the next tokens before and after', async () => {
      const { patched, pairs, variant, metricValues } = await json<InterveneJson>('intervene', 'a.prompts.json', '--intervene', 'z:1.2=mean', '--top', '1');
      assert.deepEqual(variant, { interventions: [{ unit: { site: 'z', layer: 1, head: 2 }, with: 'mean' }] });
      assert.deepEqual([patched.mean, patched.perPair[2]], [0.25, { name: 'third', value: 0 }]);
      assert.equal(metricValues.perPair[1]!.corrupted, 0.5);
      assert.deepEqual(pairs[1], { name: 'second', clean: [prediction(' Mary', 0.5)], corrupted: [prediction(' John', 0.25)], patched: [prediction(' p10', 0.125)] });
    });

    it('prints them side by side', async () => {
      assert.equal(await cli.run('intervene', 'a.prompts.json', '--intervene', 'z:1.2=other', '--top', '2'), 0, cli.err);
      assert.match(cli.out, /Variant: intervention: head 1\.2 \(z\) ← the clean run’s activation\n/);
      assert.match(cli.out, /"patched" is the corrupted run with the interventions \(logits\)\n {2}pair +clean +corrupted +patched\n {2}first +\+2\.0000 +-1\.0000 +\+0\.5000\n/);
      assert.match(cli.out, /second: next tokens\n {2}clean +corrupted +patched\n {2}" Mary" 50\.0 % +" John" 25\.0 % +" p10" 12\.5 %\n +" p11" 12\.5 %/);
    });

    it('is done to a stored run too, and only what its experiment can take', async () => {
      await writeRunFile(path.join(cli.folder, 'run.safetensors'), exampleRun());
      const { variant } = await json<InterveneJson>('intervene', 'run.safetensors', '--intervene', 'z:1.2=mean');
      assert.deepEqual(variant.interventions, [{ unit: { site: 'z', layer: 1, head: 2 }, with: 'mean' }]);
      assert.equal(await cli.run('intervene', 'run.safetensors', '--intervene', 'z:1.2=mean', '--variant', 'qk-fix'), 2);
      assert.match(cli.err, /a variant cannot change it/);
      assert.equal(await cli.run('lens', 'run.safetensors', '--intervene', 'z:1.2=mean'), 2);
    });

    it('wants something to do', async () => {
      assert.equal(await cli.run('intervene', 'a.prompts.json'), 2);
      assert.match(cli.err, /has no interventions; say what is replaced, such as --intervene/);
    });
  });
});
