import assert from 'node:assert/strict';
import { checkExperiment, type ModelFacts } from '../../../src/prompts/check';
import { parsePromptFile } from '../../../src/prompts/parse';
import type { Problem } from '../../../src/prompts/problem';
import type { MetricPlaces } from '../../../src/prompts/placesOf';
import { namedPositions, promptWarnings, toTokenExperiment } from '../../../src/prompts/tokenExperiment';
import { tokenizePairs } from '../../../src/prompts/tokenizedPair';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import type { TextExperiment, TextPair } from '../../../src/shared/experiment';
import type { Tokenize } from '../../../src/shared/tokenizer';
import { tinyTokenize } from '../models/tinyTokenizer';

// "Sid" alone is two tokens, " Sid" one; "Bartholomew" is " Bar" and "tholomew"; "Mary" is one token with and without its space.
const WORDS = ['When', '·John', '·Mary', 'Mary', '·Sid', 'Si', '·Bar', 'tholomew', '·Barbara', '·and', '·gave', '·it', '·to', '·17', '32', '33', '·33', 'John', '·he'];

const PAIR = { clean: 'When John gave it to', corrupted: 'When Mary gave it to', correct: ' Mary', incorrect: ' John' };
const FACTS: ModelFacts = { context: 20, bosPrepended: false };

