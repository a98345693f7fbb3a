import assert from 'node:assert/strict';
import { parsePromptFile, type PromptFileDefaults } from '../../../src/prompts/parse';
import { changeExperiment, type Settings } from '../../../src/prompts/rules';
import type { TextExperiment } from '../../../src/shared/experiment';

const PAIR = { clean: 'John gave it to', corrupted: 'Mary gave it to', correct: ' Mary', incorrect: ' John' };
const ATTENTION = { activation: 'attention', layer: 9, head: 6 };

const text = (fields: Record<string, unknown>, pair: Record<string, unknown> = PAIR): string => JSON.stringify({ ...fields, pairs: [pair] });
const read = (fields: Record<string, unknown>, pair?: Record<string, unknown>, defaults?: PromptFileDefaults): TextExperiment => {
  const { experiment, problems } = parsePromptFile(text(fields, pair), defaults);
  assert.deepEqual(problems, []);
  return experiment!;
};
const found = (fields: Record<string, unknown>, pair?: Record<string, unknown>, defaults?: PromptFileDefaults): [code: string, place: string, message: string][] => {
  const file = parsePromptFile(text(fields, pair), defaults);
  if (file.problems.length > 0) assert.equal(file.experiment, undefined);
  return file.problems.map(({ code, place, message }) => [code, file.text.slice(place.offset, place.offset + place.length), message]);
};

