import { packArrays } from '../../src/shared/arrays';
import { firstDifference, hasOtherRun, type Other, type TextExperiment } from '../../src/shared/experiment';
import { groupArrayName, type PairGroup } from '../../src/shared/results';
import { RUN_FORMAT_VERSION, type Run, type RunPair, type TokenText } from '../../src/shared/run';
import { DEFAULT_SITES, SITES, type SiteName } from '../../src/shared/sites';

/** Runs that look like real ones, made from a seed, so that the page and the test that drives it hold the same numbers. */

export type SampleName = 'ioi' | 'gpt2' | 'large' | 'single' | 'flat' | 'end' | 'reversed' | 'neurons' | 'ablated' | 'intervened' | 'resampled' | 'gradientless' | 'long' | 'tiny';

interface Prompts {
  name: string;
  clean: string;
  corrupted: string;
  correct: string;
  incorrect: string;
  /** Named positions by substring, as a prompt file writes them. */
  positions?: Record<string, string | number>;
}

const IOI: Prompts[] = [
  ['John', 'Mary', 'When {A} and {B} went to the shops, {S} gave the bag to', 'bag'],
  ['Tom', 'James', 'When {A} and {B} went to the park, {S} gave the ball to', 'ball'],
  ['Dan', 'Sid', 'When {A} and {B} went to the shops, {S} gave an apple to', 'apple'],
  ['Martin', 'Amy', 'After {A} and {B} went to the old park, {S} gave a drink to', 'drink'],
].flatMap(([first, second, template, thing]) =>
  [[first!, second!], [second!, first!]].map(([subject, other]) => {
    const fill = (giver: string): string => template!.replace('{A}', first!).replace('{B}', second!).replace('{S}', giver);
    return { name: `${subject} gives the ${thing}`, clean: fill(subject!), corrupted: fill(other!), correct: ` ${other}`, incorrect: ` ${subject}`, positions: { S1: subject!, IO: other!, S2: `#2 ${subject}`, END: -1 } };
  }),
);

interface Recipe {
  layers: number;
  heads: number;
  pairs: Prompts[];
  id: string;
  /** Logit difference of clean; corrupted is its negative. */
  logitDiff: number;
  /** Heads that matter: layer, head, weight, and the position counted from the end. */
  strong: [layer: number, head: number, weight: number, fromEnd: number][];
  positions: PairGroup['positions'];
  seed: number;
  sites: readonly SiteName[];
  change?: Partial<TextExperiment>;
}

const SMALL = { layers: 5, heads: 8, pairs: IOI, id: 'bundled', logitDiff: 4.2, positions: 'all' as const, seed: 1, sites: DEFAULT_SITES };
const NEURONS_PER_HEAD = 4;

function recipeOf(name: SampleName): Recipe {
  const strong: Recipe['strong'] = [[4, 6, 0.31, 1], [3, 2, 0.22, 1], [2, 5, 0.17, 5], [4, 1, -0.14, 1], [3, 7, 0.11, 1], [1, 3, 0.08, 5], [2, 0, -0.05, 3]];
  switch (name) {
    case 'ioi':
      return { ...SMALL, strong };
    case 'single':
      return { ...SMALL, strong, pairs: IOI.slice(0, 1) };
    case 'flat':
      return { ...SMALL, strong, logitDiff: 0.0001 };
    case 'reversed':
      return { ...SMALL, strong, logitDiff: -SMALL.logitDiff };
    case 'end':
      return { ...SMALL, strong, positions: 'last' };
    case 'neurons':
      return { ...SMALL, strong, sites: [...DEFAULT_SITES, 'mlp_post'] };
    case 'ablated':
      return { ...SMALL, strong, change: { direction: 'noise', other: 'zero', metric: 'logProb', variant: { qkFix: true, integrated: { steps: 8, rule: 'midpoint' } } } };
    case 'intervened':
      return { ...SMALL, strong, change: { variant: { interventions: [{ unit: { site: 'z', layer: 3, head: 2 }, with: 'zero' }] } } };
    case 'resampled':
      return { ...SMALL, strong, change: { direction: 'noise', other: 'resample' } };
    case 'gradientless':
      return { ...SMALL, strong, sites: [], change: { direction: 'noise', metric: 'kl' } };
    case 'gpt2':
      return {
        ...{ layers: 12, heads: 12, pairs: IOI, id: 'openai-community/gpt2', logitDiff: 2.8138, positions: 'all', seed: 3, sites: DEFAULT_SITES },
        strong: [[10, 7, -0.364, 1], [8, 6, 0.296, 1], [9, 9, 0.288, 1], [8, 10, 0.275, 1], [7, 9, 0.203, 1], [11, 10, -0.2, 1], [7, 3, 0.137, 1], [5, 5, 0.28, 5], [6, 9, 0.11, 5], [3, 0, 0.09, 5], [11, 2, -0.0974, 1], [10, 0, 0.0865, 1]],
      };
    case 'tiny':
      return { ...SMALL, layers: 4, heads: 4, strong: [[3, 2, 0.31, 1], [2, 1, 0.22, 1], [1, 3, 0.12, 5]] };
    case 'long':
      return { ...SMALL, strong, pairs: [longPrompts(240)] };
    case 'large':
      return {
        ...{ layers: 48, heads: 25, id: 'gpt2-xl', logitDiff: 3.1, positions: 'all', seed: 4, sites: ['z', 'resid_pre', 'attn_out', 'mlp_out'] },
        strong: [[40, 7, 0.3, 1], [38, 3, 0.2, 1]],
        pairs: [longPrompts(1023)],
      };
  }
}

