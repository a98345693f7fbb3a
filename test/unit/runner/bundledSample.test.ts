import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LocalEngine } from '../../../src/engine/client/localEngine';
import { createTokenizerService } from '../../../src/models/tokenizerService';
import { resolveModel } from '../../../src/models/resolveModel';
import { parsePromptFile } from '../../../src/prompts/parse';
import { createRunner } from '../../../src/runner/createRunner';
import type { ExperimentRunner } from '../../../src/runner/runner';
import { DIRECTIONS } from '../../../src/shared/experiment';
import { headScores, positionScores } from '../../../src/shared/views';
import { expectedValues, relativeError, WASM_FOLDER } from '../engine/support';

interface BundledFixture {
  prompts: string[];
  tokenizer: { text: string; ids: number[] }[];
}

/** The first thing a newcomer runs, from the text of the sample file to the numbers of the heatmaps, against PyTorch. */
describe('the sample on the bundled model', function () {
  this.timeout(60_000);
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

  it("cuts awkward texts as Python's tokenizers does", async () => {
    const { tokenizer: cases } = JSON.parse(await readFile('test/fixtures/expected/bundled-ioi.json', 'utf8')) as BundledFixture;
    assert.ok(cases.length > 20);
    const tokenized = await tokenizer.encode({ folder: path.resolve('media/model'), texts: cases.map(({ text }) => text) });
    assert.deepEqual(tokenized.map(({ tokens }) => tokens.map(({ id }) => id)), cases.map(({ ids }) => ids));
  });
});
