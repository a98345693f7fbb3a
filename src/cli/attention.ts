import { arrayNamed } from '../shared/arrays';
import type { AttentionResult } from '../shared/results';
import type { Run, RunPair } from '../shared/run';
import { averagedRun, canNormalise, scaleOf, type ViewOptions } from '../shared/views';
import { CircuitError } from '../shared/errors';
import type { AttentionCommand } from './arguments';
import { working } from './attribute';
import { nestedIn, notNormalised, runJson, type Nested, type RunJson } from './json';
import { openRun } from './openRun';
import type { Surroundings } from './prepare';
import { alignedTable, facts, signed, tokenText, unitTitle } from './text';

/** What `attention --json` prints: every head asked for, of every pair. Fields are added, never changed. */
export interface AttentionJson extends RunJson {
  /** Of the attribution. */
  unit: ViewOptions['unit'];
  /** The attribution is each pair's own, normalised by its own difference: not its share of the mean over the pairs. */
  of: 'pair';
  pairs: { name: string; heads: HeadJson[] }[];
}

/** Rows are destinations, columns sources; tokens as in the run's `tokens`. */
export interface HeadJson {
  layer: number;
  head: number;
  axes: ['dest', 'src'];
  clean: Nested;
  /** The other side's pattern; absent under zero ablation, which has none. */
  other?: Nested;
  /** The base run's pattern, where interventions change it. */
  base?: Nested;
  /** Gradient of the metric by each cell · (clean − other). Single cells depend on how value biases are assigned (docs/conventions.md). */
  attribution: Nested;
}

interface PairHead {
  pair: number;
  layer: number;
  head: number;
  /** [dest, src]. */
  patterns: Partial<Record<'clean' | 'other' | 'base' | 'attribution', Float32Array>>;
  length: number;
}

export async function attention(command: AttentionCommand, surroundings: Surroundings): Promise<void> {
  const { run, settings } = await openRun(command, surroundings, () => []);
  const { layers, heads, id } = run.manifest.model;
  const missing = command.heads.find(({ layer, head }) => layer >= layers || head >= heads);
  if (missing) throw new CircuitError('usage', `There is no head ${missing.layer}.${missing.head}; ${id} has layers 0 to ${layers - 1} of heads 0 to ${heads - 1}.`);
  const unit = unitFor(run, command.raw);
  const found: PairHead[] = [];
  for (let pair = 0; pair < run.manifest.pairs.length; pair++) {
    for (const layer of new Set(command.heads.map((head) => head.layer))) {
      const own = [...new Set(command.heads.filter((head) => head.layer === layer).map(({ head }) => head))];
      const result = await working(command.file, command.file, surroundings, (call) => surroundings.runner.attention({ run, settings, pair, layer, heads: own }, call));
      found.push(...split(result, pair, layer));
    }
  }
  for (const { pair, patterns } of found) {
    const scale = scaleOf(run.manifest, { pair, unit, of: 'pair' });
    patterns.attribution = patterns.attribution!.map((value) => value * scale);
  }
  surroundings.print(command.json ? `${JSON.stringify(attentionJson(run, found, unit))}\n` : attentionTables(run, found, unit, command.top));
}

/** Throws `experiment` where a pair's own difference is too small to normalise by. */
function unitFor({ manifest }: Run, raw: boolean): ViewOptions['unit'] {
  if (raw) return 'raw';
  manifest.pairs.forEach(({ name }, pair) => {
    const own = averagedRun(manifest, { pair, of: 'pair' });
    if (!canNormalise(own)) throw new CircuitError('experiment', `${name}: ${notNormalised(own)}`);
  });
  return 'normalised';
}

function split({ heads, arrays }: AttentionResult, pair: number, layer: number): PairHead[] {
  return heads.map((head, i) => {
    const of = (name: string): Float32Array | undefined => {
      if (!(name in arrays.entries)) return undefined;
      const { data } = arrayNamed(arrays, name);
      const size = data.length / heads.length;
      return data.subarray(i * size, (i + 1) * size);
    };
    const length = arrayNamed(arrays, 'clean').shape[1]!;
    return { pair, layer, head, length, patterns: { clean: of('clean'), other: of('other'), base: of('base'), attribution: of('attribution') } };
  });
}

export function attentionJson(run: Run, found: readonly PairHead[], unit: ViewOptions['unit']): AttentionJson {
  const headJson = ({ layer, head, length, patterns }: PairHead): HeadJson => {
    const { clean, other, base, attribution } = patterns;
    const matrix = (values: Float32Array): Nested => nestedIn([length, values.length / length], values);
    return { layer, head, axes: ['dest', 'src'], clean: matrix(clean!), ...(other && { other: matrix(other) }), ...(base && { base: matrix(base) }), attribution: matrix(attribution!) };
  };
  return {
    ...runJson(run),
    unit,
    of: 'pair',
    pairs: run.manifest.pairs.map(({ name }, pair) => ({ name, heads: found.filter((head) => head.pair === pair).map(headJson) })),
  };
}

/** For each pair and head the cells that carry most, with both patterns. */
function attentionTables(run: Run, found: readonly PairHead[], unit: ViewOptions['unit'], top: number): string {
  const { manifest } = run;
  const parts = found.map((head) => {
    const pair = manifest.pairs[head.pair]!;
    const title = `Head ${head.layer}.${head.head}, ${pair.name}: top cells by attribution (${manifest.pairs.length > 1 ? 'its own, ' : ''}${unitTitle(manifest, unit)})`;
    return `${title}\n${alignedTable(['destination', 'source', 'clean', 'other', 'attribution'], cellRows(head, pair, top), ['destination', 'source'])}`;
  });
  return `${[facts(run), ...parts].join('\n\n')}\n`;
}

function cellRows({ patterns, length }: PairHead, { clean }: RunPair, top: number): string[][] {
  const attribution = patterns.attribution!;
  const columns = attribution.length / length;
  const named = (position: number): string => `${position} ${tokenText(clean[position]?.text)}`;
  return Array.from(attribution.keys())
    .sort((a, b) => Math.abs(attribution[b]!) - Math.abs(attribution[a]!) || a - b)
    .filter((cell) => cell % columns <= Math.floor(cell / columns))
    .slice(0, top)
    .map((cell) => [named(Math.floor(cell / columns)), named(cell % columns), patterns.clean![cell]!.toFixed(3), patterns.other?.[cell]?.toFixed(3) ?? '', signed(attribution[cell]!)]);
}
