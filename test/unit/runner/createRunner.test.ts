import assert from 'node:assert/strict';
import { createRunner } from '../../../src/runner/createRunner';
import type { AttributionJob, ExperimentRunner } from '../../../src/runner/runner';
import { CircuitError } from '../../../src/shared/errors';
import type { TextExperiment, TextPair } from '../../../src/shared/experiment';
import type { CallOptions, Progress } from '../../../src/shared/results';
import { DEFAULT_SITES } from '../../../src/shared/sites';
import { BOS, fakeEngine, fakeTokenizer, MODEL, type FakeEngine } from './fakes';

const PAIR: TextPair = { name: 'shops', clean: 'When John left', corrupted: 'When Mary left', correct: [' Mary'], incorrect: [' John'] };
const SECOND: TextPair = { clean: 'So Tom', corrupted: 'So Dan', correct: [' Dan', ' Sid'], incorrect: [' Tom'] };
const SETTINGS: AttributionJob['settings'] = { model: 'a/model', backend: 'auto', threads: 3, prependBos: 'model', direction: 'denoise' };
const NOW = new Date('2026-01-31T12:00:00.123Z');

function job(pairs: TextPair[] = [PAIR], more: Partial<TextExperiment> = {}, settings: Partial<AttributionJob['settings']> = {}): AttributionJob {
  return { experiment: { metric: 'logitDiff', direction: 'denoise', pairs, ...more }, settings: { ...SETTINGS, ...settings }, title: 'a title' };
}

function runnerWith(engine: FakeEngine = fakeEngine(), tokenizer = fakeTokenizer()): { runner: ExperimentRunner; engine: FakeEngine; tokenizer: typeof tokenizer; asked: string[] } {
  const asked: string[] = [];
  const resolveModel = async (reference: string): Promise<{ id: string; folder: string }> => {
    asked.push(reference);
    if (reference === 'gone') throw new CircuitError('model-missing', 'There is no such model.');
    return { id: reference, folder: `/models/${reference}` };
  };
  return { runner: createRunner({ engine, tokenizer, resolveModel, extensionVersion: '1.2.3', now: () => NOW }), engine, tokenizer, asked };
}

const isCode = (code: CircuitError['code']) => (error: unknown): boolean => CircuitError.is(error, code);

