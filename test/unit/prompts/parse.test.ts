import assert from 'node:assert/strict';
import { LONGEST_FILE, parsePromptFile } from '../../../src/prompts/parse';
import { experimentOf, pairAt, pairName, type PromptFile } from '../../../src/prompts/promptFile';
import type { Problem } from '../../../src/prompts/problem';
import { CircuitError, type Place } from '../../../src/shared/errors';

const PAIR = { clean: 'John gave it to', corrupted: 'Mary gave it to', correct: ' Mary', incorrect: ' John' };

/** The text at a place, having checked that line and column say the same as the offset. */
function at(text: string, place: Place): string {
  const before = text.slice(0, place.offset).replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  assert.equal(place.line, before.length, 'line');
  assert.equal(place.column, before.at(-1)!.length + 1, 'column');
  return text.slice(place.offset, place.offset + place.length);
}

function found(file: PromptFile): [code: string, severity: string, text: string][] {
  return file.problems.map(({ code, severity, place }: Problem) => [code, severity, at(file.text, place)]);
}

describe('prompts: parse', () => {
  it('reads a whole file', () => {
    const text = `{
      // which model
      "model": "gpt2", "prependBos": true, "metric": "logitDiff", "direction": "noise", "align": "end",
      "pairs": [
        { "name": "John → Mary", "clean": "John gave it to", "corrupted": "Mary gave it to", "correct": " Mary", "incorrect": [" John", " Jon"],
          "firstToken": true, "positions": { "S": "John", "END": -1, "T": "#2 t" }, }, /* and a trailing comma */
      ],
    }`;
    const file = parsePromptFile(text);
    assert.deepEqual(file.problems, []);
    assert.deepEqual(file.experiment, {
      model: 'gpt2',
      prependBos: true,
      metric: 'logitDiff',
      direction: 'noise',
      align: 'end',
      pairs: [
        {
          name: 'John → Mary',
          clean: 'John gave it to',
          corrupted: 'Mary gave it to',
          correct: [' Mary'],
          incorrect: [' John', ' Jon'],
          firstToken: true,
          positions: { S: 'John', END: -1, T: '#2 t' },
        },
      ],
    });
    const [places] = file.places;
    assert.equal(at(text, file.settingPlaces.model!), '"gpt2"');
    assert.equal(at(text, places!.clean), '"John gave it to"');
    assert.equal(at(text, places!.corrupted), '"Mary gave it to"');
    assert.deepEqual(places!.correct.map((place) => at(text, place)), ['" Mary"']);
    assert.deepEqual(places!.incorrect.map((place) => at(text, place)), ['" John"', '" Jon"']);
    assert.deepEqual(Object.entries(places!.positions).map(([name, place]) => [name, at(text, place)]), [['S', '"John"'], ['END', '-1'], ['T', '"#2 t"']]);
    assert.ok(at(text, places!.pair).startsWith('{ "name"') && at(text, places!.pair).endsWith('}'));
  });

  it('takes the default direction where the file names none', () => {
    const text = JSON.stringify({ pairs: [PAIR] });
    assert.equal(parsePromptFile(text).experiment?.direction, 'denoise');
    assert.equal(parsePromptFile(text, { direction: 'noise' }).experiment?.direction, 'noise');
    assert.deepEqual(Object.keys(parsePromptFile(text).experiment!).sort(), ['direction', 'metric', 'pairs']);
  });

  it('leaves unknown fields to the schema', () => {
    const file = parsePromptFile(JSON.stringify({ $schema: 'x', later: 1, pairs: [{ ...PAIR, note: 'x' }] }));
    assert.deepEqual(file.problems, []);
    assert.ok(file.experiment);
  });

  it('says once that tuples are lists, and how to mend them all', () => {
    const prompts = '"prompts": ["John (the elder) gave it to", "Mary (\\") gave it to"]';
    const text = `{ // pasted (from a notebook)\n ${prompts},\n "answers": [(" Mary", " John"),\n ("(", (" Mary", ")"),),], "pairing": "adjacent" }`;
    const file = parsePromptFile(text);
    const tuples = text.slice(text.indexOf('(" Mary"'), text.lastIndexOf(')') + 1);
    assert.deepEqual(found(file), [['syntax', 'error', tuples]]);
    assert.equal(file.experiment, undefined);
    assert.throws(() => experimentOf(file), /Python tuples/);
    const { place, text: lists } = file.problems[0]!.fix!;
    const mended = text.slice(0, place.offset) + lists + text.slice(place.offset + place.length);
    assert.deepEqual(parsePromptFile(mended).problems, []);
    assert.deepEqual(parsePromptFile(mended).experiment?.pairs.map(({ clean, correct, incorrect }) => [clean, correct, incorrect]), [
      ['John (the elder) gave it to', [' Mary'], [' John']],
      ['Mary (") gave it to', ['('], [' Mary', ')']],
    ]);
  });

  it('shows what else is broken beside tuples', () => {
    const text = `{ "prompts": ["John gave it to", "Mary gave it to"], "answers": [(" Mary", ' John'), (" John", " Mary")] }`;
    const codes = found(parsePromptFile(text));
    assert.ok(codes.length > 1 && codes.some(([, , place]) => place.startsWith("'")), JSON.stringify(codes));
    assert.match(parsePromptFile(text).problems[0]!.message, /Python tuples/);
  });

  describe('finds every mistake at its place', () => {
    const pair = (fields: Record<string, unknown>): string => JSON.stringify({ pairs: [{ ...PAIR, ...fields }] });
    const cases: [name: string, text: string, expected: [code: string, severity: string, text: string][]][] = [
      ['an empty file', '', [['missing-field', 'error', '']]],
      ['a file of spaces and comments', ' \r\n// nothing', [['missing-field', 'error', '']]],
      ['a list', '[]', [['wrong-type', 'error', '[]']]],
      ['a number', '3', [['wrong-type', 'error', '3']]],
      ['no pairs', '{ "model": "gpt2" }', [['missing-field', 'error', '{']]],
      ['an empty list of pairs', '{"pairs": []}', [['empty-list', 'error', '[]']]],
      ['pairs that are no list', '{"pairs": {}}', [['wrong-type', 'error', '{}']]],
      ['a pair that is no object', '{"pairs": ["x"]}', [['wrong-type', 'error', '"x"']]],
      ['both forms', `{"pairs": [${JSON.stringify(PAIR)}], "prompts": []}`, [['wrong-type', 'error', '"prompts"']]],
      ['a pair without anything', '{"pairs": [{}]}', ['clean', 'corrupted', 'correct', 'incorrect'].map(() => ['missing-field', 'error', '{'])],
      ['a prompt that is a number', pair({ clean: 5 }), [['wrong-type', 'error', '5']]],
      ['an empty prompt', pair({ corrupted: '' }), [['wrong-type', 'error', '""']]],
      ['two empty prompts', pair({ clean: '', corrupted: '' }), [['wrong-type', 'error', '""'], ['wrong-type', 'error', '""']]],
      ['an answer that is null', pair({ correct: null }), [['wrong-type', 'error', 'null']]],
      ['an empty answer', pair({ correct: '' }), [['wrong-type', 'error', '""']]],
      ['an empty list of answers', pair({ incorrect: [] }), [['empty-list', 'error', '[]']]],
      ['a list with a wrong answer', pair({ incorrect: [' a', 1, true] }), [['wrong-type', 'error', '1'], ['wrong-type', 'error', 'true']]],
      ['an answer listed twice', pair({ incorrect: [' a', ' a'] }), [['same-answer', 'warning', '" a"']]],
      ['an answer on both sides', pair({ correct: [' x', ' John'], incorrect: [' y', ' John'] }), [['same-answer', 'error', '" John"']]],
      ['equal prompts', pair({ corrupted: PAIR.clean }), [['equal-prompts', 'error', '"John gave it to"']]],
      ['a name that is a number', pair({ name: 1 }), [['wrong-type', 'error', '1']]],
      ['firstToken as a text', pair({ firstToken: 'yes' }), [['wrong-type', 'error', '"yes"']]],
      ['positions as a list', pair({ positions: ['John'] }), [['wrong-type', 'error', '["John"]']]],
      ['a position that is not in the prompt', pair({ positions: { S: 'Jane' } }), [['position-not-found', 'error', '"Jane"']]],
      ['a position that does not occur so often', pair({ positions: { S: '#2 John' } }), [['position-not-found', 'error', '"#2 John"']]],
      ['a position that is no whole number', pair({ positions: { S: 1.5, T: '' } }), [['wrong-type', 'error', '1.5'], ['wrong-type', 'error', '""']]],
      ['an unknown metric', `{"metric": "accuracy", "pairs": [${JSON.stringify(PAIR)}]}`, [['wrong-type', 'error', '"accuracy"']]],
      ['an unknown direction', `{"direction": 1, "pairs": [${JSON.stringify(PAIR)}]}`, [['wrong-type', 'error', '1']]],
      ['an unknown alignment', `{"align": "start", "pairs": [${JSON.stringify(PAIR)}]}`, [['wrong-type', 'error', '"start"']]],
      ['BOS as a text', `{"prependBos": "true", "pairs": [${JSON.stringify(PAIR)}]}`, [['wrong-type', 'error', '"true"']]],
      ['an empty model', `{"model": "", "pairs": [${JSON.stringify(PAIR)}]}`, [['wrong-type', 'error', '""']]],
    ];
    for (const [name, text, expected] of cases) {
      it(name, () => {
        const file = parsePromptFile(text);
        assert.deepEqual(found(file), expected);
        assert.equal(file.experiment === undefined, expected.some(([, severity]) => severity === 'error'));
        assert.equal(file.places.length, file.pairs.length);
      });
    }
  });

  describe('malformed JSON', () => {
    const cases: [name: string, text: string, first: string][] = [
      ['an open brace', '{ "pairs": [', '['],
      ['a missing value', '{ "pairs": }', '}'],
      ['a missing colon', '{ "pairs" [] }', '['],
      ['single quotes', "{ 'pairs': [] }", "'pairs'"],
      ['an open text', '{ "pairs": "abc }', '"abc }'],
      ['a bad escape', '{ "model": "\\q", "pairs": [] }', '"\\q"'],
      ['a tab in a text', '{ "model": "a\tb", "pairs": [] }', '"a\tb"'],
      ['an open comment', '{ "pairs": [] } /* ', '/* '],
      ['something after the end', '{ "pairs": [] } x', 'x'],
      ['a word', 'undefined', 'undefined'],
      ['an open text at the end, after an emoji', '{ "😀": "', '"'],
    ];
    for (const [name, text, first] of cases) {
      it(name, () => {
        const file = parsePromptFile(text);
        const [problem] = file.problems.filter(({ code }) => code === 'syntax');
        assert.ok(problem, JSON.stringify(file.problems));
        assert.equal(at(text, problem.place), first);
        assert.equal(file.experiment, undefined);
      });
    }

    it('keeps the pairs around the fault', () => {
      const text = `{"pairs": [${JSON.stringify(PAIR)}, {"clean": "a" "corrupted"}, ${JSON.stringify(PAIR)}]}`;
      const file = parsePromptFile(text);
      assert.deepEqual(file.pairs.map((pair) => pair?.clean), [PAIR.clean, undefined, PAIR.clean]);
    });

    it('does not count as missing what may stand in the broken part', () => {
      assert.deepEqual(parsePromptFile("{ 'pairs': [] }").problems.filter(({ code }) => code !== 'syntax'), []);
      assert.deepEqual(parsePromptFile('{"pairs": [{"clean": "a"').problems.filter(({ code }) => code !== 'syntax'), []);
    });

    it('does not flood', () => assert.ok(parsePromptFile('x '.repeat(100_000)).problems.length <= 20));

    it('survives brackets nested without end', () => {
      const { problems } = parsePromptFile('['.repeat(500_000));
      assert.deepEqual(problems.map(({ code }) => code), ['syntax']);
      assert.match(problems[0]!.message, /nested too deeply/);
    });
  });

  describe('a file that is too large', () => {
    it('is refused in one problem, and not read: what is wrong in it is not said', () => {
      const text = `{"pairs": [${`${JSON.stringify({ ...PAIR, clean: 5 })},\n`.repeat(75_000)}]`;
      assert.ok(text.length > 5e6);
      const file = parsePromptFile(text);
      assert.deepEqual(file.problems.map(({ code, severity }) => [code, severity]), [['too-large', 'error']]);
      assert.deepEqual(file.pairs, []);
    });

    it('begins above the limit', () => {
      const text = JSON.stringify({ pairs: [PAIR] });
      assert.ok(parsePromptFile(text.padEnd(LONGEST_FILE)).experiment);
      assert.equal(parsePromptFile(text.padEnd(LONGEST_FILE + 1)).experiment, undefined);
    });

    it('up to the limit is read whole', () => {
      const line = `${JSON.stringify(PAIR)},\n`;
      const count = Math.floor((LONGEST_FILE - 20) / line.length);
      const file = parsePromptFile(`{"pairs": [\n${line.repeat(count)}]}`);
      assert.ok(count > 8000);
      assert.deepEqual([file.pairs.length, file.places.length], [count, count]);
    });
  });

  describe('places in awkward text', () => {
    const body = (lineEnd: string): string => ['{', '  // 👩‍👩‍👧 é e\u0301', '  "pairs": [', '    { "name": "😀", "clean": "a", "corrupted": "a",', '      "correct": " x", "incorrect": " y" }', '  ]', '}'].join(lineEnd);
    for (const [name, text] of [
      ['LF', body('\n')],
      ['CRLF', body('\r\n')],
      ['CR', body('\r')],
      ['a byte order mark', `\uFEFF${body('\n')}`],
    ] as const) {
      it(name, () => {
        const file = parsePromptFile(text);
        assert.deepEqual(found(file), [['equal-prompts', 'error', '"a"']]);
        assert.deepEqual([file.problems[0]!.place.line, file.problems[0]!.place.column], [4, 48]);
        assert.equal(at(text, file.places[0]!.lines), text.slice(file.places[0]!.pair.offset - 4, file.places[0]!.pair.offset + file.places[0]!.pair.length));
      });
    }

    it('a byte order mark takes no column', () => {
      const file = parsePromptFile('\uFEFF[]');
      assert.deepEqual(file.problems[0]!.place, { offset: 1, length: 2, line: 1, column: 1 });
    });

    it('keeps a position named __proto__', () => {
      const file = parsePromptFile(`{"pairs": [{"clean": "a", "corrupted": "b", "correct": "c", "incorrect": "d", "positions": {"__proto__": "a"}}]}`);
      assert.deepEqual(Object.keys(file.pairs[0]!.positions!), ['__proto__']);
      assert.deepEqual(Object.keys(file.places[0]!.positions), ['__proto__']);
    });
  });

  describe('one pair of several', () => {
    const broken = { ...PAIR, incorrect: [] };
    const text = `{"pairs": [\n  ${JSON.stringify(PAIR)},\n  ${JSON.stringify(broken)}, // broken\n  ${JSON.stringify({ ...PAIR, name: 'last' })}\n]}`;
    const file = parsePromptFile(text);

    it('runs while another is broken', () => {
      assert.equal(file.experiment, undefined);
      assert.deepEqual(experimentOf(file, [0, 2]), {
        metric: 'logitDiff',
        direction: 'denoise',
        pairs: [
          { ...PAIR, correct: [' Mary'], incorrect: [' John'] },
          { ...PAIR, name: 'last', correct: [' Mary'], incorrect: [' John'] },
        ],
      });
    });

    it('is refused when it is the broken one, with the place', () => {
      for (const indices of [[1], undefined]) {
        assert.throws(() => experimentOf(file, indices), (error) => CircuitError.is(error, 'prompt-file') && error.place?.line === 3 && /empty list/.test(error.message));
      }
      assert.throws(() => experimentOf(file, [3]), /no such pair/);
      assert.throws(() => experimentOf(file, []), /no such pair|empty list/);
      assert.throws(() => experimentOf(parsePromptFile('{"pairs": []}')), /"pairs" is empty/);
    });

    it('is refused when the file itself is wrong', () => {
      const wrong = parsePromptFile(text.replace('{"pairs"', '{"direction": "up", "pairs"'));
      assert.throws(() => experimentOf(wrong, [0]), (error) => CircuitError.is(error, 'prompt-file') && /"direction" should be/.test(error.message));
    });

    it('is found at the cursor', () => {
      const cursor = (part: string): number | undefined => pairAt(file, text.indexOf(part));
      assert.equal(pairAt(file, 0), undefined);
      assert.equal(cursor('  {"clean"'), 0);
      assert.equal(cursor('{"clean"'), 0);
      assert.equal(cursor('gave it'), 0);
      assert.equal(cursor('// broken'), 1);
      assert.equal(cursor('[]}'), 1);
      assert.equal(cursor('"last"'), 2);
      assert.equal(pairAt(file, text.length), undefined);
    });

    it('has a name', () => {
      assert.deepEqual([pairName({}, 0), pairName({ name: 'last' }, 2)], ['pair 1', 'last']);
    });
  });
});
