import assert from 'node:assert/strict';
import { parsePromptFile } from '../../../src/prompts/parse';
import { pairAt } from '../../../src/prompts/promptFile';

/** As the nnsight tutorial lists them, tuples become lists. */
const TUTORIAL = `{
  "prompts": [
    "When John and Mary went to the shops, John gave the bag to",
    "When John and Mary went to the shops, Mary gave the bag to",
    "When Tom and James went to the park, James gave the ball to",
    "When Tom and James went to the park, Tom gave the ball to",
    "When Dan and Sid went to the shops, Sid gave an apple to",
    "When Dan and Sid went to the shops, Dan gave an apple to",
    "After Martin and Amy went to the park, Amy gave a drink to",
    "After Martin and Amy went to the park, Martin gave a drink to",
  ],
  "answers": [
    [" Mary", " John"],
    [" John", " Mary"],
    [" Tom", " James"],
    [" James", " Tom"],
    [" Dan", " Sid"],
    [" Sid", " Dan"],
    [" Martin", " Amy"],
    [" Amy", " Martin"],
  ],
  "pairing": "adjacent",
}`;

describe('prompts: shorthand', () => {
  it("reads the tutorial's lists: each prompt is clean once", () => {
    const { experiment, problems } = parsePromptFile(TUTORIAL);
    assert.deepEqual(problems, []);
    assert.equal(experiment!.pairs.length, 8);
    assert.deepEqual(experiment!.pairs[0], {
      clean: 'When John and Mary went to the shops, John gave the bag to',
      corrupted: 'When John and Mary went to the shops, Mary gave the bag to',
      correct: [' Mary'],
      incorrect: [' John'],
    });
    assert.deepEqual(experiment!.pairs[7], {
      clean: 'After Martin and Amy went to the park, Martin gave a drink to',
      corrupted: 'After Martin and Amy went to the park, Amy gave a drink to',
      correct: [' Amy'],
      incorrect: [' Martin'],
    });
    assert.equal(new Set(experiment!.pairs.map(({ clean }) => clean)).size, 8);
  });

  it("takes the partner's answer as the incorrect one, and pairs adjacent prompts by itself", () => {
    const short = TUTORIAL.replace(/\[(" \w+"), " \w+"\]/g, '$1').replace('"pairing": "adjacent",', '');
    assert.ok(short.includes('" Mary",\n    " John",'));
    assert.deepEqual(parsePromptFile(short).experiment, parsePromptFile(TUTORIAL).experiment);
  });

  it('reads baskets and mixed forms', () => {
    const { experiment } = parsePromptFile('{"prompts": ["a", "b", "c", "d"], "answers": [[[" he", " him"], " she"], [" she", [" he"]], " x", [" y", " z"]]}');
    assert.deepEqual(experiment!.pairs.map(({ correct, incorrect }) => [correct, incorrect]), [
      [[' he', ' him'], [' she']],
      [[' she'], [' he']],
      [[' x'], [' y']],
      [[' y'], [' z']],
    ]);
  });

  it('knows the places of its strings', () => {
    const { places, text } = parsePromptFile(TUTORIAL);
    const at = ({ offset, length }: { offset: number; length: number }): unknown => JSON.parse(text.slice(offset, offset + length));
    assert.equal(at(places[3]!.clean), 'When Tom and James went to the park, Tom gave the ball to');
    assert.equal(at(places[3]!.corrupted), 'When Tom and James went to the park, James gave the ball to');
    assert.deepEqual([places[3]!.correct.map(at), places[3]!.incorrect.map(at)], [[' James'], [' Tom']]);
  });

  it('finds the pair at the cursor, in prompts and answers', () => {
    const file = parsePromptFile(TUTORIAL);
    assert.equal(pairAt(file, TUTORIAL.indexOf('Tom gave')), 3);
    assert.equal(pairAt(file, TUTORIAL.indexOf('" James", " Tom"')), 3);
    assert.equal(pairAt(file, TUTORIAL.indexOf(' Dan gave')), 5);
    assert.equal(pairAt(file, TUTORIAL.indexOf('  "pairing"')), undefined);
    const short = parsePromptFile('{"prompts": ["a", "b"], "answers": [" x", " y"]}');
    assert.equal(pairAt(short, short.text.indexOf('" y"')), 1);
  });

  describe('finds every mistake', () => {
    const cases: [name: string, text: string, expected: [code: string, text: string, pairs?: number[]][], sound: boolean[]][] = [
      ['prompts that are no list', '{"prompts": "a", "answers": []}', [['wrong-type', '"a"']], []],
      ['no prompts', '{"prompts": [], "answers": []}', [['empty-list', '[]']], []],
      ['no answers', '{"prompts": ["a", "b"]}', [['missing-field', '"prompts"']], [false, false]],
      ['answers that are no list', '{"prompts": ["a", "b"], "answers": {}}', [['wrong-type', '{}']], [false, false]],
      ['an odd prompt', '{"prompts": ["a", "b", "c"], "answers": [" x", " y", " z"]}', [['missing-field', '"c"', [2]]], [true, true, false]],
      ['a prompt that is no text', '{"prompts": ["a", 2, "c", "d"], "answers": [" x", " y", " x", " y"]}', [['wrong-type', '2', [0, 1]]], [false, false, true, true]],
      ['too few answers', '{"prompts": ["a", "b", "c", "d"], "answers": [" x", " y"]}', [['missing-field', '"answers"']], [true, true, false, false]],
      ['too many answers', '{"prompts": ["a", "b"], "answers": [" x", " y", " z"]}', [['missing-field', '" z"']], [true, true]],
      ['equal prompts, once', '{"prompts": ["a", "a"], "answers": [" x", " y"]}', [['equal-prompts', '"a"', [0, 1]]], [false, false]],
      ['equal answers, once', '{"prompts": ["a", "b"], "answers": [" x", " x"]}', [['same-answer', '" x"', [0, 1]]], [false, false]],
      ['equal answers of one prompt', '{"prompts": ["a", "b"], "answers": [[" x", " x"], [" x", " y"]]}', [['same-answer', '" x"', [0]]], [false, true]],
      ['an answer of another form', '{"prompts": ["a", "b"], "answers": [[" x"], {}]}', [['wrong-type', '[" x"]', [0, 1]], ['wrong-type', '{}', [0, 1]]], [false, false]],
      ['an empty basket', '{"prompts": ["a", "b"], "answers": [[[], " y"], [" y", " x"]]}', [['empty-list', '[]', [0]]], [false, true]],
      ['another pairing', '{"prompts": ["a", "b"], "answers": [" x", " y"], "pairing": "halves"}', [['wrong-type', '"halves"']], [true, true]],
    ];
    for (const [name, text, expected, sound] of cases) {
      it(name, () => {
        const file = parsePromptFile(text);
        const problems = file.problems.map(({ code, place, pairs }) => [code, text.slice(place.offset, place.offset + place.length), ...(pairs ? [pairs] : [])]);
        assert.deepEqual(problems, expected);
        assert.deepEqual(file.pairs.map((pair) => pair !== undefined), sound);
        assert.equal(file.experiment, undefined);
      });
    }
  });
});
