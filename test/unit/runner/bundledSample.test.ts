import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { createTokenizerService } from '../../../src/models/tokenizerService';
import { resolveModel } from '../../../src/models/resolveModel';
import { parsePromptFile } from '../../../src/prompts/parse';
import { createRunner } from '../../../src/runner/createRunner';
import type { ExperimentRunner } from '../../../src/runner/runner';
import { arrayNamed } from '../../../src/shared/arrays';
import { exactOf, withExact } from '../../../src/shared/exact';
import { DIRECTIONS } from '../../../src/shared/experiment';
import { groupArrayName, type PatchCell } from '../../../src/shared/results';
import { DEFAULT_SITES } from '../../../src/shared/sites';
import { headScores, positionScores } from '../../../src/shared/views';
import { expectedValues, relativeError, WASM_FOLDER } from '../engine/support';

interface BundledFixture {
  prompts: string[];
  tokenizer: { text: string; ids: number[] }[];
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-4 * Math.max(1, Math.abs(expected)), `${actual} is not ${expected}`);
}

/** The first thing a newcomer runs, from the text of the sample file to the numbers of the heatmaps, against PyTorch. */
describe('the sample on the bundled model', function () {
  const tokenizer = createTokenizerService();
  let runner: ExperimentRunner;

  before(() => {
    const places = { bundledFolder: path.resolve('media/model'), cacheFolders: [], home: '/nowhere' };
    runner = createRunner({
      engine: new LocalEngine({ wasmFolder: WASM_FOLDER }),
      tokenizer: { ...tokenizer, dispose: async () => undefined },
      resolveModel: (reference) => resolveModel(reference, places),
      extensionVersion: 'test',
    });
  });
  after(() => runner.dispose());

  for (const direction of DIRECTIONS) {
    it(`gives PyTorch's heads and positions, ${direction}`, async () => {
      const { experiments } = await expectedValues('bundled-ioi');
      const expected = experiments[0]!;
      const { prompts } = JSON.parse(await readFile('test/fixtures/expected/bundled-ioi.json', 'utf8')) as BundledFixture;
      const { experiment, problems } = parsePromptFile(await readFile('media/samples/ioi.prompts.json', 'utf8'), { direction });
      assert.deepEqual(problems, []);
      assert.deepEqual(experiment!.pairs.map(({ clean }) => clean), prompts);

      const settings = { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction } as const;
      const { manifest, arrays } = await runner.attribute({ experiment: experiment!, settings, title: 'sample' });
      assert.deepEqual(manifest.pairs.map(({ clean }) => clean.map(({ id }) => id)), expected.pairs.map(({ clean }) => clean));
      assert.deepEqual(manifest.notes, []);
      const all = { pair: 'all', unit: 'normalised' } as const;
      const { heads, positions } = expected.directions[direction];
      for (const [own, theirs] of [
        [headScores(manifest, arrays, 'z', 'all', all), heads.allPositions],
        [headScores(manifest, arrays, 'z', 'last', all), heads.lastPosition],
        [positionScores(manifest, arrays, 0, 'z', all)!, positions[0]!],
      ] as const) {
        const error = relativeError(own.values, theirs.data);
        assert.ok(error < 1e-5, `${own.axes.join(' × ')}: ${error}`);
      }
    });
  }

  it('verifies, looks and intervenes: the parts fit together', async () => {
    const { experiment } = parsePromptFile(await readFile('media/samples/ioi.prompts.json', 'utf8'), { direction: 'denoise' });
    const settings = { model: 'bundled', backend: 'auto', threads: 0, prependBos: 'model', direction: 'denoise' } as const;
    const run = await runner.attribute({ experiment: experiment!, settings, title: 'sample' });
    const { pairs, groups, model } = run.manifest;
    assert.deepEqual(Object.keys(run.arrays.entries).sort(), groups.flatMap((_, group) => DEFAULT_SITES.map((site) => groupArrayName(group, site))).sort());

    // The residual stream where it first differs carries everything: in one group all pairs differ at one place.
    const at = pairs[groups[0]!.pairs[0]!]!.differsAt!;
    const alone = groups[0]!.pairs.filter((pair) => {
      const { clean, corrupted } = pairs[pair]!;
      return clean.every(({ id }, position) => (id === corrupted[position]!.id) !== (position === at));
    });
    assert.ok(alone.length > 0);
    const whole: PatchCell = { site: 'resid_pre', group: 0, layer: 0, position: at };
    const heads = Array.from({ length: model.heads }, (_, head): PatchCell => ({ site: 'z', layer: model.layers - 1, head }));
    let measured = run;
    const patched = await runner.patch({ run, cells: [whole, ...heads], settings }, { onProgress: (progress) => progress.measured && (measured = withExact(measured, progress.measured)) });
    assert.deepEqual(exactOf(patched), exactOf(measured), 'progress carries all that is measured');
    const { effects } = exactOf(patched);
    for (const pair of alone) close(effects[pair]!, pairs[pair]!.metric.clean - pairs[pair]!.metric.corrupted!);

    const { arrays: lens } = await runner.lens({ run, settings });
    const { data, shape } = arrayNamed(lens, 'clean.lens');
    pairs.forEach(({ metric }, pair) => close(data[(pair + 1) * shape[1]! - 1]!, metric.clean));
    const { arrays: attention } = await runner.attention({ run, settings, pair: 0, layer: 1, heads: [0, 1] });
    const length = pairs[0]!.clean.length;
    assert.deepEqual(attention.entries['clean']!.shape, [2, length, length]);
    close(arrayNamed(attention, 'clean').data.slice(0, length).reduce((sum, value) => sum + value, 0), 1);
    const { clean, corrupted } = await runner.predictions({ run, settings, pair: 0, top: 3 });
    assert.deepEqual([clean.length, corrupted!.length], [3, 3]);
    assert.ok(pairs[0]!.correct.some(({ text }) => text === clean[0]!.text));

    const variant = { interventions: [{ unit: { site: 'resid_pre', layer: 0, position: at } as const, with: 'corrupted' as const }] };
    const undone = await runner.attribute({ experiment: { ...experiment!, direction: 'noise', variant, pairs: alone.map((pair) => experiment!.pairs[pair]!) }, settings, title: 'undone' });
    const outcome = await runner.intervene({ run: undone, settings, top: 2 });
    outcome.patched.forEach((value, i) => close(value, outcome.metric.corrupted![i]!));
    assert.deepEqual(outcome.pairs[0]!.patched!.map(({ text }) => text), outcome.pairs[0]!.corrupted!.map(({ text }) => text));
  });

  it("cuts awkward texts as Python's tokenizers does", async () => {
    const { tokenizer: cases } = JSON.parse(await readFile('test/fixtures/expected/bundled-ioi.json', 'utf8')) as BundledFixture;
    assert.ok(cases.length > 20);
    const tokenized = await tokenizer.encode({ folder: path.resolve('media/model'), texts: cases.map(({ text }) => text) });
    assert.deepEqual(tokenized.map(({ tokens }) => tokens.map(({ id }) => id)), cases.map(({ ids }) => ids));
  });
});
