import assert from 'node:assert/strict';
import { createRunner } from '../../../src/runner/createRunner';
import type { AttributionJob, ExperimentRunner } from '../../../src/runner/runner';
import { tokenExperimentOf } from '../../../src/runner/tokenExperimentOf';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import { exactOf, withExact } from '../../../src/shared/exact';
import type { TextExperiment, TextPair } from '../../../src/shared/experiment';
import type { MeasuredEffects, PatchCell, Progress } from '../../../src/shared/results';
import type { Run } from '../../../src/shared/run';
import { effectOf, fakeEngine, fakeTokenizer, MODEL, type FakeEngine, type FakeEngineOptions } from './fakes';

const PAIRS: TextPair[] = [
  { name: 'shops', clean: 'When John left', corrupted: 'When Mary left', correct: [' Mary'], incorrect: [' John'], positions: { S: 'John', END: -1 } },
  { clean: 'So did Tom', corrupted: 'So did Dan', correct: [' Dan', ' Sid'], incorrect: [' Tom'] },
];
const SETTINGS: AttributionJob['settings'] = { model: 'a/model', backend: 'auto', threads: 3, prependBos: 'model', direction: 'denoise' };
const CELLS: PatchCell[] = [0, 1, 2].map((head) => ({ site: 'z', layer: 1, head }));

interface Prepared {
  runner: ExperimentRunner;
  engine: FakeEngine;
  run: Run;
  /** Models that can be found, by reference: their ids. */
  models: Map<string, string>;
}

async function prepared(options: FakeEngineOptions = {}, more: Partial<TextExperiment> = {}): Promise<Prepared> {
  const engine = fakeEngine(options);
  const models = new Map([['a/model', 'a/model'], ['b/model', 'b/model'], ['/folder/mine', 'mine']]);
  const resolveModel = async (reference: string): Promise<{ id: string; folder: string }> => {
    const id = models.get(reference);
    if (id === undefined) throw new CircuitError('model-missing', 'There is no such model.');
    return { id, folder: `/models/${id}` };
  };
  const runner = createRunner({ engine, tokenizer: fakeTokenizer(), resolveModel, extensionVersion: '1.2.3' });
  const run = await runner.attribute({ experiment: { metric: 'logitDiff', direction: 'denoise', pairs: PAIRS, ...more }, settings: SETTINGS, title: 'a title' });
  engine.calls.splice(0);
  return { runner, engine, run, models };
}

const isCode = (code: CircuitError['code'], message = /./) => (error: unknown): boolean => CircuitError.is(error, code) && message.test(error.message);

