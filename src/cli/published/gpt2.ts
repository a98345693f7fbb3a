import type { TextPair } from '../../shared/experiment';
import type { SiteName } from '../../shared/sites';
import type { Published, PublishedHead } from './published';

const FRAMES: [frame: string, names: [string, string]][] = [
  ['When John and Mary went to the shops,{} gave the bag to', [' Mary', ' John']],
  ['When Tom and James went to the park,{} gave the ball to', [' Tom', ' James']],
  ['When Dan and Sid went to the shops,{} gave an apple to', [' Dan', ' Sid']],
  ['After Martin and Amy went to the park,{} gave a drink to', [' Martin', ' Amy']],
];

/** Each frame with each of its names as the giver, corrupted by the other one. */
const PAIRS = FRAMES.flatMap(([frame, names]) =>
  [names, [...names].reverse()].map(([correct, incorrect]): TextPair => ({
    name: `${incorrect!.trim()} to ${correct!.trim()}`,
    clean: frame.replace('{}', incorrect!),
    corrupted: frame.replace('{}', correct!),
    correct: [correct!],
    incorrect: [incorrect!],
  })),
);

const heads = (site: SiteName, rows: [name: string, exact: number, attribution: number][]): PublishedHead[] =>
  rows.map(([name, exact, attribution]) => {
    const [layer, head] = name.split('.').map(Number) as [number, number];
    return { site, layer, head, exact, attribution };
  });

/** GPT-2 small, as published. To be compared with, never computed with. */
export const GPT2: Published = {
  model: 'gpt2',
  ...{ layers: 12, heads: 12, dModel: 768 },
  pairs: PAIRS,
  prependBos: true,
  nodes: {
    source: "TransformerLens, demos/Attribution_Patching_Demo.ipynb: the demo's eight prompts with BOS, its head results over all positions",
    bound: 1e-3,
    logitDiff: { mean: 3.5519, perPair: [3.3368, 3.2018, 2.7098, 3.7976, 1.7206, 5.2815, 2.601, 5.7676] },
    heads: [
      ...heads('z', [
        ['10.7', -0.4799, -0.4033],
        ['5.5', 0.3435, 0.2823],
        ['8.6', 0.3186, 0.3593],
        ['11.10', -0.2782, -0.2812],
        ['8.10', 0.2779, 0.2729],
        ['9.9', 0.2636, 0.3768],
        ['7.9', 0.1922, 0.1731],
        ['6.9', 0.1303, 0.1081],
        ['7.3', 0.1243, 0.112],
        ['3.0', 0.1163, 0.0894],
      ]),
      ...heads('q', [
        ['10.7', -0.5129, -0.2619],
        ['5.5', 0.3435, 0.0407],
        ['11.10', -0.3374, -0.3345],
        ['9.9', 0.2794, 0.1558],
      ]),
      ...heads('v', [
        ['8.6', 0.3172, 0.3611],
        ['8.10', 0.2727, 0.2726],
        ['7.9', 0.2084, 0.1884],
      ]),
    ],
  },
  edges: {
    source: "the MIB benchmark's circuit track, circuits/ioi-eap-ig.json: the strongest edges of its EAP-IG graph",
    method: { integrated: { steps: 5, rule: 'left' } },
    note: "Theirs are over another set of IOI prompts and divided by the batch size once more, so that ranks and signs compare, sizes do not.",
    list: [
      { edge: 'a9.h9->logits', score: -0.2815 },
      { edge: 'input->m0', score: -0.2085 },
      { edge: 'a10.h7->logits', score: 0.1964 },
      { edge: 'a9.h6->logits', score: -0.13 },
      { edge: 'a11.h10->logits', score: 0.0915 },
      { edge: 'a9.h9->a11.h10<q>', score: 0.0812 },
      { edge: 'a5.h5->a8.h6<v>', score: -0.0777 },
      { edge: 'a10.h7->a11.h10<q>', score: -0.0775 },
      { edge: 'a10.h0->logits', score: -0.0588 },
      { edge: 'a9.h9->a10.h7<q>', score: 0.0561 },
      { edge: 'a5.h5->a7.h9<v>', score: -0.034 },
      { edge: 'a5.h5->a8.h10<v>', score: -0.0328 },
      { edge: 'a6.h9->a8.h6<v>', score: -0.03 },
      { edge: 'a8.h6->a9.h9<q>', score: -0.0253 },
    ],
    compared: 100,
    spearman: 0.9,
  },
};