/** Two prompts of one token more, the same but for a name two thirds along. */
function longPrompts(count: number): Prompts {
  const words = Array.from({ length: count }, (_, index) => ['the', 'of', 'and', 'winter', 'garden', 'seven'][index % 6]!);
  const at = Math.floor(count * 0.685);
  const text = (subject: string): string => `When ${words.slice(0, at).join(' ')} ${subject} ${words.slice(at + 1, count - 1).join(' ')} to`;
  return { name: 'long', clean: text('John'), corrupted: text('Mary'), correct: ' Mary', incorrect: ' John' };
}

/** The run of that name: always the same. `change`: as if run once more with it. */
export function sampleRun(name: SampleName, change: Partial<TextExperiment> = {}): Run {
  const recipe = recipeOf(name);
  const { layers, heads, positions, sites } = recipe;
  const experiment: TextExperiment = {
    ...{ metric: 'logitDiff', direction: 'denoise' },
    ...recipe.change,
    ...change,
    pairs: recipe.pairs.map(({ correct, incorrect, ...pair }) => ({ ...pair, correct: [correct], incorrect: [incorrect] })),
  };
  const random = randomNumbers(recipe.seed);
  const pairs = recipe.pairs.map((prompts) => pairOf(prompts, recipe.logitDiff * (1 + 0.4 * (random() - 0.5)), experiment.other));
  const groups = groupByLength(pairs, positions);
  const arrays = groups.flatMap((group, index) => {
    const data = attributionOf(recipe, group, pairs, random);
    return sites.map((site) => {
      const { axes } = SITES[site];
      const extents = { pair: group.pairs.length, layer: layers, position: extentOf(group), head: heads, neuron: heads * NEURONS_PER_HEAD };
      return { name: groupArrayName(index, site), axes, shape: axes.map((axis) => extents[axis]), data: data[site]! };
    });
  });
  return {
    manifest: {
      formatVersion: RUN_FORMAT_VERSION,
      id: `20261121T120000-${name}${Object.keys(change).length > 0 ? '-changed' : ''}`,
      extensionVersion: '0.1.0',
      createdAt: '2026-11-21T12:00:00.000Z',
      title: 'ioi.prompts.json',
      source: { uri: 'file:///samples/ioi.prompts.json' },
      experiment,
      prependBos: false,
      model: { id: recipe.id, checkpointHash: '0'.repeat(64), layers, heads, dModel: heads * 16, dHead: 16, dMlp: heads * NEURONS_PER_HEAD, vocabulary: 1200, context: 1024, parameters: 3e6, dtype: 'F16' },
      backend: { name: 'wasm-simd', threads: 1, note: 'Threads were not taken: the prompts are short.' },
      pairs,
      groups,
      timings: { load: 0.312, run: 0.184 },
      notes: name === 'flat' ? [{ severity: 'warning', message: 'The logit difference of clean and corrupted is too small to normalise.' }] : [{ severity: 'info', message: 'The words “shops” and “apple” are rare in what the bundled model has read.' }],
    },
    arrays: packArrays(arrays),
  };
}

function pairOf(prompts: Prompts, strength: number, other: Other = 'corrupted'): RunPair {
  const clean = tokensOf(prompts.clean);
  const corrupted = other === 'corrupted' ? tokensOf(prompts.corrupted) : clean;
  return {
    name: prompts.name,
    clean,
    corrupted,
    correct: tokensOf(prompts.correct),
    incorrect: tokensOf(prompts.incorrect),
    ...(other === 'corrupted' && { differsAt: firstDifference(clean.map(({ id }) => id), corrupted.map(({ id }) => id))! }),
    ...(prompts.positions && { positions: Object.fromEntries(Object.entries(prompts.positions).map(([role, place]) => [role, indexOf(clean, place)])) }),
    metric: { clean: strength, ...(hasOtherRun(other) && { corrupted: -strength }) },
  };
}