describe('work on a finished run', () => {
  it('starts from the very experiment that the engine ran', async () => {
    for (const more of [{}, { prependBos: true, at: 'S' }, { metric: { activation: 'attention', layer: 1, head: 0 }, source: 'S' }, { metric: 'promptLogProb' }] as Partial<TextExperiment>[]) {
      const pairs = PAIRS.slice(0, 1);
      const { run, engine } = await prepared({}, { ...more, pairs });
      assert.deepEqual(tokenExperimentOf(run.manifest), engine.attributed[0]!.experiment);
    }
    const single = PAIRS.map(({ clean, correct, incorrect }) => ({ clean, correct, incorrect }));
    const { run, engine } = await prepared({}, { pairs: single, other: 'mean', direction: 'noise' });
    assert.deepEqual(tokenExperimentOf(run.manifest), engine.attributed[0]!.experiment);
    assert.equal(engine.attributed[0]!.experiment.pairs[0]!.corrupted, undefined);
    assert.equal(run.manifest.pairs[0]!.differsAt, undefined);
  });

  it('keeps a file’s named positions as token indices', async () => {
    const { run } = await prepared({}, { prependBos: true });
    assert.deepEqual(run.manifest.pairs.map(({ positions }) => positions), [{ S: 2, END: 3 }, undefined]);
  });

  it('patches cells exactly, and gives the run with their effects', async () => {
    const { runner, engine, run } = await prepared();
    const patched = await runner.patch({ run, cells: CELLS, settings: SETTINGS });
    const { cells, effects } = exactOf(patched);
    assert.deepEqual(cells, CELLS);
    assert.deepEqual(effects, Float32Array.from(CELLS.flatMap((cell) => [effectOf(cell, 0), effectOf(cell, 1)])));
    assert.deepEqual(engine.calls, ['load', 'patch']);
    assert.deepEqual(exactOf(run).cells, [], 'the run that was given stays as it was');
    assert.equal(patched.manifest.id, run.manifest.id);
  });

  it('measures only what the run has not measured yet, each cell once', async () => {
    const { runner, engine, run } = await prepared();
    const once = await runner.patch({ run, cells: CELLS.slice(0, 1), settings: SETTINGS });
    const twice = await runner.patch({ run: once, cells: [...CELLS, { head: 2, layer: 1, site: 'z' }], settings: SETTINGS });
    assert.deepEqual(engine.patched.map(({ cells }) => cells.length), [1, 2]);
    assert.equal(exactOf(twice).cells.length, 3);
    engine.calls.splice(0);
    assert.equal(await runner.patch({ run: twice, cells: CELLS, settings: SETTINGS }), twice);
    assert.deepEqual(engine.calls, [], 'nothing is loaded for what is known');
  });

  it('passes on what is measured, so that a cancelled sweep can be resumed', async () => {
    let passes = 0;
    const never = new Promise<void>(() => undefined);
    const { runner, engine, run } = await prepared({ gate: () => (++passes === 4 ? never : Promise.resolve()) });
    const abort = new AbortController();
    let kept = run;
    const seen: Progress[] = [];
    const onProgress = (progress: Progress): void => {
      seen.push(progress);
      if (progress.measured) kept = withExact(kept, progress.measured);
      if (exactOf(kept).cells.length === 2) setTimeout(() => abort.abort());
    };
    await assert.rejects(runner.patch({ run, cells: CELLS, settings: SETTINGS }, { signal: abort.signal, onProgress }), isCode('cancelled'));
    assert.deepEqual(exactOf(kept).cells, CELLS.slice(0, 2));
    const fractions = seen.map(({ fraction }) => fraction);
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
    const resumed = await runner.patch({ run: kept, cells: CELLS, settings: SETTINGS });
    assert.deepEqual(engine.patched.at(-1)!.cells, CELLS.slice(2));
    assert.equal(exactOf(resumed).cells.length, 3);
  });

  it('refuses a model that has become another', async () => {
    const { runner, engine, run } = await prepared();
    engine.checkpointHash = 'ff';
    for (const work of [runner.patch({ run, cells: CELLS, settings: SETTINGS }), runner.lens({ run, settings: SETTINGS }), runner.predictions({ run, pair: 0, top: 1, settings: SETTINGS })]) {
      await assert.rejects(work, isCode('model-missing', /not the one that this run was made with.*Run the prompts again/));
    }
    assert.ok(!engine.calls.includes('patch'));
  });

  it('finds the run’s model when the settings name another, and says when it is gone', async () => {
    const { runner, engine, run, models } = await prepared();
    await runner.patch({ run, cells: CELLS, settings: { ...SETTINGS, model: 'b/model' } });
    assert.equal(engine.loads.at(-1)!.id, 'a/model');
    models.delete('a/model');
    await assert.rejects(runner.patch({ run, cells: CELLS, settings: { ...SETTINGS, model: 'b/model' } }), isCode('model-missing', /"a\/model".*settings/));
  });

  it('finds a model that is known by its folder where the settings name the folder', async () => {
    const { runner, engine, run } = await prepared();
    const mine = { ...run, manifest: { ...run.manifest, model: { ...MODEL, id: 'mine' } } };
    await runner.patch({ run: mine, cells: CELLS, settings: { ...SETTINGS, model: '/folder/mine' } });
    assert.equal(engine.loads.at(-1)!.folder, '/models/mine');
    await assert.rejects(runner.patch({ run: mine, cells: CELLS, settings: SETTINGS }), isCode('model-missing', /"mine"/));
  });

  it('reads attention and the lens', async () => {
    const { runner, engine, run } = await prepared();
    const { heads, arrays } = await runner.attention({ run, settings: SETTINGS, pair: 1, layer: 0, heads: [2, 0] });
    assert.deepEqual(heads, [2, 0]);
    assert.equal(arrayNamed(arrays, 'clean').data[0], 1, 'of the pair that was asked for');
    assert.ok('clean.lens' in (await runner.lens({ run, settings: SETTINGS })).arrays.entries);
    assert.deepEqual(engine.calls, ['load', 'attention', 'load', 'lens']);
  });

  it('says in words what the model predicts after both prompts', async () => {
    const { runner, run } = await prepared();
    const { clean, corrupted, patched } = await runner.predictions({ run, settings: SETTINGS, pair: 1, top: 2 });
    assert.deepEqual(clean.map(({ text, probability }) => [text, probability]), [[' Tom', 0.5], ['⟨E2⟩', 0.25]]);
    assert.deepEqual(corrupted?.map(({ text }) => text), [' Dan', '⟨E2⟩']);
    assert.equal(patched, undefined);
    await assert.rejects(runner.predictions({ run, settings: SETTINGS, pair: 2, top: 2 }), isCode('experiment', /no pair 3/));
  });

  it('says of answers that are not among the most probable which place they have', async () => {
    const { runner, engine, run } = await prepared();
    const { missing } = await runner.predictions({ run, settings: SETTINGS, pair: 1, top: 2 });
    assert.deepEqual([missing!.clean, missing!.corrupted!].map((side) => side.map(({ text }) => text)), [[' Dan', ' Sid'], [' Sid', ' Tom']]);
    const { clean, correct } = run.manifest.pairs[1]!;
    // The fake's logits fall by one with every token away from the prompt's last.
    const logits = Array.from({ length: MODEL.vocabulary }, (_, token) => -Math.abs(token - clean.at(-1)!.id));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    correct.forEach(({ id }, i) => {
      const found = missing!.clean[i]!;
      assert.equal(found.logit, logits[id]);
      assert.equal(found.rank, 1 + logits.filter((logit, token) => logit > logits[id]! || (logit === logits[id]! && token < id)).length);
      assert.ok(Math.abs(found.probability - Math.exp(logits[id]!) / total) < 1e-6);
    });
    engine.calls.splice(0);
    const all = await runner.predictions({ run, settings: SETTINGS, pair: 0, top: 2 });
    assert.ok(all.missing, 'their names are not left at the end');
    assert.deepEqual(engine.calls, ['load', 'predict', 'logits']);
  });

  it('runs interventions, all pairs together', async () => {
    const { runner, engine, run } = await prepared({}, { variant: { interventions: [{ unit: { site: 'z', layer: 0, head: 1 }, with: 'mean' }] } });
    const one = await runner.predictions({ run, settings: SETTINGS, pair: 1, top: 1 });
    assert.deepEqual([one.clean, one.corrupted, one.patched].map((side) => side?.[0]?.text), [' Tom', ' Dan', ' Sid']);
    const { metric, patched, pairs } = await runner.intervene({ run, settings: SETTINGS, top: 1 });
    assert.deepEqual([metric.clean, metric.corrupted, patched], [[2, 2], [-1, -1], [1, 1]]);
    assert.deepEqual(pairs[1], one);
    assert.deepEqual(engine.calls, ['load', 'intervene', 'load', 'intervene']);
  });

  it('answers what a person waits for before the next portion of what is being measured', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let closed = false;
    const { runner, engine, run } = await prepared({ gate: () => (closed ? opened : Promise.resolve()) });
    closed = true;
    const work = { run, settings: SETTINGS };
    const all = [
      runner.patch({ ...work, cells: CELLS.slice(0, 2) }),
      runner.patch({ ...work, cells: CELLS.slice(2) }),
      runner.intervene({ ...work, top: 1 }),
      runner.attention({ ...work, pair: 0, layer: 0, heads: [0] }),
      runner.lens(work),
      runner.predictions({ ...work, pair: 0, top: 5 }),
    ];
    open();
    await Promise.all(all);
    assert.deepEqual(engine.calls.filter((call) => call !== 'load' && call !== 'logits'), ['patch', 'attention', 'lens', 'predict', 'patch', 'intervene']);
  });

  it('queues with attributions', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let closed = false;
    const { runner, engine, run } = await prepared({ gate: () => (closed ? opened : Promise.resolve()) });
    closed = true;
    const measured: MeasuredEffects[] = [];
    const patching = runner.patch({ run, cells: CELLS, settings: SETTINGS }, { onProgress: (progress) => progress.measured && measured.push(progress.measured) });
    const looking = runner.lens({ run, settings: SETTINGS });
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(engine.calls, ['load', 'patch']);
    open();
    await Promise.all([patching, looking]);
    assert.equal(measured.length, 3);
    assert.deepEqual(engine.calls, ['load', 'patch', 'load', 'lens']);
  });
});