describe('prompts: settings of a file', () => {
  it('reads metrics by name and by activation', () => {
    for (const metric of ['logProb', 'prob', 'probDiff', 'logitMinusMean', 'kl', 'continuation', 'promptLogProb', { activation: 'neuron', layer: 3, neuron: 7 }, { activation: 'directLogit', layer: 2 }, { activation: 'directLogit', layer: 2, head: 0 }]) {
      assert.deepEqual(read({ metric }).metric, metric);
    }
    const attention = read({ metric: ATTENTION, at: 'END', source: 0 }, { ...PAIR, positions: { END: -1 } });
    assert.deepEqual([attention.metric, attention.at, attention.source], [ATTENTION, 'END', 0]);
    assert.deepEqual(read({ metric: 'promptLogProb', range: ['S', -2] }, { ...PAIR, positions: { S: 'John' } }).range, ['S', -2]);
  });

  it('reads every field of a variant', () => {
    const variant = {
      freezeLayerNorm: true,
      freezePattern: false,
      integrated: { steps: 8, rule: 'midpoint' },
      bothGradients: true,
      qkFix: true,
      gradDrop: true,
      stopGradient: [{ site: 'mlp_post', layer: 1, neuron: 4 }, { site: 'embed', position: 0 }],
      interventions: [
        { unit: { site: 'z', layer: 9, head: 9, position: 'last' }, with: 'mean' },
        { unit: { site: 'pattern', layer: 0, head: 1, position: -1, source: 2 }, with: 'zero' },
      ],
    };
    assert.deepEqual(read({ variant }).variant, variant);
  });

  it('takes the one direction of an ablation, which needs no corrupted prompt', () => {
    const { clean, correct, incorrect } = PAIR;
    for (const other of ['zero', 'mean', 'resample']) {
      const experiment = read({ other }, { clean, correct, incorrect }, { direction: 'denoise' });
      assert.deepEqual([experiment.direction, experiment.other, experiment.pairs], ['noise', other, [{ clean, correct: [correct], incorrect: [incorrect] }]]);
      assert.equal(read({ other }, { ...PAIR, corrupted: clean }).pairs[0]!.corrupted, clean, 'equal prompts are no fault where one is not run');
    }
    assert.equal(read({ other: 'corrupted' }).direction, 'denoise');
    assert.deepEqual(found({}, { clean, correct, incorrect }).map(([code, , message]) => [code, message.slice(0, 24)]), [['missing-field', '"corrupted" is missing: ']]);
  });

  it('needs the answers that the metric reads', () => {
    const { clean, corrupted } = PAIR;
    const missing = (metric: unknown, more: object = {}, pair: object = {}): string[] => found({ metric, ...more }, { clean, corrupted, ...pair }).map(([, , message]) => message.split(' ')[0]!);
    for (const metric of ['logitDiff', 'probDiff', { activation: 'directLogit', layer: 0 }]) assert.deepEqual(missing(metric), ['"correct"', '"incorrect"']);
    for (const metric of ['logProb', 'prob', 'logitMinusMean', 'continuation']) assert.deepEqual(missing(metric), ['"correct"']);
    for (const metric of ['kl', 'promptLogProb', { activation: 'neuron', layer: 0, neuron: 0 }]) assert.deepEqual(missing(metric), []);
    assert.deepEqual(missing(ATTENTION, { source: 1 }), []);
    assert.deepEqual(missing('continuation', {}, { correct: ' Mary and John' }), []);
    assert.deepEqual(parsePromptFile('{"metric": "kl", "prompts": ["John to", "Mary to"]}').problems, [], 'lists of prompts need none either');
  });

  it('tells a metric that cannot be read once, not of each pair what it might lack', () => {
    const { clean, corrupted } = PAIR;
    assert.deepEqual(found({ metric: 'accuracy' }, { clean, corrupted }).map(([code, place]) => [code, place]), [['wrong-type', '"accuracy"']]);
  });

  it('tells a name that no pair has once, at its setting, and one that some pairs lack of those', () => {
    const read = (pairs: object[], more: object = {}, overrides = {}) => {
      const text = JSON.stringify({ ...more, pairs });
      return parsePromptFile(text, { direction: 'denoise', overrides }).problems.map(({ place, pairs: of, setting }) => [text.slice(place.offset, place.offset + place.length), of, setting]);
    };
    assert.deepEqual(read([PAIR, PAIR, PAIR], { at: 'S9' }), [['"S9"', undefined, undefined]]);
    assert.deepEqual(read([PAIR, PAIR], {}, { at: 'S9' }), [['{', undefined, 'at']], 'said elsewhere');
    const named = { ...PAIR, positions: { S9: 1 } };
    assert.deepEqual(read([named, PAIR, named], { at: 'S9' }).map(([, of]) => of), [[1]]);
  });

  it('tells what does not fit beside what is wrong by itself', () => {
    const places = (fields: Record<string, unknown>): string[] => found(fields).map(([code, place]) => `${code} ${place}`);
    assert.deepEqual(places({ metric: 'accuracy', other: 'zero', direction: 'denoise' }), ['wrong-type "accuracy"', 'combination "denoise"']);
    assert.deepEqual(places({ metric: 'accuracy', range: [0, 1] }), ['wrong-type "accuracy"'], 'the metric may read it');
    assert.deepEqual(places({ metric: ATTENTION, source: 1.5, range: [0, 1] }), ['wrong-type 1.5', 'combination [0,1]']);
  });

  it('follows one continuation on each side', () => {
    const answers = { ...PAIR, correct: [' Mary', ' Amy'], incorrect: [' a', ' b'] };
    assert.deepEqual(found({ metric: 'continuation' }, answers).map(([code, place]) => [code, place]), [['combination', '" Amy"'], ['combination', '" b"']]);
  });

  const wrong: [name: string, fields: Record<string, unknown>, code: string, place: string, message: RegExp][] = [
    ['an ablation into the corrupted run', { direction: 'denoise', other: 'zero' }, 'combination', '"denoise"', /direction "noise"/],
    ['a source that nothing reads', { source: 1 }, 'combination', '1', /leave it out/],
    ['an attention without its source', { metric: ATTENTION }, 'combination', JSON.stringify(ATTENTION), /needs "source"/],
    ['a position for a stretch', { metric: 'promptLogProb', at: 2 }, 'combination', '2', /"promptLogProb" reads a stretch/],
    ['a position for a continuation', { metric: 'continuation', at: 2 }, 'combination', '2', /"continuation"/],
    ['a range that nothing reads', { range: [0, 1] }, 'combination', '[0,1]', /write "at"/],
    ['two gradients of one run', { other: 'mean', variant: { bothGradients: true } }, 'combination', '{"bothGradients":true}', /only the clean one/],
    ['an intervention by prompts that are not run', { other: 'zero', variant: { interventions: [{ unit: { site: 'embed' }, with: 'corrupted' }] } }, 'combination', '{"interventions":[{"unit":{"site":"embed"},"with":"corrupted"}]}', /not run/],
    ['a name that no pair has', { at: 'S2' }, 'position-not-found', '"S2"', /No pair names the position "S2", which "at" is/],
    ['a place that is none', { at: 1.5 }, 'wrong-type', '1.5', /token index/],
    ['an empty name', { at: '' }, 'wrong-type', '""', /empty text/],
    ['a range of one', { metric: 'promptLogProb', range: [1] }, 'wrong-type', '[1]', /list of two/],
    ['a metric of no known kind', { metric: { activation: 'resid_pre', layer: 1 } }, 'wrong-type', '"resid_pre"', /"attention", "neuron", "directLogit"/],
    ['a neuron of a head', { metric: { activation: 'neuron', layer: 1, neuron: 2, head: 3 } }, 'wrong-type', '"head"', /has no "head"/],
    ['an attention without a head', { metric: { activation: 'attention', layer: 1 }, source: 0 }, 'wrong-type', '{"activation":"attention","layer":1}', /which "head"/],
    ['a variant that is not known', { variant: { freezeLayernorm: true } }, 'unknown-field', '"freezeLayernorm"', /freezeLayerNorm/],
    ['no steps', { variant: { integrated: { steps: 0, rule: 'left' } } }, 'wrong-type', '0', /from 1 to 512/],
    ['more steps than are taken', { variant: { integrated: { steps: 513, rule: 'left' } } }, 'wrong-type', '513', /from 1 to 512/],
    ['a rule that is not known', { variant: { integrated: { steps: 1, rule: 'simpson' } } }, 'wrong-type', '"simpson"', /"midpoint"/],
    ['a layer of a site that has none', { variant: { stopGradient: [{ site: 'embed', layer: 1 }] } }, 'combination', '{"site":"embed","layer":1}', /no layers/],
    ['a layer that is missing', { variant: { stopGradient: [{ site: 'z', head: 1 }] } }, 'combination', '{"site":"z","head":1}', /which "layer"/],
    ['a head of a site that has none', { variant: { stopGradient: [{ site: 'mlp_out', layer: 1, head: 1 }] } }, 'combination', '{"site":"mlp_out","layer":1,"head":1}', /no heads/],
    ['a named position of a part', { variant: { stopGradient: [{ site: 'z', layer: 1, position: 'S2' }] } }, 'wrong-type', '"S2"', /"last"/],
    ['a replacement that is not known', { variant: { interventions: [{ unit: { site: 'embed' }, with: 'noise' }] } }, 'wrong-type', '"noise"', /"resample"/],
  ];
  for (const [name, fields, code, place, message] of wrong) {
    it(`refuses ${name}, at its place`, () => {
      const problems = found(fields);
      assert.deepEqual(problems.map(([ofCode, at]) => [ofCode, at]), [[code, place]]);
      assert.match(problems[0]![2], message);
    });
  }

  describe('overridden', () => {
    const over = (fields: Record<string, unknown>, overrides: PromptFileDefaults['overrides'], pair?: Record<string, unknown>): TextExperiment => read(fields, pair, { direction: 'denoise', overrides });

    it('by a metric, keep what it reads and drop what it does not', () => {
      assert.deepEqual(over({ metric: ATTENTION, source: 0, at: 2 }, { metric: 'prob' }), read({ metric: 'prob', at: 2 }));
      assert.equal(over({ at: 2 }, { metric: 'kl' }).at, 2);
      assert.ok(!('at' in over({ at: 2 }, { metric: 'continuation' })));
      assert.ok(!('range' in over({ metric: 'promptLogProb', range: [0, 1] }, { metric: 'logitDiff' })));
      assert.deepEqual(over({}, { metric: 'promptLogProb' }, { clean: 'a b', corrupted: 'c b' }).pairs[0]!.correct, []);
    });

    it('by an ablation, take its direction, unless that is overridden too', () => {
      assert.equal(over({ direction: 'denoise' }, { other: 'zero' }).direction, 'noise');
      assert.equal(over({ other: 'zero' }, { other: 'corrupted' }).direction, 'denoise', 'the direction was that of the ablation');
      const [problem] = found({ other: 'zero' }, PAIR, { direction: 'denoise', overrides: { direction: 'denoise' } });
      assert.deepEqual(problem!.slice(0, 2), ['combination', '{'], 'what the file does not say is shown at its beginning');
    });

    it('by nothing, are as the file says', () => {
      assert.deepEqual(over({ at: 1, prependBos: true, direction: 'noise' }, { metric: undefined, other: undefined }), read({ at: 1, prependBos: true, direction: 'noise' }));
    });
  });

  it('can be changed later by the same rules', () => {
    const settings: Settings = { metric: 'promptLogProb', range: [0, 1], direction: 'denoise' };
    assert.deepEqual(changeExperiment(settings, { metric: 'kl', other: 'mean' }), { metric: 'kl', direction: 'noise', other: 'mean' });
    assert.deepEqual(settings, { metric: 'promptLogProb', range: [0, 1], direction: 'denoise' });
  });
});
