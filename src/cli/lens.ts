import { arrayNamed, type NamedArrays } from '../shared/arrays';
import { rankCells } from '../shared/ranking';
import type { Run } from '../shared/run';
import type { LensCommand } from './arguments';
import { working } from './attribute';
import { nestedIn, runJson, type Nested, type RunJson } from './json';
import { openRun } from './openRun';
import type { Surroundings } from './prepare';
import { alignedTable, facts, signed } from './text';

/** What `lens --json` prints, in logits of correct − incorrect. Fields are added, never changed. */
export interface LensJson extends RunJson {
  unit: 'raw';
  /** The rows of `lens`: the residual stream before layer 0, after each attention and after each MLP. */
  depths: string[];
  pairs: { name: string; clean: LensSideJson; corrupted?: LensSideJson }[];
}

/** Heads, MLPs, embed, position and bias add up to the last depth of the lens. */
export interface LensSideJson {
  lens: Nested;
  /** [layer][head]. */
  heads: Nested;
  mlp: Nested;
  embed: Nested;
  position: Nested;
  bias: Nested;
}

const PARTS = ['lens', 'heads', 'mlp', 'embed', 'position', 'bias'] as const;
type Side = 'clean' | 'corrupted';

export async function lens(command: LensCommand, surroundings: Surroundings): Promise<void> {
  const { run, settings } = await openRun(command, surroundings, () => []);
  const { arrays } = await working(command.file, command.file, surroundings, (call) => surroundings.runner.lens({ run, settings }, call));
  surroundings.print(command.json ? `${JSON.stringify(lensJson(run, arrays))}\n` : lensTables(run, arrays, command.top));
}

export function lensJson(run: Run, arrays: NamedArrays): LensJson {
  const sides = sidesOf(arrays);
  const side = (name: Side, pair: number): LensSideJson =>
    Object.fromEntries(
      PARTS.map((part) => {
        const { data, shape } = arrayNamed(arrays, `${name}.${part}`);
        const size = data.length / shape[0]!;
        return [part, nestedIn(shape.slice(1), data.subarray(pair * size, (pair + 1) * size))];
      }),
    ) as unknown as LensSideJson;
  return {
    ...runJson(run),
    unit: 'raw',
    depths: depthNames(run.manifest.model.layers),
    pairs: run.manifest.pairs.map(({ name }, pair) => ({ name, clean: side('clean', pair), ...(sides.includes('corrupted') && { corrupted: side('corrupted', pair) }) })),
  };
}

function depthNames(layers: number): string[] {
  return ['embedding', ...Array.from({ length: layers }, (_, layer) => [`attention ${layer}`, `MLP ${layer}`]).flat()];
}

function sidesOf(arrays: NamedArrays): Side[] {
  return (['clean', 'corrupted'] as const).filter((side) => `${side}.lens` in arrays.entries);
}

function lensTables(run: Run, arrays: NamedArrays, top: number): string {
  const { layers, heads } = run.manifest.model;
  const sides = sidesOf(arrays);
  const means = Object.fromEntries(sides.map((side) => [side, Object.fromEntries(PARTS.map((part) => [part, meanOf(arrays, `${side}.${part}`)]))])) as Record<Side, Record<(typeof PARTS)[number], Float32Array>>;
  const columns = (part: (typeof PARTS)[number], i: number): string[] => sides.map((side) => signed(means[side][part][i]!));
  const depths = depthNames(layers).map((name, i) => [name, ...columns('lens', i)]);
  const strongest = rankCells({ axes: ['layer', 'head'], rows: layers, columns: heads, values: means.clean.heads })
    .slice(0, top)
    .map(({ row, column }) => [`${row}.${column}`, ...columns('heads', row * heads + column)]);
  const others = [...Array.from({ length: layers }, (_, layer) => [`MLP ${layer}`, ...columns('mlp', layer)]), ...(['embed', 'position', 'bias'] as const).map((part) => [part, ...columns(part, 0)])];
  const of = run.manifest.pairs.length > 1 ? `, mean over ${run.manifest.pairs.length} pairs` : '';
  return `${[
    facts(run),
    `Logit lens: the residual stream after each block, read out along correct − incorrect (logits${of})\n${alignedTable(['after', ...sides], depths, ['after'])}`,
    `Direct logit attribution, top heads (logits${of})\n${alignedTable(['head', ...sides], strongest, ['head'])}`,
    `Direct logit attribution of everything else (logits${of})\n${alignedTable(['part', ...sides], others, ['part'])}`,
  ].join('\n\n')}\n`;
}

/** Mean over the pairs, the first axis. */
function meanOf(arrays: NamedArrays, name: string): Float32Array {
  const { data, shape } = arrayNamed(arrays, name);
  const size = data.length / shape[0]!;
  return Float32Array.from({ length: size }, (_, i) => Array.from({ length: shape[0]! }, (_, pair) => data[pair * size + i]!).reduce((sum, value) => sum + value, 0) / shape[0]!);
}
