import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parsePromptFile } from '../../../src/prompts/parse';
import { findSubstring } from '../../../src/prompts/namedPosition';
import { DIRECTIONS, METRICS } from '../../../src/shared/experiment';

interface Schema {
  type?: string | string[];
  enum?: string[];
  additionalProperties?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  description?: string;
  defaultSnippets?: { body: unknown }[];
  definitions?: Record<string, Schema>;
  allowComments?: boolean;
  allowTrailingCommas?: boolean;
}

describe('prompts: what comes with the extension', () => {
  describe('schema', () => {
    let schema: Schema;
    before(async () => {
      schema = JSON.parse(await readFile('media/circuit-prompts.schema.json', 'utf8')) as Schema;
    });

    it('reports unknown fields, and allows what the parser allows', () => {
      assert.equal(schema.additionalProperties, false);
      assert.equal(schema.definitions!['pair']!.additionalProperties, false);
      assert.ok(schema.allowComments && schema.allowTrailingCommas);
    });

    it('knows the values that the engine knows', () => {
      assert.deepEqual(schema.properties!['direction']!.enum, DIRECTIONS);
      assert.deepEqual(schema.properties!['metric']!.enum, METRICS);
    });

    it('has every field that the parser reads: a wrong value of each is a problem', () => {
      const pair = { clean: 'a', corrupted: 'b', correct: 'c', incorrect: 'd' };
      const readsFile = (field: string): boolean => parsePromptFile(JSON.stringify({ pairs: [pair], [field]: 0 })).problems.length > 0;
      const readsPair = (field: string): boolean => parsePromptFile(JSON.stringify({ pairs: [{ ...pair, [field]: 0.5 }] })).problems.length > 0;
      const known = { file: Object.keys(schema.properties!), pair: Object.keys(schema.definitions!['pair']!.properties!) };
      assert.deepEqual(known.file.filter((field) => !readsFile(field)), ['$schema', 'answers', 'pairing']);
      assert.deepEqual(known.pair.filter((field) => !readsPair(field)), []);
      const shorthand = parsePromptFile('{"prompts": ["a", "b"], "answers": 0, "pairing": 0}').problems;
      assert.deepEqual(shorthand.map(({ code }) => code), ['wrong-type', 'wrong-type']);
      assert.deepEqual(schema.definitions!['pair']!.required, Object.keys(pair));
    });

    it('says of every field what it is for', () => {
      for (const [name, { description }] of Object.entries({ ...schema.properties, ...schema.definitions!['pair']!.properties })) {
        assert.ok(description && description.length > 20, name);
      }
    });

    it('completes an empty file to one that can be run', () => {
      assert.equal(schema.defaultSnippets!.length, 2);
      for (const { body } of schema.defaultSnippets!) {
        const text = JSON.stringify(body).replace(/\$\{\d+:([^}]*)\}/g, '$1');
        assert.deepEqual(parsePromptFile(text).problems, []);
      }
    });
  });

  describe('docs/prompt-files.md', () => {
    let docs: string;
    before(async () => {
      docs = await readFile('docs/prompt-files.md', 'utf8');
    });

    it('describes every field of the schema', async () => {
      const { properties, definitions } = JSON.parse(await readFile('media/circuit-prompts.schema.json', 'utf8')) as Schema;
      const fields = Object.keys({ ...properties, ...definitions!['pair']!.properties }).filter((field) => field !== '$schema');
      assert.deepEqual(fields.filter((field) => !docs.includes(`\`${field}\``)), []);
    });

    it('shows only examples that can be run', () => {
      const examples = [...docs.matchAll(/^```jsonc\n([^]*?)^```$/gm)].map(([, text]) => text!);
      assert.equal(examples.length, 4);
      for (const text of examples) assert.deepEqual(parsePromptFile(text).problems, [], text);
    });
  });

  for (const sample of ['ioi', 'greater-than', 'agreement']) {
    it(`sample ${sample} has no problems`, async () => {
      const text = await readFile(`media/samples/${sample}.prompts.json`, 'utf8');
      // Restricted Mode boxes every other character as suspicious.
      assert.match(text, /^[\n -~]*$/);
      const { experiment, problems } = parsePromptFile(text);
      assert.deepEqual(problems, []);
      assert.ok(experiment!.pairs.length >= 4);
    });
  }

  describe('sample of indirect object identification', () => {
    /** Prompts and answers of the nnsight tutorial on attribution patching. */
    const tutorial: [prompt: string, correct: string, incorrect: string][] = [
      ['When John and Mary went to the shops, John gave the bag to', ' Mary', ' John'],
      ['When John and Mary went to the shops, Mary gave the bag to', ' John', ' Mary'],
      ['When Tom and James went to the park, James gave the ball to', ' Tom', ' James'],
      ['When Tom and James went to the park, Tom gave the ball to', ' James', ' Tom'],
      ['When Dan and Sid went to the shops, Sid gave an apple to', ' Dan', ' Sid'],
      ['When Dan and Sid went to the shops, Dan gave an apple to', ' Sid', ' Dan'],
      ['After Martin and Amy went to the park, Amy gave a drink to', ' Martin', ' Amy'],
      ['After Martin and Amy went to the park, Martin gave a drink to', ' Amy', ' Martin'],
    ];

    it("has the tutorial's prompts, each clean once against its twin", async () => {
      const { experiment, problems } = parsePromptFile(await readFile('media/samples/ioi.prompts.json', 'utf8'));
      assert.deepEqual(problems, []);
      assert.deepEqual(
        experiment!.pairs.map(({ clean, corrupted, correct, incorrect }) => ({ clean, corrupted, correct, incorrect })),
        tutorial.map(([clean, correct, incorrect], i) => ({ clean, corrupted: tutorial[i ^ 1]![0], correct: [correct], incorrect: [incorrect] })),
      );
    });

    it('names the same roles in each pair, S2 where clean and corrupted differ', async () => {
      const { experiment } = parsePromptFile(await readFile('media/samples/ioi.prompts.json', 'utf8'));
      for (const { name, clean, corrupted, correct, positions } of experiment!.pairs) {
        assert.deepEqual(Object.keys(positions!), ['S1', 'IO', 'S2', 'END'], name);
        const [start] = findSubstring(clean, String(positions!['S2']))!;
        assert.equal(clean.slice(0, start), corrupted.slice(0, start), name);
        assert.notEqual(clean[start], corrupted[start], name);
        assert.equal(` ${positions!['IO']}`, correct[0], name);
      }
    });
  });
});