describe('prompts: check', () => {
  let tokenize: Tokenize;
  before(async () => {
    tokenize = await tinyTokenize(WORDS);
  });

  const check = async (text: string, facts = FACTS): Promise<[Problem, string][]> => {
    const problems = await checkExperiment(parsePromptFile(text), tokenize, facts);
    return problems.map((problem) => [problem, text.slice(problem.place.offset, problem.place.offset + problem.place.length)]);
  };
  const one = async (fields: Record<string, unknown>, file: Record<string, unknown> = {}, facts = FACTS): Promise<[Problem, string]> => {
    const found = await check(JSON.stringify({ ...file, pairs: [{ ...PAIR, ...fields }] }), facts);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.deepEqual(found[0]![0].pairs, [0]);
    return found[0]!;
  };
  /** What the file says after its quick fix. */
  const mended = (text: string, { fix }: Problem): string => text.slice(0, fix!.place.offset) + fix!.text + text.slice(fix!.place.offset + fix!.place.length);

  it('finds nothing wrong with a sound pair', async () => {
    assert.deepEqual(await check(JSON.stringify({ pairs: [PAIR] })), []);
  });

  it('cuts every text once, all in one call', async () => {
    const calls: string[][] = [];
    const counting: Tokenize = (texts) => (calls.push(texts), tokenize(texts));
    await checkExperiment(parsePromptFile(JSON.stringify({ pairs: [PAIR, PAIR, { ...PAIR, correct: 'Mary' }] })), counting, FACTS);
    assert.deepEqual(calls, [[PAIR.clean, PAIR.corrupted, ' Mary', ' John', 'Mary']]);
  });

  describe('lengths that differ', () => {
    it('with both counts, the tokens, and the place in the corrupted prompt', async () => {
      const [problem, place] = await one({ corrupted: 'When Bartholomew gave it to' });
      assert.equal(place, ' Bartholomew');
      assert.equal(problem.code, 'length-differs');
      assert.equal(problem.severity, 'error');
      assert.match(problem.message, /clean has 5, corrupted 6 \(1 more\)/);
      assert.match(problem.message, /From position 1, clean has " John" and corrupted " Bar" \+ "tholomew"/);
    });

    it('counts tokens and positions with BOS where it is prepended', async () => {
      const [{ message }] = await one({ corrupted: 'When Bartholomew gave it to' }, {}, { ...FACTS, bosPrepended: true });
      assert.match(message, /clean has 6, corrupted 7 \(1 more; BOS counts as one\)\. From position 2/);
    });

    it('marks the whole string where something is missing from it', async () => {
      const [{ message }, place] = await one({ clean: 'When John and Mary gave it to', corrupted: 'When John gave it to' });
      assert.equal(place, '"When John gave it to"');
      assert.match(message, /\(2 fewer\).*clean has " and" \+ " Mary" and corrupted nothing/);
    });

    it('marks what is too much at the end', async () => {
      assert.equal((await one({ corrupted: `${PAIR.clean} and John` }))[1], ' and John');
    });

    it('is no fault with "align": "end"', async () => {
      const text = JSON.stringify({ align: 'end', pairs: [{ ...PAIR, corrupted: 'When Bartholomew gave it to' }] });
      assert.deepEqual(await check(text), []);
    });

    const raw = (corrupted: string, lineEnd = '\n'): string =>
      ['{ // 👩‍👩‍👧', '"pairs": [{', `"clean": "x\\n\\"\\u00e9😀 John to", "corrupted": "${corrupted}",`, '"correct": " Mary", "incorrect": " John" }] }'].join(lineEnd);
    const escaped: [name: string, corrupted: string, place: string][] = [
      ['escapes', 'x\\n\\"\\u00e9😀 Bartholomew to', ' Bartholomew'],
      ['the same characters escaped otherwise', 'x\\u000a\\u0022é\\uD83D\\uDE00 Bartholomew to', ' Bartholomew'],
      ['an escape within the stretch', 'x\\n\\"\\u00e9😀 \\u0042artholomew\\t to', ' \\u0042artholomew\\t'],
      ['an emoji of several tokens', 'x\\n\\"\\u00e9😀 👍 to', ' 👍'],
    ];
    for (const [name, corrupted, expected] of escaped) {
      for (const lineEnd of ['\n', '\r\n']) {
        it(`finds the place behind ${name} (${JSON.stringify(lineEnd)})`, async () => {
          const [[problem, place]] = (await check(raw(corrupted, lineEnd), { bosPrepended: false })) as [[Problem, string]];
          assert.equal(problem.code, 'length-differs');
          assert.equal(place, expected);
          assert.equal(problem.place.line, 3);
          assert.equal(problem.place.column, raw(corrupted).split('\n')[2]!.indexOf(expected) + 1);
        });
      }
    }
  });

  describe('answers', () => {
    it('of several tokens show what they split into', async () => {
      const [problem, place] = await one({ correct: [' Mary', ' Bartholomew'] });
      assert.equal(place, '" Bartholomew"');
      assert.deepEqual([problem.code, problem.severity, problem.fix], ['answer-tokens', 'error', undefined]);
      assert.match(problem.message, /" Bartholomew" is 2 tokens: " Bar" \+ "tholomew"\. This model's tokenizer has no single token for it; choose another word, or write "firstToken": true .* " Bar" stand for it\.$/);
      const [long] = await one({ correct: ' Bartholomew' });
      assert.match(long.message, /" Bar" stand for it, or write "metric": "continuation" in the file, which reads all tokens/);
      const [ofProbability] = await one({ correct: ' Bartholomew' }, { metric: 'probDiff' });
      assert.doesNotMatch(ofProbability.message, /continuation/, 'it is another quantity');
    });

    for (const [answer, split] of [[' Zoe', '" " + "Z" + "o" + "e"'], [' Bob', '" B" + "o" + "b"']] as const) {
      it(`that are spelled out are not to stand for their first token: ${split}`, async () => {
        const [{ message }] = await one({ correct: answer });
        assert.ok(message.includes(`tokens: ${split}. This model's tokenizer has no single token`), message);
        assert.match(message, /choose another word, or write "metric": "continuation" in the file/);
      });
    }

    it('of several tokens may stand for their first', async () => {
      assert.deepEqual(await check(JSON.stringify({ pairs: [{ ...PAIR, correct: ' Bartholomew', firstToken: true }] })), []);
    });

    it('of several tokens for want of a space are mended by it', async () => {
      const text = JSON.stringify({ pairs: [{ ...PAIR, incorrect: 'Sid' }] });
      const [[problem, place]] = (await check(text)) as [[Problem, string]];
      assert.deepEqual([problem.code, problem.severity, place], ['answer-tokens', 'error', '"Sid"']);
      assert.match(problem.message, /"Sid" is 2 tokens: "Si" \+ "d"\. With a leading space/);
      assert.equal(problem.fix!.title, 'Insert the leading space: " Sid"');
      assert.equal(mended(text, problem), text.replace('"Sid"', '" Sid"'));
      assert.deepEqual(await check(mended(text, problem)), []);
    });

    it('without a leading space are a warning with a quick fix', async () => {
      const text = JSON.stringify({ pairs: [{ ...PAIR, correct: 'Mary' }] });
      const [[problem, place]] = (await check(text)) as [[Problem, string]];
      assert.deepEqual([problem.code, problem.severity, place], ['leading-space', 'warning', '"Mary"']);
      assert.deepEqual(await check(mended(text, problem)), []);
    });

    const spaceless: [name: string, fields: Record<string, unknown>][] = [
      ['within a number', { clean: 'When 17', corrupted: 'When 33', correct: '32', incorrect: ' Mary' }],
      ['after an open quote', { clean: 'John: "', corrupted: 'Mary: "', correct: 'Mary' }],
      ['after a line end', { clean: 'John\n', corrupted: 'Mary\n', correct: 'Mary' }],
      ['for punctuation', { correct: ',' }],
      ['for a part of a word that no space makes a token', { correct: 'tholomew' }],
    ];
    for (const [name, fields] of spaceless) {
      it(`need none ${name}`, async () => {
        assert.deepEqual(await check(JSON.stringify({ pairs: [{ ...PAIR, ...fields }] })), []);
      });
    }

    it('that begin with the same token cancel out', async () => {
      const [problem, place] = await one({ correct: ' Bartholomew', incorrect: [' John', ' Barn'], firstToken: true });
      assert.deepEqual([problem.code, problem.severity, place], ['same-answer', 'error', '" Barn"']);
      assert.match(problem.message, /" Barn" and the correct " Bartholomew" begin with the same token " Bar"/);
    });

    it('are said once where the shorthand uses them twice', async () => {
      const found = await check('{"prompts": ["When John to", "When Mary to"], "answers": [" Bartholomew", " John"]}');
      assert.deepEqual(found.map(([{ code, pairs }]) => [code, pairs]), [['answer-tokens', [0, 1]]]);
    });
  });

  describe('prompts', () => {
    it('longer than the context, from the first token too many', async () => {
      const found = await check(JSON.stringify({ pairs: [PAIR] }), { context: 4, bosPrepended: false });
      assert.deepEqual(found.map(([{ code, severity }, text]) => [code, severity, text]), [['too-long', 'error', ' to'], ['too-long', 'error', ' to']]);
      assert.match(found[0]![0].message, /has 5 tokens; the model reads at most 4\. Shorten it by 1/);
    });

    it('leave room for BOS', async () => {
      assert.deepEqual(await check(JSON.stringify({ pairs: [PAIR] }), { context: 5, bosPrepended: false }), []);
      const found = await check(JSON.stringify({ pairs: [PAIR] }), { context: 5, bosPrepended: true });
      assert.match(found[0]![0].message, /5 tokens and BOS; the model reads at most 5/);
    });

    it('that end in a space are a warning with a quick fix', async () => {
      const text = JSON.stringify({ pairs: [{ ...PAIR, clean: 'When\tJohn to  ', corrupted: 'When\tMary to  ' }] });
      const found = await check(text);
      assert.deepEqual(found.map(([{ code, severity }, place]) => [code, severity, place]), [['trailing-space', 'warning', '  '], ['trailing-space', 'warning', '  ']]);
      assert.equal(mended(text, found[0]![0]), text.replace('John to  ', 'John to'));
    });

    it('that are equal once they are tokens', async () => {
      const folded: Tokenize = (texts) => tokenize(texts.map((text) => text.replace('MARY', 'John')));
      const problems = await checkExperiment(parsePromptFile(JSON.stringify({ pairs: [{ ...PAIR, corrupted: 'When MARY gave it to' }] })), folded, FACTS);
      assert.deepEqual(problems.map(({ code }) => code), ['equal-prompts']);
    });
  });

  it('finds token positions that are not there', async () => {
    const [problem, place] = await one({ positions: { FIRST: 0, LAST: 4, END: -1, START: -5, BEYOND: 5 } });
    assert.deepEqual([problem.code, place], ['position-not-found', '5']);
    assert.equal((await one({ positions: { BEFORE: -6 } }))[1], '-6');
  });

  it('counts BOS where it is prepended', async () => {
    const bos = { ...FACTS, bosPrepended: true };
    assert.deepEqual(await check(JSON.stringify({ pairs: [{ ...PAIR, positions: { LAST: 5, BOS: -6 } }] }), bos), []);
    assert.match((await one({ positions: { BEYOND: 6 } }, {}, bos))[0].message, /no token 6: the clean prompt has 6 tokens with BOS, 0 to 5/);
  });

  it('warns of positions that only the clean prompt has', async () => {
    const [problem, place] = await one({ clean: 'When John and John gave it to', positions: { S1: 'John', S2: '#2 John' } }, { align: 'end' });
    assert.deepEqual([problem.code, problem.severity, place], ['position-not-found', 'warning', '"John"']);
  });

  describe('where the metric is read', () => {
    const attention = { activation: 'attention', layer: 0, head: 0 };
    const positions = { S: 'John', END: -1, IT: 'gave it' };
    const wrong: [name: string, file: Record<string, unknown>, place: string, message: RegExp][] = [
      ['a token that is not there', { at: 5 }, '5', /no token 5: the clean prompt has 5 tokens/],
      ['a source that is not there', { metric: attention, source: -6 }, '-6', /no token -6/],
      ['a source behind the destination', { metric: attention, at: 'S', source: 'IT' }, '"IT"', /source, position 3, stands behind the destination, position 1/],
      ['a range that ends before it begins', { metric: 'promptLogProb', range: ['IT', 'S'] }, '["IT","S"]', /begins at position 3, behind its end at 1/],
      ['a range up to the last token', { metric: 'promptLogProb', range: [0, 'END'] }, '[0,"END"]', /end it at -2/],
    ];
    for (const [name, file, place, message] of wrong) {
      it(`is not ${name}`, async () => {
        const [problem, at] = await one({ positions }, file);
        assert.deepEqual([problem.code, problem.severity, at], ['position-not-found', 'error', place]);
        assert.match(problem.message, message);
      });
    }

    it('is told once where it is not said in the file', async () => {
      const file = parsePromptFile(JSON.stringify({ pairs: [PAIR, { ...PAIR, correct: ' Sid' }] }), { direction: 'denoise', overrides: { at: 9 } });
      const problems = await checkExperiment(file, tokenize, FACTS);
      assert.deepEqual(problems.map(({ place, pairs, setting }) => [place.line, place.column, pairs, setting]), [[1, 1, [0, 1], 'at']]);
    });

    it('is sound at named places, first and last', async () => {
      for (const file of [{ at: 'S' }, { at: -5 }, { metric: attention, at: 'S', source: 'S' }, { metric: 'promptLogProb', range: ['S', -2] }, { metric: 'promptLogProb' }]) {
        assert.deepEqual(await check(JSON.stringify({ ...file, pairs: [{ ...PAIR, positions }] })), [], JSON.stringify(file));
      }
    });

    it('is not a range of its own where only the last token differs, shown at the pair', async () => {
      const [problem, place] = await one({ clean: 'When John', corrupted: 'When Mary' }, { metric: 'promptLogProb' });
      assert.equal(place, '"When John"');
      assert.match(problem.message, /last token only/);
    });

    it('is the last position of prompts of unequal lengths', async () => {
      for (const file of [{ at: 1 }, { metric: 'promptLogProb' }, { metric: attention, source: 0 }]) {
        const [problem] = await one({ corrupted: `${PAIR.corrupted} Mary` }, { ...file, align: 'end' });
        assert.match(problem.message, /compared at their last position only/);
      }
    });
  });

  describe('continuations', () => {
    it('may have several tokens and begin alike', async () => {
      assert.deepEqual(await check(JSON.stringify({ metric: 'continuation', pairs: [{ ...PAIR, correct: ' Bartholomew and John', incorrect: ' Bartholomew and Mary' }] })), []);
    });
    it('want their leading space', async () => {
      const [problem, place] = await one({ correct: 'Bartholomew' }, { metric: 'continuation' });
      assert.deepEqual([problem.code, problem.severity, place], ['leading-space', 'warning', '"Bartholomew"']);
    });
    it('need room behind the prompt', async () => {
      const facts = { context: 7, bosPrepended: true };
      assert.deepEqual(await check(JSON.stringify({ metric: 'continuation', pairs: [{ ...PAIR, correct: ' Mary and' }] }), facts), []);
      const [problem, place] = await one({ correct: ' Mary and John' }, { metric: 'continuation' }, facts);
      assert.deepEqual([problem.code, place], ['too-long', '" Mary and John"']);
      assert.match(problem.message, /3 tokens behind a prompt of 6; the model reads at most 7\. Shorten it by 1/);
    });
  });

  it('asks of answers only what the metric reads', async () => {
    const pair = { ...PAIR, correct: ' Bartholomew', incorrect: ' Bartholomew and' };
    assert.deepEqual(await check(JSON.stringify({ metric: 'kl', pairs: [pair] })), []);
    assert.deepEqual((await check(JSON.stringify({ metric: 'prob', pairs: [pair] }))).map(([, place]) => place), ['" Bartholomew"']);
  });

  it('compares nothing with a corrupted prompt that is not run', async () => {
    assert.deepEqual(await check(JSON.stringify({ other: 'mean', pairs: [{ ...PAIR, corrupted: 'When' }] })), []);
  });

  it('checks the sound pairs while another is broken', async () => {
    const found = await check(JSON.stringify({ pairs: [{ ...PAIR, clean: 1 }, { ...PAIR, correct: ' Bartholomew' }] }));
    assert.deepEqual(found.map(([{ code, pairs }]) => [code, pairs]), [['answer-tokens', [1]]]);
  });

  it('passes on what the tokenizer throws', async () => {
    const failing: Tokenize = () => Promise.reject(new CircuitError('tokenizer', 'broken'));
    await assert.rejects(checkExperiment(parsePromptFile(JSON.stringify({ pairs: [PAIR] })), failing, FACTS), /broken/);
  });
});

describe('prompts: token experiment', () => {
  let tokenize: Tokenize;
  before(async () => {
    tokenize = await tinyTokenize(WORDS);
  });
  const pair: TextPair = { ...PAIR, correct: [' Mary'], incorrect: [' John', ' he'] };
  const settings = { metric: 'logitDiff', direction: 'noise' } as const;
  const ids = async (text: string): Promise<number[]> => (await tokenize([text]))[0]!.tokens.map(({ id }) => id);

  it('is the ids of the pairs', async () => {
    const experiment = { ...settings, model: 'gpt2', pairs: [pair] };
    assert.deepEqual(toTokenExperiment(experiment, await tokenizePairs(experiment.pairs, tokenize), {}), {
      ...settings,
      pairs: [{ clean: await ids(pair.clean), corrupted: await ids(PAIR.corrupted), correct: await ids(' Mary'), incorrect: [...(await ids(' John')), ...(await ids(' he'))] }],
    });
  });

  it('puts BOS first, and lets an answer stand for its first token', async () => {
    const experiment = { ...settings, align: 'end' as const, pairs: [{ ...pair, correct: [' Bartholomew'], corrupted: `${PAIR.corrupted} Mary`, firstToken: true }] };
    const { align, pairs } = toTokenExperiment(experiment, await tokenizePairs(experiment.pairs, tokenize), { bos: { id: 7, text: 'BOS' }, context: 7 });
    assert.equal(align, 'end');
    assert.deepEqual(pairs[0]!.clean, [7, ...(await ids(pair.clean))]);
    assert.equal(pairs[0]!.corrupted!.length, 7);
    assert.deepEqual(pairs[0]!.correct, (await ids(' Bartholomew')).slice(0, 1));
  });

  it('resolves places and named positions, the last of several tokens, with and without BOS', async () => {
    const attention = { activation: 'attention', layer: 0, head: 0 } as const;
    const named: TextPair = { ...pair, positions: { S: 'John', WHO: 'John gave', END: -1, FIRST: 0 } };
    const tokenized = await tokenizePairs([named], tokenize);
    for (const [first, bos] of [[0, undefined], [1, { id: 7, text: 'BOS' }]] as const) {
      assert.deepEqual(namedPositions(named, tokenized[0]!, bos !== undefined), { S: first + 1, WHO: first + 2, END: first + 4, FIRST: 0 });
      const resolved = (fields: Partial<TextExperiment>): MetricPlaces => {
        const { at, source, range } = toTokenExperiment({ ...settings, pairs: [named], ...fields }, tokenized, { bos }).pairs[0]!;
        return Object.fromEntries(Object.entries({ at, source, range }).filter(([, place]) => place !== undefined));
      };
      assert.deepEqual(resolved({ at: 'S' }), { at: first + 1 });
      assert.deepEqual(resolved({ at: -2 }), { at: first + 3 });
      assert.deepEqual(resolved({ at: 'END' }), {}, 'the last position is left out');
      assert.deepEqual(resolved({ metric: attention, at: 'WHO', source: 'S' }), { at: first + 2, source: first + 1 });
      assert.deepEqual(resolved({ metric: 'promptLogProb', range: ['S', -2] }), { range: [first + 1, first + 3] });
      assert.deepEqual(resolved({ metric: 'promptLogProb' }), { range: [first + 1, first + 3] }, 'from the first difference to the last but one');
      assert.deepEqual(resolved({ metric: 'promptLogProb', other: 'zero' }), { range: [first, first + 3] }, 'nothing differs: from the first token');
    }
  });

  it('comes with the warnings of its file, each kind once', async () => {
    const warnings = async (...pairs: TextPair[]): Promise<string[]> => promptWarnings({ ...settings, pairs }, await tokenizePairs(pairs, tokenize), {});
    assert.deepEqual(await warnings(pair), []);
    const glued: TextPair = { ...pair, name: 'glued', correct: ['Mary'] };
    const [alone, ...others] = await warnings(glued);
    assert.match(alone!, /^"Mary" has no leading space/);
    assert.deepEqual(others, []);
    const [first, ...more] = await warnings(pair, glued, { ...glued, name: 'another' });
    assert.match(first!, /^In "glued": "Mary" has no leading space.* So it is in 2 of 3 pairs\.$/);
    assert.deepEqual(more, []);
    const chosen = [pair, { ...glued, name: undefined }];
    assert.match(promptWarnings({ ...settings, pairs: chosen }, await tokenizePairs(chosen, tokenize), {}, [4, 6])[0]!, /^In "pair 7": /, 'as its file counts');
  });

  it('has no corrupted ids where no corrupted prompt is run', async () => {
    const { clean, correct, incorrect } = pair;
    for (const pairs of [[pair], [{ clean, correct, incorrect }]]) {
      const experiment = toTokenExperiment({ ...settings, other: 'resample', variant: { freezePattern: true }, pairs }, await tokenizePairs(pairs, tokenize), {});
      assert.deepEqual(Object.keys(experiment.pairs[0]!), ['clean', 'correct', 'incorrect']);
      assert.deepEqual([experiment.other, experiment.variant], ['resample', { freezePattern: true }]);
    }
  });

  it('has all tokens of a continuation, and of other metrics the answers that are single tokens', async () => {
    const answers = { ...pair, correct: [' Bartholomew and'], incorrect: [' John'] };
    const of = async (metric: TextExperiment['metric'], pairs: TextPair[]): Promise<number[][]> => {
      const [only] = toTokenExperiment({ ...settings, metric, pairs }, await tokenizePairs(pairs, tokenize), {}).pairs;
      return [only!.correct, only!.incorrect];
    };
    assert.deepEqual(await of('continuation', [answers]), [await ids(' Bartholomew and'), await ids(' John')]);
    assert.deepEqual(await of('continuation', [{ ...answers, incorrect: [] }]), [await ids(' Bartholomew and'), []]);
    assert.deepEqual(await of('kl', [answers]), [[], await ids(' John')]);
    assert.deepEqual(await of('kl', [{ ...answers, firstToken: true }]), [(await ids(' Bartholomew')).slice(0, 1), await ids(' John')]);
  });

  const refused: [name: string, pairs: TextPair[], code: ErrorCode, message: RegExp, fields?: Partial<TextExperiment>][] = [
    ['a pair that lacks both answers', [{ ...pair, correct: [], incorrect: [] }], 'experiment', /^The metric "probDiff" needs a correct and an incorrect answer/, { metric: 'probDiff' }],
    ['a pair that lacks what a changed metric needs', [{ ...pair, incorrect: [] }], 'experiment', /^The metric "probDiff" needs an incorrect answer/, { metric: 'probDiff' }],
    ['a pair without a corrupted prompt', [{ clean: pair.clean, correct: [], incorrect: [] }], 'experiment', /no corrupted prompt/, { metric: 'kl' }],
    ['lists of continuations', [pair], 'experiment', /lists of answers/, { metric: 'continuation' }],
    ['settings that do not go together', [pair], 'experiment', /direction "noise"/, { direction: 'denoise', other: 'zero' }],
    ['a position without a name', [{ ...pair, name: 'x' }], 'experiment', /^In "x": The pair does not name the position "S2"/, { at: 'S2' }],
    ['no pairs', [], 'experiment', /no pairs/],
    ['lengths that differ', [pair, { ...pair, corrupted: `${pair.corrupted} Mary` }], 'experiment', /^In "pair 2": .*clean has 5, corrupted 6/],
    ['an answer of several tokens', [{ ...pair, name: 'first', incorrect: [' Bartholomew'] }], 'experiment', /^In "first": " Bartholomew" is 2 tokens/],
    ['a prompt longer than the context', [{ ...pair, clean: 'When'.repeat(9), corrupted: 'Mary'.repeat(9) }], 'too-big', /^This prompt has 9 tokens; the model reads at most 8/],
  ];
  for (const [name, pairs, code, message, fields] of refused) {
    it(`refuses ${name}`, async () => {
      const tokenized = await tokenizePairs(pairs, tokenize);
      assert.throws(() => toTokenExperiment({ ...settings, pairs, ...fields }, tokenized, { context: 8 }), (error) => {
        assert.ok(CircuitError.is(error, code), String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('is not stopped by a warning', async () => {
    const pairs = [{ ...pair, correct: ['Mary'] }];
    assert.deepEqual(toTokenExperiment({ ...settings, pairs }, await tokenizePairs(pairs, tokenize), {}).pairs[0]!.correct, await ids('Mary'));
  });
});
