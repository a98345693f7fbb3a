import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { lastLogits } from '../../../src/engine/model/logits';
import type { Gpt2 } from '../../../src/engine/model/weights';
import { Work } from '../../../src/engine/model/work';
import { attribute } from '../../../src/engine/patching/attribution';
import { intervene, interveneWork } from '../../../src/engine/patching/intervene';
import { planChunks } from '../../../src/engine/patching/plan';
import { arrayNamed } from '../../../src/shared/arrays';
import { CircuitError } from '../../../src/shared/errors';
import type { Intervention, TokenExperiment } from '../../../src/shared/experiment';
import type { InterventionResult, Prediction } from '../../../src/shared/results';
import { plainMetric, plainRun, type Plain, type PlainModel, type PlainRun } from './exactOracle';
import { withModel } from './loaded';
import { examplePair, examplePrompt, relativeError } from './support';

describe('interventions', function () {
  let model: Gpt2;
  let plain: PlainModel;
  withModel('tiny-odd', (...loaded) => ([model, plain] = loaded));

  const PAIRS = [examplePair(1, 7, 3), examplePair(2, 9, 4), examplePair(3, 7, 5), examplePair(4, 9, 6)];
  const experiment = (change: Partial<TokenExperiment> = {}): TokenExperiment => ({ metric: 'logitDiff', direction: 'denoise', pairs: PAIRS, ...change });
  const run = (own: TokenExperiment, top = 3, work = new Work()): Promise<Omit<InterventionResult, 'seconds'>> => intervene(model, planChunks(own, model.config), top, work);

  const HEAD: Intervention = { unit: { site: 'z', layer: 0, head: 1 }, with: 'corrupted' };
  const MLP: Intervention = { unit: { site: 'mlp_out', layer: 1, position: 1 }, with: 'zero' };
  const STREAM: Intervention = { unit: { site: 'resid_mid', layer: 2, position: 'last' }, with: 'mean' };
  const KEYS: Intervention = { unit: { site: 'k', layer: 1, head: 2, position: 2 }, with: 'resample' };
  const ALL = [HEAD, MLP, STREAM, KEYS];

  /** Writes the interventions into a plain run's values, site by site as it goes. */
  const edited = (tokens: readonly number[], index: number, other: PlainRun, interventions: readonly Intervention[], appended = 0): PlainRun => {
    const groups = PAIRS.map(({ clean }, i) => ({ i, length: clean.length })).filter(({ length }) => length === PAIRS[index]!.clean.length).map(({ i }) => i);
    const cleanRuns = groups.map((i) => plainRun(plain, PAIRS[i]!.clean));
    const next = plainRun(plain, PAIRS[groups[(groups.indexOf(index) + 1) % groups.length]!]!.clean);
    const { length } = PAIRS[index]!.clean;
    return plainRun(plain, tokens, (site, layer, value: Plain) => {
      for (const { unit, with: source } of interventions) {
        if (unit.site !== site || unit.layer !== layer) continue;
        const read = ({ sites }: PlainRun, p: number, i: number): number => (sites.get(`${site}.${layer}`) as number[][])[p]![i]!;
        for (let p = 0; p < tokens.length - appended; p++) {
          if (unit.position !== undefined && p !== (unit.position === 'last' ? length - 1 : unit.position)) continue;
          const row = value[p] as number[];
          row.forEach((_, i) => {
            if (unit.head !== undefined && Math.floor(i / 10) !== unit.head) return;
            row[i] = source === 'zero' ? 0 : source === 'corrupted' ? read(other, p, i) : source === 'resample' ? read(next, p, i) : cleanRuns.reduce((sum, own) => sum + read(own, p, i), 0) / cleanRuns.length;
          });
        }
      }
    });
  };

  for (const direction of ['denoise', 'noise'] as const) {
    for (const [what, interventions] of [['a head', [HEAD]], ['before the first difference', [MLP]], ['a mean', [STREAM]], ['another pair', [KEYS]], ['all of them jointly', ALL]] as const) {
      it(`${what}, ${direction}: metrics and predictions of the edited run`, async () => {
        const own = experiment({ direction, variant: { interventions: [...interventions] } });
        const found = await run(own);
        PAIRS.forEach((pair, index) => {
          const runs = { clean: plainRun(plain, pair.clean), corrupted: plainRun(plain, pair.corrupted!) };
          const [base, other] = direction === 'denoise' ? (['corrupted', 'clean'] as const) : (['clean', 'corrupted'] as const);
          const patched = edited(pair[base]!, index, runs[other], interventions);
          const metric = (of: PlainRun): number => plainMetric(plain, own, pair, of, pair.clean, runs.clean);
          const expected = [metric(runs.clean), metric(runs.corrupted), metric(patched)];
          assert.ok(relativeError([found.metric.clean[index]!, found.metric.corrupted![index]!, found.patched[index]!], expected) < 2e-5);
          assert.ok(Math.abs(expected[2]! - metric(runs[base])) > 1e-3, 'the intervention does something');
          for (const [list, of] of [[found.predictions.clean, runs.clean], [found.predictions.corrupted!, runs.corrupted], [found.predictions.patched, patched]] as const) {
            const normed = of.normed.at(-1)!;
            const { data } = plain.tensors.get('wte.weight')!;
            const logits = Array.from({ length: 101 }, (_, token) => normed.reduce((sum, value, i) => sum + value * data[token * 30 + i]!, 0));
            const order = logits.map((_, token) => token).sort((a, b) => logits[b]! - logits[a]!);
            assert.deepEqual(list[index]!.map(({ token }) => token), order.slice(0, 3));
            assert.ok(relativeError(list[index]!.map(({ logit }) => logit), order.slice(0, 3).map((token) => logits[token]!)) < 2e-5);
            const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
            assert.ok(relativeError(list[index]!.map(({ probability }) => probability), order.slice(0, 3).map((token) => Math.exp(logits[token]!) / total)) < 1e-4);
          }
        });
      });
    }
  }

  it('a continuation: both branches are edited at the prompt only, predictions are read at its end', async () => {
    const pairs = PAIRS.map((own, i) => ({ ...own, correct: [5, 6, 7].slice(0, 1 + (i % 3)), incorrect: [30, 31] }));
    const own = experiment({ metric: 'continuation', pairs, variant: { interventions: [HEAD, STREAM] } });
    const found = await run(own);
    const single = await run(experiment({ variant: { interventions: [HEAD, STREAM] } }));
    found.predictions.patched.forEach((list, i) => {
      assert.deepEqual(list.map(({ token }) => token), single.predictions.patched[i]!.map(({ token }) => token));
      assert.ok(relativeError(list.map(({ logit }) => logit), single.predictions.patched[i]!.map(({ logit }) => logit)) < 2e-5);
    });
    pairs.forEach((pair, index) => {
      const sum = (continuation: number[]): number => {
        const tokens = [...pair.corrupted!, ...continuation];
        const clean = plainRun(plain, [...pair.clean, ...continuation]);
        const range: [number, number] = [pair.clean.length - 1, tokens.length - 2];
        const patched = edited(tokens, index, clean, [HEAD, STREAM], continuation.length);
        return continuation.length * plainMetric(plain, { ...own, metric: 'promptLogProb' }, { clean: tokens, correct: [], incorrect: [], range }, patched, tokens, clean);
      };
      const expected = sum(pair.correct) - sum(pair.incorrect);
      assert.ok(Math.abs(found.patched[index]! - expected) < 5e-5 * Math.abs(expected), `${found.patched[index]} for ${expected}`);
    });
  });

  it('reads prompts of unequal lengths each at its own end', async () => {
    const pairs = [{ ...PAIRS[0]!, corrupted: examplePrompt(8, 5) }, PAIRS[1]!];
    const found = await run(experiment({ align: 'end', pairs, variant: { interventions: [{ unit: { site: 'resid_post', layer: 2, position: 'last' }, with: 'corrupted' }] } }));
    const logits = await lastLogits(model, pairs.flatMap(({ clean, corrupted }) => [clean, corrupted!]), new Work());
    pairs.forEach((_, i) => {
      const close = (list: Prediction[], of: Float32Array): void => assert.ok(relativeError(list.map(({ logit }) => logit), list.map(({ token }) => of[token]!)) < 2e-5);
      close(found.predictions.clean[i]!, logits[2 * i]!);
      close(found.predictions.corrupted![i]!, logits[2 * i + 1]!);
      // The whole stream at the last position is the clean prompt's.
      close(found.predictions.patched[i]!, logits[2 * i]!);
      assert.ok(Math.abs(found.patched[i]! - found.metric.clean[i]!) < 1e-4);
    });
  });

  it('without interventions the patched run is the base run', async () => {
    for (const [direction, side] of [['denoise', 'corrupted'], ['noise', 'clean']] as const) {
      const found = await run(experiment({ direction }));
      assert.deepEqual(found.patched, found.metric[side]);
      found.predictions.patched.forEach((list, i) => assert.deepEqual(list.map(({ token }) => token), found.predictions[side]![i]!.map(({ token }) => token)));
    }
  });

  it('attribution on the edited run: what is replaced has none left', async () => {
    const before = await attribute(model, planChunks(experiment(), model.config), ['z'], new Work());
    const after = await attribute(model, planChunks(experiment({ variant: { interventions: [HEAD] } }), model.config), ['z'], new Work());
    const [one, two] = [before, after].map(({ arrays }) => arrayNamed(arrays, 'group0.z')) as [ReturnType<typeof arrayNamed>, ReturnType<typeof arrayNamed>];
    const [, , , heads] = one.shape as [number, number, number, number];
    const perPair = one.data.length / one.shape[0]!;
    const firstLayer = perPair / model.config.layers;
    let others = 0;
    for (let i = 0; i < perPair; i++) {
      // Already the other side's: nothing more is to be won by patching it.
      if (i < firstLayer && i % heads === 1) assert.equal(two.data[i], 0);
      else others = Math.max(others, Math.abs(two.data[i]! - one.data[i]!));
    }
    assert.ok(others > 1e-3, 'other heads are attributed anew');
  });

  it('counts its work, is cancelled, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const own = experiment({ variant: { interventions: ALL } });
    const work = new Work();
    let done = 0;
    work.advance = (amount) => (done += amount);
    await run(own, 3, work);
    const planned = interveneWork(model, planChunks(own, model.config));
    assert.ok(done > 0.5 * planned && done < 1.5 * planned, `${done} of ${planned}`);
    let polls = 0;
    await assert.rejects(run(own, 3, new Work({ isCancelled: () => ++polls > 60 })), (error) => CircuitError.is(error, 'cancelled'));
    await run(experiment({ metric: 'continuation', variant: { interventions: ALL } }), 1);
    assert.equal(tf.memory().numTensors, before);
  });
});
