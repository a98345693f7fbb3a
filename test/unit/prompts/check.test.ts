import assert from 'node:assert/strict';
import { checkExperiment, type ModelFacts } from '../../../src/prompts/check';
import { parsePromptFile } from '../../../src/prompts/parse';
import type { Problem } from '../../../src/prompts/problem';
import { toTokenExperiment } from '../../../src/prompts/tokenExperiment';
import { tokenizePairs } from '../../../src/prompts/tokenizedPair';
import { CircuitError, type ErrorCode } from '../../../src/shared/errors';
import type { TextPair } from '../../../src/shared/experiment';
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
      assert.match(problem.message, /" Bartholomew" is 2 tokens: " Bar" \+ "tholomew"\. This model's tokenizer has no single token for it; choose another word, or write "firstToken": true .* " Bar" stand/);
    });

    for (const [answer, split] of [[' Zoe', '" " + "Z" + "o" + "e"'], [' Bob', '" B" + "o" + "b"']] as const) {
      it(`that are spelled out are not to stand for their first token: ${split}`, async () => {
        const [{ message }] = await one({ correct: answer });
        assert.ok(message.includes(`tokens: ${split}. This model's tokenizer has no single token`), message);
        assert.match(message, /choose another word\.$/);
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
      pairs: [{ clean: await ids(pair.clean), corrupted: await ids(pair.corrupted), correct: await ids(' Mary'), incorrect: [...(await ids(' John')), ...(await ids(' he'))] }],
    });
  });

  it('puts BOS first, and lets an answer stand for its first token', async () => {
    const experiment = { ...settings, align: 'end' as const, pairs: [{ ...pair, correct: [' Bartholomew'], corrupted: `${pair.corrupted} Mary`, firstToken: true }] };
    const { align, pairs } = toTokenExperiment(experiment, await tokenizePairs(experiment.pairs, tokenize), { bos: { id: 7, text: 'BOS' }, context: 7 });
    assert.equal(align, 'end');
    assert.deepEqual(pairs[0]!.clean, [7, ...(await ids(pair.clean))]);
    assert.equal(pairs[0]!.corrupted.length, 7);
    assert.deepEqual(pairs[0]!.correct, (await ids(' Bartholomew')).slice(0, 1));
  });

  const refused: [name: string, pairs: TextPair[], code: ErrorCode, message: RegExp][] = [
    ['no pairs', [], 'experiment', /no pairs/],
    ['lengths that differ', [pair, { ...pair, corrupted: `${pair.corrupted} Mary` }], 'experiment', /^In "pair 2": .*clean has 5, corrupted 6/],
    ['an answer of several tokens', [{ ...pair, name: 'first', incorrect: [' Bartholomew'] }], 'experiment', /^In "first": " Bartholomew" is 2 tokens/],
    ['a prompt longer than the context', [{ ...pair, clean: 'When'.repeat(9), corrupted: 'Mary'.repeat(9) }], 'too-big', /^This prompt has 9 tokens; the model reads at most 8/],
  ];
  for (const [name, pairs, code, message] of refused) {
    it(`refuses ${name}`, async () => {
      const tokenized = await tokenizePairs(pairs, tokenize);
      assert.throws(() => toTokenExperiment({ ...settings, pairs }, tokenized, { context: 8 }), (error) => {
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
