import { arrayNamed, type ArrayView } from '../shared/arrays';
import type { GraphNode } from '../shared/graph/nodes';
import { groupArrayName } from '../shared/results';
import type { Run, RunPair } from '../shared/run';
import type { SiteName } from '../shared/sites';
import type { ViewOptions } from '../shared/views';

/**
 * In which column of the graph each node stands: at the place where its own attribution, over the pairs in view, is largest in
 * size. Places are the file's named positions and, for positions that have no name, those of the tokens; where the pairs in view are
 * of several lengths, the latter are counted from the end. A node whose attribution is zero everywhere stands at the metric's
 * position, as the logits do; one that the run holds no attribution of in a column of its own.
 */
export function nodeColumns(run: Run, { pair }: Pick<ViewOptions, 'pair'>, nodes: readonly GraphNode[]): { columns: string[]; of: number[] } {
  const shown = shownPairs(run, pair);
  const places = placesOf(shown);
  const metricAt = largest(countsOf(shown.map(({ placeAt, metricAt: at }) => placeAt[at]!), places.length));
  const placed = nodes.map((node): number => {
    if (node.kind === 'logits') return metricAt;
    const sums = attributionByPlace(run, node, shown, places.length);
    if (!sums) return UNKNOWN;
    return sums.every((sum) => sum === 0) ? metricAt : largest(sums.map(Math.abs));
  });
  const used = [...new Set(placed)].sort((a, b) => orderOf(places, a) - orderOf(places, b) || a - b);
  return { columns: used.map((place) => places[place]?.label ?? 'position not attributed'), of: placed.map((place) => used.indexOf(place)) };
}

const UNKNOWN = -1;

interface Place {
  label: string;
  /** Mean position, from the start or, of several lengths, from the end. */
  order: number;
}

interface ShownPair {
  group: number;
  /** In the group's arrays. */
  row: number;
  pair: RunPair;
  /** How many positions the group's arrays have. */
  positions: number;
  isMetricOnly: boolean;
  metricAt: number;
  /** By position, the index of its place. Filled by `placesOf`. */
  placeAt: number[];
}

function shownPairs({ manifest: { groups, pairs } }: Run, shown: ViewOptions['pair']): ShownPair[] {
  return groups.flatMap(({ pairs: own, length, positions }, group) =>
    own.flatMap((index, row) => {
      if (shown !== 'all' && shown !== index) return [];
      const pair = pairs[index]!;
      // Prompts that are compared from their ends have no position but the metric's.
      const isMetricOnly = positions === 'last';
      return [{ group, row, pair, isMetricOnly, positions: isMetricOnly ? 1 : length, metricAt: isMetricOnly ? 0 : (pair.at ?? length - 1), placeAt: [] }];
    }),
  );
}

/** Every place of the pairs shown; each position of each pair belongs to one. */
function placesOf(shown: readonly ShownPair[]): Place[] {
  const isOneLength = new Set(shown.map(({ positions }) => positions)).size === 1;
  const found = new Map<string, { index: number; name?: string; at: number[]; texts: string[] }>();
  for (const { pair, positions, isMetricOnly, placeAt } of shown) {
    const names = isMetricOnly ? [['metric’s position', 0] as const] : Object.entries(pair.positions ?? {});
    for (let position = 0; position < positions; position++) {
      const at = isOneLength ? position : position - positions;
      const name = names.find(([, named]) => named === position)?.[0];
      const key = name === undefined ? `at ${at}` : `named ${name}`;
      const place = found.get(key) ?? { index: found.size, name, at: [], texts: [] };
      found.set(key, place);
      place.at.push(at);
      place.texts.push(pair.clean[position]!.text);
      placeAt.push(place.index);
    }
  }
  return Array.from(found.values(), ({ name, at, texts }) => ({ label: name ?? labelOf(texts, at[0]!), order: at.reduce((sum, own) => sum + own, 0) / at.length }));
}

/** "Mary (4)"; "Mary … (4)" where other pairs have other tokens there; "gave (−2)" counted from the end. */
function labelOf(texts: readonly string[], at: number): string {
  const distinct = [...new Set(texts)];
  const counts = countsOf(texts.map((text) => distinct.indexOf(text)), distinct.length);
  const text = distinct[largest(counts)]!;
  return `${text.trim() || '␣'}${distinct.length > 1 ? ' …' : ''} (${String(at).replace('-', '−')})`;
}

function orderOf(places: readonly Place[], place: number): number {
  return places[place]?.order ?? -Infinity;
}

const SITE_OF: Record<Exclude<GraphNode['kind'], 'logits'>, SiteName> = { input: 'embed', head: 'z', mlp: 'mlp_out' };

/** A node's attribution summed over pairs, by place; undefined where the run does not hold it. */
function attributionByPlace({ arrays, manifest: { model } }: Run, node: Exclude<GraphNode, { kind: 'logits' }>, shown: readonly ShownPair[], places: number): number[] | undefined {
  const sums = new Array<number>(places).fill(0);
  const site = SITE_OF[node.kind];
  for (const { group, row, positions, placeAt } of shown) {
    const name = groupArrayName(group, site);
    if (!(name in arrays.entries)) return undefined;
    const array: ArrayView = arrayNamed(arrays, name);
    for (let position = 0; position < positions; position++) {
      const inLayer = (layer: number): number => (row * model.layers + layer) * positions + position;
      const index = node.kind === 'input' ? row * positions + position : node.kind === 'mlp' ? inLayer(node.layer) : inLayer(node.layer) * model.heads + node.head;
      sums[placeAt[position]!]! += array.data[index]!;
    }
  }
  return sums;
}

function countsOf(indices: readonly number[], extent: number): number[] {
  const counts = new Array<number>(extent).fill(0);
  for (const index of indices) counts[index]!++;
  return counts;
}

/** Index of the largest; of equal ones the first. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);
}
