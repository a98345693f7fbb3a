import { packArrays, arrayNamed, type NamedArrays } from '../../src/shared/arrays';
import { agreementOf } from '../../src/shared/agreement';
import { cellAt, cellKey, exactLookup, exactOf, exactScores, mapExtent, withExact } from '../../src/shared/exact';
import type { Agreement, CellChoice, NeuronsPage, NeuronsRequest, Predictions, SiteAgreement, TokenPrediction } from '../../src/shared/panelProtocol';
import { rankCells } from '../../src/shared/ranking';
import { groupArrayName, type PatchCell } from '../../src/shared/results';
import type { Run } from '../../src/shared/run';
import { hasHeads, type SiteName } from '../../src/shared/sites';
import { mapScores, scaleOf, type MapOf, type ViewOptions } from '../../src/shared/views';
import { randomNumbers } from './sampleRuns';

/** What a host computes beyond the maps, invented for a sample run but consistent with itself. */

interface Place {
  row: number;
  column: number;
}

const keyOf = (map: MapOf, { row, column }: Place): string => JSON.stringify(cellAt(map, row, column));

/** Those that stand in a map. */
type MapCells = Exclude<CellChoice, { units: PatchCell[] }>;

export function cellsOf(run: Run, choice: MapCells): Place[] {
  if ('cells' in choice) return choice.cells;
  if ('top' in choice) return rankCells(mapScores(run.manifest, run.arrays, choice.map, choice.options)!).slice(0, choice.top);
  const { rows, columns } = mapExtent(run.manifest, choice.map);
  return Array.from({ length: rows * columns }, (_, i) => ({ row: Math.floor(i / columns), column: i % columns }));
}

function unmeasured(run: Run, choice: MapCells): Place[] {
  const known = new Set(exactOf(run).cells.map((cell) => JSON.stringify(cellAtOf(cell))));
  return cellsOf(run, choice).filter((cell) => !known.has(keyOf(choice.map, cell)));
}

/** Absent fields left out, as `cellAt` writes them. */
function cellAtOf({ site, group, layer, head, position }: ReturnType<typeof cellAt>): object {
  return { site, ...(group !== undefined && { group }), ...(layer !== undefined && { layer }), ...(head !== undefined && { head }), ...(position !== undefined && { position }) };
}

/**
 * The truth as it might be: near the estimate, strong cells overestimated, and now and then one of another sign or
 * twice as large. Effects of every pair, raw.
 */
export function measure(run: Run, map: MapOf, places: readonly Place[]): Run {
  const { manifest, arrays } = run;
  const { columns } = mapExtent(manifest, map);
  const perPair = manifest.pairs.map((_, pair) => mapScores(manifest, arrays, map, { pair, unit: 'raw' })?.values);
  const effects = places.flatMap(({ row, column }) => {
    const random = randomNumbers(row * 131 + column * 17 + 5);
    const factor = random() < 0.12 ? 1.7 : random() < 0.08 ? -0.3 : 0.65 + 0.35 * random();
    return perPair.map((values) => (values ? values[row * columns + column]! * manifest.pairs.length * factor : NaN));
  });
  return withExact(run, { cells: places.map(({ row, column }) => cellAt(map, row, column)), effects: Float32Array.from(effects) });
}

function unmeasuredUnits(run: Run, units: readonly PatchCell[]): PatchCell[] {
  const known = new Set(exactOf(run).cells.map(cellKey));
  return units.filter((unit) => !known.has(cellKey(unit)));
}

/** Single parts, which the run may hold no estimate of: any numbers, always the same for the same part. */
export function measureUnits(run: Run, units: readonly PatchCell[]): Run {
  const { pairs, groups } = run.manifest;
  const effects = units.flatMap((unit) => {
    const random = randomNumbers([...cellKey(unit)].reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) | 0, 7));
    return pairs.map((_, pair) => (unit.group === undefined || groups[unit.group]!.pairs.includes(pair) ? random() - 0.5 : NaN));
  });
  return withExact(run, { cells: [...units], effects: Float32Array.from(effects) });
}

/** What is left to measure of a choice, in its order, and how a part of it is measured. */
export function toMeasure(run: Run, choice: CellChoice): { left: PatchCell[]; measured(run: Run, from: number, end: number): Run } {
  if ('units' in choice) {
    const left = unmeasuredUnits(run, choice.units);
    return { left, measured: (own, from, end) => measureUnits(own, left.slice(from, end)) };
  }
  const places = unmeasured(run, choice);
  return { left: places.map(({ row, column }) => cellAt(choice.map, row, column)), measured: (own, from, end) => measure(own, choice.map, places.slice(from, end)) };
}

