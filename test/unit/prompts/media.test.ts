import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parsePromptFile } from '../../../src/prompts/parse';
import { findSubstring } from '../../../src/prompts/namedPosition';
import { DIRECTIONS, INTEGRATION_RULES, LOGIT_METRICS, MOST_INTEGRATION_STEPS, OTHERS } from '../../../src/shared/experiment';
import { SITE_NAMES } from '../../../src/shared/sites';

interface Schema {
  type?: string | string[];
  enum?: string[];
  anyOf?: Schema[];
  items?: Schema;
  maximum?: number;
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
      assert.deepEqual(schema.properties!['other']!.enum, OTHERS);
      const [names, ...activations] = schema.properties!['metric']!.anyOf!;
      assert.deepEqual(names!.enum, LOGIT_METRICS);
      assert.deepEqual(activations.flatMap(({ properties }) => properties!['activation']!.enum), ['attention', 'neuron', 'directLogit']);
      const variant = schema.properties!['variant']!.properties!;
      assert.deepEqual(variant['integrated']!.properties!['rule']!.enum, INTEGRATION_RULES);
      assert.equal(variant['integrated']!.properties!['steps']!.maximum, MOST_INTEGRATION_STEPS);
      assert.deepEqual(variant['interventions']!.items!.properties!['with']!.enum, OTHERS);
      assert.deepEqual(schema.definitions!['unit']!.properties!['site']!.enum, SITE_NAMES);
    });

    it('lets the parser say of every field of a variant, a part of a site and an activation what is wrong with it', () => {
      const pair = { clean: 'a', corrupted: 'b', correct: 'c', incorrect: 'd' };
      const problems = (fields: object): number => parsePromptFile(JSON.stringify({ source: 0, pairs: [pair], ...fields })).problems.filter(({ code }) => code === 'wrong-type').length;
      const variant = schema.properties!['variant']!.properties!;
      for (const name of Object.keys(variant)) assert.equal(problems({ variant: { [name]: 'x' } }), 1, name);
      for (const name of Object.keys(variant['integrated']!.properties!)) assert.equal(problems({ variant: { integrated: { steps: 2, rule: 'left', [name]: 0.5 } } }), 1, name);
      const unit = { site: 'z', layer: 1 };
      for (const name of Object.keys(schema.definitions!['unit']!.properties!)) assert.equal(problems({ variant: { stopGradient: [{ ...unit, [name]: 0.5 }] } }), 1, name);
      for (const name of ['unit', 'with']) assert.equal(problems({ variant: { interventions: [{ unit, with: 'zero', [name]: 0.5 }] } }), 1, name);
      for (const { properties } of schema.properties!['metric']!.anyOf!.slice(1)) {
        const sound = Object.fromEntries(Object.entries(properties!).map(([name, { enum: names }]) => [name, names?.[0] ?? 1]));
        for (const name of Object.keys(sound)) assert.equal(problems({ metric: { ...sound, [name]: 0.5 } }), 1, name);
      }
    });

    it('has every field that the parser reads: a wrong value of each is a problem', () => {
      const pair = { clean: 'a', corrupted: 'b', correct: 'c', incorrect: 'd' };
      // `false` is right for the one field that is true or false.
      const readsFile = (field: string): boolean => (field === 'prependBos' ? readsFileWith(field, 0) : readsFileWith(field, false));
      const readsFileWith = (field: string, value: unknown): boolean => parsePromptFile(JSON.stringify({ pairs: [pair], [field]: value })).problems.length > 0;
      const readsPair = (field: string): boolean => parsePromptFile(JSON.stringify({ pairs: [{ ...pair, [field]: 0.5 }] })).problems.length > 0;
      const known = { file: Object.keys(schema.properties!), pair: Object.keys(schema.definitions!['pair']!.properties!) };
      assert.deepEqual(known.file.filter((field) => !readsFile(field)), ['$schema', 'answers', 'pairing']);
      assert.deepEqual(known.pair.filter((field) => !readsPair(field)), []);
      const shorthand = parsePromptFile('{"prompts": ["a", "b"], "answers": 0, "pairing": 0}').problems;
      assert.deepEqual(shorthand.map(({ code }) => code), ['wrong-type', 'wrong-type']);
      assert.deepEqual(schema.definitions!['pair']!.required, ['clean']);
    });

    it('says of every field what it is for', () => {
      const { properties, definitions } = schema;
      const variant = properties!['variant']!.properties!;
      for (const [name, { description }] of Object.entries({ ...properties, ...definitions!['pair']!.properties, ...definitions!['unit']!.properties, ...variant, ...variant['integrated']!.properties })) {
        assert.ok(description && description.length > (name === 'site' ? 10 : 20), name);
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
      assert.equal(examples.length, 7);
      for (const text of examples) assert.deepEqual(parsePromptFile(text).problems, [], text);
    });
  });

  for (const sample of ['ioi', 'ioi-held-out', 'greater-than', 'agreement']) {
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
        assert.equal(clean.slice(0, start), corrupted!.slice(0, start), name);
        assert.notEqual(clean[start], corrupted![start], name);
        assert.equal(` ${positions!['IO']}`, correct[0], name);
      }
    });
  });
});