describe('runner', () => {
  it('takes an experiment from text to a run', async () => {
    const { runner, engine } = runnerWith(fakeEngine({ clean: [2, 3], corrupted: [-1, 0.5] }));
    const { manifest, arrays } = await runner.attribute({ ...job([PAIR, SECOND]), source: { uri: 'file:///a.prompts.json', pairIndices: [4, 6] } });
    assert.match(manifest.id, /^20260131T120000123Z-/);
    assert.equal(manifest.createdAt, NOW.toISOString());
    assert.equal(manifest.extensionVersion, '1.2.3');
    assert.equal(manifest.title, 'a title');
    assert.deepEqual(manifest.source, { uri: 'file:///a.prompts.json', pairIndices: [4, 6] });
    assert.deepEqual(manifest.model, { ...MODEL, id: 'a/model' });
    assert.deepEqual(manifest.timings, { load: 0.5, run: 0.25 });
    const [first, second] = manifest.pairs;
    assert.deepEqual([first!.name, second!.name], ['shops', 'pair 7'], 'a pair without a name has its place in the file');
    assert.deepEqual(first!.clean.map(({ text }) => text), ['When', ' John', ' left']);
    assert.deepEqual(first!.corrupted.map(({ text }) => text), ['When', ' Mary', ' left']);
    assert.equal(first!.differsAt, 1);
    assert.deepEqual(first!.metric, { clean: 2, corrupted: -1 });
    assert.deepEqual(second!.metric, { clean: 3, corrupted: 0.5 });
    assert.deepEqual(second!.correct.map(({ text }) => text), [' Dan', ' Sid']);
    assert.deepEqual(manifest.notes, []);
    assert.ok('group0.z' in arrays.entries);
    assert.deepEqual(engine.attributed[0]!.experiment.pairs[0]!.clean, first!.clean.map(({ id }) => id));
    assert.deepEqual(engine.attributed[0]!.sites, DEFAULT_SITES);
    assert.deepEqual(engine.loads[0], { id: 'a/model', revision: undefined, folder: '/models/a/model', backend: 'auto', threads: 3 });
  });

  it('keeps with the run what its prompts are warned of', async () => {
    const { runner } = runnerWith();
    const { manifest } = await runner.attribute(job([{ ...PAIR, clean: 'When John left ', corrupted: 'When Mary left ' }]));
    assert.deepEqual(manifest.notes.filter(({ message }) => message.startsWith('This prompt ends in a space.')).map(({ severity }) => severity), ['warning']);
  });

  it('lets the experiment’s model win over the setting’s', async () => {
    const { runner, asked } = runnerWith();
    await runner.attribute(job([PAIR], { model: 'another' }));
    assert.deepEqual(asked, ['another']);
  });

  it('puts BOS first when the experiment or else the setting says so', async () => {
    const cases: [boolean | undefined, boolean | 'model', boolean][] = [
      [undefined, 'model', false],
      [undefined, true, true],
      [undefined, false, false],
      [true, false, true],
      [false, true, false],
    ];
    for (const [written, setting, expected] of cases) {
      const { runner, engine } = runnerWith();
      const { manifest } = await runner.attribute(job([PAIR], { prependBos: written }, { prependBos: setting }));
      assert.equal(manifest.prependBos, expected);
      assert.equal(engine.attributed[0]!.experiment.pairs[0]!.clean[0] === BOS.id, expected);
      assert.equal(manifest.pairs[0]!.clean[0]!.text === BOS.text, expected);
      assert.equal(manifest.pairs[0]!.differsAt, expected ? 2 : 1);
    }
    const tokenizer = { ...fakeTokenizer(), info: async () => ({ vocabulary: 1000 }) };
    await assert.rejects(runnerWith(fakeEngine(), tokenizer).runner.attribute(job([PAIR], { prependBos: true })), isCode('experiment'));
  });

  it('refuses prompts that do not align before the model is loaded', async () => {
    const { runner, engine } = runnerWith();
    await assert.rejects(runner.attribute(job([{ ...PAIR, corrupted: 'When Mary-Ann left' }])), isCode('experiment'));
    assert.deepEqual(engine.calls, []);
  });

  it('refuses prompts longer than the model’s context', async () => {
    const { runner, engine } = runnerWith();
    const long = ' a'.repeat(MODEL.context);
    await assert.rejects(runner.attribute(job([{ ...PAIR, clean: `John${long}`, corrupted: `Mary${long}` }])), isCode('too-big'));
    assert.deepEqual(engine.calls, []);
  });

  it('says what only a forward pass can tell', async () => {
    const notes = async (clean: number[], corrupted: number[], more: Partial<TextExperiment> = {}): Promise<string[]> => {
      const { runner } = runnerWith(fakeEngine({ clean, corrupted }));
      return (await runner.attribute(job([PAIR, SECOND], more))).manifest.notes.map(({ severity, message }) => `${severity}: ${message}`);
    };
    assert.deepEqual(await notes([1, 2], [0, 0]), []);
    const [swapped] = await notes([0, 0], [1, 2]);
    assert.match(swapped!, /^warning: The mean logit difference after the clean prompts \(0\.00\) is smaller than after the corrupted ones \(\+1\.50\).*swapped/);
    const wrong = await notes([-1, -2], [-3, -4]);
    assert.equal(wrong.length, 1);
    assert.match(wrong[0]!, /^warning: The model prefers the incorrect answer after the clean prompts \(mean logit difference −1\.50\)/);
    const wrongAndOne = await notes([-5, 0], [-9, 1]);
    assert.deepEqual(wrongAndOne.map((note) => /prefers the incorrect|In 1 of 2 pairs/.exec(note)?.[0]), ['prefers the incorrect', 'In 1 of 2 pairs']);
    const [one] = await notes([5, 0], [0, 1]);
    assert.match(one!, /^warning: In 1 of 2 pairs .*pair 2/);
    const [small] = await notes([1, 2], [2, 1]);
    assert.match(small!, /^warning: .*raw logits/);
    const [aligned] = await notes([1, 2], [0, 0], { align: 'end' });
    assert.match(aligned!, /^info: .*ends/);
    const { runner } = runnerWith(fakeEngine({ note: 'No threads here.' }));
    assert.deepEqual((await runner.attribute(job())).manifest.notes, [{ severity: 'info', message: 'No threads here.' }]);
  });

  it('says where a metric, an ablation or a variant needs a caveat', async () => {
    const single: TextPair[] = [{ clean: 'When John left', correct: [' Mary'], incorrect: [' John'] }];
    const notes = async (more: Partial<TextExperiment>): Promise<string> => {
      const { runner } = runnerWith();
      return (await runner.attribute(job([PAIR], more))).manifest.notes.map(({ severity, message }) => `${severity}: ${message}`).join('\n');
    };
    assert.equal(await notes({ metric: 'logProb' }), '');
    assert.match(await notes({ metric: 'prob' }), /^info: .*gradient of a probability vanishes/);
    assert.match(await notes({ metric: 'probDiff' }), /vanishes/);
    assert.match(await notes({ metric: 'kl' }), /^info: .*nats/);
    assert.match(await notes({ variant: { gradDrop: true, qkFix: true } }), /^info: GradDrop gives magnitudes.*\ninfo: AtP\*/);
    assert.match(await notes({ other: 'zero', direction: 'noise', pairs: single }), /^info: .*share/);
    assert.match(await notes({ other: 'resample', direction: 'noise', pairs: [...single, ...single] }), /^info: .*next pair/);
    assert.match(await notes({ variant: { interventions: [{ unit: { site: 'z', layer: 0 }, with: 'zero' }] } }), /^info: 1 intervention is done/);
  });

  it('speaks of the metric that was read', async () => {
    const notes = async (clean: number, corrupted: number, more: Partial<TextExperiment>): Promise<string[]> => {
      const { runner } = runnerWith(fakeEngine({ clean: [clean], corrupted: [corrupted] }));
      return (await runner.attribute(job([PAIR], more))).manifest.notes.map(({ message }) => message);
    };
    assert.deepEqual(await notes(-1, -2, { metric: 'logProb' }), [], 'a log-probability is negative');
    assert.match((await notes(-2, -1, { metric: 'logProb' }))[0]!, /mean log-probability after the clean prompts \(−2\.00\) is smaller/);
    assert.match((await notes(1, 1, { metric: 'logProb' }))[0]!, /raw nats/);
  });

  it('attributes the sites that are asked for', async () => {
    const { runner, engine } = runnerWith();
    await runner.attribute({ ...job(), sites: ['z', 'mlp_post'] });
    assert.deepEqual(engine.attributed[0]!.sites, ['z', 'mlp_post']);
  });

  it('attributes nothing where there is no gradient, and says what can be done', async () => {
    const { runner, engine } = runnerWith();
    const { manifest } = await runner.attribute(job([PAIR], { metric: 'kl', direction: 'noise' }));
    assert.deepEqual(engine.attributed[0]!.sites, []);
    assert.equal(manifest.notes.filter(({ severity, message }) => severity === 'info' && /gradient is zero.*nothing is attributed.*exact patching/i.test(message)).length, 1, JSON.stringify(manifest.notes));
    for (const change of [{ variant: { integrated: { steps: 2, rule: 'midpoint' } } }, { direction: 'denoise' }] satisfies Partial<TextExperiment>[]) {
      const attributed = await runner.attribute(job([PAIR], { metric: 'kl', direction: 'noise', ...change }));
      assert.ok(engine.attributed.at(-1)!.sites.includes('z'));
      assert.ok(!attributed.manifest.notes.some(({ message }) => /nothing is attributed/.test(message)));
    }
  });

  it('warns of words that the bundled model never saw, and only there', async () => {
    const strange = { ...PAIR, clean: 'When JoHn left', corrupted: 'When MaRy left' };
    const notes = async (pair: TextPair, model: string): Promise<string[]> => {
      const { runner } = runnerWith();
      return (await runner.attribute(job([pair], {}, { model }))).manifest.notes.map(({ severity, message }) => `${severity}: ${message}`);
    };
    assert.deepEqual(await notes(strange, 'a/model'), []);
    assert.deepEqual(await notes(PAIR, 'bundled'), []);
    const [note] = await notes(strange, 'bundled');
    assert.match(note!, /^warning: .*JoHn.*MaRy/);
  });

  it('reports one scale from 0 to 1 that never goes back', async () => {
    const { runner } = runnerWith();
    for (let time = 0; time < 2; time++) {
      const seen: Progress[] = [];
      await runner.attribute(job(), { onProgress: (progress) => seen.push(progress) });
      const fractions = seen.map(({ fraction }) => fraction);
      assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
      assert.ok(fractions.every((fraction) => fraction >= 0 && fraction <= 1));
      assert.ok(seen.some(({ stage }) => stage === 'Loading the model') && seen.some(({ stage }) => stage === 'Attributing'));
      assert.ok(fractions.at(-1)! > 0.4, 'half of the attribution');
    }
  });

  it('cancels the running job, drops a waiting one, and serves the next', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const { runner, engine } = runnerWith(fakeEngine({ gate: () => opened }));
    const [first, second] = [new AbortController(), new AbortController()];
    const running = runner.attribute(job(), { signal: first.signal });
    const waiting = runner.attribute(job(), { signal: second.signal });
    const third = runner.attribute(job());
    await new Promise((resolve) => setTimeout(resolve, 5));
    second.abort();
    await assert.rejects(waiting, isCode('cancelled'));
    first.abort();
    await assert.rejects(running, isCode('cancelled'));
    open();
    assert.equal((await third).manifest.pairs.length, 1);
    assert.equal(engine.attributed.length, 2, 'the dropped job never reached the engine');
  });

  it('passes a cancel on to whatever it waits for', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const plain = fakeTokenizer();
    const noting = <P, A>(method: (params: P, call?: CallOptions) => Promise<A>) => (params: P, call?: CallOptions): Promise<A> => {
      signals.push(call?.signal);
      return method(params, call);
    };
    const tokenizer = { ...plain, encode: noting(plain.encode), decode: noting(plain.decode), info: noting(plain.info) };
    const { runner } = runnerWith(fakeEngine(), tokenizer);
    const { signal } = new AbortController();
    await runner.attribute(job(), { signal });
    await runner.suggestAnswers({ clean: 'When John left', corrupted: 'When Mary went', settings: SETTINGS, top: 2 }, { signal });
    assert.ok(signals.length >= 8 && signals.every((own) => own === signal), `${signals.filter((own) => own !== signal).length} of ${signals.length} calls cannot be cancelled`);
  });

  it('suggests only answers that a person could write', async () => {
    const { runner } = runnerWith();
    const { clean, corrupted } = await runner.suggestAnswers({ clean: 'When John left', corrupted: 'When Mary went', settings: SETTINGS, top: 2 });
    assert.deepEqual(clean.map(({ token, probability }) => [token.text, probability]), [[' left', 0.5]]);
    assert.deepEqual(corrupted.map(({ token }) => token.text), [' went']);
  });

  it('tokenises without loading the model, also while a job runs, and says that a model is missing', async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const { runner, engine } = runnerWith(fakeEngine({ gate: () => opened }));
    const running = runner.attribute(job());
    await new Promise((resolve) => setTimeout(resolve, 5));
    const before = engine.calls.length;
    const [tokenized] = await runner.tokenize({ texts: ['When John left'], model: 'a/model' });
    assert.equal(tokenized!.tokens.length, 3);
    assert.equal(engine.calls.length, before);
    open();
    await running;
    await assert.rejects(runner.tokenize({ texts: ['a'], model: 'gone' }), isCode('model-missing'));
    await assert.rejects(runner.attribute(job([PAIR], { model: 'gone' })), isCode('model-missing'));
    assert.equal((await runner.attribute(job())).manifest.pairs.length, 1, 'works after a failure');
  });

  it('ends engine and tokenizer', async () => {
    const { runner, engine, tokenizer } = runnerWith();
    await runner.dispose();
    assert.deepEqual(engine.calls, ['dispose']);
    assert.ok(tokenizer.disposed);
  });
});