export function exactEffects(run: Run, units: readonly PatchCell[], options: ViewOptions): Float32Array {
  return Float32Array.from(units, exactLookup(run, options));
}

export function agreement(run: Run, map: MapOf, options: ViewOptions): Agreement {
  const exact = exactScores(run, map, options);
  const estimate = mapScores(run.manifest, run.arrays, map, options)!;
  const points = Array.from(exact.values).flatMap((value, i) =>
    Number.isNaN(value) ? [] : [{ row: Math.floor(i / exact.columns), column: i % exact.columns, estimate: estimate.values[i]!, exact: value }],
  );
  return { points, summary: agreementOf(points) };
}

export function agreementTable(run: Run, options: ViewOptions, sites: readonly SiteName[]): SiteAgreement[] {
  return sites.flatMap((site) => {
    const positions = run.manifest.groups.map((_, group): MapOf => ({ site, over: 'positions', group }));
    const maps: MapOf[] = hasHeads(site) ? [{ site, over: 'all' }, { site, over: 'last' }, ...positions] : positions;
    return maps.flatMap((map) => {
      if (!mapScores(run.manifest, run.arrays, map, options)) return [];
      const { points, summary } = agreement(run, map, options);
      const { rows, columns } = mapExtent(run.manifest, map);
      return points.length === 0 ? [] : [{ map, measured: points.length, cells: rows * columns, summary }];
    });
  });
}

/** See AttentionResult: patterns [head, dest, src] that look at nothing later and sum to one, and their attribution. */
export function attention({ manifest }: Run, pair: number, layer: number, heads: readonly number[]): { heads: number[]; arrays: NamedArrays } {
  const { clean: tokens, positions = {}, metric, differsAt = 0 } = manifest.pairs[pair]!;
  const length = tokens.length;
  const shape = [heads.length, length, length];
  const clean = new Float32Array(heads.length * length * length);
  const other = new Float32Array(clean.length);
  const attribution = new Float32Array(clean.length);
  const scale = metric.clean - (metric.corrupted ?? 0);
  heads.forEach((head, slot) => {
    const random = randomNumbers(layer * 101 + head * 7 + pair + 1);
    const favourite = Object.values(positions)[head % 3];
    for (let dest = 0; dest < length; dest++) {
      const row = (slot * length + dest) * length;
      for (const [side, values] of [['clean', clean], ['other', other]] as const) {
        const weights = Array.from({ length: dest + 1 }, (_, src) => {
          const draw = random();
          const pull = src === favourite && dest === length - 1 ? (side === 'clean' ? 4 : 1.5) : src === 0 ? 2 : src === dest ? 1 : 0;
          // Before the first difference both runs are the same.
          return side === 'other' && dest < differsAt ? Math.log(clean[row + src]! + 1e-9) : pull + draw;
        });
        const sum = weights.reduce((total, weight) => total + Math.exp(weight), 0);
        weights.forEach((weight, src) => (values[row + src] = Math.exp(weight) / sum));
      }
      for (let src = 0; src <= dest; src++) attribution[row + src] = (clean[row + src]! - other[row + src]!) * scale * 0.3 * (random() - 0.2);
    }
  });
  const axes = ['head', 'dest', 'src'];
  const { other: otherSide, variant } = manifest.experiment;
  const base = other.map((value, cell) => (value + clean[cell]!) / 2);
  return {
    heads: [...heads],
    arrays: packArrays([
      { name: 'clean', axes, shape, data: clean },
      ...(otherSide === 'zero' ? [] : [{ name: 'other', axes, shape, data: other }]),
      ...(variant?.interventions ? [{ name: 'base', axes, shape, data: base }] : []),
      { name: 'attribution', axes, shape, data: attribution },
    ]),
  };
}

