import assert from 'node:assert/strict';
import { parseSelection, type SelectedPair } from '../../../src/prompts/selection';
import { CircuitError } from '../../../src/shared/errors';

const PLAIN: SelectedPair = { clean: 'John gave it to', corrupted: 'Mary gave it to' };
const ANSWERED: SelectedPair = { ...PLAIN, correct: [' Mary'], incorrect: [' John'] };

describe('prompts: selection', () => {
  const cases: [name: string, text: string, expected: SelectedPair][] = [
    ['plain lines', 'John gave it to\nMary gave it to', PLAIN],
    ['spaces, tabs and CRLF', '  John gave it to \t\r\n\tMary gave it to  \r\n', PLAIN],
    ['empty lines around and between', '\n\nJohn gave it to\n   \nMary gave it to\n\n', PLAIN],
    ['Python list entries', '    "John gave it to",\n    "Mary gave it to",', PLAIN],
    ['single quotes', "'John gave it to',\n'Mary gave it to'", PLAIN],
    ['triple quotes', '"""John gave it to"""\n\'\'\'Mary gave it to\'\'\',', PLAIN],
    ['a whole Python list', 'prompts = ["John gave it to",\n"Mary gave it to"]', PLAIN],
    ['brackets on lines of their own', '[\n"John gave it to",\n"Mary gave it to"\n],', PLAIN],
    ['tuples', '("John gave it to"),\n("Mary gave it to")', PLAIN],
    ['assignments', 'clean_prompt = "John gave it to"\ncorrupted_prompt="Mary gave it to"', PLAIN],
    ['JSON fields', '  "clean": "John gave it to",\n  "corrupted": "Mary gave it to",', PLAIN],
    ['Python comments', '"John gave it to",  # clean\n"Mary gave it to"  // corrupted', PLAIN],
    ['a bulleted list', '- John gave it to\n* Mary gave it to', PLAIN],
    ['a numbered list', '1. John gave it to\n2) Mary gave it to', PLAIN],
    ['answers', 'John gave it to => " Mary"\nMary gave it to => " John"', ANSWERED],
    ['answers in single quotes, without spaces around', "John gave it to=>' Mary'\nMary gave it to=>' John',", ANSWERED],
    ['answers after quoted prompts', '"John gave it to", => " Mary",\n"Mary gave it to" => " John"', ANSWERED],
    ['baskets', 'a => [" x", " y"]\nb => " z", " w"', { clean: 'a', corrupted: 'b', correct: [' x', ' y'], incorrect: [' z', ' w'] }],
    ['an answer after one line only', 'John gave it to => " Mary"\nMary gave it to', { ...PLAIN, correct: [' Mary'] }],
    ['escapes in quotes', '"a \\"b\\"\\n\\u00e9\\x41\\q"\n"b\\\\"', { clean: 'a "b"\né' + 'A\\q', corrupted: 'b\\' }],
    ['backslashes without quotes', 'a\\n\nb\\n', { clean: 'a\\n', corrupted: 'b\\n' }],
    ['a space at the end within quotes', '"a "\n"b "', { clean: 'a ', corrupted: 'b ' }],
    ['quotes within the text', 'He said "yes" and\nShe said "yes" and', { clean: 'He said "yes" and', corrupted: 'She said "yes" and' }],
    ['a quotation that opens the text', '"Yes", he said to\n"No", he said to', { clean: '"Yes", he said to', corrupted: '"No", he said to' }],
    ['an apostrophe that opens the text', "'Tis John's\n'Tis Mary's", { clean: "'Tis John's", corrupted: "'Tis Mary's" }],
    ['a comma at the end of a plain line', 'When John came,\nWhen Mary came,', { clean: 'When John came,', corrupted: 'When Mary came,' }],
    ['emoji and combining characters', '😀 e\u0301\n😁 e\u0301', { clean: '😀 e\u0301', corrupted: '😁 e\u0301' }],
    ['a hyphen in front of a word', '-5 is\n-6 is', { clean: '-5 is', corrupted: '-6 is' }],
  ];
  for (const [name, text, expected] of cases) {
    it(`reads ${name}`, () => assert.deepEqual(parseSelection(text), expected));
  }

  const refused: [name: string, text: string, message: RegExp][] = [
    ['nothing', ' \n', /Select two lines.*nothing is/],
    ['one line', 'a', /one is/],
    ['three lines', 'a\nb\nc', /3 are/],
    ['equal lines', '"a",\na', /equal/],
    ['an answer without quotes', 'a => Mary\nb => " John"', /in quotes.*cannot be read: Mary/],
    ['an empty answer', 'a => ""\nb => " John"', /in quotes/],
    ['nothing after the arrow', 'a =>\nb => " John"', /in quotes/],
    ['the same answer twice', 'a => " x"\nb => " x"', /answer of both/],
    ['an arrow without a prompt', '=> " x"\nb => " y"', /no prompt in this line/],
    ['an f-string', 'f"{name} gave"\n"b"', /prefix f/],
  ];
  for (const [name, text, message] of refused) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parseSelection(text), (error) => {
        assert.ok(CircuitError.is(error, 'experiment'), String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