/** "John" its first, "#2 John" its second occurrence; a number from the end. */
function indexOf(tokens: readonly TokenText[], place: string | number): number {
  if (typeof place === 'number') return place < 0 ? tokens.length + place : place;
  const [, nth = '1', word = place] = /^#(\d+) (.*)$/.exec(place) ?? [];
  return tokens.flatMap(({ text }, index) => (text.trim() === word ? [index] : []))[Number(nth) - 1]!;
}

function extentOf({ positions, length }: PairGroup): number {
  return positions === 'last' ? 1 : length;
}

/** Share of a head's effect that stands in its queries, keys, … */
const HEAD_SHARES: Partial<Record<SiteName, number>> = { q: 0.7, k: 0.5, v: 0.6, pattern: 0.85, scores: 0.8 };

/** Arrays of one group by site, as `AttributionResult` has them. */
function attributionOf({ layers, heads, strong, sites }: Recipe, group: PairGroup, pairs: readonly RunPair[], random: () => number): Partial<Record<SiteName, Float32Array>> {
  const extent = extentOf(group);
  const cells = group.pairs.length * layers * extent;
  const data: Partial<Record<SiteName, Float32Array>> = { z: new Float32Array(cells * heads), attn_out: new Float32Array(cells) };
  for (const site of sites) {
    const depth = SITES[site].axes.includes('head') ? heads : SITES[site].axes.includes('neuron') ? heads * NEURONS_PER_HEAD : 1;
    data[site] ??= new Float32Array(site === 'embed' ? group.pairs.length * extent : cells * depth);
  }
  group.pairs.forEach((pair, row) => {
    const { differsAt = 0, metric } = pairs[pair]!;
    const scale = metric.clean - (metric.corrupted ?? 0);
    const first = group.positions === 'last' ? 0 : differsAt;
    for (let layer = 0; layer < layers; layer++) {
      for (let position = first; position < extent; position++) {
        const cell = (row * layers + layer) * extent + position;
        let sum = 0;
        for (let head = 0; head < heads; head++) {
          const [, , weight = 0] = strong.find(([l, h, , fromEnd]) => l === layer && h === head && fromEnd === extent - position) ?? [];
          const value = scale * (weight * (0.8 + 0.4 * random()) + 0.006 * (random() - 0.5));
          data.z![cell * heads + head] = value;
          sum += value;
        }
        data.attn_out![cell] = sum;
        if (data.mlp_out) data.mlp_out[cell] = scale * 0.03 * (random() - 0.4);
        const depth = (at: number): number => scale * (position === first ? Math.max(0, 1 - at / layers) : position === extent - 1 ? at / layers : 0);
        if (data.resid_pre) data.resid_pre[cell] = depth(layer);
      }
    }
  });
  // The other sites from numbers of their own, so that those above are the same with and without them.
  const more = randomNumbers(99);
  for (const [site, share] of Object.entries(HEAD_SHARES) as [SiteName, number][]) {
    data[site]?.forEach((_, i, values) => (values[i] = data.z![i]! * share * (0.7 + 0.6 * more())));
  }
  data.resid_mid?.forEach((_, i, values) => (values[i] = data.resid_pre![i]! + 0.5 * data.attn_out![i]!));
  data.resid_post?.forEach((_, i, values) => (values[i] = data.resid_mid![i]! + 0.5 * data.mlp_out![i]!));
  data.embed?.forEach((_, i, values) => (values[i] = data.resid_pre![Math.floor(i / extent) * layers * extent + (i % extent)]!));
  data.mlp_post?.forEach((_, i, values) => (values[i] = (data.mlp_out![Math.floor(i / (heads * NEURONS_PER_HEAD))]! * 2 * more()) / (heads * NEURONS_PER_HEAD)));
  return data;
}

function groupByLength(pairs: readonly RunPair[], positions: PairGroup['positions']): PairGroup[] {
  const lengths = [...new Set(pairs.map(({ clean }) => clean.length))];
  return lengths.map((length) => ({ pairs: pairs.flatMap(({ clean }, index) => (clean.length === length ? [index] : [])), length, positions }));
}

/** Words with their leading space, and punctuation; ids by spelling. */
function tokensOf(text: string): TokenText[] {
  return (text.match(/ ?\w+| ?[^\s\w]+/g) ?? []).map((piece) => ({ id: [...piece].reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) % 50257, 7), text: piece }));
}

/** mulberry32 */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