/** See LensResult: components that add up to the metric, and a lens that ends at it. */
export function lens({ manifest, arrays }: Run): { arrays: NamedArrays } {
  const { model, pairs, groups } = manifest;
  const { layers, heads } = model;
  const sides = (['clean', 'corrupted'] as const).filter((side) => pairs.every(({ metric }) => metric[side] !== undefined));
  return {
    arrays: packArrays(
      sides.flatMap((side) => {
        const byHead = new Float32Array(pairs.length * layers * heads);
        const mlp = new Float32Array(pairs.length * layers);
        const [embed, position, bias] = [0.02, -0.01, 0.05].map((value) => new Float32Array(pairs.length).fill(value)) as [Float32Array, Float32Array, Float32Array];
        const depth = 2 * layers + 1;
        const stream = new Float32Array(pairs.length * depth);
        groups.forEach((group, index) =>
          group.pairs.forEach((pair, row) => {
            const random = randomNumbers(pair + (side === 'clean' ? 1 : 50));
            const name = groupArrayName(index, 'z');
            const extent = group.positions === 'last' ? 1 : group.length;
            const data = name in arrays.entries ? arrayNamed(arrays, name).data : new Float32Array(group.pairs.length * layers * extent * heads);
            const total = pairs[pair]!.metric[side]!;
            const sign = side === 'clean' ? 1 : -1;
            for (let layer = 0; layer < layers; layer++) {
              for (let head = 0; head < heads; head++) {
                byHead[(pair * layers + layer) * heads + head] = 0.5 * sign * data[((row * layers + layer) * extent + extent - 1) * heads + head]! + 0.02 * (random() - 0.5);
              }
              mlp[pair * layers + layer] = 0.2 * (random() - 0.5);
            }
            const own = byHead.subarray(pair * layers * heads, (pair + 1) * layers * heads);
            const sum = own.reduce((a, b) => a + b, 0) + mlp.subarray(pair * layers, (pair + 1) * layers).reduce((a, b) => a + b, 0);
            // The last MLP makes the sum the metric.
            mlp[(pair + 1) * layers - 1]! += total - sum - embed[pair]! - position[pair]! - bias[pair]!;
            let value = embed[pair]! + position[pair]! + bias[pair]!;
            stream[pair * depth] = value;
            for (let layer = 0; layer < layers; layer++) {
              for (let head = 0; head < heads; head++) value += own[layer * heads + head]!;
              stream[pair * depth + 2 * layer + 1] = value;
              value += mlp[pair * layers + layer]!;
              stream[pair * depth + 2 * layer + 2] = value;
            }
          }),
        );
        const one = ['pair'];
        return [
          { name: `${side}.lens`, axes: ['pair', 'depth'], shape: [pairs.length, depth], data: stream },
          { name: `${side}.heads`, axes: ['pair', 'layer', 'head'], shape: [pairs.length, layers, heads], data: byHead },
          { name: `${side}.mlp`, axes: ['pair', 'layer'], shape: [pairs.length, layers], data: mlp },
          { name: `${side}.embed`, axes: one, shape: [pairs.length], data: embed },
          { name: `${side}.position`, axes: one, shape: [pairs.length], data: position },
          { name: `${side}.bias`, axes: one, shape: [pairs.length], data: bias },
        ];
      }),
    ),
  };
}

/** The answer that the run prefers first, the other second, their logits apart by the metric, then what else could be said. */
export function predictions({ manifest }: Run, pair: number): Predictions {
  const { correct, incorrect, metric } = manifest.pairs[pair]!;
  const side = (value: number): TokenPrediction[] => {
    const rest = [' the', ' his', ' them', ' a', ' her', ' it', ' him', ' both'].map((text, place) => ({ text, logit: 11.4 - 0.35 * place }));
    const named = [{ text: correct[0]!.text, logit: 13 + value / 2 }, { text: incorrect[0]!.text, logit: 13 - value / 2 }];
    const all = [...named, ...rest].sort((a, b) => b.logit - a.logit);
    // Two more parts of e^12 stand for the rest of the vocabulary.
    const sum = all.reduce((total, { logit }) => total + Math.exp(logit), 2 * Math.exp(12));
    return all.map(({ text, logit }) => ({ text, logit, probability: Math.exp(logit) / sum }));
  };
  const hasInterventions = (manifest.experiment.variant?.interventions ?? []).length > 0;
  return { clean: side(metric.clean), ...(metric.corrupted !== undefined && { corrupted: side(metric.corrupted) }), ...(hasInterventions && { patched: side(metric.clean / 3) }) };
}

export function neurons({ manifest, arrays }: Run, { options, from, count, layer, group, position }: NeuronsRequest): NeuronsPage {
  const { layers, dMlp } = manifest.model;
  const scores = new Float64Array(layers * dMlp);
  const scale = scaleOf(manifest, options);
  manifest.groups.forEach(({ pairs }, index) => {
    if (group !== undefined && group !== index) return;
    const { data, shape } = arrayNamed(arrays, groupArrayName(index, 'mlp_post'));
    const extent = shape[2]!;
    pairs.forEach((pair, row) => {
      if (options.pair !== 'all' && options.pair !== pair) return;
      for (let l = 0; l < layers; l++) {
        for (let p = 0; p < extent; p++) {
          if (position !== undefined && p !== position) continue;
          for (let n = 0; n < dMlp; n++) scores[l * dMlp + n]! += data[((row * layers + l) * extent + p) * dMlp + n]! * scale;
        }
      }
    });
  });
  const rows = Array.from(scores, (score, i) => ({ layer: Math.floor(i / dMlp), neuron: i % dMlp, score })).filter((row) => layer === undefined || row.layer === layer);
  rows.sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  return { total: rows.length, rows: rows.slice(from, from + count) };
}
